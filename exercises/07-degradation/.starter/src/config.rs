// What can be configured. Given: nothing to write here.

use std::time::Duration;

use crate::Level;

/// What a level still puts up with. Where one of the three is exceeded, a worse level is looked at.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limit {
    /// So many unhealthy dependencies, and no more.
    pub unhealthy: usize,
    /// A mean error rate below this; from a billionth to 1.
    pub error_rate: f64,
    /// A mean p99 below this; `None` for any.
    pub p99: Option<Duration>,
}

/// The limits of normal, degraded and minimal. Emergency has none.
// ANCHOR: limits
pub const LIMITS: [Limit; 3] = [
    Limit { unhealthy: 0, error_rate: 0.01, p99: Some(Duration::from_millis(100)) },
    Limit { unhealthy: 2, error_rate: 0.05, p99: None },
    Limit { unhealthy: 4, error_rate: 0.20, p99: None },
];
// ANCHOR_END: limits

/// From this error rate on a dependency is unhealthy, whatever its health check says.
pub const UNHEALTHY_FROM: f64 = 0.5;

/// So many calls of one dependency count at most; of more, the newest.
pub const MOST_CALLS: usize = 1_000;

/// When the level changes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Config {
    /// The limits of [`Level::Normal`], [`Level::Degraded`] and [`Level::Minimal`], each at least as
    /// wide as the one before.
    pub limits: [Limit; 3],
    /// How long it must have been better before the level goes one step up. At most a day.
    pub dwell: Duration,
    /// How long a call counts. Above zero, at most a day.
    pub window: Duration,
    /// With fewer calls than this in the window, they say nothing. 1 to [`MOST_CALLS`].
    pub min_calls: usize,
}

impl Config {
    /// The longest duration: a day.
    pub const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

    /// Says which field is out of its range, if one is.
    ///
    /// # Errors
    /// The first field that is out of its range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let mut before: Option<&Limit> = None;
        for (level, limit) in Level::ALL.into_iter().zip(&self.limits) {
            // NaN is in no range. Less than a billionth may be rounded to 0, which nothing is below.
            if !(1e-9..=1.0).contains(&limit.error_rate) {
                return Err(ConfigError::ErrorRate { level, value: limit.error_rate });
            }
            if limit.p99 == Some(Duration::ZERO) {
                return Err(ConfigError::P99 { level });
            }
            let p99 = |limit: &Limit| limit.p99.unwrap_or(Duration::MAX);
            if before.is_some_and(|before| {
                before.unhealthy > limit.unhealthy
                    || before.error_rate > limit.error_rate
                    || p99(before) > p99(limit)
            }) {
                return Err(ConfigError::Order { level });
            }
            before = Some(limit);
        }
        if self.dwell > Self::LONGEST {
            return Err(ConfigError::Duration { field: "dwell", value: self.dwell, from: "0" });
        }
        if self.window.is_zero() || self.window > Self::LONGEST {
            return Err(ConfigError::Duration {
                field: "window",
                value: self.window,
                from: "more than 0",
            });
        }
        if !(1..=MOST_CALLS).contains(&self.min_calls) {
            return Err(ConfigError::MinCalls(self.min_calls));
        }
        Ok(())
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            limits: LIMITS,
            dwell: Duration::from_secs(30),
            window: Duration::from_secs(10),
            min_calls: 20,
        }
    }
}

/// What a fallback may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FallbackConfig {
    /// So many reads of the cache at once. A request that finds no place goes on without the cache.
    /// 1 to [`FallbackConfig::MOST`].
    pub limit: usize,
    /// How long one read of the cache may take. Above zero, at most a day.
    pub timeout: Duration,
    /// The oldest copy that is still served, this age included. At most a day.
    pub max_age: Duration,
}

impl FallbackConfig {
    /// The highest limit.
    pub const MOST: usize = 10_000;

    /// Says which field is out of its range, if one is.
    ///
    /// # Errors
    /// The first field that is out of its range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        if !(1..=Self::MOST).contains(&self.limit) {
            return Err(ConfigError::FallbackLimit(self.limit));
        }
        for (field, value, from) in
            [("timeout", self.timeout, "more than 0"), ("max_age", self.max_age, "0")]
        {
            let too_short = value.is_zero() && from != "0";
            if too_short || value > Config::LONGEST {
                return Err(ConfigError::Duration { field, value, from });
            }
        }
        Ok(())
    }
}

impl Default for FallbackConfig {
    fn default() -> Self {
        Self {
            limit: 10,
            timeout: Duration::from_millis(100),
            max_age: Duration::from_secs(5 * 60),
        }
    }
}

/// A [`Config`] or a [`FallbackConfig`] that makes no sense.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ConfigError {
    /// An error rate that nothing is below, or everything, or NaN.
    #[error("the error_rate of {level} is {value}: set it from 0.000000001 to 1")]
    ErrorRate {
        /// The level.
        level: Level,
        /// The rate.
        value: f64,
    },
    /// A p99 that nothing is below.
    #[error("the p99 of {level} is 0: set it above 0, or to None for any")]
    P99 {
        /// The level.
        level: Level,
    },
    /// A worse level puts up with less.
    #[error("{level} puts up with less than the level before it: widen its limit")]
    Order {
        /// The worse of the two levels.
        level: Level,
    },
    /// A duration that is too short or too long.
    #[error("{field} is {value:?}: set it from {from} to a day")]
    Duration {
        /// The field.
        field: &'static str,
        /// Its value.
        value: Duration,
        /// The least that it may be.
        from: &'static str,
    },
    /// No call, or more than are remembered.
    #[error("min_calls is {0}: set it from 1 to 1000")]
    MinCalls(usize),
    /// No read of the cache, or no limit worth the name.
    #[error("limit is {0}: set it from 1 to 10000")]
    FallbackLimit(usize),
}
