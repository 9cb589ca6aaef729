// What a caller sees and handles. Given: nothing to write here.

use std::fmt;
use std::time::Duration;

use tokio::time::Instant;

/// What the breaker does with the next call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Lets every call through, and counts.
    Closed,
    /// Rejects every call until the open time is over.
    Open,
    /// Lets a few probes through, and rejects the others.
    HalfOpen,
    /// Rejects every call until somebody calls [`CircuitBreaker::reset`](crate::CircuitBreaker::reset).
    ForcedOpen,
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            State::Closed => "closed",
            State::Open => "open",
            State::HalfOpen => "half-open",
            State::ForcedOpen => "forced open",
        })
    }
}

/// What a finished call says about the dependency.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It works.
    Success,
    /// It doesn't.
    Failure,
    /// Nothing: the call tells us about the caller, not about the dependency.
    Ignored,
}

/// Why a call was not let through. None of these is worth a retry before its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Rejected {
    /// The breaker is open.
    #[error("circuit breaker is open: use a fallback, or try again in {retry_after:?}")]
    Open {
        /// Time until the breaker probes; above zero.
        retry_after: Duration,
    },
    /// The breaker is half-open, and all its probes are out.
    #[error("circuit breaker is half-open and its probes are out: use a fallback")]
    ProbesOut,
    /// Somebody forced the breaker open.
    #[error("circuit breaker was forced open: use a fallback until it is reset")]
    ForcedOpen,
}

/// Why [`CircuitBreaker::call`](crate::CircuitBreaker::call) has no value to return.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError<E> {
    /// The operation was not run.
    #[error(transparent)]
    Rejected(#[from] Rejected),
    /// The operation was run, and failed.
    #[error("the operation failed: {0}")]
    Operation(E),
}

/// Why the breaker changed its state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// So many failures in a row.
    FailuresInARow(u32),
    /// So many failures among the results in the window.
    FailureRate {
        /// Failed calls in the window.
        failed: usize,
        /// Results in the window.
        of: usize,
    },
    /// The open time is over.
    OpenTimeOver,
    /// So many probes succeeded.
    ProbesSucceeded(u32),
    /// A probe failed.
    ProbeFailed,
    /// Probes were out, and the last of them had been let through a whole lease ago.
    ProbeLeaseOver,
    /// Somebody called [`CircuitBreaker::force_open`](crate::CircuitBreaker::force_open).
    Forced,
    /// Somebody called [`CircuitBreaker::reset`](crate::CircuitBreaker::reset).
    Reset,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cause::FailuresInARow(n) => write!(f, "{n} failures in a row"),
            Cause::FailureRate { failed, of } => {
                write!(f, "{failed} of the last {of} calls failed")
            }
            Cause::OpenTimeOver => f.write_str("open time over"),
            Cause::ProbesSucceeded(n) => write!(f, "{n} probes succeeded"),
            Cause::ProbeFailed => f.write_str("a probe failed"),
            Cause::ProbeLeaseOver => f.write_str("probe lease over"),
            Cause::Forced => f.write_str("forced"),
            Cause::Reset => f.write_str("reset"),
        }
    }
}

/// A change of state, as listeners are told of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transition {
    /// The state before.
    pub from: State,
    /// The state after.
    pub to: State,
    /// Why.
    pub cause: Cause,
    /// The number of the era that begins. Two threads may deliver two transitions in either order;
    /// the era tells which came first.
    pub era: u64,
    /// When it was noticed. The breaker has no timer: time takes effect when somebody looks.
    pub at: Instant,
}

impl fmt::Display for Transition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} → {} ({})", self.from, self.to, self.cause)
    }
}

/// Calls since the breaker was made. Each admitted call ends in exactly one of the last four.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Let through.
    pub admitted: u64,
    /// Turned away.
    pub rejected: u64,
    /// Ended as a success.
    pub succeeded: u64,
    /// Ended as a failure, or too slow.
    pub failed: u64,
    /// Ended without saying anything about the dependency.
    pub ignored: u64,
    /// Ended in a later era than it began in, and so had no effect.
    pub late: u64,
}

/// All that the breaker knows, at one instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Snapshot {
    /// The state.
    pub state: State,
    /// How many transitions there have been.
    pub era: u64,
    /// Failures since the last success; 0 unless closed.
    pub failures_in_a_row: u32,
    /// Results in the window; 0 unless closed.
    pub window_calls: usize,
    /// Failures in the window; 0 unless closed.
    pub window_failures: usize,
    /// Probes that are out; 0 unless half-open.
    pub probes_out: u32,
    /// Time until the breaker probes; `None` unless open.
    pub retry_after: Option<Duration>,
    /// What has been counted since the breaker was made.
    pub counts: Counts,
}
