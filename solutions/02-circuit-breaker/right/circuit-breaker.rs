//! right: written from the page and the starter alone: a lease and an open time that are asked in two places, admission apart from its counting

// A circuit breaker: it stops calling a dependency that keeps failing, and lets a few probes find
// out when it has recovered.
//
// This file is yours: every `todo!` and every comment that begins with `step` is a task, in the
// order of the chapter (`cargo xtask book --open circuit-breaker`). Add fields and functions as you
// need them. Public names and signatures stay as they are: the spec in `tests/steps/` uses them.
//
// - [`CircuitBreaker`], the shell: reads the clock, takes the lock, delivers events.
// - `Core`, the state machine: plain data and plain functions that are told what time it is.
// - `Window`, the results of the last calls.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};
use tokio::time::Instant;

mod config;
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

    /// Runs `operation` if the breaker lets it, and counts any error as a failure.
    ///
    /// Cancellation: dropping the future drops the operation and gives its permit back.
    ///
    /// # Errors
    /// [`CallError::Rejected`] if the operation was not run, [`CallError::Operation`] if it failed.
    pub async fn call<T, E, F>(&self, operation: impl FnOnce() -> F) -> Result<T, CallError<E>>
    where
        F: Future<Output = Result<T, E>>,
    {
        let any_error = |result: &Result<T, E>| match result {
            Ok(_) => Outcome::Success,
            Err(_) => Outcome::Failure,
        };
        self.call_classified(operation, any_error).await
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
    fn with_core<R>(&self, act: impl FnOnce(&mut Core, Instant) -> R) -> R {
        let now = Instant::now();
        let (result, transitions) = {
            let mut core = self.core.lock().unwrap_or_else(PoisonError::into_inner);
            core.tick(now);
            let result = act(&mut core, now);
            (result, std::mem::take(&mut core.untold))
        };
        for transition in &transitions {
            for listener in &self.listeners {
                listener(transition);
            }
        }
        result
    }
}

/// Permission to make one call. Dropped without a result (an early return, a cancelled future, a
/// panic), the permit is given back, and says nothing about the dependency unless the call was
/// already slow.
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

impl fmt::Debug for Permit<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Permit")
    }
}

// ---------------------------------------------------------------------------------------------
// The core: a state machine that is told the time

/// Proof that a call was admitted, and when. It is settled once: a `Ticket` can't be copied.
struct Ticket {
    started: Instant,
    era: u64,
}

enum Phase {
    Closed { failures_in_a_row: u32, window: Window },
    Open { since: Instant, open_for: Duration },
    /// `last_admitted` means nothing while no probe is out.
    HalfOpen { out: u32, succeeded: u32, last_admitted: Instant },
    ForcedOpen,
}

impl Phase {
    fn closed(config: &Config) -> Self {
        Phase::Closed { failures_in_a_row: 0, window: Window::of(config.window_size) }
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
    /// How many transitions there have been.
    era: u64,
    counts: Counts,
    /// Transitions that the listeners have not been told of.
    untold: Vec<Transition>,
    rng: Xoshiro256PlusPlus,
}

impl Core {
    fn new(config: Config, rng: Xoshiro256PlusPlus) -> Self {
        let phase = Phase::closed(&config);
        Self { config, phase, era: 0, counts: Counts::default(), untold: Vec::new(), rng }
    }

    /// Lets time take effect. Called before anything else is done with the core.
    fn tick(&mut self, now: Instant) {
        if let Phase::Open { since, open_for } = self.phase
            && now.saturating_duration_since(since) >= open_for
        {
            let half_open = Phase::HalfOpen { out: 0, succeeded: 0, last_admitted: now };
            self.enter(half_open, Cause::OpenTimeOver, now);
        }
        if let Phase::HalfOpen { out: 1.., last_admitted, .. } = self.phase
            && now.saturating_duration_since(last_admitted) >= self.config.probe_lease
        {
            self.open(Cause::ProbeLeaseOver, now);
        }
    }

    /// Lets a call through, or says why not.
    fn admit(&mut self, now: Instant) -> Result<Ticket, Rejected> {
        let admission = self.try_admit(now);
        match admission {
            Ok(_) => self.counts.admitted += 1,
            Err(_) => self.counts.rejected += 1,
        }
        admission
    }

