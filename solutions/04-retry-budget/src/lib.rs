// A retry budget: it holds retries to a share of the requests that a dependency gets anyway, so
// that they can't become the load that keeps it down.
//
// The parts, from the outside in:
//
// - `RetryBudget`, the shell: reads the clock and takes the lock.
// - `Core`, the accounts: plain data and plain functions that are told what time it is.
// - `Floor`, a small allowance that needs no deposit.
// - `Window`, what was earned and spent recently.

use std::fmt;
use std::mem;
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
        self.with_core(|core| core.deposit(Feed::Requests));
    }

    /// Notes a success, of a first try or of a retry, which is a deposit if successes feed the budget.
    pub fn record_success(&self) {
        self.with_core(|core| core.deposit(Feed::Successes));
    }

    /// Pays for one retry, which the caller then makes: with an earned token if there is one, else with one of
    /// the floor. It may wait for the lock, and for nothing else.
    ///
    /// # Errors
    /// When neither account has a whole token. Nothing is taken then.
    pub fn try_withdraw(&self) -> Result<(), Exhausted> {
        self.with_core(Core::withdraw)
    }

    /// How many retries could be made now: the whole tokens of each account. The window's account counts as
    /// empty while it is below zero.
    pub fn balance(&self) -> u64 {
        self.with_core(|core| core.balance())
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
    // ANCHOR: call
    pub async fn call<T, E, F>(
        &self,
        max_retries: u32,
        mut operation: impl FnMut() -> F,
    ) -> Result<T, E>
    where
        F: Future<Output = Result<T, E>>,
    {
        self.record_request();
        let mut retries = 0;
        loop {
            let error = match operation().await {
                Ok(value) => {
                    self.record_success();
                    return Ok(value);
                }
                Err(error) => error,
            };
            // The count is asked first: a token is paid for a retry that will be made.
            if retries == max_retries || self.try_withdraw().is_err() {
                return Err(error);
            }
            retries += 1;
        }
    }
    // ANCHOR_END: call

    /// The one place where the lock is held. What `act` compares and changes is one step for all.
    // ANCHOR: with_core
    fn with_core<R>(&self, act: impl FnOnce(&mut Core) -> R) -> R {
        let now = Instant::now();
        let mut core = self.core.lock().unwrap_or_else(PoisonError::into_inner);
        core.tick(now);
        act(&mut core)
    }
    // ANCHOR_END: with_core
}

impl fmt::Debug for RetryBudget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RetryBudget")
    }
}

// ---------------------------------------------------------------------------------------------
// The core: two accounts that are told the time

/// One retry, in the unit of all accounts: a billionth of a retry. Whole numbers add up exactly, and
/// an `i64` of them holds the deposits of 60 s at 150 million requests a second.
const TOKEN: i64 = 1_000_000_000;

struct Core {
    feed: Feed,
    /// What one deposit is worth.
    deposit: i64,
    earned: Window,
    floor: Floor,
}

impl Core {
    fn new(config: Config, now: Instant) -> Self {
        #[expect(clippy::cast_possible_truncation, reason = "validated: 0 to 1 token")]
        let deposit = (config.ratio * TOKEN as f64).round() as i64;
        Self {
            feed: config.feed,
            deposit,
            earned: Window::new(config.window, now),
            floor: Floor::new(config.min_retries_per_second, now),
        }
    }

    /// Lets time take effect. Called before anything else is done with the core.
    fn tick(&mut self, now: Instant) {
        self.earned.advance(now);
        self.floor.refill(now);
    }

    /// Adds what a deposit is worth.
    fn deposit(&mut self, what: Feed) {
        if what == self.feed {
            self.earned.add(self.deposit);
        }
    }

