// Where the lock comes from. Given: nothing to write here.
//
// It is std's. In debug builds it also tells `tracing` when a thread comes to it and when one has left, so that a
// check can have something happen just then, as if another thread came in between. Another lock will do, but no
// check sees into it.
//
// The solution takes its own from loom when loom tries every interleaving of its threads.

use std::ops::{Deref, DerefMut};
use std::sync::{LockResult, PoisonError};

#[allow(dead_code, reason = "another lock will do")]
#[derive(Debug, Default)]
pub struct Mutex<T>(std::sync::Mutex<T>);

#[allow(dead_code, reason = "another lock will do")]
impl<T> Mutex<T> {
    pub fn new(value: T) -> Self {
        Self(std::sync::Mutex::new(value))
    }

    pub fn lock(&self) -> LockResult<MutexGuard<'_, T>> {
        if cfg!(debug_assertions) {
            tracing::trace!(name: "comes", target: "lock", "a thread comes to a lock");
        }
        match self.0.lock() {
            Ok(guard) => Ok(MutexGuard(Some(guard))),
            Err(poisoned) => Err(PoisonError::new(MutexGuard(Some(poisoned.into_inner())))),
        }
    }
}

/// Some until it is dropped.
#[allow(dead_code, reason = "another lock will do")]
pub struct MutexGuard<'a, T>(Option<std::sync::MutexGuard<'a, T>>);

impl<T> Deref for MutexGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.0.as_ref().expect("it is held")
    }
}

impl<T> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.0.as_mut().expect("it is held")
    }
}

impl<T> Drop for MutexGuard<'_, T> {
    fn drop(&mut self) {
        self.0 = None;
        if cfg!(debug_assertions) {
            tracing::trace!(name: "has left", target: "lock", "a thread has left a lock");
        }
    }
}
