// A circuit breaker: it stops calling a dependency that keeps failing, and lets a few probes find
// out when it has recovered.
//
// The idea is Michael Nygard's (*Release It!*, 2007).

// This file is yours: here is the public API and what it promises, and nothing of its inside. Which
// fields, types and functions it needs is your design. Public names and signatures stay as they are:
// the spec in `tests/steps/` uses them.
// The tasks leave things unused: delete these lines when the last one is done.
#![allow(unused)]

use std::fmt;

mod config;
mod sync;
mod types;

pub use config::{Config, ConfigError};
pub use types::{CallError, Cause, Counts, Outcome, Rejected, Snapshot, State, Transition};

/// Stands between a caller and one dependency. Share it by reference or in an `Arc`. Operations,
/// classifiers, fallbacks and listeners are called with no lock held: they may call the breaker.
pub struct CircuitBreaker {}

impl CircuitBreaker {
    /// A closed breaker. Its jitter is seeded by the operating system.
    ///
    /// # Errors
    /// When a field of `config` is out of its range.
    pub fn new(config: Config) -> Result<Self, ConfigError> {
        todo!("step 1: new")
    }

    /// As [`new`](Self::new), with the jitter seeded by hand: for tests and simulations.
    ///
    /// # Errors
    /// When a field of `config` is out of its range.
    pub fn seeded(config: Config, seed: u64) -> Result<Self, ConfigError> {
        todo!("step 3: seeded")
    }

    /// Adds a listener. It is called after each transition, on the thread that caused it, with no
    /// lock held: it may call the breaker. It must not panic or block.
    #[must_use]
    pub fn on_transition(mut self, listener: impl Fn(&Transition) + Send + Sync + 'static) -> Self {
        todo!("step 7: on_transition")
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
        todo!("step 2: call")
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
        todo!("step 6: call_classified")
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
        todo!("step 2: call_or_else")
    }

    /// Asks for permission to make one call, for code that can't be wrapped in
    /// [`call`](Self::call).
    ///
    /// # Errors
    /// When the call must not be made; says why.
    pub fn try_acquire(&self) -> Result<Permit<'_>, Rejected> {
        todo!("step 1: try_acquire")
    }

    /// What the next call would meet.
    pub fn state(&self) -> State {
        todo!("step 1: state")
    }

    /// All numbers at one instant, for a dashboard.
    pub fn snapshot(&self) -> Snapshot {
        todo!("step 7: snapshot")
    }

    /// Rejects every call from now on, until [`reset`](Self::reset): for an operator who knows more
    /// than the breaker does.
    pub fn force_open(&self) {
        todo!("step 7: force_open")
    }

    /// Closes the breaker and forgets its results. The counts stay.
    pub fn reset(&self) {
        todo!("step 7: reset")
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
    _held: std::marker::PhantomData<&'a ()>,
}

impl Permit<'_> {
    /// Tells the breaker how the call ended.
    pub fn record(mut self, outcome: Outcome) {
        todo!("step 1: record")
    }
}

impl fmt::Debug for Permit<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Permit")
    }
}
