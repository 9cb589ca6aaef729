// Deadlines: the moment by which a request must be answered, carried along with it, so that nobody
// works for a caller who has given up.
//
// The parts, from the inside out:
//
// - `Deadline`, a moment: how much is left, what a call below may have, and work that ends with it.
// - the wire: `parse_grpc_timeout`, `format_grpc_timeout` and their counterparts for `x-deadline`.
//   Pure functions of bytes and, where there is no way around it, of the wall clock's time.
// - `Gate`, where a request comes in and is given its deadline; `Deadline::carry`, where a call
//   goes out with less than that.
// - `Checkpoint`, for work that can't be dropped.
// - `Chain::audit`, for the timeouts of a chain on paper.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use axum::extract::{FromRef, FromRequestParts};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep, timeout_at};

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

// ---------------------------------------------------------------------------------------------
// The moment

/// The moment by which something must be done, on this machine's monotonic clock.
///
/// It is a value: make one for each request, and hand it down. Kept in a client and used again, it
/// lets the first calls through and fails all others.
#[must_use = "a deadline that nobody looks at ends nothing"]
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline(Instant);

impl Deadline {
    /// The longest budget, 30 years. Longer budgets are cut to it: the clocks of some systems end
    /// after a century.
    pub const LONGEST: Duration = Duration::from_secs(30 * 365 * 24 * 60 * 60);

    /// A deadline that is `budget` from now; a budget of 0 gives a deadline that has passed.
    pub fn after(budget: Duration) -> Self {
        Self(Instant::now() + budget.min(Self::LONGEST))
    }

    /// How much time is left; 0 from the deadline on.
    pub fn remaining(self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }

    /// Whether it has passed. At the deadline itself it has.
    pub fn is_expired(self) -> bool {
        self.remaining().is_zero()
    }

    /// The deadline of a call that is made on behalf of this one: after `budget`, but at least
    /// `buffer` before this one, which is what the caller keeps for itself. Expired if `buffer` is all
    /// that is left, or more.
    // ANCHOR: child
    pub fn child(self, budget: Duration, buffer: Duration) -> Self {
        let kept = self.0.checked_sub(buffer).unwrap_or_else(Instant::now);
        // The last `min` is for that `now`: it is later than a deadline that has passed.
        Self::after(budget).min(Self(kept)).min(self)
    }
    // ANCHOR_END: child

    // -----------------------------------------------------------------------------------------
    // Work that ends with it

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
    // ANCHOR: run
    pub async fn run<T, E, F>(self, work: impl FnOnce() -> F) -> Result<T, RunError<E>>
    where
        F: Future<Output = Result<T, E>>,
    {
        if self.is_expired() {
            return Err(Expired::NotStarted.into());
        }
        // It polls the work first and the timer after it.
        match timeout_at(self.0, work()).await {
            Ok(result) => result.map_err(RunError::Work),
            Err(_) => Err(Expired::Cancelled.into()),
        }
    }
    // ANCHOR_END: run

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
        if self.remaining() <= pause {
            return Err(Expired::NotStarted);
        }
        sleep(pause).await;
        Ok(())
    }

    /// Makes a call on behalf of this deadline: `send` gets the call's headers, with what it has left when it
    /// begins as `grpc-timeout`, and is run until then. That is at most `budget`, and leaves at least `buffer`,
    /// as [`child`](Self::child) says. If nothing is left, `send` is not called.
    ///
    /// Cancellation: dropping the future drops the call.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    // ANCHOR: carry
    pub async fn carry<T, E, F>(
        self,
        budget: Duration,
        buffer: Duration,
        send: impl FnOnce(HeaderMap) -> F,
    ) -> Result<T, RunError<E>>
    where
        F: Future<Output = Result<T, E>>,
    {
        let child = self.child(budget, buffer);
        child.run(|| send(child.headers())).await
    }

    /// The time that is left when the call begins, not when it was planned.
    fn headers(self) -> HeaderMap {
        let value = format_grpc_timeout(self.remaining());
        let value = HeaderValue::try_from(value).expect("digits and a letter are a header's value");
        HeaderMap::from_iter([(HeaderName::from_static(GRPC_TIMEOUT), value)])
    }
    // ANCHOR_END: carry

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
    // ANCHOR: blocking
    pub async fn run_blocking<T: Send + 'static>(
        self,
        work: impl FnOnce(&Checkpoint) -> Result<T, Stopped> + Send + 'static,
    ) -> Result<T, Expired> {
        if self.is_expired() {
            return Err(Expired::NotStarted);
        }
        let caller = Caller(Arc::new(AtomicBool::new(false)));
        let checkpoint = Checkpoint { deadline: self, caller_gone: Arc::clone(&caller.0) };
        let thread = spawn_blocking(move || {
            // It may have taken a while until a thread was free.
            checkpoint.check()?;
            work(&checkpoint)
        });
        match timeout_at(self.0, thread).await {
            Ok(Ok(Ok(value))) => Ok(value),
            Ok(Err(error)) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            // `work` noticed it, or this side did, or the runtime is being shut down.
            Ok(Ok(Err(Stopped)) | Err(_)) | Err(_) => Err(Expired::Cancelled),
        }
    }
    // ANCHOR_END: blocking
}

