// What can be configured. Given: nothing to write here.

use std::time::Duration;

/// How the delays grow, and how they are spread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Config {
    /// The delay before the first retry, before jitter; above zero.
    pub base: Duration,
    /// How many times as long each delay is as the delay before; at least 1. With 1 the delays
    /// don't grow.
    pub factor: u32,
    /// No delay is longer, jitter included; at least `base`, up to [`Duration::MAX`].
    pub cap: Duration,
    /// How a delay is randomised.
    pub jitter: Jitter,
}

/// How a delay is drawn. *d* is the exponential delay, capped: min(cap, base × factorʳ) at retry *r*.
/// Each is uniform over its range, to the nanosecond.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Jitter {
    /// Exactly *d*.
    None,
    /// From *d* to *d* + this, or the last range of that width below the cap; above zero, at most `cap`.
    Additive(Duration),
    /// From zero to *d*.
    Full,
    /// From *d*/2 to *d*.
    Equal,
    /// From `base` to three times the delay before (at first: `base`), or to the cap. Knows no `factor`.
    Decorrelated,
}

impl Config {
    pub(crate) fn validate(&self) -> Result<(), ConfigError> {
        let Self { base, factor, cap, jitter } = *self;
        if base.is_zero() {
            return Err(ConfigError::NoBase);
        }
        if factor == 0 {
            return Err(ConfigError::NoFactor);
        }
        if cap < base {
            return Err(ConfigError::CapUnderBase { cap, base });
        }
        match jitter {
            Jitter::Additive(jitter) if jitter.is_zero() || jitter > cap => {
                Err(ConfigError::Additive { jitter, cap })
            }
            _ => Ok(()),
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            base: Duration::from_millis(100),
            factor: 2,
            cap: Duration::from_secs(30),
            jitter: Jitter::Additive(Duration::from_millis(100)),
        }
    }
}

/// When to stop trying.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How often the operation is run, the first time included; at least 1.
    pub max_attempts: u32,
    /// No pause is begun that would end at this time after the first attempt began, or later; above
    /// zero. tokio rounds a sleep up to whole milliseconds, so the attempt after a pause that is in time
    /// may begin up to a millisecond later. A running attempt is not cut short: that is the work of a
    /// timeout inside the operation.
    pub max_total: Option<Duration>,
}

impl Limits {
    pub(crate) fn validate(&self) -> Result<(), ConfigError> {
        if self.max_attempts == 0 {
            return Err(ConfigError::NoAttempts);
        }
        if self.max_total.is_some_and(|limit| limit.is_zero()) {
            return Err(ConfigError::NoTime);
        }
        Ok(())
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_attempts: 3, max_total: None }
    }
}

/// A [`Config`] or [`Limits`] that make no sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// Nothing times anything is nothing: the retries would not wait at all.
    #[error("base is 0: set it to more than zero")]
    NoBase,
    /// All delays but the first would be zero.
    #[error("factor is 0: set it to 1 for delays that don't grow, 2 for delays that double")]
    NoFactor,
    /// The first delay would be past the cap.
    #[error("cap is {cap:?}, but base is {base:?}: raise the cap or lower the base")]
    CapUnderBase {
        /// The cap.
        cap: Duration,
        /// The base.
        base: Duration,
    },
    /// The jitter would do nothing, or have no room below the cap.
    #[error(
        "additive jitter is {jitter:?}: set it to more than zero and at most the cap of {cap:?}, \
         or use Jitter::None"
    )]
    Additive {
        /// The jitter.
        jitter: Duration,
        /// The cap.
        cap: Duration,
    },
    /// The operation would never be run.
    #[error("max_attempts is 0: set it to at least 1, the first attempt is one of them")]
    NoAttempts,
    /// There would be no time for a retry.
    #[error("max_total is 0: set it to more than zero, or to None for no limit")]
    NoTime,
}
