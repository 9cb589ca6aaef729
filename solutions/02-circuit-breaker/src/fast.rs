//! The same breaker, fast: while it is closed, its lock is rarely taken.
//!
//! Each call of the readable breaker takes the lock twice and reads the clock twice. But nearly all calls are
//! successes, and successes of different threads change the window alike, whichever comes first. So while the
//! breaker is closed, the core *lends its window out*: each thread has a word of its own that says which era is
//! closed, and counts the successes of that thread.
//!
//! - A call is admitted if the thread's word is lent: one load, no clock.
//! - A success is one more in the thread's word. No other thread writes there, so nobody waits for the cache
//!   line. Once the successes fill the window, one more changes nothing, and nothing is written.
//! - Whatever is not so simple, a failure first of all, takes the lock, takes the words of all threads back, puts
//!   their successes into the window, lets the readable core do all of it (decide, open, probe, close, tell), and
//!   lends the window out again if the breaker is closed then.
//!
//! So there is one state machine, in the readable breaker, which is inside this one. This one only knows when
//! not to ask it.
//!
//! A rejection by an open breaker takes no lock either: it compares the clock with an atomic deadline.
//!
//! What is given up: a failure costs more than the readable one's, and the more so the more threads there are,
//! whose words are taken back one by one.

#![allow(
    clippy::inline_always,
    reason = "measured: a permit that is passed on in memory doubles the cost of a call"
)]

mod tally;

use std::fmt;
use std::time::Duration;

use crossbeam_utils::CachePadded;
use tokio::time::Instant;

use crate::sync::ThreadLocal;
use crate::sync::atomic::{AtomicU64, Ordering};
pub use crate::{
    CallError, Cause, Config, ConfigError, Counts, Outcome, Rejected, Snapshot, State, Transition,
};
use crate::{Core, Phase, Ticket, Window};
use tally::Tally;

/// As the readable [`CircuitBreaker`](crate::CircuitBreaker), and to the same spec.
///
/// One difference: [`snapshot`](Self::snapshot) counts calls that are just now admitted or ended on
/// other threads or not. When none is, its counts are exact.
pub struct CircuitBreaker {
    // These are read by every call, and while all is well nobody writes them.
    config: Config,
    born: Instant,
    /// While open: when to probe, in nanoseconds after `born`. Otherwise [`NOT_OPEN`].
    probe_at: AtomicU64,
    /// A thread's share outlives it, and a later thread goes on with it: there are as many as threads that
    /// call at the same time.
    shares: ThreadLocal<CachePadded<Share>>,
    /// On a line of its own: those who wait for the lock must not slow down those who don't need it.
    readable: CachePadded<crate::CircuitBreaker>,
}

/// What one thread has of the breaker.
#[derive(Debug, Default)]
struct Share {
    /// How many successes this thread has had since the window was lent, up to as many as fill the window;
    /// above them, which era is lent: one more than its number. Or [`NOT_LENT`].
    word: AtomicU64,
    tally: Tally,
}

/// The word when the core has the window itself, or has none.
const NOT_LENT: u64 = 0;
const NOT_OPEN: u64 = 0;

// ANCHOR: bits
/// The lower 24 bits count successes. A window of more results than these can count, 16,777,215, stays behind
/// the lock.
const SUCCESSES: u64 = (1 << ERA_SHIFT) - 1;
const ERA_SHIFT: u32 = 24;
/// The 40 bits above them hold the era. After so many, everything stays behind the lock.
const ERAS: u64 = u64::MAX >> ERA_SHIFT;
// ANCHOR_END: bits

impl CircuitBreaker {
    /// As [`CircuitBreaker::new`](crate::CircuitBreaker::new).
    ///
    /// # Errors
    /// When a field of `config` is out of its range.
    pub fn new(config: Config) -> Result<Self, ConfigError> {
        Ok(Self::around(crate::CircuitBreaker::new(config.clone())?, config))
    }

    /// As [`CircuitBreaker::seeded`](crate::CircuitBreaker::seeded).
    ///
    /// # Errors
    /// When a field of `config` is out of its range.
    pub fn seeded(config: Config, seed: u64) -> Result<Self, ConfigError> {
        Ok(Self::around(crate::CircuitBreaker::seeded(config.clone(), seed)?, config))
    }

    fn around(readable: crate::CircuitBreaker, config: Config) -> Self {
        Self {
            config,
            born: Instant::now(),
            probe_at: AtomicU64::new(NOT_OPEN),
            shares: ThreadLocal::default(),
            readable: CachePadded::new(readable),
        }
    }

