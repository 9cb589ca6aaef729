// Hedging: a call that is late sends a second request, and takes the first good answer. It pays for
// that with little more load, and never with a worse answer.
//
// The parts, from the outside in:
//
// - `Hedger`, the shell: sends, waits, drops the loser.
// - `Watched`, an attempt that is out: says how it ended, however that is.
// - `Pool`, the instances that calls go to, and `Place`, a call that is out at one of them.
// - `Core`, what the hedger knows: plain data and plain functions that are told what time it is.
// - `Window`, the latencies of the newest originals.

// This file is yours: every `todo!` and every comment that begins with `step` is a task, in the
// order of the chapter (`cargo xtask book --open hedging`). Add types, fields and functions as you
// need them. Public names and signatures stay as they are: the spec in `tests/steps/` uses them.
// The tasks leave things unused: delete these lines when the last one is done.
#![allow(unused)]

use std::collections::VecDeque;
use std::fmt;
use std::panic::resume_unwind;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, timeout};

use crate::caught::caught;

mod budget;
mod caught;
mod config;
mod types;

pub use budget::Budget;
pub use config::{ConfigError, Delay};
pub use types::{Attempt, Ended, Report, Request, Snapshot};

// ---------------------------------------------------------------------------------------------
// The shell: the clock, the lock, the race

/// Hedges the calls to one dependency. Share it by reference or in an `Arc`.
pub struct Hedger {
    core: Mutex<Core>,
    budget: Arc<Budget>,
    // step 6: whom to tell of each attempt
}

impl Hedger {
    /// A hedger that has seen no call. `budget` pays for its hedges, and may pay for retries as well.
    ///
    /// # Errors
    /// When a field of `delay` is out of its range.
    pub fn new(delay: Delay, budget: Arc<Budget>) -> Result<Self, ConfigError> {
        delay.validate()?;
        todo!("step 1: a hedger that has seen no call")
    }

    /// The same with a listener, in the place of the one before. It is told of each attempt when that has ended
    /// and been dropped, on the thread that ended it, and may call the hedger. It must not panic.
    #[must_use]
    pub fn on_attempt(self, listener: impl Fn(&Report) + Send + Sync + 'static) -> Self {
        todo!("step 6: the same, with a listener")
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
        todo!("step 1: the original; when it is late, one hedge; the first good answer")
        // step 2: failures and panics, while the other attempt is out
        // step 3: each original leaves a sample
        // step 4: a late call asks the pause, then the budget
        // step 6: each attempt is counted and reported, however it ends
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
        todo!("step 5: the same, to instances that have places")
    }

    /// How long a call that begins now waits before it is late; `None` if it is never late, for want of samples.
    pub fn delay(&self) -> Option<Duration> {
        todo!("step 3: the delay of a call that begins now")
    }

    /// Sends no hedges until `pause` is over: what a server asks for that answers with a pushback. Of several
    /// pauses the one that ends last counts. Calls that are late meanwhile wait for their originals.
    pub fn hold(&self, pause: Duration) {
        todo!("step 4: no hedges until the pause is over")
    }

    /// All numbers at one instant, for a dashboard.
    pub fn snapshot(&self) -> Snapshot {
        todo!("step 6: all numbers")
    }

    /// The one place where the lock is held. Nobody else's code runs under it.
    fn with_core<R>(&self, act: impl FnOnce(&mut Core) -> R) -> R {
        let mut core = self.core.lock().unwrap_or_else(PoisonError::into_inner);
        act(&mut core)
    }
}

impl fmt::Debug for Hedger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hedger")
    }
}

/// Lives as long as an attempt.
struct Watched<'a> {
    hedger: &'a Hedger,
    attempt: Attempt,
    begun: Instant,
    // step 3: the delay of its call
    // step 6: its instance, how it ended, and whether its call has an answer
}

impl Drop for Watched<'_> {
    fn drop(&mut self) {
        // step 3: an original that is dropped when it was late leaves a sample as well
        // step 6: what is dropped was overtaken, or abandoned
    }
}

// ---------------------------------------------------------------------------------------------
// Who may be sent twice, and where to

impl Request<'_> {
    /// Whether two such requests do no more than one: by its method (RFC 9110: GET, HEAD, OPTIONS, TRACE, PUT and
    /// DELETE), or by a key, by which the server knows the second as the first. An empty key is none.
    pub fn may_be_repeated(self) -> bool {
        todo!("step 5: by its method, or by its key")
    }
}

/// The instances of a dependency, with the calls that are out at each. Share it by reference or in an `Arc`.
#[derive(Debug)]
pub struct Pool {
    places: usize,
    // step 5: whose turn it is, and how many calls are out at each
}

impl Pool {
    /// A pool of `instances`, each of which works on `places` calls at a time; further calls wait in its
    /// queue.
    ///
    /// # Errors
    /// When one of the two is 0.
    pub fn new(instances: usize, places: usize) -> Result<Self, ConfigError> {
        todo!("step 5: a pool with nothing out")
    }

    /// How many calls are out, by instance.
    pub fn out(&self) -> Vec<usize> {
        todo!("step 5: the calls that are out, by instance")
    }

    /// A place at the next instance in turn, free or not.
    fn in_turn(&self) -> Place<'_> {
        todo!("step 5: whose turn it is")
    }

    /// A free place at another instance, the one with the fewest calls out.
    fn other_than(&self, instance: usize) -> Option<Place<'_>> {
        todo!("step 5: a place for a hedge, if there is one")
    }
}

/// A call that is out at an instance, for as long as it lives.
struct Place<'a> {
    pool: &'a Pool,
    instance: usize,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        // step 5: give the place back
    }
}

// ---------------------------------------------------------------------------------------------
// The core: what the hedger knows

/// A pause is cut to 30 years: clocks of some systems end after a century.
const LONGEST: Duration = Duration::from_secs(30 * 365 * 24 * 60 * 60);

struct Core {
    delay: Delay,
    window: Window,
    // step 4: until when no hedges are sent
    // step 6: the counts
}

/// The latencies of the newest originals, in two orders.
#[derive(Default)]
struct Window {
    // step 3: the samples, by age and by length
}

impl Window {
    fn add(&mut self, latency: Duration, most: usize) {
        todo!("step 3: a sample; the oldest makes room")
    }

    /// The shortest latency that at least `percent` in a hundred don't exceed, if there are enough
    /// samples.
    fn percentile(&self, percent: usize, min_samples: usize) -> Option<Duration> {
        todo!("step 3: the percentile, if there are enough samples")
    }
}
