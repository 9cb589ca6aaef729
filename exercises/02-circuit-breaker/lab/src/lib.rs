//! The lab of the circuit breaker: the same outage met without a breaker, with yours, and with the reference,
//! in virtual time. The live lab beside it has the same breakers over real sockets.

mod figures;
mod outage;

/// One text for two crates: `guard.rs` is compiled for yours, and for the reference.
#[cfg(feature = "yours")]
#[path = "."]
mod yours {
    use circuit_breaker as subject;
    pub mod guard;
}
#[path = "."]
mod reference {
    use circuit_breaker_solution as subject;
    pub mod guard;
}

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use lab_kit::{Lab, Needs, Whose};
use storm::{Failure, Timeline};

/// The lab.
pub static LAB: Lab = Lab {
    name: "circuit-breaker",
    about: "An outage without a breaker, with yours, and with the reference, under one seed",
    scenes: &[&outage::SCENE],
    figures: Some(figures::write),
};

/// What both labs need.
pub const NEEDS: Needs = Needs {
    step: 2,
    text: "The storm needs `call` (step 2), and shows most once the breaker probes (step 3).",
};

/// A call to the dependency: nothing happens until it is polled.
pub type Call = Pin<Box<dyn Future<Output = Result<(), Failure>> + Send>>;

/// What stands between a client and the dependency.
pub type Guard = Arc<dyn Fn(Call) -> Call + Send + Sync>;

/// Makes a guard with the defaults of the book, but for the open time: 1 s to a day. It marks its states on the
/// timeline, in the lane [`LANE`].
pub type MakeGuard = fn(Duration, u64, &Timeline) -> Guard;

/// Nothing, your breaker, or the reference.
pub const GUARDS: &[(Whose, &str, MakeGuard)] = &[
    (Whose::Naive, "naive", |_, _, _| Arc::new(|call| call)),
    #[cfg(feature = "yours")]
    (Whose::Yours, "yours", yours::guard::guard),
    (Whose::Reference, "reference", reference::guard::guard),
];

/// The lane of the timeline on which a breaker marks its state.
pub const LANE: &str = "breaker";
