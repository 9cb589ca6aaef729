// A bulkhead: it limits the calls that run at once to one dependency, so that a slow dependency
// can't take what the others need.
//
// The parts, from the outside in:
//
// - `Bulkhead`, the shell: takes the lock, waits, wakes.
// - `Permit`, a place in use for as long as the permit lives.
// - `Core`, who is in and who waits: plain data and plain functions.
// - `Registry`, the bulkheads of a program by name; `size_for`, how large to make one.

// This file is yours: every `todo!` and every comment that begins with `step` is a task, in the
// order of the chapter (`cargo xtask book --open bulkhead`). Add types, fields and functions as you
// need them. Public names and signatures stay as they are: the spec in `tests/steps/` uses them.
// The tasks leave things unused: delete these lines when the last one is done.
#![allow(unused)]

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::{Arc, PoisonError};
use std::task::Waker;

use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::sync::{Mutex, MutexGuard};

mod config;
mod sync;
mod types;

pub use config::{Config, ConfigError};
pub use types::{Counts, RegistryError, Rejected, SizeError, Snapshot, Workload};

// ---------------------------------------------------------------------------------------------
// The shell: the lock, the waiting, the waking

/// Stands between the callers and one dependency. A handle: clones share the same places. Its limits are those
/// of its configuration for as long as it lives.
#[derive(Clone)]
pub struct Bulkhead {
    core: Arc<Mutex<Core>>,
}

impl Bulkhead {
    /// A bulkhead with nobody in it.
    ///
    /// # Errors
    /// When a field of `config` is out of its range.
    pub fn new(config: Config) -> Result<Self, ConfigError> {
        todo!("step 1: a bulkhead with nobody in it")
    }

    /// Takes a place if one is free, without waiting. Waiters come first: while anybody waits, no
    /// place is free.
    ///
    /// # Errors
    /// [`Rejected::Full`] when all places are taken.
    pub fn try_acquire(&self) -> Result<Permit, Rejected> {
        self.with_core(Core::enter)?;
        Ok(Permit { bulkhead: self.clone() })
    }

    /// Takes a place, or waits for one: first come, first served, for `max_wait` at most. A caller
    /// arrives when its future is first polled. It needs tokio's timer only if it has to wait.
    ///
    /// A waiter that is granted a place is woken, by the waker of the last poll.
    ///
    /// Cancellation: dropping the future leaves the queue. A place that was granted to it meanwhile
    /// goes to the next.
    ///
    /// # Errors
    /// [`Rejected::Full`] at once when all places are taken and the queue is full;
    /// [`Rejected::WaitedTooLong`] when the time is over and no place has been granted.
    ///
    /// # Panics
    /// When it has to wait, outside of a tokio runtime with its time driver. It leaves the queue then as
    /// well.
    pub async fn acquire(&self) -> Result<Permit, Rejected> {
        todo!("step 2: enter, or queue and wait")
        // step 3: and be woken, whenever the place is granted
        // step 5: and leave the queue, whyever the wait ends
    }

    /// Runs `operation` while it holds a place. Without a place it is not called; how long it runs
    /// is not limited.
    ///
    /// Cancellation: dropping the future drops the operation, and then gives the place back. If the
    /// operation hands work to others (a task, a thread), that work goes on without a place: use
    /// [`spawn_blocking`](Self::spawn_blocking), or move a [`Permit`] into it.
    ///
    /// # Errors
    /// As [`acquire`](Self::acquire).
    ///
    /// # Panics
    /// As [`acquire`](Self::acquire).
    pub async fn call<T, F>(&self, operation: impl FnOnce() -> F) -> Result<T, Rejected>
    where
        F: Future<Output = T>,
    {
        todo!("step 4: the operation, in a place")
    }