    /// As [`CircuitBreaker::on_transition`](crate::CircuitBreaker::on_transition).
    #[must_use]
    pub fn on_transition(self, listener: impl Fn(&Transition) + Send + Sync + 'static) -> Self {
        let readable = self.readable.into_inner().on_transition(listener);
        Self { readable: CachePadded::new(readable), ..self }
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
        let share = self.shares.get_or_default();
        let ticket = match self.admit(share) {
            Some(ticket) => ticket,
            None => self.admit_slowly(share)?,
        };
        Ok(Permit { breaker: self, ticket: Some(ticket) })
    }

    /// What the next call would meet.
    pub fn state(&self) -> State {
        self.readable.state()
    }

    /// All numbers, for a dashboard.
    pub fn snapshot(&self) -> Snapshot {
        // The core counts what it sees, the tallies what it doesn't; a call may begin with the one and end
        // with the other. Ends before beginnings, then: no call is seen to end that didn't begin.
        let tallies = || self.shares.iter().map(|share| &share.tally);
        let succeeded: u64 = tallies().map(|tally| tally.succeeded.read()).sum();
        let ignored: u64 = tallies().map(|tally| tally.ignored.read()).sum();
        let mut snapshot = self.with_core(|core, now| core.snapshot(now));
        let counts = &mut snapshot.counts;
        counts.succeeded += succeeded;
        counts.ignored += ignored;
        counts.admitted += tallies().map(|tally| tally.admitted.read()).sum::<u64>();
        counts.rejected += tallies().map(|tally| tally.rejected.read()).sum::<u64>();
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
    /// A ticket of the era that is lent; none if that is for the core to say.
    #[inline(always)]
    fn admit(&self, share: &Share) -> Option<Ticket> {
        // Acquired for the sake of `admit_slowly`.
        let word = share.word.load(Ordering::Acquire);
        let era = (word >> ERA_SHIFT).checked_sub(1)?;
        share.tally.admitted.raise();
        // Nobody asks when a call started unless a slow call counts as a failure.
        let slow_calls = self.config.slow_call_threshold.is_some();
        let started = if slow_calls { Instant::now() } else { self.born };
        Some(Ticket { era, started })
    }

    #[cold]
    fn admit_slowly(&self, share: &Share) -> Result<Ticket, Rejected> {
        // Acquiring NOT_LENT has made visible what was stored when the window was last lent: that the
        // breaker was not open. So this deadline is none from before then.
        //
        // Acquired itself, so that a rejected caller knows that the era is over: all words were taken back before
        // the deadline was stored. If it tells another thread, a permit from that era is late there.
        let probe_at = self.probe_at.load(Ordering::Acquire);
        if probe_at != NOT_OPEN
            && let Some(left @ 1..) = probe_at.checked_sub(self.nanos(Instant::now()))
        {
            share.tally.rejected.raise();
            return Err(Rejected::Open { retry_after: Duration::from_nanos(left) });
        }
        // The last holder of the lock has, as a rule, lent the window again. So look first: two threads could go on
        // taking it back from each other.
        self.readable.with_core(|core, now| match self.admit(share) {
            Some(ticket) => Ok(ticket),
            None => self.taken_back(core, |core| core.admit(now)),
        })
    }
    // ANCHOR_END: admit

    // ANCHOR: settle
    #[inline(always)]
    fn settle(&self, ticket: Ticket, outcome: Option<Outcome>) {
        let is_slow = |slow| ticket.started.elapsed() >= slow;
        let for_the_core = outcome == Some(Outcome::Failure)
            || self.config.slow_call_threshold.is_some_and(is_slow);
        if for_the_core || !self.push(ticket.era, outcome) {
            self.settle_slowly(ticket, outcome, for_the_core);
        }
    }

    /// As `settle`, and not inlined wherever a permit is dropped.
    #[cold]
    fn give_back(&self, ticket: Ticket) {
        self.settle(ticket, None);
    }

    #[cold]
    fn settle_slowly(&self, ticket: Ticket, outcome: Option<Outcome>, for_the_core: bool) {
        self.readable.with_core(|core, now| {
            if for_the_core || !self.push(ticket.era, outcome) {
                self.taken_back(core, |core| core.settle(ticket, outcome, now));
            }
        });
    }

    /// Counts what is no failure, and puts a success into this thread's word; `false`, with nothing done, if
    /// this era is not lent.
    #[inline(always)]
    fn push(&self, era: u64, outcome: Option<Outcome>) -> bool {
        let Share { word, tally } = &**self.shares.get_or_default();
        let mut lent = word.load(Ordering::Relaxed);
        loop {
            if lent >> ERA_SHIFT != era + 1 {
                return false;
            }
            let is_full = lent & SUCCESSES >= self.config.window_size as u64;
            if outcome != Some(Outcome::Success) || is_full {
                // The common case: one more success among successes. Nothing to write.
                break;
            }
            // Relaxed: all that a success has to say is in the word. And if the window was taken back and
            // lent again since it was loaded, an equal word is of the same era, and one more as good there.
            match word.compare_exchange_weak(lent, lent + 1, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => break,
                Err(changed) => lent = changed,
            }
        }
        match outcome {
            Some(Outcome::Success) => tally.succeeded.raise(),
            _ => tally.ignored.raise(),
        }
        true
    }
    // ANCHOR_END: settle

    /// Nanoseconds after `born`; they last for 500 years.
    fn nanos(&self, at: Instant) -> u64 {
        let age = at.duration_since(self.born);
        age.as_secs() * 1_000_000_000 + u64::from(age.subsec_nanos())
    }

    // -----------------------------------------------------------------------------------------
    // With the lock

    // ANCHOR: with_core
    /// As the readable one, but the window is taken back before, and lent out again after.
    fn with_core<R>(&self, act: impl FnOnce(&mut Core, Instant) -> R) -> R {
        self.readable.with_core(|core, now| self.taken_back(core, |core| act(core, now)))
    }

    fn taken_back<R>(&self, core: &mut Core, act: impl FnOnce(&mut Core) -> R) -> R {
        self.take_back(core);
        let result = act(core);
        self.lend(core);
        result
    }

    /// From here on to `lend`, a thread that looks into its word finds nothing and waits for the lock.
    fn take_back(&self, core: &mut Core) {
        // Released, for the sake of `admit_slowly`.
        let words = self.shares.iter().map(|share| share.word.swap(NOT_LENT, Ordering::Release));
        let successes: u64 = words.map(|word| word & SUCCESSES).sum();
        if let Phase::Closed { failures_in_a_row, window } = &mut core.phase
            && successes > 0
        {
            *failures_in_a_row = 0;
            for _ in 0..successes.min(window.size as u64) {
                window.push(false);
            }
        }
    }

    fn lend(&self, core: &Core) {
        let probe_at = match core.phase {
            Phase::Open { since, open_for } => self.nanos(since + open_for),
            _ => NOT_OPEN,
        };
        // Released: see `admit_slowly`.
        self.probe_at.store(probe_at, Ordering::Release);
        if let Phase::Closed { window, .. } = &core.phase
            && self.can_be_lent(window)
            && core.era < ERAS
        {
            // In a window that is full of successes there is nothing to count.
            let is_healthy = window.failures == 0 && window.results.len() == window.size;
            let counted = if is_healthy { window.size as u64 } else { 0 };
            // Relaxed: all that is lent is in the word.
            let lent = (core.era + 1) << ERA_SHIFT | counted;
            for word in self.shares.iter().map(|share| &share.word) {
                word.store(lent, Ordering::Relaxed);
            }
        }
    }

    /// Whether a success changes nothing but the window. It may open the breaker: when it is the last of
    /// `min_calls` results, and enough of the others have failed. After that it only lowers the rate.
    fn can_be_lent(&self, window: &Window) -> bool {
        let is_rated = window.results.len() >= self.config.min_calls;
        window.size as u64 <= SUCCESSES && (window.failures == 0 || is_rated)
    }
    // ANCHOR_END: with_core
}

impl fmt::Debug for CircuitBreaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.readable.fmt(f)
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

