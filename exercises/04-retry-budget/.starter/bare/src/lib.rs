// A retry budget: it holds retries to a share of the requests that a dependency gets anyway, so
// that they can't become the load that keeps it down.

// This file is yours: here is the public API and what it promises, and nothing of its inside. Which
// fields, types and functions it needs is your design. Public names and signatures stay as they are:
// the spec in `tests/steps/` uses them.
// The tasks leave things unused: delete these lines when the last one is done.
#![allow(unused)]

use std::fmt;

mod config;
mod sync;
mod types;

pub use config::{Config, ConfigError, Feed};
pub use types::Exhausted;

/// The retries that the callers of one dependency may make. Share it by reference or in an `Arc`.
pub struct RetryBudget {}

impl RetryBudget {
    /// A budget without deposits, whose floor is full.
    ///
    /// # Errors
    /// When a field of `config` is out of its range.
    pub fn new(config: Config) -> Result<Self, ConfigError> {
        todo!("step 1: new")
    }

    /// Notes the first try of a request, which is a deposit if requests feed the budget. Not a retry: it would
    /// earn retries of its own.
    pub fn record_request(&self) {
        todo!("step 1: record_request")
    }

    /// Notes a success, of a first try or of a retry, which is a deposit if successes feed the budget.
    pub fn record_success(&self) {
        todo!("step 6: record_success")
    }

    /// Pays for one retry, which the caller then makes: with an earned token if there is one, else with one of
    /// the floor. It may wait for the lock, and for nothing else.
    ///
    /// # Errors
    /// When neither account has a whole token. Nothing is taken then.
    pub fn try_withdraw(&self) -> Result<(), Exhausted> {
        todo!("step 1: try_withdraw")
    }

    /// How many retries could be made now: the whole tokens of each account. The window's account counts as
    /// empty while it is below zero.
    pub fn balance(&self) -> u64 {
        todo!("step 1: balance")
    }

    /// Runs `operation`, and again after a failure: at most `max_retries` times, and each time only
    /// if the budget pays. It doesn't wait between tries; that is for a backoff inside `operation`.
    /// The request is recorded before its first try, the success of any try when it comes.
    ///
    /// Cancellation: dropping the future drops the operation. The request stays recorded, and a token that was
    /// taken is spent.
    ///
    /// # Errors
    /// The operation's own, from its last try.
    pub async fn call<T, E, F>(
        &self,
        max_retries: u32,
        mut operation: impl FnMut() -> F,
    ) -> Result<T, E>
    where
        F: Future<Output = Result<T, E>>,
    {
        todo!("step 5: call")
    }
}

impl fmt::Debug for RetryBudget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RetryBudget")
    }
}
