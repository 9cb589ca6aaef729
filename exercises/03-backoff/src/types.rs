// What a caller says and sees. Given: nothing to write here.

use std::fmt;
use std::time::Duration;

use rand::{Rng, RngExt};

/// What the caller knows about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It may go away: worth another attempt.
    Retry,
    /// As [`Retry`](Self::Retry), and the server asks to be left alone for this long (see
    /// [`retry_after`](crate::retry_after)).
    RetryAfter(Duration),
    /// It stays, or another attempt could do harm.
    Stop,
}

/// There is no further attempt, and this was the last error.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{why} (attempts: {attempts}, in {elapsed:?}; the last error: {error})")]
pub struct GaveUp<E> {
    /// The error of the last attempt.
    pub error: E,
    /// How often the operation was run.
    pub attempts: u32,
    /// Time from the beginning of the first attempt to the end of the last.
    pub elapsed: Duration,
    /// Why there is no further attempt.
    pub why: Why,
}

/// Why there is no further attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Why {
    /// [`Verdict::Stop`].
    #[error("the error is not worth a retry: handle it")]
    NotWorthIt,
    /// All attempts are used up.
    #[error("every attempt failed: use a fallback, or try much later")]
    AttemptsUsed,
    /// The next attempt could not begin before `max_total` is over.
    #[error(
        "there is no time for another attempt: use a fallback, or allow more than {max_total:?}"
    )]
    NoTimeLeft {
        /// The limit.
        max_total: Duration,
    },
    /// The server asks for a longer wait than the cap.
    #[error("the server asks to wait {asked:?}: use a fallback, and come back then")]
    AskedToWait {
        /// For how long.
        asked: Duration,
    },
}

/// Names one logical operation to a server, so that the server can tell a repetition from a second
/// operation. 128 random bits; as text, 32 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IdempotencyKey(u128);

impl IdempotencyKey {
    /// A new key. Two generators in the same state give two operations the same key, and one of them
    /// is then lost: the generator must be the caller's own.
    pub fn new(mut rng: impl Rng) -> Self {
        Self(rng.random())
    }
}

impl fmt::Display for IdempotencyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for IdempotencyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
