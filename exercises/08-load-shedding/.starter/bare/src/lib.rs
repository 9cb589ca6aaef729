// Load shedding: a server that can't serve everybody says no early, and chooses to whom.

// This file is yours: here is the public API and what it promises, and nothing of its inside. Which
// fields, types and functions it needs is your design. Public names and signatures stay as they are:
// the spec in `tests/steps/` uses them.
// The tasks leave things unused: delete these lines when the last one is done.
#![allow(unused)]

use std::fmt;

mod config;
mod sync;
mod types;
mod window;

pub use config::{Aimd, Config, ConfigError, FairConfig, Gradient, Limit, ThrottleConfig};
pub use types::{
    CallError, Outcome, OverShare, Priority, Reason, Request, Shed, Snapshot, Throttled,
};

/// Stands in front of a server's work. A handle: clones share the same places.
#[derive(Clone)]
pub struct Shedder {}

impl Shedder {
    /// A shedder with nobody in it, seeded by the operating system.
    ///
    /// # Errors
    /// When a field of `config` is out of its range.
    pub fn new(config: Config) -> Result<Self, ConfigError> {
        todo!("step 1: new")
    }

    /// As [`new`](Self::new), seeded by hand: for tests and simulations.
    ///
    /// # Errors
    /// When a field of `config` is out of its range.
    pub fn seeded(config: Config, seed: u64) -> Result<Self, ConfigError> {
        todo!("step 1: seeded")
    }

    /// Takes a place, or waits for one. A request arrives when its future is first polled; one that can be
    /// neither served nor queued is refused at that poll.
    ///
    /// Cancellation: dropping the future leaves the queue. A place that was given to it meanwhile goes to the next.
    ///
    /// # Errors
    /// When the request is refused; says why.
    ///
    /// # Panics
    /// When it has to wait, outside of a tokio runtime with its time driver.
    pub async fn acquire(&self, request: Request) -> Result<Permit, Shed> {
        todo!("step 1: acquire")
    }

    /// Runs `work` in a place. It is not called without one.
    ///
    /// Cancellation: dropping the future drops the work, and then gives the place back.
    ///
    /// # Errors
    /// As [`acquire`](Self::acquire).
    ///
    /// # Panics
    /// As [`acquire`](Self::acquire).
    pub async fn call<T, F>(&self, request: Request, work: impl FnOnce() -> F) -> Result<T, Shed>
    where
        F: Future<Output = T>,
    {
        todo!("step 1: call")
    }

    /// All numbers at one instant.
    pub fn snapshot(&self) -> Snapshot {
        todo!("step 1: snapshot")
    }
}

impl fmt::Debug for Shedder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Shedder")
    }
}

/// Permission to serve one request, for as long as the permit lives. Dropped without an outcome (an early
/// return, a cancelled future, a panic) it gives the place back, and says nothing about what is below.
#[must_use = "a permit that is dropped is a place given back: keep it as long as the work runs"]
pub struct Permit {}

impl Permit {
    /// Gives the place back, and says how the work ended.
    pub fn finish(mut self, outcome: Outcome) {
        todo!("step 4: finish")
    }
}

impl fmt::Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Permit")
    }
}

impl Shed {
    /// `retry_after` as the header `Retry-After` has it: in whole seconds, rounded up.
    pub fn retry_after_seconds(&self) -> u64 {
        todo!("step 1: retry_after_seconds")
    }
}

impl Priority {
    /// What the header says, in letters of any case; [`Priority::Critical`] if there is none, or if it says
    /// anything else.
    pub fn from_header(value: Option<&[u8]>) -> Self {
        todo!("step 3: from_header")
    }

    /// The priority of a call that is made for a request of this one, when the call alone would have `own`:
    /// the lower of the two.
    #[must_use]
    pub fn for_call(self, own: Self) -> Self {
        todo!("step 3: for_call")
    }
}

/// Holds requests back at the client when the server refuses too many. Share it by reference or in an `Arc`; one
/// for each server that is called.
///
/// The rule is that of Google's clients (*Site Reliability Engineering*, 2016, chapter 21).
pub struct Throttle {}

impl Throttle {
    /// A throttle that has seen no request, seeded by the operating system.
    ///
    /// # Errors
    /// When a field of `config` is out of its range.
    pub fn new(config: &ThrottleConfig) -> Result<Self, ConfigError> {
        todo!("step 5: new")
    }

    /// As [`new`](Self::new), seeded by hand: for tests and simulations.
    ///
    /// # Errors
    /// When a field of `config` is out of its range.
    pub fn seeded(config: &ThrottleConfig, seed: u64) -> Result<Self, ConfigError> {
        todo!("step 5: seeded")
    }

    /// Asks for permission to make one request, and counts it, whatever the answer.
    ///
    /// # Errors
    /// With the probability of [`reject_probability`](Self::reject_probability) as it was before this request.
    pub fn try_request(&self) -> Result<(), Throttled> {
        todo!("step 5: try_request")
    }

    /// Notes that the server took a request on, however that ended.
    pub fn record_accepted(&self) {
        todo!("step 5: record_accepted")
    }

    /// With what probability the next request is held back: max(0, (requests − K × accepted) / (requests + 1)),
    /// both of the last window.
    pub fn reject_probability(&self) -> f64 {
        todo!("step 5: reject_probability")
    }

    /// Runs `operation`, unless it is held back. `accepted` says whether the server took it on.
    ///
    /// Cancellation: dropping the future drops the operation. The request stays counted, as one that was not
    /// accepted: an overloaded server is known by its silence, too.
    ///
    /// # Errors
    /// [`CallError::Throttled`] if the operation was not run, [`CallError::Operation`] if it failed.
    pub async fn call<T, E, F>(
        &self,
        operation: impl FnOnce() -> F,
        accepted: impl FnOnce(&Result<T, E>) -> bool,
    ) -> Result<T, CallError<E>>
    where
        F: Future<Output = Result<T, E>>,
    {
        todo!("step 5: call")
    }
}

impl fmt::Debug for Throttle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Throttle")
    }
}

/// A token bucket for each tenant, in bounded memory. Ask it before the queue.
pub struct Fair {}

impl Fair {
    /// All buckets full.
    ///
    /// # Errors
    /// When a field of `config` is out of its range.
    pub fn new(config: &FairConfig) -> Result<Self, ConfigError> {
        todo!("step 6: new")
    }

    /// Takes a token of this tenant's. A tenant has a bucket of its own, full at first; when `max_tenants` have
    /// one that isn't full, all others share one bucket of the same size.
    ///
    /// # Errors
    /// When there is no token, and when there is one again. Nothing is taken then.
    pub fn try_admit(&self, tenant: &str) -> Result<(), OverShare> {
        todo!("step 6: try_admit")
    }

    /// How many tenants have a bucket of their own in memory: `max_tenants` at most.
    pub fn tenants(&self) -> usize {
        todo!("step 6: tenants")
    }
}

impl fmt::Debug for Fair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fair")
    }
}
