//! right: the checkpoint holds a weak reference to what lives in the caller's future, durations are computed in
//! 128 bits, and the child is built from what its parent can spare
//!
//! Deadlines: the moment by which a request must be answered, carried along with it.

use std::panic::resume_unwind;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, SystemTime};

use axum::extract::{FromRef, FromRequestParts};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep, timeout_at};

mod chain;
mod config;
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
    pub fn child(self, budget: Duration, buffer: Duration) -> Self {
        let now = Instant::now();
        let spare = self.0.saturating_duration_since(now).saturating_sub(buffer);
        // The sum is `now` if nothing is to spare, which is too late if this one has passed long ago.
        Self((now + spare.min(budget)).min(self.0))
    }

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
    pub async fn run<T, E, F>(self, work: impl FnOnce() -> F) -> Result<T, RunError<E>>
    where
        F: Future<Output = Result<T, E>>,
    {
        if self.is_expired() {
            return Err(Expired::NotStarted.into());
        }
        match timeout_at(self.0, work()).await {
            Ok(result) => result.map_err(RunError::Work),
            Err(_elapsed) => Err(Expired::Cancelled.into()),
        }
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
        if pause >= self.remaining() {
            return Err(Expired::NotStarted);
        }
        sleep(pause).await;
        Ok(())
    }

    /// Makes a call on behalf of this deadline: `send` gets the header that tells the callee how much
    /// time it has, and is run until then. That is at most `budget`, and leaves at least `buffer`, as
    /// [`child`](Self::child) says.
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
        let child = self.child(budget, buffer);
        child
            .run(|| {
                let value = HeaderValue::try_from(format_grpc_timeout(child.remaining()))
                    .expect("digits and a letter");
                send(HeaderMap::from_iter([(HeaderName::from_static(GRPC_TIMEOUT), value)]))
            })
            .await
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
        if self.is_expired() {
            return Err(Expired::NotStarted);
        }
        // Dropped with this future, however that ends: the checkpoint sees it.
        let caller = Arc::new(());
        let checkpoint = Checkpoint { deadline: self, caller: Arc::downgrade(&caller) };
        let handle = spawn_blocking(move || {
            checkpoint.check()?;
            work(&checkpoint)
        });
        match timeout_at(self.0, handle).await {
            Ok(Ok(result)) => result.map_err(|Stopped| Expired::Cancelled),
            Ok(Err(error)) if error.is_panic() => resume_unwind(error.into_panic()),
            // The runtime shuts down, or the time is over.
            Ok(Err(_)) | Err(_) => Err(Expired::Cancelled),
        }
    }
}

/// What blocking work asks whether it should go on.
#[derive(Debug)]
pub struct Checkpoint {
    deadline: Deadline,
    /// Gone when the caller has.
    caller: Weak<()>,
}

impl Checkpoint {
    /// To be asked before each unit of work.
    ///
    /// # Errors
    /// When the deadline has passed, or the caller has gone.
    pub fn check(&self) -> Result<(), Stopped> {
        let gone = self.caller.strong_count() == 0;
        if gone || self.deadline.is_expired() { Err(Stopped) } else { Ok(()) }
    }
}

// ---------------------------------------------------------------------------------------------
// The wire

/// The units of a `grpc-timeout` in nanoseconds, the finest first.
const UNITS: [(u8, u128); 6] = [
    (b'n', 1),
    (b'u', 1_000),
    (b'm', 1_000_000),
    (b'S', 1_000_000_000),
    (b'M', 60 * 1_000_000_000),
    (b'H', 60 * 60 * 1_000_000_000),
];

/// The largest number of eight digits.
const MOST: u128 = 99_999_999;

fn from_nanos(nanoseconds: u128) -> Duration {
    const SECOND: u128 = 1_000_000_000;
    Duration::new((nanoseconds / SECOND) as u64, (nanoseconds % SECOND) as u32)
}

fn digits_only(text: &[u8], count: std::ops::RangeInclusive<usize>) -> Option<u64> {
    let fine = count.contains(&text.len()) && text.iter().all(u8::is_ascii_digit);
    fine.then(|| text.iter().fold(0, |number, digit| number * 10 + u64::from(digit - b'0')))
}

/// Reads a `grpc-timeout`: 1 to 8 digits and a unit, and nothing else, not even a space. 0 is read too:
/// it has passed.
///
/// # Errors
/// When `value` is anything else.
pub fn parse_grpc_timeout(value: &[u8]) -> Result<Duration, WireError> {
    let malformed = || WireError::grpc_timeout(value);
    let (unit, digits) = value.split_last().ok_or_else(malformed)?;
    let &(_, nanoseconds) = UNITS.iter().find(|(name, _)| name == unit).ok_or_else(malformed)?;
    let number = digits_only(digits, 1..=8).ok_or_else(malformed)?;
    // At most 99,999,999 hours: no overflow.
    Ok(from_nanos(u128::from(number) * nanoseconds))
}

