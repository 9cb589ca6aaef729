// What a caller sees and handles. Given: nothing to write here.

/// There is no token for a retry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the retry budget is exhausted: don't retry, report the failure that you have")]
pub struct Exhausted;
