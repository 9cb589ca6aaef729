//! The same breaker, fast: while it is closed, its lock is rarely taken.
//!
//! Each call of the readable breaker takes the lock twice and reads the clock twice. But nearly all
//! calls are successes of a healthy dependency, and those change next to nothing. So the core *lends
//! its window out*: while the breaker is closed, the results of the last calls are the bits of one
//! atomic word.
//!
//! - A call is admitted if there is a window in the word: two loads, no clock.
//! - Its result is pushed into the word by a compare-exchange. A success in a window of successes is not
//!   even that: the word would not change, so nothing is written, and threads share the cache line in
//!   peace.
//! - Whatever is not so simple takes the lock, takes the window back, lets the readable core do all of
//!   it (decide, open, probe, close, tell), and lends the window out again if the breaker is closed then.
//!
//! So there is one state machine, in the parent module. This one only knows when not to ask it.
//!
//! A rejection by an open breaker takes no lock either: it compares the clock with an atomic deadline.
//!
//! What is given up: a window of more than `results::MOST` results (50) doesn't fit and stays behind
//! the lock. So do all windows after some thousands of recoveries (8,190 with a window of 50): see `Lender::loan`.

#![allow(
    clippy::inline_always,
    reason = "measured: a permit that is passed on in memory doubles the cost of a call"
)]

mod results;
mod tally;

use std::fmt;
use std::mem;
use std::sync::PoisonError;
use std::time::Duration;

use crossbeam_utils::CachePadded;
use rand::SeedableRng;
use rand::rngs::Xoshiro256PlusPlus;
use tokio::time::Instant;

use crate::sync::Mutex;
use crate::sync::atomic::{AtomicU64, Ordering};
pub use crate::{
    CallError, Cause, Config, ConfigError, Counts, Outcome, Rejected, Snapshot, State, Transition,
};
use crate::{Core, Listener, Phase, Ticket};
use results::Results;
use tally::Tally;

/// As the readable [`CircuitBreaker`](crate::CircuitBreaker), and to the same spec.
///
/// One difference: [`snapshot`](Self::snapshot) counts calls that are just now admitted or ended on
/// other threads or not. When none is, its counts are exact.
pub struct CircuitBreaker {
    // These are read by every call, and while all is well nobody writes them.
    /// The window that the core has lent out, below the number of its loan; or [`NOT_LENT`].
    word: AtomicU64,
    /// The era of the window in the word, or of the last one that was there.
    era: AtomicU64,
    /// While open: when to probe, in nanoseconds after `born`. Otherwise [`NOT_OPEN`].
    probe_at: AtomicU64,
    born: Instant,
    config: Config,
    listeners: Vec<Listener>,
    tally: Tally,
    /// On a line of its own: those who wait for the lock must not slow down those who don't need it.
    lender: CachePadded<Mutex<Lender>>,
}

/// The word when the core has its window itself, or has none.
const NOT_LENT: u64 = 0;
const NOT_OPEN: u64 = 0;

struct Lender {
    core: Core,
    /// The number of the last loan. A closed era has one, however often its window is taken back and
    /// lent again. The word carries it, so that equal windows of two eras are not the same word, and
    /// therefore it is never used twice: when the bits that the window leaves to it are used up, nothing
    /// is lent any more, and all calls take the lock. With a window of 50, that is 8,190 recoveries or
    /// resets after the start.
    loan: u64,
}

impl CircuitBreaker {
    /// As [`CircuitBreaker::new`](crate::CircuitBreaker::new).
    ///
    /// # Errors
    /// When a field of `config` is out of its range.
    pub fn new(config: Config) -> Result<Self, ConfigError> {
        Self::with_rng(config, rand::make_rng())
    }

    /// As [`CircuitBreaker::seeded`](crate::CircuitBreaker::seeded).
    ///
    /// # Errors
    /// When a field of `config` is out of its range.
    pub fn seeded(config: Config, seed: u64) -> Result<Self, ConfigError> {
        Self::with_rng(config, Xoshiro256PlusPlus::seed_from_u64(seed))
    }

