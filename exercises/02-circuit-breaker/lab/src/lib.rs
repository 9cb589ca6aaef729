//! The lab of the circuit breaker: the same outage met without a breaker, with yours, and with the reference,
//! in virtual time. The live lab beside it has the same breakers over real sockets.

mod figures;
mod outage;
mod toy;
mod travel;
mod trials;

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
    scenes: &[&outage::SCENE, &trials::SCENE],
    figures: Some(figures::write),
    toys: &[&toy::TOY, &travel::TOY],
};

/// What both labs need.
pub const NEEDS: Needs = Needs {
    step: 2,
    text: "The storm needs `call` (step 2), and shows most once the breaker probes (step 3).",
};

/// A call to the dependency: nothing happens until it is polled.
pub type Call = Pin<Box<dyn Future<Output = Result<(), Fault>> + Send>>;

/// How a call failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The dependency gave no good answer.
    Failed,
    /// It answered that there is no such thing: a 404, which is an answer.
    NotFound,
}

/// What a user's request came to.
pub type Request = Pin<Box<dyn Future<Output = Result<(), Failure>> + Send>>;

/// What stands between a client and the dependency.
pub type Guard = Arc<dyn Fn(Call) -> Request + Send + Sync>;

/// What a breaker has beside the defaults of the book.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// 1 s to a day.
    pub open_for: Duration,
    /// Whether failures in a row, however many, don't open it.
    pub by_rate_alone: bool,
    /// How long it waits for a probe.
    pub probe_lease: Duration,
    /// From when on a call counts as failed.
    pub slow_after: Option<Duration>,
    /// Whether a 404 says nothing about the dependency.
    pub ignores_not_found: bool,
}

impl Setting {
    /// The defaults, but for the open time.
    pub const fn open_for(open_for: Duration) -> Self {
        Self {
            open_for,
            by_rate_alone: false,
            probe_lease: Duration::from_secs(60),
            slow_after: None,
            ignores_not_found: false,
        }
    }
}

/// Makes a guard. It marks its states on the timeline, in the lane [`LANE`].
pub type MakeGuard = fn(Setting, u64, &Timeline) -> Guard;

/// Nothing, your breaker, or the reference.
pub const GUARDS: &[(Whose, &str, MakeGuard)] = &[
    (Whose::Naive, "naive", |_, _, _| Arc::new(|call| Box::pin(async { answer(call.await) }))),
    #[cfg(feature = "yours")]
    (Whose::Yours, "yours", yours::guard::guard),
    (Whose::Reference, "reference", reference::guard::guard),
];

/// A 404 is an answer.
fn answer(result: Result<(), Fault>) -> Result<(), Failure> {
    match result {
        Ok(()) | Err(Fault::NotFound) => Ok(()),
        Err(Fault::Failed) => Err(Failure::Failed),
    }
}

/// The lane of the timeline on which a breaker marks its state.
pub const LANE: &str = "breaker";
