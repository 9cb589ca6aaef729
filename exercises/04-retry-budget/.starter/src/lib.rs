// A retry budget: retries are a share of what a dependency is asked anyway, so that they can't
// become the load that keeps it down.
//
// The parts, from the outside in:
//
// - `RetryBudget`, the shell: reads the clock and takes the lock.
// - `Core`, the accounts: plain data and plain functions that are told what time it is.
// - `Floor`, a small allowance that needs no deposit.
// - `Window`, what was earned and spent of late.

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

    /// Notes the first try of a request. Not a retry: it would earn retries of its own.
    pub fn record_request(&self) {
        self.with_core(|core| core.deposit());
        // step 6: only if requests are what feeds this budget
    }

    /// Notes a success, of a first try or of a retry.
    pub fn record_success(&self) {
        // step 6: deposit, if successes are what feeds this budget
    }

    /// Pays for one retry, which the caller then makes.
    ///
    /// # Errors
    /// When there is no whole token. Nothing is taken then.
    pub fn try_withdraw(&self) -> Result<(), Exhausted> {
        todo!("step 1: withdraw from the core; what it compares and takes must be one step")
    }

    /// How many retries could be made now.
    pub fn balance(&self) -> u64 {
        self.with_core(|core| core.balance())
    }

    /// Runs `operation`, and again after a failure: at most `max_retries` times, and each time only
    /// if the budget pays. It doesn't wait between tries; that is for a backoff inside `operation`.
    ///
    /// Cancellation: dropping the future drops the operation. A token that was taken for it is spent.
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
        todo!("step 5: record the request, run the operation, and pay for each further try")
        // step 6: record a success
    }

    /// The one place where the lock is held. What `act` compares and changes is one step for all.
    fn with_core<R>(&self, act: impl FnOnce(&mut Core) -> R) -> R {
        let now = Instant::now();
        let mut core = self.core.lock().unwrap_or_else(PoisonError::into_inner);
        core.tick(now);
        act(&mut core)
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
    // step 1: what the deposits have left, in a unit of which a token is a whole number
    // step 2: and the floor
    // step 3: the deposits of the last window only, less the retries of the same window
}

impl Core {
    fn new(config: Config, now: Instant) -> Self {
        Self { config }
    }

    /// Lets time take effect. Called before anything else is done with the core.
    fn tick(&mut self, now: Instant) {
        // step 2: refill the floor
        // step 3: forget what is older than the window
        // step 4: `now` may be older than the last one
    }

    /// Adds what a deposit is worth.
    fn deposit(&mut self) {
        todo!("step 1: add config.ratio of a token")
    }

    /// Takes a token, or says that there is none.
    fn withdraw(&mut self) -> Result<(), Exhausted> {
        todo!("step 1: take a whole token if there is one")
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
    // step 2: the rate, the level, and when it was last refilled
}

// ---------------------------------------------------------------------------------------------
// The window

/// What was earned less what was spent in the last window.
///
/// In the long run the retries are exactly the share. Of a deposit or a retry, at least nine tenths of
/// a window are remembered, and no more than one: so nine tenths of a window hold at most the share of
/// a whole window's requests.
struct Window {
    // step 3: a ring of slots, say, on a grid that never moves
}
