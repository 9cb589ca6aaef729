// What can be configured. Given: nothing to write here.

use std::time::Duration;

/// When to open, for how long, and what it takes to close again.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Failures in a row that open the breaker; at least 1.
    pub failure_threshold: u32,
    /// Share of failed calls in the window that opens the breaker; above 0, at most 1.
    pub failure_rate_threshold: f64,
    /// The window: how many of the last results the failure rate is taken over; at least 1.
    pub window_size: usize,
    /// Results that must be in the window before its rate means anything; 1 to `window_size`.
    pub min_calls: usize,
    /// How long the breaker stays open before it probes; above zero, at most [`Config::LONGEST`].
    pub open_for: Duration,
    /// Lengthens each open time by a random share of it, from 0 up to this; 0 to 1. Keeps the
    /// instances of a service from probing all at once.
    pub open_jitter: f64,
    /// Probes that may be out at the same time while half-open; at least 1.
    pub half_open_max_calls: u32,
    /// Probes that must succeed to close the breaker; at least 1.
    pub success_threshold: u32,
    /// While probes are out: how long after the last one was let through silence counts as a failure;
    /// above zero, at most [`Config::LONGEST`]. Longer than the timeout of the operation itself.
    pub probe_lease: Duration,
    /// A call that takes this long counts as a failure, even if it succeeds. `None`: none is slow.
    pub slow_call_threshold: Option<Duration>,
}

impl Config {
    /// The longest duration that a configuration may hold: a day.
    pub const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

    /// Says which field is out of its range, if one is.
    ///
    /// # Errors
    /// The first field that is out of its range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let counts = [
            ("failure_threshold", self.failure_threshold as usize),
            ("window_size", self.window_size),
            ("min_calls", self.min_calls),
            ("half_open_max_calls", self.half_open_max_calls as usize),
            ("success_threshold", self.success_threshold as usize),
        ];
        if let Some((field, _)) = counts.into_iter().find(|(_, count)| *count == 0) {
            return Err(ConfigError::Zero { field });
        }
        if self.min_calls > self.window_size {
            return Err(ConfigError::MinCalls {
                min_calls: self.min_calls,
                window_size: self.window_size,
            });
        }
        // Written so that NaN, which compares as false, is refused.
        let rate = self.failure_rate_threshold;
        if !(rate > 0.0 && rate <= 1.0) {
            return Err(ConfigError::Share {
                field: "failure_rate_threshold",
                value: rate,
                range: "above 0 and at most 1",
            });
        }
        if !(0.0..=1.0).contains(&self.open_jitter) {
            return Err(ConfigError::Share {
                field: "open_jitter",
                value: self.open_jitter,
                range: "from 0 to 1",
            });
        }
        let durations = [
            ("open_for", Some(self.open_for)),
            ("probe_lease", Some(self.probe_lease)),
            ("slow_call_threshold", self.slow_call_threshold),
        ];
        for (field, value) in durations {
            if let Some(value) = value
                && (value.is_zero() || value > Self::LONGEST)
            {
                return Err(ConfigError::Duration { field, value });
            }
        }
        Ok(())
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            failure_threshold: 5,
            failure_rate_threshold: 0.5,
            window_size: 50,
            min_calls: 10,
            open_for: Duration::from_secs(30),
            open_jitter: 0.0,
            half_open_max_calls: 3,
            success_threshold: 3,
            probe_lease: Duration::from_secs(60),
            slow_call_threshold: None,
        }
    }
}

/// A [`Config`] that makes no sense.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ConfigError {
    /// A count that must be at least 1.
    #[error("{field} is 0: set it to at least 1")]
    Zero {
        /// The field.
        field: &'static str,
    },
    /// The rate could never be judged.
    #[error("min_calls is {min_calls}, but the window holds {window_size}: lower min_calls")]
    MinCalls {
        /// The minimum that was asked for.
        min_calls: usize,
        /// What the window can hold.
        window_size: usize,
    },
    /// A share outside its range, or NaN.
    #[error("{field} is {value}: set it to a share {range}")]
    Share {
        /// The field.
        field: &'static str,
        /// Its value.
        value: f64,
        /// What it may be.
        range: &'static str,
    },
    /// A duration of zero, or of more than a day.
    #[error("{field} is {value:?}: set it to more than zero and at most a day")]
    Duration {
        /// The field.
        field: &'static str,
        /// Its value.
        value: Duration,
    },
}