    fn with_rng(config: Config, rng: Xoshiro256PlusPlus) -> Result<Self, ConfigError> {
        config.validate()?;
        let core = Core::new(config.clone(), rng);
        let breaker = Self {
            word: AtomicU64::new(NOT_LENT),
            // None yet: eras are counted from 0.
            era: AtomicU64::new(u64::MAX),
            probe_at: AtomicU64::new(NOT_OPEN),
            born: Instant::now(),
            config,
            listeners: Vec::new(),
            tally: Tally::default(),
            lender: CachePadded::new(Mutex::new(Lender { core, loan: 0 })),
        };
        breaker.with_core(|_, _| ());
        Ok(breaker)
    }

    /// As [`CircuitBreaker::on_transition`](crate::CircuitBreaker::on_transition).
    #[must_use]
    pub fn on_transition(mut self, listener: impl Fn(&Transition) + Send + Sync + 'static) -> Self {
        self.listeners.push(Box::new(listener));
        self
    }

    /// As [`CircuitBreaker::call`](crate::CircuitBreaker::call).
    ///
    /// # Errors
    /// [`CallError::Rejected`] if the operation was not run, [`CallError::Operation`] if it failed.
    pub async fn call<T, E, F>(&self, operation: impl FnOnce() -> F) -> Result<T, CallError<E>>
    where
        F: Future<Output = Result<T, E>>,
    {
        let classify = |result: &Result<T, E>| match result {
            Ok(_) => Outcome::Success,
            Err(_) => Outcome::Failure,
        };
        self.call_classified(operation, classify).await
    }

    /// As [`CircuitBreaker::call_classified`](crate::CircuitBreaker::call_classified).
    ///
    /// # Errors
    /// As [`call`](Self::call).
    pub async fn call_classified<T, E, F>(
        &self,
        operation: impl FnOnce() -> F,
        classify: impl FnOnce(&Result<T, E>) -> Outcome,
    ) -> Result<T, CallError<E>>
    where
        F: Future<Output = Result<T, E>>,
    {
        let permit = self.try_acquire()?;
        let result = operation().await;
        permit.record(classify(&result));
        result.map_err(CallError::Operation)
    }

    /// As [`CircuitBreaker::call_or_else`](crate::CircuitBreaker::call_or_else).
    ///
    /// # Errors
    /// The operation's own.
    pub async fn call_or_else<T, E, F>(
        &self,
        operation: impl FnOnce() -> F,
        fallback: impl FnOnce(Rejected) -> T,
    ) -> Result<T, E>
    where
        F: Future<Output = Result<T, E>>,
    {
        match self.call(operation).await {
            Ok(value) => Ok(value),
            Err(CallError::Rejected(rejected)) => Ok(fallback(rejected)),
            Err(CallError::Operation(error)) => Err(error),
        }
    }