    fn word(breaker: &CircuitBreaker) -> u64 {
        breaker.shares.get_or_default().word.load(Ordering::Relaxed)
    }

    /// Not to be seen from outside: a result of the last era would be one of the first.
    #[tokio::test(start_paused = true)]
    async fn when_the_eras_are_used_up_it_goes_on_behind_the_lock() {
        let breaker = CircuitBreaker::new(Config::default()).unwrap();
        breaker.readable.with_core(|core, _| core.era = ERAS - 2);
        breaker.reset();
        breaker.try_acquire().unwrap().record(Outcome::Success);
        assert_eq!(word(&breaker), ERAS << ERA_SHIFT | 1, "the last era, and a success");
        let late = breaker.try_acquire().unwrap();

        breaker.reset();
        for _ in 0..4 {
            breaker.try_acquire().unwrap().record(Outcome::Success);
            assert_eq!(word(&breaker), NOT_LENT);
        }
        late.record(Outcome::Success);

        let Snapshot { window_calls, counts, .. } = breaker.snapshot();
        assert_eq!((window_calls, counts.admitted, counts.succeeded, counts.late), (4, 6, 5, 1));
    }

    #[tokio::test(start_paused = true)]
    async fn a_window_of_more_than_a_word_can_count_stays_behind_the_lock() {
        for (window_size, is_lent) in [(16_777_215, true), (16_777_216, false)] {
            let breaker = CircuitBreaker::new(Config { window_size, ..Config::default() }).unwrap();
            breaker.try_acquire().unwrap().record(Outcome::Success);
            assert_eq!(word(&breaker) != NOT_LENT, is_lent, "{window_size}");
            assert_eq!(breaker.snapshot().window_calls, 1);
        }
    }
}
