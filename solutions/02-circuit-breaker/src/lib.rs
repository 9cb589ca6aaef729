// A circuit breaker: it stops calling a dependency that keeps failing, and lets a few probes find
// out when it has recovered.
//
// The idea is Michael Nygard's (*Release It!*, 2007). The parts, from the outside in:
//
// - `CircuitBreaker`, the shell: reads the clock, takes the lock, delivers events. It is all that
//   a caller sees, and the only part that knows about threads and `async`.
// - `Core`, the state machine: plain data and plain functions that are told what time it is.
// - `Window`, the results of the last calls.

use std::collections::VecDeque;
use std::fmt;
use std::sync::PoisonError;
use std::time::Duration;

use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};
use tokio::time::Instant;

use crate::sync::Mutex;

mod config;
mod sync;
mod types;

pub use config::{Config, ConfigError};
pub use types::{CallError, Cause, Counts, Outcome, Rejected, Snapshot, State, Transition};

// ---------------------------------------------------------------------------------------------
// The shell: the clock, the lock, the listeners

type Listener = Box<dyn Fn(&Transition) + Send + Sync>;

/// Stands between a caller and one dependency. Share it by reference or in an `Arc`. Operations,
/// classifiers, fallbacks and listeners are called with no lock held: they may call the breaker.
pub struct CircuitBreaker {
    core: Mutex<Core>,
    listeners: Vec<Listener>,
}

impl CircuitBreaker {
    /// A closed breaker. Its jitter is seeded by the operating system.
    ///
    /// # Errors
    /// When a field of `config` is out of its range.
    pub fn new(config: Config) -> Result<Self, ConfigError> {
        Self::with_rng(config, rand::make_rng())
    }

    /// As [`new`](Self::new), with the jitter seeded by hand: for tests and simulations.
    ///
    /// # Errors
    /// When a field of `config` is out of its range.
    pub fn seeded(config: Config, seed: u64) -> Result<Self, ConfigError> {
        Self::with_rng(config, Xoshiro256PlusPlus::seed_from_u64(seed))
    }

    fn with_rng(config: Config, rng: Xoshiro256PlusPlus) -> Result<Self, ConfigError> {
        config.validate()?;
        Ok(Self { core: Mutex::new(Core::new(config, rng)), listeners: Vec::new() })
    }

    /// Adds a listener. It is called after each transition, on the thread that caused it, with no
    /// lock held: it may call the breaker. It must not panic or block.
    #[must_use]
    pub fn on_transition(mut self, listener: impl Fn(&Transition) + Send + Sync + 'static) -> Self {
        self.listeners.push(Box::new(listener));
        self
    }

    /// Runs `operation` if the breaker lets it, and counts any error as a failure. The breaker is asked
    /// when the future is first polled.
    ///
    /// Cancellation: dropping the future drops the operation and gives its permit back.
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

    /// As [`call`](Self::call), but `classify` says what each result tells about the dependency.
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
        // If this future is dropped, or `operation` or `classify` panics, the permit is dropped with it.
        let permit = self.try_acquire()?;
        let result = operation().await;
        permit.record(classify(&result));
        result.map_err(CallError::Operation)
    }

    /// As [`call`](Self::call), with a value to use when the breaker rejects the call. A failed
    /// operation is not papered over: its error is returned.
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

    /// Asks for permission to make one call, for code that can't be wrapped in
    /// [`call`](Self::call).
    ///
    /// # Errors
    /// When the call must not be made; says why.
    pub fn try_acquire(&self) -> Result<Permit<'_>, Rejected> {
        let ticket = self.with_core(Core::admit)?;
        Ok(Permit { breaker: self, ticket: Some(ticket) })
    }

    /// What the next call would meet.
    pub fn state(&self) -> State {
        self.with_core(|core, _| core.phase.state())
    }

    /// All numbers at one instant, for a dashboard.
    pub fn snapshot(&self) -> Snapshot {
        self.with_core(|core, now| core.snapshot(now))
    }

    /// Rejects every call from now on, until [`reset`](Self::reset): for an operator who knows more
    /// than the breaker does.
    pub fn force_open(&self) {
        self.with_core(|core, now| core.enter(Phase::ForcedOpen, Cause::Forced, now));
    }

    /// Closes the breaker and forgets its results. The counts stay.
    pub fn reset(&self) {
        self.with_core(|core, now| core.enter(Phase::closed(&core.config), Cause::Reset, now));
    }

    /// The one place where the lock is held: no caller's code runs under it, and no await.
    // ANCHOR: with_core
    fn with_core<R>(&self, act: impl FnOnce(&mut Core, Instant) -> R) -> R {
        let now = Instant::now();
        let (result, transitions) = {
            let mut core = self.core.lock().unwrap_or_else(PoisonError::into_inner);
            core.tick(now);
            let result = act(&mut core, now);
            (result, std::mem::take(&mut core.transitions))
        };
        for transition in &transitions {
            for listener in &self.listeners {
                listener(transition);
            }
        }
        result
    }
    // ANCHOR_END: with_core
}

