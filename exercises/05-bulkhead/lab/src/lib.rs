//! The lab of the bulkhead: a dependency that slows down beside a healthy one, with one pool for both and with a
//! bulkhead for each; and what one more place is worth. In virtual time; the live lab beside it has the same
//! pools over real sockets.

mod figures;
mod knee;
mod queue;
mod slow;
mod toy;
mod trials;

/// One text for two crates: `bulkheads.rs` and `tried.rs` are compiled for yours, and for the reference.
#[cfg(feature = "yours")]
#[path = "."]
mod yours {
    use bulkhead as subject;
    pub mod bulkheads;
    pub mod tried;
}
#[path = "."]
mod reference {
    use bulkhead_solution as subject;
    pub mod bulkheads;
    pub mod tried;
}

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use lab_kit::{Lab, Needs, Whose};
use storm::Failure;

pub use slow::{good_per_second, goodput};

/// The lab.
pub static LAB: Lab = Lab {
    name: "bulkhead",
    about: "A slow dependency beside a healthy one, with one pool and with two bulkheads, under one seed",
    scenes: &[&slow::SCENE, &knee::SCENE, &trials::SCENE],
    figures: Some(figures::write),
    toys: &[&queue::TOY, &toy::TOY],
};

/// What both labs need.
pub const NEEDS: Needs = Needs { step: 4, text: "The storm needs `call` (step 4)." };

/// What both labs say below their tables.
pub const ON_WAITS: &str = "A rejection is a short wait: read the rows \"wait\" together with those that count rejections.";

/// How long a caller waits for a place.
pub const MAX_WAIT: Duration = Duration::from_secs(1);

/// A call to a dependency: nothing happens until it is polled.
pub type Call = Pin<Box<dyn Future<Output = Result<(), Failure>> + Send>>;

/// What the requests share: takes a place for the call to a dependency.
pub type Pools = Arc<dyn Fn(Target, Call) -> Call + Send + Sync>;

/// Makes pools with so many places for payments and for inventory. Half as many callers may wait.
pub type MakePools = fn([usize; 2]) -> Pools;

/// One pool with the places of both, or a bulkhead for each: yours and the reference's.
pub const POOLS: &[(Whose, &str, MakePools)] = &[
    (Whose::Naive, "one pool", |places| reference::bulkheads::pools(&[places.iter().sum()])),
    #[cfg(feature = "yours")]
    (Whose::Yours, "two bulkheads, yours", |places| yours::bulkheads::pools(&places)),
    (Whose::Reference, "two bulkheads", |places| reference::bulkheads::pools(&places)),
];

/// Which dependency a request needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// A quarter of the requests.
    Payments,
    /// The others.
    Inventory,
}

impl Target {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Payments, Self::Inventory];

    /// Every fourth request pays, the others ask for stock.
    pub fn of(request: u64) -> Self {
        if request.is_multiple_of(4) { Self::Payments } else { Self::Inventory }
    }

    /// The name of its dependency, and of the gauge that counts its good answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Payments => "payments",
            Self::Inventory => "inventory",
        }
    }
}
