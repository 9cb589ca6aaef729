// A retry budget: it holds retries to a share of the requests that a dependency gets anyway, so
// that they can't become the load that keeps it down.
//
// The parts, from the outside in:
//
// - `RetryBudget`, the shell: reads the clock and takes the lock.
// - `Core`, the accounts: plain data and plain functions that are told what time it is.
// - `Floor`, a small allowance that needs no deposit.
// - `Window`, what was earned and spent recently.

// This file is yours: every `todo!` and every comment that begins with `step` is a task, in the
// order of the chapter (`cargo xtask book --open retry-budget`). Add fields and functions as you
// need them. Public names and signatures stay as they are: the spec in `tests/steps/` uses them.
// The tasks leave things unused: delete these lines when the last one is done.
#![allow(unused)]

use std::fmt;
use std::sync::PoisonError;
use std::time::Duration;

use tokio::time::Instant;

use crate::sync::Mutex;

mod config;
mod sync;
mod types;

pub use config::{Config, ConfigError, Feed};
pub use types::Exhausted;

// ---------------------------------------------------------------------------------------------
// The shell: the clock and the lock

/// The retries that the callers of one dependency may make. Share it by reference or in an `Arc`.
pub struct RetryBudget {
    core: Mutex<Core>,
}

impl RetryBudget {
    /// A budget without deposits, whose floor is full.
    ///
    /// # Errors
    /// When a field of `config` is out of its range.
    pub fn new(config: Config) -> Result<Self, ConfigError> {
        config.validate()?;
        Ok(Self { core: Mutex::new(Core::new(config, Instant::now())) })
    }

    /// Notes the first try of a request, which is a deposit if requests feed the budget. Not a retry: it would
    /// earn retries of its own.
    pub fn record_request(&self) {
        todo!("step 1: make a deposit")
        // step 6: if requests feed this budget
    }

    /// Notes a success, of a first try or of a retry, which is a deposit if successes feed the budget.
    pub fn record_success(&self) {
        todo!("step 6: make a deposit, if successes feed this budget")
    }

    /// Pays for one retry, which the caller then makes: with an earned token if there is one, else with one of
    /// the floor. It may wait for the lock, and for nothing else.
    ///
    /// # Errors
    /// When neither account has a whole token. Nothing is taken then.
    pub fn try_withdraw(&self) -> Result<(), Exhausted> {
        todo!("step 1: withdraw")
    }

    /// How many retries could be made now: the whole tokens of each account. The window's account counts as
    /// empty while it is below zero.
    pub fn balance(&self) -> u64 {
        todo!("step 1: the balance")
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
        todo!("step 5: run the operation, and again while it fails and the budget pays")
        // step 6: record a success
    }
}

impl fmt::Debug for RetryBudget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RetryBudget")
    }
}

// ---------------------------------------------------------------------------------------------
// The core: two accounts that are told the time

struct Core {
    config: Config,
    // step 1: what was earned
    // step 2: and the floor
    // step 3: what was earned in the last window
}

impl Core {
    fn new(config: Config, now: Instant) -> Self {
        Self { config }
    }

    /// Lets time take effect. Called before anything else is done with the core.
    fn tick(&mut self, now: Instant) {
        // step 2: for the floor
        // step 3: for the window
        // step 4: in whatever order threads come here
    }

    /// Adds what a deposit is worth.
    fn deposit(&mut self) {
        todo!("step 1: add what it earns")
    }

    /// Takes a token, or says that there is none.
    fn withdraw(&mut self) -> Result<(), Exhausted> {
        todo!("step 1: take a token")
        // step 2: else one from the floor
    }

    /// How many tokens could be taken.
    fn balance(&self) -> u64 {
        todo!("step 1: the whole tokens that are there")
        // step 2: and those of the floor
    }
}

// ---------------------------------------------------------------------------------------------
// The floor

/// A token bucket that holds a second's worth.
struct Floor {
    // step 2: what it has to remember
}

// ---------------------------------------------------------------------------------------------
// The window

/// What was earned less what was spent in the last window.
///
/// A deposit or a retry counts for at least nine tenths of a window, and for no more than one. So nine tenths
/// of a window hold at most the share of a whole window's requests; and counted from the beginning, the
/// retries are at most the share. They may be fewer: a part of a token expires with its window.
struct Window {
    // step 3: what it has to remember
}