impl fmt::Debug for CircuitBreaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CircuitBreaker")
    }
}

/// Permission to make one call. Dropped without a result (an early return, a cancelled future, a
/// panic), the permit is given back, and says nothing about the dependency unless the call was
/// already slow.
// ANCHOR: permit
#[must_use = "a permit that is dropped is a call that says nothing: record its outcome"]
pub struct Permit<'a> {
    breaker: &'a CircuitBreaker,
    ticket: Option<Ticket>,
}

impl Permit<'_> {
    /// Tells the breaker how the call ended.
    pub fn record(mut self, outcome: Outcome) {
        self.settle(Some(outcome));
    }

    fn settle(&mut self, outcome: Option<Outcome>) {
        if let Some(ticket) = self.ticket.take() {
            self.breaker.with_core(|core, now| core.settle(ticket, outcome, now));
        }
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        self.settle(None);
    }
}
// ANCHOR_END: permit

impl fmt::Debug for Permit<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Permit")
    }
}

// ---------------------------------------------------------------------------------------------
// The core: a state machine that is told the time

/// Proof that a call was admitted, and when. It is settled once: a `Ticket` can't be copied.
struct Ticket {
    era: u64,
    started: Instant,
}

// ANCHOR: phase
enum Phase {
    Closed { failures_in_a_row: u32, window: Window },
    Open { since: Instant, open_for: Duration },
    HalfOpen { out: u32, succeeded: u32, last_admitted: Instant },
    ForcedOpen,
}
// ANCHOR_END: phase

impl Phase {
    fn closed(config: &Config) -> Self {
        Phase::Closed { failures_in_a_row: 0, window: Window::new(config.window_size) }
    }

    fn state(&self) -> State {
        match self {
            Phase::Closed { .. } => State::Closed,
            Phase::Open { .. } => State::Open,
            Phase::HalfOpen { .. } => State::HalfOpen,
            Phase::ForcedOpen => State::ForcedOpen,
        }
    }
}

struct Core {
    config: Config,
    phase: Phase,
    /// Counts the phases. A result is believed only in the era in which its call began.
    era: u64,
    rng: Xoshiro256PlusPlus,
    counts: Counts,
    /// Not yet delivered.
    transitions: Vec<Transition>,
}

impl Core {
    fn new(config: Config, rng: Xoshiro256PlusPlus) -> Self {
        let phase = Phase::closed(&config);
        Self { config, phase, era: 0, rng, counts: Counts::default(), transitions: Vec::new() }
    }

    /// Lets time take effect. Called before anything else is done with the core.
    // ANCHOR: tick
    fn tick(&mut self, now: Instant) {
        match self.phase {
            Phase::Open { since, open_for } if now.duration_since(since) >= open_for => {
                let phase = Phase::HalfOpen { out: 0, succeeded: 0, last_admitted: now };
                self.enter(phase, Cause::OpenTimeOver, now);
            }
            // One lease for all probes is enough. If the breaker is stuck, then all places are
            // taken by probes that hang; so none has been admitted since, and the lease runs out.
            Phase::HalfOpen { out, last_admitted, .. }
                if out > 0 && now.duration_since(last_admitted) >= self.config.probe_lease =>
            {
                self.open(Cause::ProbeLeaseOver, now);
            }
            _ => {}
        }
    }
    // ANCHOR_END: tick

    /// Lets a call through, or says why not.
    // ANCHOR: admit
    fn admit(&mut self, now: Instant) -> Result<Ticket, Rejected> {
        let leave = match &mut self.phase {
            Phase::Closed { .. } => Ok(()),
            Phase::Open { since, open_for } => {
                let retry_after = open_for.saturating_sub(now.duration_since(*since));
                Err(Rejected::Open { retry_after })
            }
            Phase::HalfOpen { out, last_admitted, .. } => {
                if *out < self.config.half_open_max_calls {
                    *out += 1;
                    // Two threads may read the clock in one order and take the lock in the other.
                    *last_admitted = now.max(*last_admitted);
                    Ok(())
                } else {
                    Err(Rejected::ProbesOut)
                }
            }
            Phase::ForcedOpen => Err(Rejected::ForcedOpen),
        };
        match leave {
            Ok(()) => self.counts.admitted += 1,
            Err(_) => self.counts.rejected += 1,
        }
        leave.map(|()| Ticket { era: self.era, started: now })
    }
    // ANCHOR_END: admit