    /// As [`CircuitBreaker::try_acquire`](crate::CircuitBreaker::try_acquire).
    ///
    /// # Errors
    /// When the call must not be made; says why.
    #[inline(always)]
    pub fn try_acquire(&self) -> Result<Permit<'_>, Rejected> {
        let ticket = self.admit()?;
        Ok(Permit { breaker: self, ticket: Some(ticket) })
    }

    /// What the next call would meet.
    pub fn state(&self) -> State {
        self.with_core(|core, _| core.phase.state())
    }

    /// All numbers, for a dashboard.
    pub fn snapshot(&self) -> Snapshot {
        // The core counts what it sees, the tally what it doesn't; a call may begin with the one and end
        // with the other. Ends before beginnings, then: no call is seen to end that didn't begin.
        let ended = self.tally.ended();
        let mut snapshot = self.with_core(|core, now| core.snapshot(now));
        let begun = self.tally.begun();
        let counts = &mut snapshot.counts;
        counts.succeeded += ended.succeeded;
        counts.failed += ended.failed;
        counts.ignored += ended.ignored;
        counts.admitted += begun.admitted;
        counts.rejected += begun.rejected;
        snapshot
    }

    /// As [`CircuitBreaker::force_open`](crate::CircuitBreaker::force_open).
    pub fn force_open(&self) {
        self.with_core(|core, now| core.enter(Phase::ForcedOpen, Cause::Forced, now));
    }

    /// As [`CircuitBreaker::reset`](crate::CircuitBreaker::reset).
    pub fn reset(&self) {
        self.with_core(|core, now| core.enter(Phase::closed(&core.config), Cause::Reset, now));
    }

    // -----------------------------------------------------------------------------------------
    // Without the lock

    // ANCHOR: admit
    #[inline(always)]
    fn admit(&self) -> Result<Ticket, Rejected> {
        if self.word.load(Ordering::Acquire) == NOT_LENT {
            return self.admit_slowly();
        }
        self.tally.admitted();
        // The era may be a later one than the word's, whose window is about to be lent. It is closed
        // then too, so the caller may as well have come a moment later.
        let era = self.era.load(Ordering::Acquire);
        // Nobody asks when a call started unless a slow call counts as a failure.
        let slow_calls = self.config.slow_call_threshold.is_some();
        let started = if slow_calls { Instant::now() } else { self.born };
        Ok(Ticket { era, started })
    }

    fn admit_slowly(&self) -> Result<Ticket, Rejected> {
        // Acquiring NOT_LENT has made visible what was stored when that window was last lent: that the
        // breaker was not open. So this deadline is none from before then.
        let probe_at = self.probe_at.load(Ordering::Relaxed);
        if probe_at != NOT_OPEN
            && let Some(left @ 1..) = probe_at.checked_sub(self.nanos(Instant::now()))
        {
            self.tally.rejected();
            return Err(Rejected::Open { retry_after: Duration::from_nanos(left) });
        }
        self.with_core(Core::admit)
    }
    // ANCHOR_END: admit

    // ANCHOR: settle
    #[inline(always)]
    fn settle(&self, ticket: Ticket, outcome: Option<Outcome>) {
        let is_slow = |slow| ticket.started.elapsed() >= slow;
        if self.config.slow_call_threshold.is_some_and(is_slow)
            || !self.push(ticket.era, outcome.unwrap_or(Outcome::Ignored))
        {
            self.settle_slowly(ticket, outcome);
        }
    }

    /// As `settle`, and not inlined wherever a permit is dropped.
    #[cold]
    fn give_back(&self, ticket: Ticket) {
        self.settle(ticket, None);
    }

    #[cold]
    fn settle_slowly(&self, ticket: Ticket, outcome: Option<Outcome>) {
        self.with_core(|core, now| core.settle(ticket, outcome, now));
    }

    /// Counts the outcome and puts it into the window that is lent out; `false`, with nothing done, if
    /// that is for the core to do: there is no window, or it is not of this era, or it opens the breaker.
    #[inline(always)]
    fn push(&self, era: u64, outcome: Outcome) -> bool {
        let mut word = self.word.load(Ordering::Acquire);
        loop {
            // Loaded after the word, this era is the word's or a later one; and the word is of the
            // ticket's era or a later one, since the ticket's era was acquired. So if the ticket's era
            // and this are the same, then it is the word's too.
            if word == NOT_LENT || self.era.load(Ordering::Acquire) != era {
                return false;
            }
            let (loan, results) = self.unpack(word);
            let pushed = match outcome {
                Outcome::Success => results.push(false, self.config.window_size),
                Outcome::Failure => results.push(true, self.config.window_size),
                Outcome::Ignored => results,
            };
            if pushed == results {
                // The common case: one more success among successes. Nothing to write.
                break;
            }
            if self.opens(pushed) {
                return false;
            }
            // Relaxed: all that a push has to say is in the word.
            let (relaxed, acquire) = (Ordering::Relaxed, Ordering::Acquire);
            match self.word.compare_exchange_weak(word, self.pack(loan, pushed), relaxed, acquire) {
                // Between load and exchange the window may have been taken back and lent again, but if
                // the word is the same, then so is the loan, hence the era, and so are the results.
                Ok(_) => break,
                Err(changed) => word = changed,
            }
        }
        match outcome {
            Outcome::Success => self.tally.succeeded(),
            Outcome::Failure => self.tally.failed(),
            Outcome::Ignored => self.tally.ignored(),
        }
        true
    }
    // ANCHOR_END: settle

    /// Whether the core would open. Only to know when to ask it: it decides.
    fn opens(&self, results: Results) -> bool {
        let (failed, of) = (results.failures(), results.calls());
        results.failures_in_a_row() >= self.config.failure_threshold
            || of as usize >= self.config.min_calls
                && f64::from(failed) / f64::from(of) >= self.config.failure_rate_threshold
    }

    fn pack(&self, loan: u64, results: Results) -> u64 {
        loan << (self.config.window_size + 1) | results.0
    }

    fn unpack(&self, word: u64) -> (u64, Results) {
        let width = self.config.window_size + 1;
        (word >> width, Results(word & ((1 << width) - 1)))
    }

    /// Nanoseconds after `born`; they last for 500 years.
    fn nanos(&self, at: Instant) -> u64 {
        let age = at.duration_since(self.born);
        age.as_secs() * 1_000_000_000 + u64::from(age.subsec_nanos())
    }

    // -----------------------------------------------------------------------------------------
    // With the lock

    /// As the readable one, but the window is taken back before, and lent out again after.
    // ANCHOR: with_core
    fn with_core<R>(&self, act: impl FnOnce(&mut Core, Instant) -> R) -> R {
        let now = Instant::now();
        let (result, transitions) = {
            let mut lender = self.lender.lock().unwrap_or_else(PoisonError::into_inner);
            self.take_back(&mut lender.core);
            lender.core.tick(now);
            let result = act(&mut lender.core, now);
            self.lend(&mut lender);
            (result, mem::take(&mut lender.core.transitions))
        };
        for transition in &transitions {
            for listener in &self.listeners {
                listener(transition);
            }
        }
        result
    }

    /// From here on to `lend`, who looks into the word finds nothing and waits for the lock.
    fn take_back(&self, core: &mut Core) {
        // Released, for the sake of `admit_slowly`.
        let word = self.word.swap(NOT_LENT, Ordering::AcqRel);
        if let Phase::Closed { failures_in_a_row, window } = &mut core.phase
            && word != NOT_LENT
        {
            let (_, results) = self.unpack(word);
            // The window holds the whole streak: `window_size` failures in a row are a failure rate of
            // 1, which opens the breaker whatever its threshold.
            *failures_in_a_row = results.failures_in_a_row();
            *window = results.to_window(self.config.window_size);
        }
    }

    fn lend(&self, Lender { core, loan }: &mut Lender) {
        let probe_at = match core.phase {
            Phase::Open { since, open_for } => self.nanos(since + open_for),
            _ => NOT_OPEN,
        };
        self.probe_at.store(probe_at, Ordering::Relaxed);
        if let Phase::Closed { window, .. } = &core.phase
            && window.size <= results::MOST
        {
            let is_new_era = self.era.load(Ordering::Relaxed) != core.era;
            let last = u64::MAX >> (window.size + 1);
            if is_new_era && *loan == last {
                return;
            }
            *loan += u64::from(is_new_era);
            // The era first, so that who sees the word sees its era or a later one. Both released: see
            // `push`, and `admit_slowly` for the deadline.
            self.era.store(core.era, Ordering::Release);
            self.word.store(self.pack(*loan, Results::from(window)), Ordering::Release);
        }
    }
    // ANCHOR_END: with_core
}

