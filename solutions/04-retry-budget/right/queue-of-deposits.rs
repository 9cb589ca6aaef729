//! right: written from the page and the starter alone: a queue of what was earned and spent, instead of a ring of slots

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

mod config;
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
        self.with_core(|core| core.record(Feed::Requests));
    }

    /// Notes a success, of a first try or of a retry.
    pub fn record_success(&self) {
        self.with_core(|core| core.record(Feed::Successes));
    }

    /// Pays for one retry, which the caller then makes.
    ///
    /// # Errors
    /// When there is no whole token. Nothing is taken then.
    pub fn try_withdraw(&self) -> Result<(), Exhausted> {
        self.with_core(Core::withdraw)
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
        self.record_request();
        let mut retries = 0;
        loop {
            match operation().await {
                Ok(value) => {
                    self.record_success();
                    return Ok(value);
                }
                Err(error) if retries == max_retries || self.try_withdraw().is_err() => {
                    return Err(error);
                }
                Err(_) => retries += 1,
            }
        }
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

/// Billionths in a token.
const TOKEN: u64 = 1_000_000_000;
const DEBIT: i64 = -(TOKEN as i64);

struct Core {
    config: Config,
    /// What a deposit earns, in billionths.
    share: i64,
    window: Window,
    floor: Floor,
}

impl Core {
    fn new(config: Config, now: Instant) -> Self {
        let share = (config.ratio * TOKEN as f64).round() as i64;
        let floor = Floor::full(config.min_retries_per_second, now);
        Self { config, share, window: Window::new(config.window, now), floor }
    }

    /// Lets time take effect. Called before anything else is done with the core.
    fn tick(&mut self, now: Instant) {
        self.floor.refill(now);
        self.window.advance(now);
    }

    /// Makes a deposit if `what` is what feeds this budget.
    fn record(&mut self, what: Feed) {
        if what == self.config.feed {
            self.deposit();
        }
    }

    /// Adds what a deposit is worth.
    fn deposit(&mut self) {
        self.window.add(self.share);
    }

    /// Takes a token, or says that there is none.
    fn withdraw(&mut self) -> Result<(), Exhausted> {
        // What is earned expires, the floor doesn't.
        if self.window.balance() > 0 {
            self.window.add(DEBIT);
        } else {
            self.floor.level = self.floor.level.checked_sub(TOKEN).ok_or(Exhausted)?;
        }
        Ok(())
    }

    /// How many tokens could be taken.
    fn balance(&self) -> u64 {
        self.window.balance() + self.floor.level / TOKEN
    }
}

// ---------------------------------------------------------------------------------------------
// The floor

/// A token bucket that holds a second's worth.
struct Floor {
    /// Tokens a second, which is billionths a nanosecond.
    rate: u64,
    /// In billionths; at most a second's worth.
    level: u64,
    refilled: Instant,
}

impl Floor {
    fn full(rate: u32, now: Instant) -> Self {
        let rate = u64::from(rate);
        Self { rate, level: rate * TOKEN, refilled: now }
    }

    fn refill(&mut self, now: Instant) {
        // A second fills it, so more need not be counted, and the product fits: 2³² × 10⁹.
        let nanos = now.saturating_duration_since(self.refilled).as_nanos().min(TOKEN.into()) as u64;
        self.level = (self.level + nanos * self.rate).min(self.rate * TOKEN);
        self.refilled = self.refilled.max(now);
    }
}

// ---------------------------------------------------------------------------------------------
// The window

/// What was earned less what was spent in the last window.
///
/// In the long run the retries are exactly the share. Of a deposit or a retry, at least nine tenths of
/// a window are remembered, and no more than one: so nine tenths of a window hold at most the share of
/// a whole window's requests.
struct Window {
    /// Where the grid begins.
    origin: Instant,
    length: Duration,
    /// The slot of the latest time that was seen.
    current: u128,
    /// The slots of the window in which something was booked, oldest first, each with its sum in billionths.
    slots: VecDeque<(u128, i64)>,
    /// The sum of `slots`: below zero when deposits have left and the retries that they paid for haven't.
    sum: i64,
}

impl Window {
    /// What was booked counts for 31 or 32 slots.
    const SLOTS: u128 = 32;

    fn new(length: Duration, now: Instant) -> Self {
        Self { origin: now, length, current: 0, slots: VecDeque::new(), sum: 0 }
    }

    fn advance(&mut self, now: Instant) {
        let age = now.saturating_duration_since(self.origin).as_nanos();
        self.current = self.current.max(age * Self::SLOTS / self.length.as_nanos());
        while let Some(&(slot, amount)) = self.slots.front()
            && slot + Self::SLOTS <= self.current
        {
            self.slots.pop_front();
            self.sum -= amount;
        }
    }

    fn add(&mut self, amount: i64) {
        match self.slots.back_mut() {
            Some((slot, booked)) if *slot == self.current => *booked += amount,
            _ => self.slots.push_back((self.current, amount)),
        }
        self.sum += amount;
    }

    /// In whole tokens.
    fn balance(&self) -> u64 {
        self.sum.max(0) as u64 / TOKEN
    }
}
