// Deadlines: the moment by which a request must be answered, carried along with it, so that nobody
// works for a caller who has given up.

// This file is yours: here is the public API and what it promises, and nothing of its inside. Which
// fields, types and functions it needs is your design. Public names and signatures stay as they are:
// the spec in `tests/steps/` uses them.
// The tasks leave things unused: delete these lines when the last one is done.
#![allow(unused)]

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::extract::{FromRef, FromRequestParts};
use axum::http::HeaderMap;
use axum::http::request::Parts;
use tokio::time::sleep;

mod chain;
mod config;
/// The calendar of `x-deadline`.
pub mod timestamp;
mod types;

pub use chain::{Chain, ChainError, Link, Rule, Violation};
pub use config::{Limits, LimitsError};
pub use types::{Expired, Rejected, RunError, Stopped, WireError};

/// The header that says how much time is left.
pub const GRPC_TIMEOUT: &str = "grpc-timeout";
/// The header that says when the time is over.
pub const X_DEADLINE: &str = "x-deadline";

/// The moment by which something must be done, on this machine's monotonic clock.
///
/// It is a value: make one for each request, and hand it down. Kept in a client and used again, it
/// lets the first calls through and fails all others.
#[must_use = "a deadline that nobody looks at ends nothing"]
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline {}

impl Deadline {
    /// The longest budget, 30 years. Longer budgets are cut to it: the clocks of some systems end
    /// after a century.
    pub const LONGEST: Duration = Duration::from_secs(30 * 365 * 24 * 60 * 60);

    /// A deadline that is `budget` from now; a budget of 0 gives a deadline that has passed.
    pub fn after(budget: Duration) -> Self {
        todo!("step 1: after")
    }

    /// How much time is left; 0 from the deadline on.
    pub fn remaining(self) -> Duration {
        todo!("step 1: remaining")
    }

    /// Whether it has passed. At the deadline itself it has.
    pub fn is_expired(self) -> bool {
        todo!("step 1: is_expired")
    }

    /// The deadline of a call that is made on behalf of this one: after `budget`, but at least
    /// `buffer` before this one, which is what the caller keeps for itself. Expired if `buffer` is all
    /// that is left, or more.
    pub fn child(self, budget: Duration, buffer: Duration) -> Self {
        todo!("step 1: child")
    }

    /// Runs `work` until the deadline. When it has passed already, `work` is not even called. When it
    /// passes meanwhile, the future is dropped at its await. When the result and the deadline come at
    /// the same time, the result counts.
    ///
    /// tokio's timers tick in milliseconds, so the end may come one millisecond late.
    ///
    /// Cancellation: dropping the future drops the work.
    ///
    /// # Errors
    /// [`RunError::Expired`] if the deadline passed, [`RunError::Work`] if the work failed.
    pub async fn run<T, E, F>(self, work: impl FnOnce() -> F) -> Result<T, RunError<E>>
    where
        F: Future<Output = Result<T, E>>,
    {
        todo!("step 2: run")
    }

    /// Waits, for instance before another try, but not if the deadline would have passed by the end
    /// of the pause: a caller who can't do anything after a pause need not wait for its end.
    ///
    /// By tokio's ticks the pause may end one millisecond late, and so after a deadline that was closer
    /// than that. It is `Ok` all the same: [`run`](Self::run) looks at the clock again.
    ///
    /// # Errors
    /// At once, [`Expired::NotStarted`], when `pause` or less is left; so always after the
    /// deadline, even for a pause of 0.
    pub async fn sleep(self, pause: Duration) -> Result<(), Expired> {
        todo!("step 2: sleep")
    }

    /// Makes a call on behalf of this deadline: `send` gets the call's headers, with what it has left when it
    /// begins as `grpc-timeout`, and is run until then. That is at most `budget`, and leaves at least `buffer`,
    /// as [`child`](Self::child) says. If nothing is left, `send` is not called.
    ///
    /// Cancellation: dropping the future drops the call.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub async fn carry<T, E, F>(
        self,
        budget: Duration,
        buffer: Duration,
        send: impl FnOnce(HeaderMap) -> F,
    ) -> Result<T, RunError<E>>
    where
        F: Future<Output = Result<T, E>>,
    {
        todo!("step 4: carry")
    }

    /// Runs `work` on a thread for blocking work, until the deadline. A thread can't be dropped: `work`
    /// has to ask its [`Checkpoint`] before each unit of work, and return when it is told to stop. It is
    /// told to stop from the deadline on, and once the returned future is dropped. If either happens
    /// before a thread is free, `work` is not called at all: it is dropped, with what it holds, when a
    /// thread is free.
    ///
    /// The deadline's passing is returned at once; the thread may still be busy with its last unit. When
    /// the result and the deadline come at the same time, the result counts, as for [`run`](Self::run).
    ///
    /// # Errors
    /// [`Expired::NotStarted`] if the deadline had passed already, [`Expired::Cancelled`] if it passed
    /// later, whether this side noticed it first or `work` did.
    ///
    /// # Panics
    /// When `work` does, if the caller still waits. Afterwards its panic is lost with the thread.
    pub async fn run_blocking<T: Send + 'static>(
        self,
        work: impl FnOnce(&Checkpoint) -> Result<T, Stopped> + Send + 'static,
    ) -> Result<T, Expired> {
        todo!("step 5: run_blocking")
    }
}

