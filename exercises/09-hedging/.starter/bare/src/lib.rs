// Hedging: a call that is late sends a second request, and takes the first good answer. It pays for
// that with little more load, and never with a worse answer.

// This file is yours: here is the public API and what it promises, and nothing of its inside. Which
// fields, types and functions it needs is your design. Public names and signatures stay as they are:
// the spec in `tests/steps/` uses them.
// The tasks leave things unused: delete these lines when the last one is done.
#![allow(unused)]

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::caught::caught;

mod budget;
mod caught;
mod config;
mod types;

pub use budget::Budget;
pub use config::{ConfigError, Delay};
pub use types::{Attempt, Ended, Report, Request, Snapshot};

/// Hedges the calls to one dependency. Share it by reference or in an `Arc`.
pub struct Hedger {}

impl Hedger {
    /// A hedger that has seen no call. `budget` pays for its hedges, and may pay for retries as well.
    ///
    /// # Errors
    /// When a field of `delay` is out of its range.
    pub fn new(delay: Delay, budget: Arc<Budget>) -> Result<Self, ConfigError> {
        todo!("step 1: new")
    }

    /// The same with a listener, in the place of the one before. It is told of each attempt when that has ended
    /// and been dropped, on the thread that ended it, and may call the hedger. It must not panic.
    #[must_use]
    pub fn on_attempt(self, listener: impl Fn(&Report) + Send + Sync + 'static) -> Self {
        todo!("step 6: on_attempt")
    }

    /// Calls `operation` for the original. If there is no answer when the delay has passed, the call is late, and
    /// `operation` is called for one hedge. The first good answer is that of the call, and of two at the same time
    /// the original's. The other attempt is dropped before this returns.
    ///
    /// The caller vouches that two requests do no more than one: see [`call_among`](Self::call_among).
    /// tokio's timers tick in milliseconds, so the hedge may be sent one millisecond late.
    ///
    /// Cancellation: dropping the future drops both attempts.
    ///
    /// # Errors
    /// The original's own: when it fails before the hedge is out, or when both fail.
    ///
    /// # Panics
    /// With the original's panic, in the same two cases. A hedge's panic is a failure of the hedge. A panic while
    /// `operation` makes a request is a panic of that attempt.
    pub async fn call<T, E, F>(&self, mut operation: impl FnMut(Attempt) -> F) -> Result<T, E>
    where
        F: Future<Output = Result<T, E>>,
    {
        todo!("step 1: call")
    }

    /// As [`call`](Self::call), to the instances of a pool: `operation` is given the number of an instance. The
    /// original goes to the next one in turn, free or not. The hedge goes to another one that has a free place: of
    /// these, to the one with the fewest calls out, and of equals to the first. If none has, there is no hedge. An
    /// attempt has its place until it has ended, however that is.
    ///
    /// A request that may not be repeated is sent once. It is counted as a call, and never as a late one.
    ///
    /// # Errors
    /// As [`call`](Self::call).
    ///
    /// # Panics
    /// As [`call`](Self::call).
    pub async fn call_among<T, E, F>(
        &self,
        request: Request<'_>,
        pool: &Pool,
        mut operation: impl FnMut(usize) -> F,
    ) -> Result<T, E>
    where
        F: Future<Output = Result<T, E>>,
    {
        todo!("step 5: call_among")
    }

    /// How long a call that begins now waits before it is late; `None` if it is never late, for want of samples.
    pub fn delay(&self) -> Option<Duration> {
        todo!("step 3: delay")
    }

    /// Sends no hedges until `pause` is over: what a server asks for that answers with a pushback. Of several
    /// pauses the one that ends last counts. Calls that are late meanwhile wait for their originals.
    pub fn hold(&self, pause: Duration) {
        todo!("step 4: hold")
    }

    /// All numbers at one instant, for a dashboard.
    pub fn snapshot(&self) -> Snapshot {
        todo!("step 6: snapshot")
    }
}

impl fmt::Debug for Hedger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hedger")
    }
}

impl Request<'_> {
    /// Whether two such requests do no more than one: by its method (RFC 9110: GET, HEAD, OPTIONS, TRACE, PUT and
    /// DELETE), or by a key, by which the server knows the second as the first. An empty key is none.
    pub fn may_be_repeated(self) -> bool {
        todo!("step 5: may_be_repeated")
    }
}

/// The instances of a dependency, with the calls that are out at each. Share it by reference or in an `Arc`.
#[derive(Debug)]
pub struct Pool {}

impl Pool {
    /// A pool of `instances`, each of which works on `places` calls at a time; further calls wait in its
    /// queue.
    ///
    /// # Errors
    /// When one of the two is 0.
    pub fn new(instances: usize, places: usize) -> Result<Self, ConfigError> {
        todo!("step 5: new")
    }

    /// How many calls are out, by instance.
    pub fn out(&self) -> Vec<usize> {
        todo!("step 5: out")
    }
}