/// What blocking work asks whether it should go on.
#[derive(Debug)]
pub struct Checkpoint {
    deadline: Deadline,
    caller_gone: Arc<AtomicBool>,
}

impl Checkpoint {
    /// To be asked before each unit of work.
    ///
    /// # Errors
    /// When the deadline has passed, or the caller has gone.
    pub fn check(&self) -> Result<(), Stopped> {
        if self.deadline.is_expired() || self.caller_gone.load(Ordering::Relaxed) {
            return Err(Stopped);
        }
        Ok(())
    }
}

/// Lives in the caller's future, and says when that has gone.
struct Caller(Arc<AtomicBool>);

impl Drop for Caller {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

// ---------------------------------------------------------------------------------------------
// The wire

/// The units of `grpc-timeout`, the finest first, with their nanoseconds.
const UNITS: [(u8, u64); 6] = [
    (b'n', 1),
    (b'u', 1_000),
    (b'm', 1_000_000),
    (b'S', 1_000_000_000),
    (b'M', 60 * 1_000_000_000),
    (b'H', 3_600 * 1_000_000_000),
];
/// Eight digits, which is all that gRPC allows.
const MOST: u128 = 99_999_999;

/// Reads a `grpc-timeout`: 1 to 8 digits and a unit, and nothing else, not even a space. 0 is read too:
/// it has passed.
///
/// # Errors
/// When `value` is anything else.
// ANCHOR: parse
pub fn parse_grpc_timeout(value: &[u8]) -> Result<Duration, WireError> {
    let malformed = || WireError::grpc_timeout(value);
    let (unit, digits) = value.split_last().ok_or_else(malformed)?;
    // `str::parse` would take a sign as well.
    if !(1..=8).contains(&digits.len()) || !digits.iter().all(u8::is_ascii_digit) {
        return Err(malformed());
    }
    let number = digits.iter().fold(0, |number, digit| number * 10 + u32::from(digit - b'0'));
    let (_, nanoseconds) = UNITS.iter().find(|(letter, _)| letter == unit).ok_or_else(malformed)?;
    // At most 11,415 years: a Duration holds that, its nanoseconds in a u64 would not.
    Ok(Duration::from_nanos(*nanoseconds) * number)
}
// ANCHOR_END: parse

/// Writes a `grpc-timeout`, in the finest unit that has room in eight digits, and rounded down: nobody is
/// given more time than there is. 0 is `0n`. Longer times are cut to 99,999,999 hours. Up to there,
/// rounding takes off less than a hundred-thousandth.
// ANCHOR: format
pub fn format_grpc_timeout(remaining: Duration) -> String {
    let nanoseconds = remaining.as_nanos();
    let fits = |(unit, length): (u8, u64)| {
        let number = nanoseconds / u128::from(length);
        (number <= MOST).then(|| format!("{number}{}", char::from(unit)))
    };
    UNITS.into_iter().find_map(fits).unwrap_or_else(|| format!("{MOST}H"))
}
// ANCHOR_END: format

/// Reads an `x-deadline`, a time as [`timestamp::read`] reads it: how much of it is left, to the nanosecond,
/// where `now` is what this machine takes to be the time; 0 if it has passed.
///
/// # Errors
/// When `value` is anything else.
pub fn parse_x_deadline(value: &[u8], now: SystemTime) -> Result<Duration, WireError> {
    let at = timestamp::read(value).ok_or_else(|| WireError::x_deadline(value))?;
    Ok(at.duration_since(now).unwrap_or_default())
}

/// Writes an `x-deadline`: the moment that is `remaining` after `now`, as [`timestamp::write`] writes it, so
/// rounded down to the millisecond. `now` is what this machine takes to be the time. It never panics: a
/// moment after [`timestamp::last`] is written as [`timestamp::last`].
pub fn format_x_deadline(remaining: Duration, now: SystemTime) -> String {
    timestamp::write(now.checked_add(remaining).unwrap_or_else(timestamp::last))
}

/// What the headers of a request say about its time. `grpc-timeout` decides, and `x-deadline` is read
/// only where there is none: it is only as good as the agreement of the two clocks. `None` if there
/// is neither. Of several headers of one name the first counts.
///
/// # Errors
/// When the header that decides can't be read, as a deadline or as text. The other one doesn't take
/// its place: a caller that meant to set a deadline should learn that it has not.
pub fn read_budget(headers: &HeaderMap, now: SystemTime) -> Result<Option<Duration>, WireError> {
    if let Some(value) = headers.get(GRPC_TIMEOUT) {
        return parse_grpc_timeout(value.as_bytes()).map(Some);
    }
    headers.get(X_DEADLINE).map(|value| parse_x_deadline(value.as_bytes(), now)).transpose()
}

// ---------------------------------------------------------------------------------------------
// The gate

/// Where requests come into a service, and are given their deadlines. Share it in an `Arc`.
///
/// With an `Arc<Gate>` in the state of an axum router, each handler that takes a [`Deadline`] gets that
/// of its request. A middleware that takes one gets the same: the first to ask has the request admitted,
/// and counted, and leaves the deadline in the request's extensions for the others. Time that passes
/// before the first asks, in a queue or in layers in front, counts only in an `x-deadline`.
#[derive(Debug)]
pub struct Gate {
    limits: Limits,
    quota: Mutex<Quota>,
}

impl Gate {
    /// A gate that has seen no request.
    ///
    /// # Errors
    /// When a field of `limits` is out of its range.
    pub fn new(limits: Limits) -> Result<Self, LimitsError> {
        limits.validate()?;
        let quota = Quota::new(limits.max_rejected_percent, Instant::now());
        Ok(Self { limits, quota: Mutex::new(quota) })
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
    // ANCHOR: admit
    pub fn admit(&self, headers: &HeaderMap, wall: SystemTime) -> Result<Deadline, Rejected> {
        let budget = read_budget(headers, wall)?.unwrap_or(self.limits.default_budget);
        let expired = budget.is_zero();
        let now = Instant::now();
        if self.quota.lock().unwrap_or_else(PoisonError::into_inner).rejects(expired, now) {
            return Err(Rejected::Expired);
        }
        let budget = if expired { self.limits.default_budget } else { budget };
        Ok(Deadline::after(budget.min(self.limits.max_budget)))
    }
    // ANCHOR_END: admit
}

impl<S> FromRequestParts<S> for Deadline
where
    Arc<Gate>: FromRef<S>,
    S: Send + Sync,
{
    type Rejection = Rejected;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Rejected> {
        // A deadline that was made for a middleware is that of the handler too.
        if let Some(deadline) = parts.extensions.get() {
            return Ok(*deadline);
        }
        let deadline = Arc::<Gate>::from_ref(state).admit(&parts.headers, SystemTime::now())?;
        parts.extensions.insert(deadline);
        Ok(deadline)
    }
}

/// How many requests may be rejected as expired.
// ANCHOR: quota
#[derive(Debug)]
struct Quota {
    percent: u64,
    /// When the first window began.
    made: Instant,
    /// The window that is counted, 0 the first.
    window: u128,
    requests: u64,
    rejected: u64,
}

impl Quota {
    fn new(percent: u32, now: Instant) -> Self {
        Self { percent: percent.into(), made: now, window: 0, requests: 0, rejected: 0 }
    }