/// What blocking work asks whether it should go on.
#[derive(Debug)]
pub struct Checkpoint {}

impl Checkpoint {
    /// To be asked before each unit of work.
    ///
    /// # Errors
    /// When the deadline has passed, or the caller has gone.
    pub fn check(&self) -> Result<(), Stopped> {
        todo!("step 5: check")
    }
}

/// Reads a `grpc-timeout`: 1 to 8 digits and a unit, and nothing else, not even a space. 0 is read too:
/// it has passed.
///
/// # Errors
/// When `value` is anything else.
pub fn parse_grpc_timeout(value: &[u8]) -> Result<Duration, WireError> {
    todo!("step 3: parse_grpc_timeout")
}

/// Writes a `grpc-timeout`, in the finest unit that has room in eight digits, and rounded down: nobody is
/// given more time than there is. 0 is `0n`. Longer times are cut to 99,999,999 hours. Up to there,
/// rounding takes off less than a hundred-thousandth.
pub fn format_grpc_timeout(remaining: Duration) -> String {
    todo!("step 3: format_grpc_timeout")
}

/// Reads an `x-deadline`, a time as [`timestamp::read`] reads it: how much of it is left, to the nanosecond,
/// where `now` is what this machine takes to be the time; 0 if it has passed.
///
/// # Errors
/// When `value` is anything else.
pub fn parse_x_deadline(value: &[u8], now: SystemTime) -> Result<Duration, WireError> {
    todo!("step 3: parse_x_deadline")
}

/// Writes an `x-deadline`: the moment that is `remaining` after `now`, as [`timestamp::write`] writes it, so
/// rounded down to the millisecond. `now` is what this machine takes to be the time. It never panics: a
/// moment after [`timestamp::last`] is written as [`timestamp::last`].
pub fn format_x_deadline(remaining: Duration, now: SystemTime) -> String {
    todo!("step 3: format_x_deadline")
}

/// What the headers of a request say about its time. `grpc-timeout` decides, and `x-deadline` is read
/// only where there is none: it is only as good as the agreement of the two clocks. `None` if there
/// is neither. Of several headers of one name the first counts.
///
/// # Errors
/// When the header that decides can't be read, as a deadline or as text. The other one doesn't take
/// its place: a caller that meant to set a deadline should learn that it has not.
pub fn read_budget(headers: &HeaderMap, now: SystemTime) -> Result<Option<Duration>, WireError> {
    todo!("step 3: read_budget")
}

/// Where requests come into a service, and are given their deadlines. Share it in an `Arc`.
///
/// With an `Arc<Gate>` in the state of an axum router, each handler that takes a [`Deadline`] gets that
/// of its request. A middleware that takes one gets the same: the first to ask has the request admitted,
/// and counted, and leaves the deadline in the request's extensions for the others. Time that passes
/// before the first asks, in a queue or in layers in front, counts only in an `x-deadline`.
#[derive(Debug)]
pub struct Gate {}

impl Gate {
    /// A gate that has seen no request.
    ///
    /// # Errors
    /// When a field of `limits` is out of its range.
    pub fn new(limits: Limits) -> Result<Self, LimitsError> {
        todo!("step 4: new")
    }

    /// The deadline of a request that came in just now: what its headers say, but no more than
    /// `max_budget`; `default_budget` if they say nothing. `wall` is the time on the wall clock, for
    /// `x-deadline`.
    ///
    /// A request that has expired, so that nothing is left of its time, is rejected as long as rejections
    /// stay within `max_rejected_percent` of the requests, this one included, in the current window of
    /// [`Limits::WINDOW`]. Beyond that it is served, and has `default_budget`. The windows follow each
    /// other without gaps from when the gate was made. Requests without a header are counted, malformed
    /// ones are not.
    ///
    /// # Errors
    /// When the headers can't be read, or the request has expired and is rejected.
    pub fn admit(&self, headers: &HeaderMap, wall: SystemTime) -> Result<Deadline, Rejected> {
        todo!("step 4: admit")
    }
}

impl<S> FromRequestParts<S> for Deadline
where
    Arc<Gate>: FromRef<S>,
    S: Send + Sync,
{
    type Rejection = Rejected;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Rejected> {
        todo!("step 4: from_request_parts")
    }
}

impl Chain {
    /// Each link that waits no longer than the link that it calls may take, from the outside in, with
    /// the first rule that it breaks.
    pub fn audit(&self) -> Vec<Violation> {
        todo!("step 6: audit")
    }
}