    /// Takes a token, or says that there is none.
    // ANCHOR: withdraw
    fn withdraw(&mut self) -> Result<(), Exhausted> {
        // The earned ones first: they expire, the floor keeps what it has. What the floor pays for
        // doesn't count against the window.
        if self.earned.sum >= TOKEN {
            self.earned.add(-TOKEN);
            Ok(())
        } else if self.floor.level >= TOKEN {
            self.floor.level -= TOKEN;
            Ok(())
        } else {
            Err(Exhausted)
        }
    }
    // ANCHOR_END: withdraw

    /// How many tokens could be taken.
    fn balance(&self) -> u64 {
        // The window is below zero while deposits are gone whose retries still count. Each account
        // is rounded down by itself: half a token in each of them pays for nothing.
        (self.earned.sum.max(0) / TOKEN + self.floor.level / TOKEN).unsigned_abs()
    }
}

// ---------------------------------------------------------------------------------------------
// The floor

/// A token bucket that holds a second's worth.
// ANCHOR: floor
struct Floor {
    per_second: i64,
    level: i64,
    refilled: Instant,
}

impl Floor {
    fn new(per_second: u32, now: Instant) -> Self {
        let per_second = i64::from(per_second);
        Self { per_second, level: per_second * TOKEN, refilled: now }
    }

    fn refill(&mut self, now: Instant) {
        // A nanosecond earns `per_second` billionths of a token: no division, so nothing is lost
        // when somebody looks often.
        // The time is cut only so that the product fits; the cap is on the level.
        let elapsed = now.duration_since(self.refilled).min(Duration::from_secs(1));
        #[expect(clippy::cast_possible_truncation, reason = "at most a second's nanoseconds")]
        let earned = elapsed.as_nanos() as i64 * self.per_second;
        self.level = (self.level + earned).min(self.per_second * TOKEN);
        // Never back: time that was credited once would be credited again.
        self.refilled = self.refilled.max(now);
    }
}
// ANCHOR_END: floor

// ---------------------------------------------------------------------------------------------
// The window

/// The slots of a window, including the slot being filled. An amount counts until ten slots have
/// begun, its own included.
///
/// Any stretch of time holds at most the share of its own requests and those of the window before it: a
/// span as long as a window, across the slots, sees at most twice the share.
const SLOTS: u32 = 10;

/// What was earned less what was spent in the last window.
///
/// A deposit or a retry counts for at least nine tenths of a window, and for no more than one. So nine tenths
/// of a window hold at most the share of a whole window's requests; and counted from the beginning, the
/// retries are at most the share. They may be fewer: a part of a token expires with its window.
///
/// The slots lie on a grid that begins when the budget does and never moves, so it makes no difference
/// how often somebody looks.
// ANCHOR: window
struct Window {
    began: Instant,
    slot: Duration,
    /// The number of the newest slot, counted from `began`.
    newest: u128,
    nets: [i64; SLOTS as usize],
    /// The sum of `nets`.
    sum: i64,
}

impl Window {
    fn new(window: Duration, now: Instant) -> Self {
        let slot = window / SLOTS;
        Self { began: now, slot, newest: 0, nets: [0; SLOTS as usize], sum: 0 }
    }

    fn advance(&mut self, now: Instant) {
        // In nanoseconds: a slot may be a tenth of a millisecond.
        let number = now.duration_since(self.began).as_nanos() / self.slot.as_nanos();
        // Zero for an older `now`: two threads may read the clock in one order and take the lock in
        // the other. And never more than there are slots, however long nobody called.
        let passed = number.saturating_sub(self.newest);
        for ahead in 1..=passed.min(u128::from(SLOTS)) {
            let net = mem::take(self.at(self.newest + ahead));
            self.sum -= net;
        }
        self.newest += passed;
    }

    fn add(&mut self, amount: i64) {
        *self.at(self.newest) += amount;
        self.sum += amount;
    }

    fn at(&mut self, number: u128) -> &mut i64 {
        let index = (number % u128::from(SLOTS)) as usize;
        &mut self.nets[index]
    }
}
// ANCHOR_END: window