impl fmt::Debug for CircuitBreaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CircuitBreaker")
    }
}

/// As the readable [`Permit`](crate::Permit).
#[must_use = "a permit that is dropped is a call that says nothing: record its outcome"]
pub struct Permit<'a> {
    breaker: &'a CircuitBreaker,
    ticket: Option<Ticket>,
}

impl Permit<'_> {
    /// Tells the breaker how the call ended.
    #[inline(always)]
    pub fn record(mut self, outcome: Outcome) {
        if let Some(ticket) = self.ticket.take() {
            self.breaker.settle(ticket, Some(outcome));
        }
    }
}

impl Drop for Permit<'_> {
    #[inline]
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket.take() {
            self.breaker.give_back(ticket);
        }
    }
}

impl fmt::Debug for Permit<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Permit")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Not to be seen from outside: without a number of its own, a window of one era could be taken for
    /// an equal one of another only by a thread that was held up for all of the eras between.
    #[tokio::test(start_paused = true)]
    async fn no_two_eras_lend_under_one_number() {
        let breaker = CircuitBreaker::new(Config::default()).unwrap();
        let mut words = Vec::new();
        for _ in 0..8_191 {
            words.push(breaker.word.load(Ordering::Relaxed));
            breaker.reset();
        }
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), 8_191, "13 bits, without 0, for eras with equal, empty windows");
        assert!(!words.contains(&NOT_LENT));
        assert_eq!(breaker.word.load(Ordering::Relaxed), NOT_LENT, "the numbers are used up");
    }
}
