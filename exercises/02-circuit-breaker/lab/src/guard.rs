//! What stands between the client and the dependency: nothing, your breaker, or the reference.

use std::sync::Arc;
use std::time::Duration;

use storm::{Failure, Timeline};

/// The lane of the timeline on which the reference marks its state.
pub const LANE: &str = "breaker";

/// Whose breaker guards the calls.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    Naive,
    Yours,
    Reference,
}

impl Whose {
    pub const ALL: [Self; 3] = [Self::Naive, Self::Yours, Self::Reference];

    pub fn name(self) -> &'static str {
        match self {
            Self::Naive => "naive",
            Self::Yours => "yours",
            Self::Reference => "reference",
        }
    }
}

#[derive(Clone)]
pub enum Guard {
    None,
    Yours(Arc<circuit_breaker::CircuitBreaker>),
    Reference(Arc<circuit_breaker_solution::CircuitBreaker>),
}

impl Guard {
    /// A breaker with the defaults of the book, but for the open time: 1 s to a day.
    pub fn new(whose: Whose, open_for: Duration, seed: u64, timeline: Timeline) -> Self {
        match whose {
            Whose::Naive => Self::None,
            Whose::Yours => {
                use circuit_breaker::{CircuitBreaker, Config};
                // No listener: that is the last step, and the storm can be run long before it.
                let config = Config { open_for, ..Config::default() };
                Self::Yours(Arc::new(CircuitBreaker::seeded(config, seed).expect("valid")))
            }
            Whose::Reference => {
                use circuit_breaker_solution::{CircuitBreaker, Config};
                let config = Config { open_for, ..Config::default() };
                let breaker = CircuitBreaker::seeded(config, seed).expect("valid");
                timeline.mark(LANE, "closed");
                let mark = move |to: &circuit_breaker_solution::Transition| {
                    timeline.mark(LANE, &to.to.to_string());
                };
                Self::Reference(Arc::new(breaker.on_transition(mark)))
            }
        }
    }

    pub async fn call<E, F>(&self, operation: impl FnOnce() -> F) -> Result<(), Failure>
    where
        F: Future<Output = Result<(), E>>,
    {
        match self {
            Self::None => operation().await.map_err(|_| Failure::Failed),
            Self::Yours(breaker) => breaker.call(operation).await.map_err(|error| match error {
                circuit_breaker::CallError::Rejected(_) => Failure::Shed,
                circuit_breaker::CallError::Operation(_) => Failure::Failed,
            }),
            Self::Reference(breaker) => {
                breaker.call(operation).await.map_err(|error| match error {
                    circuit_breaker_solution::CallError::Rejected(_) => Failure::Shed,
                    circuit_breaker_solution::CallError::Operation(_) => Failure::Failed,
                })
            }
        }
    }
}
