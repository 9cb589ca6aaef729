//! What the requests share: one pool of places, or a bulkhead for each dependency.

use storm::Failure;

/// Which dependency a request needs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Target {
    Payments,
    Inventory,
}

impl Target {
    pub const ALL: [Self; 2] = [Self::Payments, Self::Inventory];

    /// Every fourth request pays, the others ask for stock.
    pub fn of(request: u64) -> Self {
        if request.is_multiple_of(4) { Self::Payments } else { Self::Inventory }
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Payments => "payments",
            Self::Inventory => "inventory",
        }
    }
}

/// Whose places, and how they are divided.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// One pool for both, with the places of the other two.
    OnePool,
    /// Two of your bulkheads.
    Yours,
    /// Two of the reference's.
    Reference,
}

impl Whose {
    pub const ALL: [Self; 3] = [Self::OnePool, Self::Yours, Self::Reference];

    pub fn name(self) -> &'static str {
        match self {
            Self::OnePool => "one pool",
            Self::Yours => "two bulkheads, yours",
            Self::Reference => "two bulkheads",
        }
    }
}

/// Places for each dependency: for payments and for inventory. Half as many may wait.
#[derive(Clone, Copy)]
pub struct Places(pub [usize; 2]);

#[derive(Clone)]
pub enum Pools {
    One(bulkhead_solution::Bulkhead),
    Yours([bulkhead::Bulkhead; 2]),
    Reference([bulkhead_solution::Bulkhead; 2]),
}

impl Pools {
    pub fn new(whose: Whose, Places(places): Places) -> Self {
        let reference = |max_concurrent: usize| {
            use bulkhead_solution::{Bulkhead, Config};
            let config = Config {
                max_concurrent,
                max_waiting: max_concurrent / 2,
                max_wait: super::MAX_WAIT,
            };
            Bulkhead::new(config).expect("valid")
        };
        match whose {
            Whose::OnePool => Self::One(reference(places.iter().sum())),
            Whose::Yours => Self::Yours(places.map(|max_concurrent| {
                use bulkhead::{Bulkhead, Config};
                let max_waiting = max_concurrent / 2;
                let config = Config { max_concurrent, max_waiting, max_wait: super::MAX_WAIT };
                Bulkhead::new(config).expect("valid")
            })),
            Whose::Reference => Self::Reference(places.map(reference)),
        }
    }

    pub async fn call<E, F>(
        &self,
        target: Target,
        operation: impl FnOnce() -> F,
    ) -> Result<(), Failure>
    where
        F: Future<Output = Result<(), E>>,
    {
        let index = target as usize;
        let answer = match self {
            Self::One(pool) => pool.call(operation).await.map_err(drop),
            Self::Yours(bulkheads) => bulkheads[index].call(operation).await.map_err(drop),
            Self::Reference(bulkheads) => bulkheads[index].call(operation).await.map_err(drop),
        };
        match answer {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(Failure::Failed),
            Err(()) => Err(Failure::Shed),
        }
    }
}
