// What a caller sees and handles. Given: nothing to write here.

use std::time::Duration;

use crate::config::{Config, ConfigError};

/// Why a caller got no permit. Another try at once would only meet the same crowd.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Rejected {
    /// All places are taken, and the queue is full as well, or the caller didn't want to wait.
    #[error(
        "bulkhead is full ({active} of {max_concurrent} places taken, {waiting} of {max_waiting} \
         waiting): shed the request or use a fallback"
    )]
    Full {
        /// Places that were taken.
        active: usize,
        /// All places, free or taken.
        max_concurrent: usize,
        /// Callers that were waiting, without this one.
        waiting: usize,
        /// The most callers that may wait.
        max_waiting: usize,
    },
    /// The caller waited, and no place came free for it.
    #[error(
        "no place in the bulkhead came free within {max_wait:?}: shed the request or use a fallback"
    )]
    WaitedTooLong {
        /// The limit that was reached.
        max_wait: Duration,
    },
}

/// All numbers at one instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Snapshot {
    /// Places that are taken: permits that are out.
    pub active: usize,
    /// All places, free or taken.
    pub max_concurrent: usize,
    /// Callers that wait for a place.
    pub waiting: usize,
    /// The most callers that may wait.
    pub max_waiting: usize,
    /// What became of all callers so far.
    pub counts: Counts,
}

/// Callers since the bulkhead was made. Each of them waits, or has ended in exactly one of `admitted`,
/// `rejected`, `timed_out` and `cancelled`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Given a place, at once or after a wait; also a waiter that was dropped before it saw its permit.
    pub admitted: u64,
    /// Of the admitted: gave the place back. So `admitted` is `finished` and the active together.
    pub finished: u64,
    /// Turned away with [`Rejected::Full`].
    pub rejected: u64,
    /// Turned away with [`Rejected::WaitedTooLong`].
    pub timed_out: u64,
    /// Dropped while they waited, whether their time was over or not: a caller that is gone can't be
    /// turned away.
    pub cancelled: u64,
}

/// Why [`Registry::get_or_create`](crate::Registry::get_or_create) has no bulkhead to give.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RegistryError {
    /// There is none of that name, and none can be made.
    #[error("bulkhead \"{name}\" can't be made: {source}")]
    Config {
        /// The name.
        name: String,
        /// What is wrong with the configuration.
        source: ConfigError,
    },
    /// There is one of that name, with other limits.
    #[error(
        "bulkhead \"{name}\" exists with {existing:?}, and was asked for with {asked:?}: configure it in \
         one place, or choose another name"
    )]
    Differs {
        /// The name.
        name: String,
        /// What the existing bulkhead was made with.
        existing: Config,
        /// What this caller wanted.
        asked: Config,
    },
}

/// The work for which [`size_for`](crate::size_for) finds the number of places.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Workload {
    /// Calls that begin in a second, on average at the busiest time; above 0, at most 1,000,000.
    pub arrivals_per_second: f64,
    /// How long a call holds its place, on average; above 0, at most 1 h.
    pub service_time: Duration,
    /// The share of the places that is taken on average, 0.01 to 1. The rest is headroom.
    pub utilisation: f64,
}

impl Workload {
    /// Says which field is out of its range, if one is.
    ///
    /// # Errors
    /// The first field that is out of its range.
    pub fn validate(&self) -> Result<(), SizeError> {
        // NaN is in no range.
        if !(self.arrivals_per_second > 0.0 && self.arrivals_per_second <= 1_000_000.0) {
            return Err(SizeError::Arrivals(self.arrivals_per_second));
        }
        if self.service_time.is_zero() || self.service_time > Duration::from_secs(60 * 60) {
            return Err(SizeError::ServiceTime(self.service_time));
        }
        if !(0.01..=1.0).contains(&self.utilisation) {
            return Err(SizeError::Utilisation(self.utilisation));
        }
        Ok(())
    }
}

/// A [`Workload`] that makes no sense.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum SizeError {
    /// The rate is zero, negative, too large, or NaN.
    #[error("arrivals_per_second is {0}: give a rate above 0 and at most 1,000,000")]
    Arrivals(f64),
    /// The time is zero or too long.
    #[error("service_time is {0:?}: give the mean time that a call takes, above 0 and at most 1 h")]
    ServiceTime(Duration),
    /// The share is too small, above 1, or NaN.
    #[error(
        "utilisation is {0}: give the share of places in use, 0.01 to 1, 0.8 for a fifth in reserve"
    )]
    Utilisation(f64),
}
