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

pub struct RetryBudget {
    core: Mutex<Core>,
}

impl RetryBudget {
    pub fn new(config: Config) -> Result<Self, ConfigError> {
        config.validate()?;
        Ok(Self { core: Mutex::new(Core::new(config, Instant::now())) })
    }

    pub fn record_request(&self) {
        self.with_core(|core| core.record(Feed::Requests));
    }

    pub fn record_success(&self) {
        self.with_core(|core| core.record(Feed::Successes));
    }

    pub fn try_withdraw(&self) -> Result<(), Exhausted> {
        self.with_core(Core::withdraw)
    }

    pub fn balance(&self) -> u64 {
        self.with_core(|core| core.balance())
    }

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

const TOKEN: u64 = 1_000_000_000;
const DEBIT: i64 = -(TOKEN as i64);

struct Core {
    config: Config,
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

    fn tick(&mut self, now: Instant) {
        self.floor.refill(now);
        self.window.advance(now);
    }

    fn record(&mut self, what: Feed) {
        if what == self.config.feed {
            self.deposit();
        }
    }

    fn deposit(&mut self) {
        self.window.add(self.share);
    }

    fn withdraw(&mut self) -> Result<(), Exhausted> {
        // What is earned expires, the floor doesn't.
        if self.window.balance() > 0 {
            self.window.add(DEBIT);
        } else {
            self.floor.level = self.floor.level.checked_sub(TOKEN).ok_or(Exhausted)?;
        }
        Ok(())
    }

    fn balance(&self) -> u64 {
        self.window.balance() + self.floor.level / TOKEN
    }
}

// ---------------------------------------------------------------------------------------------
// The floor

struct Floor {
    rate: u64,
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

struct Window {
    origin: Instant,
    length: Duration,
    current: u128,
    slots: VecDeque<(u128, i64)>,
    sum: i64,
}

impl Window {
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

    fn balance(&self) -> u64 {
        self.sum.max(0) as u64 / TOKEN
    }
}