    /// Takes the result of a call; `None` if nobody said how it ended.
    // ANCHOR: settle
    fn settle(&mut self, Ticket { era, started }: Ticket, outcome: Option<Outcome>, now: Instant) {
        // Whatever this call saw, it saw before the last transition. In an open era no call begins,
        // so none can end in it; and each ticket is settled once, so `out` can't fall below zero.
        if era != self.era {
            self.counts.late += 1;
            return;
        }
        let outcome = self.judge(outcome, now.duration_since(started));
        match outcome {
            Outcome::Success => self.counts.succeeded += 1,
            Outcome::Failure => self.counts.failed += 1,
            Outcome::Ignored => self.counts.ignored += 1,
        }
        match &mut self.phase {
            Phase::Closed { failures_in_a_row, window } => {
                match outcome {
                    Outcome::Success => *failures_in_a_row = 0,
                    Outcome::Failure => *failures_in_a_row += 1,
                    Outcome::Ignored => return,
                }
                window.push(outcome == Outcome::Failure);
                if let Some(cause) = self.should_open() {
                    self.open(cause, now);
                }
            }
            Phase::HalfOpen { out, succeeded, .. } => {
                *out -= 1;
                match outcome {
                    Outcome::Success => {
                        *succeeded += 1;
                        let succeeded = *succeeded;
                        if succeeded >= self.config.success_threshold {
                            self.enter(
                                Phase::closed(&self.config),
                                Cause::ProbesSucceeded(succeeded),
                                now,
                            );
                        }
                    }
                    Outcome::Failure => self.open(Cause::ProbeFailed, now),
                    Outcome::Ignored => {}
                }
            }
            Phase::Open { .. } | Phase::ForcedOpen => {}
        }
    }
    // ANCHOR_END: settle

    /// What counts in the end: a slow answer is a failure, and so is a slow silence. Otherwise
    /// callers that give up, or hedge, would hide a dependency that never answers.
    // ANCHOR: judge
    fn judge(&self, outcome: Option<Outcome>, took: Duration) -> Outcome {
        let slow = self.config.slow_call_threshold.is_some_and(|threshold| took >= threshold);
        match outcome {
            Some(Outcome::Success) | None if slow => Outcome::Failure,
            Some(outcome) => outcome,
            None => Outcome::Ignored,
        }
    }
    // ANCHOR_END: judge

    // ANCHOR: should_open
    fn should_open(&self) -> Option<Cause> {
        let Phase::Closed { failures_in_a_row, window } = &self.phase else {
            return None;
        };
        let (failed, of) = (window.failures, window.results.len());
        if *failures_in_a_row >= self.config.failure_threshold {
            Some(Cause::FailuresInARow(*failures_in_a_row))
        } else if of >= self.config.min_calls
            // Not `failed >= threshold * of`: in floats 0.28 * 25 is more than 7.
            && failed as f64 / of as f64 >= self.config.failure_rate_threshold
        {
            Some(Cause::FailureRate { failed, of })
        } else {
            None
        }
    }
    // ANCHOR_END: should_open

    // ANCHOR: open
    fn open(&mut self, cause: Cause, now: Instant) {
        let stretch = 1.0 + self.config.open_jitter * self.rng.random::<f64>();
        let open_for = self.config.open_for.mul_f64(stretch);
        self.enter(Phase::Open { since: now, open_for }, cause, now);
    }
    // ANCHOR_END: open

    /// The only way from one phase to another.
    // ANCHOR: enter
    fn enter(&mut self, phase: Phase, cause: Cause, now: Instant) {
        let from = self.phase.state();
        self.phase = phase;
        self.era += 1;
        let (to, era) = (self.phase.state(), self.era);
        self.transitions.push(Transition { from, to, cause, era, at: now });
    }
    // ANCHOR_END: enter

    fn snapshot(&self, now: Instant) -> Snapshot {
        let mut snapshot = Snapshot {
            state: self.phase.state(),
            era: self.era,
            failures_in_a_row: 0,
            window_calls: 0,
            window_failures: 0,
            probes_out: 0,
            retry_after: None,
            counts: self.counts,
        };
        match &self.phase {
            Phase::Closed { failures_in_a_row, window } => {
                snapshot.failures_in_a_row = *failures_in_a_row;
                snapshot.window_calls = window.results.len();
                snapshot.window_failures = window.failures;
            }
            Phase::Open { since, open_for } => {
                snapshot.retry_after = Some(open_for.saturating_sub(now.duration_since(*since)));
            }
            Phase::HalfOpen { out, .. } => snapshot.probes_out = *out,
            Phase::ForcedOpen => {}
        }
        snapshot
    }
}

// ---------------------------------------------------------------------------------------------
// The window

/// The results of the last calls. Each new one pushes the oldest out.
// ANCHOR: window
struct Window {
    size: usize,
    results: VecDeque<bool>,
    failures: usize,
}

impl Window {
    fn new(size: usize) -> Self {
        Self { size, results: VecDeque::new(), failures: 0 }
    }

    fn push(&mut self, failed: bool) {
        if self.results.len() == self.size && self.results.pop_front() == Some(true) {
            self.failures -= 1;
        }
        self.results.push_back(failed);
        self.failures += usize::from(failed);
    }
}
// ANCHOR_END: window