    /// Counts a request, and says whether it is rejected.
    fn rejects(&mut self, expired: bool, now: Instant) -> bool {
        let passed = now.saturating_duration_since(self.made);
        let window = passed.as_nanos() / Limits::WINDOW.as_nanos();
        // `>`, not `!=`: a request that waits for the lock at the end of a window may come after the
        // first of the next window, with an older `now`. It counts in the next window.
        if window > self.window {
            *self = Self { window, requests: 0, rejected: 0, ..*self };
        }
        self.requests += 1;
        let rejects = expired && (self.rejected + 1) * 100 <= self.requests * self.percent;
        self.rejected += u64::from(rejects);
        rejects
    }
}
// ANCHOR_END: quota

// ---------------------------------------------------------------------------------------------
// The audit

impl Chain {
    /// Each link that waits no longer than the link that it calls may take, from the outside in, with
    /// the first rule that it breaks.
    // ANCHOR: audit
    pub fn audit(&self) -> Vec<Violation> {
        let links = self.links.iter();
        links
            .clone()
            .zip(links.skip(1))
            .filter_map(|(outer, inner)| violation(outer, inner))
            .collect()
    }
    // ANCHOR_END: audit
}

fn violation(outer: &Link, inner: &Link) -> Option<Violation> {
    let tries = inner.timeout.saturating_mul(inner.tries).saturating_add(inner.backoff);
    let needs = tries.saturating_add(inner.overhead);
    let has = outer.timeout;
    let rule = [(Rule::Order, inner.timeout), (Rule::Retries, tries), (Rule::Overhead, needs)]
        .into_iter()
        .find_map(|(rule, needs)| (has <= needs).then_some(rule))?;
    Some(Violation { outer: outer.name.clone(), inner: inner.name.clone(), rule, has, needs })
}