    /// Runs `work` on tokio's threads for blocking work, in a place that it holds until it returns or
    /// panics. It is not handed to a thread without one.
    ///
    /// Cancellation: dropping this future before it returns leaves the queue. A thread can't be
    /// cancelled: when the handle is dropped or aborted, work that has begun goes on, and keeps its place.
    ///
    /// # Errors
    /// As [`acquire`](Self::acquire).
    ///
    /// # Panics
    /// Outside of a tokio runtime, and as [`acquire`](Self::acquire).
    pub async fn spawn_blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<JoinHandle<T>, Rejected> {
        todo!("step 4: the work on a thread, in a place")
    }

    /// All numbers at one instant, for a dashboard.
    pub fn snapshot(&self) -> Snapshot {
        todo!("step 6: all numbers")
    }

    /// The one place where the lock is held. No foreign code runs under it: no operation, and no
    /// waker, whose `wake`, `clone` and `drop` belong to an executor.
    fn with_core<R>(&self, act: impl FnOnce(&mut Core) -> R) -> R {
        let mut core = self.core.lock().unwrap_or_else(PoisonError::into_inner);
        act(&mut core)
    }
}

impl fmt::Debug for Bulkhead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Bulkhead")
    }
}

/// A place in use. Dropping the permit gives the place back, or passes it on to the first waiter.
///
/// It borrows nothing, and must live as long as the work: move it into the task or the closure that
/// does the work. A permit that is forgotten ([`std::mem::forget`]) is a place that is gone for good.
#[must_use = "a permit that is dropped is a place given back: keep it as long as the work runs"]
pub struct Permit {
    bulkhead: Bulkhead,
}

impl Drop for Permit {
    fn drop(&mut self) {
        // step 1: give the place back
        // step 2: or on to the first of those who wait
    }
}

impl fmt::Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Permit")
    }
}

// ---------------------------------------------------------------------------------------------
// The core: who is in, and who waits

struct Core {
    config: Config,
    active: usize,
    // step 2: those who wait, in order of arrival
    // step 6: what became of all callers
}

impl Core {
    /// Takes a place if one is free.
    fn enter(&mut self) -> Result<(), Rejected> {
        todo!("step 1: a place, or why there is none")
    }
}

/// Somebody in the queue.
struct Waiter {
    // step 2: which one it is, and how to wake it
}

// ---------------------------------------------------------------------------------------------
// The registry

/// The bulkheads of a program by name: made once, listed together.
#[derive(Debug, Default)]
pub struct Registry {
    // step 6: the bulkheads by name
}

impl Registry {
    /// A registry with nothing in it.
    pub fn new() -> Self {
        Self::default()
    }

    /// The bulkhead of that name. The first to ask makes it; all get handles to the same one. The
    /// registry keeps it, with its counts, even when nobody else has a handle any more.
    ///
    /// # Errors
    /// [`RegistryError::Config`] when it has to be made and `config` is out of range: nothing is kept
    /// then. [`RegistryError::Differs`] when it exists and any field of its configuration differs, even
    /// if `config` is out of range.
    pub fn get_or_create(&self, name: &str, config: Config) -> Result<Bulkhead, RegistryError> {
        todo!("step 6: the one of that name, or a new one")
    }

    /// The numbers of all, in order of their names. Each snapshot is of one instant; two of them are
    /// not of the same one.
    pub fn snapshots(&self) -> Vec<(String, Snapshot)> {
        todo!("step 6: name and snapshot of each")
    }
}

// ---------------------------------------------------------------------------------------------
// The size

/// How many places this work needs. By Little's law the calls that run on average are the rate times
/// the time. This number is divided by the share that may be taken, and rounded up: once, at the end,
/// to 1 or more. An error in the last digits of a float is no part of a place: 100 × 0.14, in floats a
/// little more than 14, makes 14 places, and 14.0001 makes 15.
///
/// (John Little, 1961: L = λW. It holds for averages, whatever their distributions.)
///
/// # Errors
/// When a field of `workload` is out of its range.
pub fn size_for(workload: Workload) -> Result<usize, SizeError> {
    todo!("step 7: Little's law, with headroom")
}
