// What a caller sees and handles. Given: nothing to write here.

use std::fmt;
use std::time::Duration;

use tokio::time::Instant;

/// How much it matters that a request is answered. The greater, the more.
///
/// The four classes are those of Google's services (*Site Reliability Engineering*, 2016, chapter 21).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Priority {
    /// May be refused often, and even be unavailable for a while: a batch job that tries again.
    Sheddable,
    /// May be refused at times: a batch job whose result somebody waits for.
    SheddablePlus,
    /// A user notices when it fails. What a request is that says nothing.
    #[default]
    Critical,
    /// A user can't go on when it fails.
    CriticalPlus,
}

impl Priority {
    /// The header that carries it.
    pub const HEADER: &str = "x-criticality";
    /// All of them, from the highest to the lowest.
    pub const ALL: [Self; 4] =
        [Self::CriticalPlus, Self::Critical, Self::SheddablePlus, Self::Sheddable];

    /// As the header has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::CriticalPlus => "critical-plus",
            Self::Critical => "critical",
            Self::SheddablePlus => "sheddable-plus",
            Self::Sheddable => "sheddable",
        }
    }
}

impl fmt::Display for Priority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a server should know of a request before it does anything for it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Request {
    /// How much it matters.
    pub priority: Priority,
    /// When nobody waits for its answer any more; `None` if it says nothing.
    pub deadline: Option<Instant>,
}

impl Request {
    /// Whether its deadline has passed. At the deadline itself it has.
    pub fn is_expired(&self, now: Instant) -> bool {
        self.deadline.is_some_and(|deadline| deadline <= now)
    }
}

/// What a request that has run says about what it used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It was served, well or with an error of its own. How long it took counts.
    Done,
    /// Something below refused it for overload, or didn't answer in time.
    Overloaded,
}

/// Why a request was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// All places are taken, and the queue is full.
    Full,
    /// It has waited for too long.
    TooOld,
    /// Its deadline has passed.
    Expired,
    /// It waited, and another request took its place in the queue.
    Displaced,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Reason::Full => "no room",
            Reason::TooOld => "waited for too long",
            Reason::Expired => "its deadline has passed",
            Reason::Displaced => "gave way to another",
        })
    }
}

/// A request that was refused. Nothing was done for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "overloaded ({reason}): try again in {retry_after:?} at the earliest, and not without a retry budget"
)]
pub struct Shed {
    /// Why.
    pub reason: Reason,
    /// How long the caller should wait before another try.
    pub retry_after: Duration,
}

/// The numbers of a shedder at one instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Snapshot {
    /// How many requests may run.
    pub limit: usize,
    /// How many do. More than the limit while it falls.
    pub running: usize,
    /// How many wait.
    pub waiting: usize,
}

/// The client held a request back: what it calls has refused too many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("held back by the client, as the server refuses too many: use a fallback")]
pub struct Throttled;

/// Why [`Throttle::call`](crate::Throttle::call) has no value to return.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError<E> {
    /// The operation was not run.
    #[error(transparent)]
    Throttled(#[from] Throttled),
    /// The operation was run, and failed.
    #[error("the operation failed: {0}")]
    Operation(E),
}

/// A tenant asks for more than its share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("over this tenant's share: try again in {retry_after:?}")]
pub struct OverShare {
    /// When the tenant's bucket has a token again; above zero.
    pub retry_after: Duration,
}
