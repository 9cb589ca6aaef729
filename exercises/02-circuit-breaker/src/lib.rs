// A circuit breaker: it stops calling a dependency that keeps failing, and lets a few probes find
// out when it has recovered.
//
// The idea is Michael Nygard's (*Release It!*, 2007). The parts, from the outside in:
//
// - `CircuitBreaker`, the shell: reads the clock, takes the lock, delivers events. It is all that
//   a caller sees, and the only part that knows about threads and `async`.
// - `Core`, the state machine: plain data and plain functions that are told what time it is.
// - `Window`, the results of the last calls.

// This file is yours: every `todo!` and every comment that begins with `step` is a task, in the
// order of the chapter (`cargo xtask book --open circuit-breaker`). Add fields and functions as you
// need them. Public names and signatures stay as they are: the spec in `tests/steps/` uses them.
// The tasks leave things unused: delete these lines when the last one is done.
#![allow(unused)]

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
        todo!("step 7: keep the listener")
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
        todo!("step 2: run the operation if the breaker lets it, and count its result")
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
        todo!("step 6: as call, but classify says how the result counts")
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
        todo!("step 2: as call, with the fallback's value for a rejection")
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
        todo!("step 7: the numbers of the core; and count in admit and settle")
    }

    /// Rejects every call from now on, until [`reset`](Self::reset): for an operator who knows more
    /// than the breaker does.
    pub fn force_open(&self) {
        todo!("step 7: enter Phase::ForcedOpen")
    }

    /// Closes the breaker and forgets its results. The counts stay.
    pub fn reset(&self) {
        todo!("step 7: enter a new closed phase")
    }

    /// The one place where the lock is held: no caller's code runs under it, and no await.
    fn with_core<R>(&self, act: impl FnOnce(&mut Core, Instant) -> R) -> R {
        let now = Instant::now();
        let mut core = self.core.lock().unwrap_or_else(PoisonError::into_inner);
        core.tick(now);
        act(&mut core, now)
        // step 7: tell the listeners of the transitions
    }
}

impl fmt::Debug for CircuitBreaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CircuitBreaker")
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
        // step 5: the call ended without a result, if nobody has recorded one
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
    // step 5: which era?
}

enum Phase {
    Closed { failures_in_a_row: u32 }, // step 4: and the window
    Open { since: Instant, open_for: Duration },
    HalfOpen { out: u32, succeeded: u32 }, // step 5: and what the lease needs
    ForcedOpen,
}

impl Phase {
    fn closed(config: &Config) -> Self {
        Phase::Closed { failures_in_a_row: 0 }
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
    rng: Xoshiro256PlusPlus,
}

impl Core {
    fn new(config: Config, rng: Xoshiro256PlusPlus) -> Self {
        let phase = Phase::closed(&config);
        Self { config, phase, rng }
    }

    /// Lets time take effect. Called before anything else is done with the core.
    fn tick(&mut self, now: Instant) {
        // step 3: the open time may be over
        // step 5: the lease may be over
    }

    /// Lets a call through, or says why not.
    fn admit(&mut self, now: Instant) -> Result<Ticket, Rejected> {
        match &mut self.phase {
            Phase::Closed { .. } => todo!("step 1: a closed breaker gives every caller a ticket"),
            Phase::Open { since, open_for } => {
                todo!("step 2: reject, and say how much of the open time is left")
            }
            Phase::HalfOpen { out, .. } => {
                todo!("step 3: admit probes, at most half_open_max_calls at the same time")
            }
            Phase::ForcedOpen => todo!("step 7: reject"),
        }
    }

    /// Takes the result of a call; `None` if nobody said how it ended.
    fn settle(&mut self, ticket: Ticket, outcome: Option<Outcome>, now: Instant) {
        // step 5: a result from an older era changes nothing
        // step 6: a slow call may count as something else than its outcome
        let outcome = outcome.unwrap_or(Outcome::Ignored);
        match &mut self.phase {
            Phase::Closed { failures_in_a_row } => {
                todo!("step 1: count failures in a row; open at failure_threshold")
                // step 4: and by the failure rate
            }
            Phase::HalfOpen { out, succeeded } => {
                todo!("step 3: a failure opens; success_threshold successes close")
            }
            Phase::Open { .. } | Phase::ForcedOpen => {}
        }
    }

    fn open(&mut self, cause: Cause, now: Instant) {
        let open_for = self.config.open_for; // step 3: and a random share of it, by open_jitter
        self.enter(Phase::Open { since: now, open_for }, cause, now);
    }

    /// The only way from one phase to another.
    fn enter(&mut self, phase: Phase, cause: Cause, now: Instant) {
        // step 5: a new phase is a new era
        // step 7: remember the transition for the listeners
        self.phase = phase;
    }
}

// ---------------------------------------------------------------------------------------------
// The window

/// The results of the last calls. Each new one pushes the oldest out.
struct Window {
    // step 4: the last window_size results, and how many of them are failures
}
