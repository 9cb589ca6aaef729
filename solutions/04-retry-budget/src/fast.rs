//! The same budget, fast: its lock is rarely taken.
//!
//! Within one slot of the window nothing expires. So the core *lends out* the sum of what was earned, as one
//! atomic word, until the slot is over: a deposit adds to it, a withdrawal takes from it by a
//! compare-exchange. Whatever is not so simple takes the lock, takes the sum back, lets the readable core do
//! it (move the window on, ask the floor, tell the balance), and lends the sum out again.
//!
//! A refusal takes no lock either: it compares the clock with the time of the floor's next token. That is
//! when a budget is asked most: everything fails, and everybody wants to retry.
//!
//! The clock is still read at each deposit and each withdrawal. It has to be, for what has expired must not
//! pay; and it is most of what they cost.

use std::fmt;
use std::sync::PoisonError;

use crossbeam_utils::CachePadded;
use tokio::time::Instant;

use crate::sync::Mutex;
use crate::sync::atomic::{AtomicI64, AtomicU64, Ordering};
pub use crate::{Config, ConfigError, Exhausted, Feed};
use crate::{Core, TOKEN};

/// As the readable [`RetryBudget`](crate::RetryBudget), and to the same spec.
pub struct RetryBudget {
    // These are read by every call, and written only when the lock is held.
    /// When the loan ends: the end of the newest slot, in nanoseconds after `born`.
    until: AtomicU64,
    /// When the floor has, or had, a token, in nanoseconds after `born`; [`NEVER`] without a floor.
    floor_pays_at: AtomicU64,
    born: Instant,
    feed: Feed,
    deposit: i64,
    // This is written by nearly every call.
    /// The sum that the core has lent out, or something below [`LEAST`].
    earned: CachePadded<AtomicI64>,
    core: CachePadded<Mutex<Core>>,
}

/// The word when the core has its sum itself. A deposit that finds it has added to it before it knows.
const NOT_LENT: i64 = i64::MIN;
/// No sum is less: room for a billion deposits that were added to [`NOT_LENT`] in vain.
const LEAST: i64 = NOT_LENT + TOKEN * TOKEN;
const NEVER: u64 = u64::MAX;

impl RetryBudget {
    /// As [`RetryBudget::new`](crate::RetryBudget::new).
    ///
    /// # Errors
    /// When a field of `config` is out of its range.
    pub fn new(config: Config) -> Result<Self, ConfigError> {
        config.validate()?;
        let born = Instant::now();
        let core = Core::new(config, born);
        let budget = Self {
            until: AtomicU64::new(0),
            floor_pays_at: AtomicU64::new(0),
            born,
            feed: config.feed,
            deposit: core.deposit,
            earned: CachePadded::new(AtomicI64::new(NOT_LENT)),
            core: CachePadded::new(Mutex::new(core)),
        };
        budget.with_core(born, |_| ());
        Ok(budget)
    }

    /// As [`RetryBudget::record_request`](crate::RetryBudget::record_request).
    pub fn record_request(&self) {
        self.record(Feed::Requests);
    }

    /// As [`RetryBudget::record_success`](crate::RetryBudget::record_success).
    pub fn record_success(&self) {
        self.record(Feed::Successes);
    }

    // ANCHOR: lent
    fn record(&self, what: Feed) {
        if what != self.feed {
            return;
        }
        let now = Instant::now();
        // Relaxed: the word says it all. If it was taken back meanwhile, this addition is lost, and the core
        // makes the deposit.
        if !self.is_lent(self.nanos(now))
            || self.earned.fetch_add(self.deposit, Ordering::Relaxed) < LEAST
        {
            self.with_core(now, |core| core.deposit(what));
        }
    }

    /// As [`RetryBudget::try_withdraw`](crate::RetryBudget::try_withdraw).
    ///
    /// # Errors
    /// When there is no whole token. Nothing is taken then.
    pub fn try_withdraw(&self) -> Result<(), Exhausted> {
        let now = Instant::now();
        let nanos = self.nanos(now);
        if self.is_lent(nanos) {
            let mut earned = self.earned.load(Ordering::Relaxed);
            while earned >= TOKEN {
                let (left, relaxed) = (earned - TOKEN, Ordering::Relaxed);
                match self.earned.compare_exchange_weak(earned, left, relaxed, relaxed) {
                    Ok(_) => return Ok(()),
                    Err(found) => earned = found,
                }
            }
            // Nothing is written to say no: those who are refused don't wait for each other.
            //
            // The floor is asked after the word. If it was emptied in between, then by somebody who found
            // nothing earned: at that moment there was no token at all.
            if earned >= LEAST && nanos < self.floor_pays_at.load(Ordering::Relaxed) {
                return Err(Exhausted);
            }
        }
        self.with_core(now, Core::withdraw)
    }

    /// Whether the newest slot lasts at `now`. The word may be a later slot's by the time that it is used,
    /// never an earlier one's: this end was stored after the earlier sum was taken back. A caller that read
    /// the clock earlier and arrives later pays into the newest slot; under the lock it does so too.
    fn is_lent(&self, now: u64) -> bool {
        now < self.until.load(Ordering::Acquire)
    }
    // ANCHOR_END: lent

    /// As [`RetryBudget::balance`](crate::RetryBudget::balance).
    pub fn balance(&self) -> u64 {
        self.with_core(Instant::now(), |core| core.balance())
    }

    /// As [`RetryBudget::call`](crate::RetryBudget::call).
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
            let error = match operation().await {
                Ok(value) => {
                    self.record_success();
                    return Ok(value);
                }
                Err(error) => error,
            };
            if retries == max_retries || self.try_withdraw().is_err() {
                return Err(error);
            }
            retries += 1;
        }
    }

    /// As the readable one, but the sum is taken back before, and lent out again after.
    // ANCHOR: with_core
    fn with_core<R>(&self, now: Instant, act: impl FnOnce(&mut Core) -> R) -> R {
        let mut core = self.core.lock().unwrap_or_else(PoisonError::into_inner);
        let lent = self.earned.swap(NOT_LENT, Ordering::Relaxed);
        if lent >= LEAST {
            // Whatever came and went since it was lent did so in the newest slot.
            let change = lent - core.earned.sum;
            core.earned.add(change);
        }
        core.tick(now);
        let result = act(&mut core);

        let slot_ends = (core.earned.newest + 1) * core.earned.slot.as_nanos();
        // Released after the swap: see `is_lent`.
        self.until.store(slot_ends.try_into().unwrap_or(NEVER), Ordering::Release);
        self.floor_pays_at.store(self.floor_pays_at(&core), Ordering::Relaxed);
        self.earned.store(core.earned.sum, Ordering::Relaxed);
        result
    }
    // ANCHOR_END: with_core

    /// Never earlier than it was before: time moves it into the past, and a withdrawal ahead.
    fn floor_pays_at(&self, core: &Core) -> u64 {
        let floor = &core.floor;
        if floor.per_second == 0 {
            return NEVER;
        }
        // `as`, so that this compiles with the mistake that counts the floor in floats.
        let missing = TOKEN.saturating_sub(floor.level as _).max(0).unsigned_abs();
        self.nanos(floor.refilled).saturating_add(missing.div_ceil(floor.per_second.unsigned_abs()))
    }

    /// Nanoseconds after `born`; they last for 500 years.
    fn nanos(&self, at: Instant) -> u64 {
        at.duration_since(self.born).as_nanos().try_into().unwrap_or(NEVER)
    }
}

impl fmt::Debug for RetryBudget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RetryBudget")
    }
}