/// Writes a `grpc-timeout`, in the finest unit that has room in eight digits, and rounded down: nobody is
/// given more time than there is. 0 is `0n`. Longer times are cut to 99,999,999 hours. Up to there,
/// rounding takes off less than a hundred-thousandth.
pub fn format_grpc_timeout(remaining: Duration) -> String {
    for (name, nanoseconds) in UNITS {
        let number = remaining.as_nanos() / nanoseconds;
        if number <= MOST {
            return format!("{number}{}", char::from(name));
        }
    }
    format!("{MOST}H")
}

/// Reads an `x-deadline`.
///
/// # Errors
/// When `value` is no time.
pub fn parse_x_deadline(value: &[u8], now: SystemTime) -> Result<Duration, WireError> {
    match timestamp::read(value) {
        Some(at) if at > now => Ok(at.duration_since(now).expect("it is later")),
        Some(_passed) => Ok(Duration::ZERO),
        None => Err(WireError::x_deadline(value)),
    }
}

/// Writes an `x-deadline`.
pub fn format_x_deadline(remaining: Duration, now: SystemTime) -> String {
    // More than the calendar holds, added to any clock, is the end of it.
    match now.checked_add(remaining) {
        Some(at) => timestamp::write(at),
        None => timestamp::write(timestamp::last()),
    }
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
        Ok(Self { limits, quota: Mutex::new(Quota::new()) })
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
        let asked = read_budget(headers, wall)?;
        let budget = asked.unwrap_or(self.limits.default_budget).min(self.limits.max_budget);
        let expired = budget.is_zero();
        let mut quota = self.quota.lock().unwrap_or_else(PoisonError::into_inner);
        let reject = quota.count(expired, self.limits.max_rejected_percent);
        drop(quota);
        match (expired, reject) {
            (_, true) => Err(Rejected::Expired),
            (true, false) => Ok(Deadline::after(self.limits.default_budget)),
            (false, false) => Ok(Deadline::after(budget)),
        }
    }
}

impl<S> FromRequestParts<S> for Deadline
where
    Arc<Gate>: FromRef<S>,
    S: Send + Sync,
{
    type Rejection = Rejected;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Rejected> {
        if let Some(deadline) = parts.extensions.get::<Self>() {
            return Ok(*deadline);
        }
        let gate = Arc::<Gate>::from_ref(state);
        let deadline = gate.admit(&parts.headers, SystemTime::now())?;
        parts.extensions.insert(deadline);
        Ok(deadline)
    }
}

/// How many requests may be rejected as expired.
#[derive(Debug)]
struct Quota {
    made: Instant,
    /// The number of the current window; from 0.
    window: u128,
    requests: u64,
    rejected: u64,
}

impl Quota {
    fn new() -> Self {
        Self { made: Instant::now(), window: 0, requests: 0, rejected: 0 }
    }

    /// Counts a request, and says whether it is to be rejected.
    fn count(&mut self, expired: bool, percent: u32) -> bool {
        let window = self.made.elapsed().as_nanos() / Limits::WINDOW.as_nanos();
        if window != self.window {
            *self = Self { window, requests: 0, rejected: 0, ..*self };
        }
        self.requests += 1;
        let reject = expired && 100 * (self.rejected + 1) <= u64::from(percent) * self.requests;
        self.rejected += u64::from(reject);
        reject
    }
}

// ---------------------------------------------------------------------------------------------
// The audit

impl Chain {
    /// Each link that waits no longer than the link that it calls may take, from the outside in, with
    /// the first rule that it breaks.
    pub fn audit(&self) -> Vec<Violation> {
        let pairs = self.links.iter().zip(self.links.iter().skip(1));
        pairs.filter_map(|(outer, inner)| violation(outer, inner)).collect()
    }
}

fn violation(outer: &Link, inner: &Link) -> Option<Violation> {
    let tries = inner.timeout.saturating_mul(inner.tries).saturating_add(inner.backoff);
    let needs = tries.saturating_add(inner.overhead);
    let rules = [(Rule::Order, inner.timeout), (Rule::Retries, tries), (Rule::Overhead, needs)];
    let (rule, _) = rules.into_iter().find(|(_, least)| outer.timeout <= *least)?;
    let (name, has) = (outer.name.clone(), outer.timeout);
    Some(Violation { outer: name, inner: inner.name.clone(), rule, has, needs })
}