    fn try_admit(&mut self, now: Instant) -> Result<Ticket, Rejected> {
        match &mut self.phase {
            Phase::Closed { .. } => {}
            Phase::Open { since, open_for } => {
                let retry_after = open_time_left(*since, *open_for, now);
                return Err(Rejected::Open { retry_after });
            }
            Phase::HalfOpen { out, last_admitted, .. } => {
                if *out >= self.config.half_open_max_calls {
                    return Err(Rejected::ProbesOut);
                }
                *out += 1;
                *last_admitted = now;
            }
            Phase::ForcedOpen => return Err(Rejected::ForcedOpen),
        }
        Ok(Ticket { started: now, era: self.era })
    }

    /// Takes the result of a call; `None` if nobody said how it ended.
    fn settle(&mut self, ticket: Ticket, outcome: Option<Outcome>, now: Instant) {
        if ticket.era != self.era {
            self.counts.late += 1;
            return;
        }
        let took = now.saturating_duration_since(ticket.started);
        let slow = self.config.slow_call_threshold.is_some_and(|threshold| took >= threshold);
        let outcome = match outcome {
            Some(Outcome::Success) | None if slow => Outcome::Failure,
            Some(outcome) => outcome,
            None => Outcome::Ignored,
        };
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

                let in_a_row = *failures_in_a_row;
                let (failed, of) = (window.failed, window.results.len());
                if in_a_row >= self.config.failure_threshold {
                    self.open(Cause::FailuresInARow(in_a_row), now);
                } else if of >= self.config.min_calls
                    && window.failure_rate() >= self.config.failure_rate_threshold
                {
                    self.open(Cause::FailureRate { failed, of }, now);
                }
            }
            Phase::HalfOpen { out, succeeded, .. } => {
                *out -= 1;
                match outcome {
                    Outcome::Success => {
                        *succeeded += 1;
                        let succeeded = *succeeded;
                        if succeeded >= self.config.success_threshold {
                            let closed = Phase::closed(&self.config);
                            self.enter(closed, Cause::ProbesSucceeded(succeeded), now);
                        }
                    }
                    Outcome::Failure => self.open(Cause::ProbeFailed, now),
                    Outcome::Ignored => {}
                }
            }
            Phase::Open { .. } | Phase::ForcedOpen => {}
        }
    }

    fn open(&mut self, cause: Cause, now: Instant) {
        let share = self.config.open_jitter * self.rng.random::<f64>();
        let open_for = self.config.open_for + self.config.open_for.mul_f64(share);
        self.enter(Phase::Open { since: now, open_for }, cause, now);
    }

    /// The only way from one phase to another.
    fn enter(&mut self, phase: Phase, cause: Cause, now: Instant) {
        self.era += 1;
        let (from, to) = (self.phase.state(), phase.state());
        self.untold.push(Transition { from, to, cause, era: self.era, at: now });
        self.phase = phase;
    }

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
                snapshot.window_failures = window.failed;
            }
            Phase::Open { since, open_for } => {
                snapshot.retry_after = Some(open_time_left(*since, *open_for, now));
            }
            Phase::HalfOpen { out, .. } => snapshot.probes_out = *out,
            Phase::ForcedOpen => {}
        }
        snapshot
    }
}

fn open_time_left(since: Instant, open_for: Duration, now: Instant) -> Duration {
    open_for.saturating_sub(now.saturating_duration_since(since))
}

// ---------------------------------------------------------------------------------------------
// The window

/// The results of the last calls. Each new one pushes the oldest out.
struct Window {
    /// Whether each call failed; the oldest is at the front.
    results: VecDeque<bool>,
    /// How many of `results` are true.
    failed: usize,
    size: usize,
}

impl Window {
    /// An empty one. It grows with what it holds, for `size` may be anything.
    fn of(size: usize) -> Self {
        Self { results: VecDeque::new(), failed: 0, size }
    }

    fn push(&mut self, failed: bool) {
        if self.results.len() == self.size && self.results.pop_front() == Some(true) {
            self.failed -= 1;
        }
        self.results.push_back(failed);
        self.failed += usize::from(failed);
    }

    /// The share of failures. Dividing is exact where it matters: 7 / 100 is 0.07, but 0.07 × 100
    /// is more than 7.
    fn failure_rate(&self) -> f64 {
        self.failed as f64 / self.results.len() as f64
    }
}
