// What can be configured. Given: nothing to write here.

use std::time::Duration;

/// How many requests run, how many wait, and for how long.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// How many run at the same time.
    pub limit: Limit,
    /// How many may wait for a place. 0 for no queue.
    pub max_waiting: usize,
    /// How long a request may wait in a standing queue; above zero, at most `interval`.
    pub target: Duration,
    /// How long a request may wait in any other queue, and how long somebody must have been waiting for the queue
    /// to be a standing one; at most [`Config::LONGEST`].
    pub interval: Duration,
    /// Places that only [`Priority::CriticalPlus`](crate::Priority::CriticalPlus) may take. One place at least is
    /// for everybody, however low the limit is.
    pub reserve: usize,
    /// What a refused caller is told to wait, at least; twice as long at most. Above zero, at most
    /// [`Config::LONGEST`].
    pub retry_after: Duration,
}

/// How many requests run at the same time.
#[derive(Debug, Clone, PartialEq)]
pub enum Limit {
    /// So many, 1 or more.
    Fixed(usize),
    /// As many as don't overload what is below.
    Aimd(Aimd),
    /// As many as don't lengthen the time that one takes.
    Gradient(Gradient),
}

/// Additive increase, multiplicative decrease.
#[derive(Debug, Clone, PartialEq)]
pub struct Aimd {
    /// The limit to begin with; `min` to `max`.
    pub initial: usize,
    /// The lowest limit, 1 or more.
    pub min: usize,
    /// The highest.
    pub max: usize,
    /// What an overload leaves of the limit; 0.1 to 0.99.
    pub decrease: f64,
}

/// The limit follows the ratio of two latencies: that of a service without load, and that of now.
#[derive(Debug, Clone, PartialEq)]
pub struct Gradient {
    /// The limit after the first probe; `min` to `max`.
    pub initial: usize,
    /// The lowest limit, and the limit during a probe; 1 or more.
    pub min: usize,
    /// The highest.
    pub max: usize,
    /// How much longer than without load a request may take; 1 to 10 times.
    pub tolerance: f64,
    /// Requests whose mean latency makes one step of the limit; 1 or more.
    pub window: u32,
    /// Requests whose mean latency is that without load; 1 or more.
    pub probe_calls: u32,
    /// From the end of a probe to the beginning of the next; above zero, at most [`Config::LONGEST`].
    pub probe_every: Duration,
    /// Lengthens each `probe_every` by a random share of it, from 0 up to this; 0 to 1.
    pub probe_jitter: f64,
}

/// How a client holds back.
#[derive(Debug, Clone, PartialEq)]
pub struct ThrottleConfig {
    /// How many requests a client makes for each that is accepted, before it holds any back; 1 to 100.
    pub k: f64,
    /// How long a request counts; 10 ms to [`Config::LONGEST`].
    pub window: Duration,
}

/// What one tenant may ask for.
#[derive(Debug, Clone, PartialEq)]
pub struct FairConfig {
    /// Requests in a second; 1 to 1,000,000.
    pub per_second: u32,
    /// Requests at once; 1 to 1,000,000.
    pub burst: u32,
    /// Tenants that have a bucket of their own; 1 or more.
    pub max_tenants: usize,
}

impl Config {
    /// The longest duration that a configuration may hold: an hour.
    pub const LONGEST: Duration = Duration::from_secs(60 * 60);

    /// Says which field is out of its range, if one is.
    ///
    /// # Errors
    /// The first field that is out of its range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        match &self.limit {
            Limit::Fixed(limit) => count("limit", *limit)?,
            Limit::Aimd(aimd) => {
                bounds(aimd.min, aimd.initial, aimd.max)?;
                share("decrease", aimd.decrease, 0.1, 0.99)?;
            }
            Limit::Gradient(gradient) => {
                bounds(gradient.min, gradient.initial, gradient.max)?;
                share("tolerance", gradient.tolerance, 1.0, 10.0)?;
                count("window", gradient.window as usize)?;
                count("probe_calls", gradient.probe_calls as usize)?;
                duration("probe_every", gradient.probe_every, Self::LONGEST)?;
                share("probe_jitter", gradient.probe_jitter, 0.0, 1.0)?;
            }
        }
        duration("interval", self.interval, Self::LONGEST)?;
        duration("target", self.target, self.interval)?;
        duration("retry_after", self.retry_after, Self::LONGEST)
    }
}

impl ThrottleConfig {
    /// Says which field is out of its range, if one is.
    ///
    /// # Errors
    /// The first field that is out of its range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        share("k", self.k, 1.0, 100.0)?;
        if self.window < Duration::from_millis(10) {
            return Err(ConfigError::Duration { field: "window", value: self.window });
        }
        duration("window", self.window, Config::LONGEST)
    }
}

impl FairConfig {
    /// Says which field is out of its range, if one is.
    ///
    /// # Errors
    /// The first field that is out of its range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        for (field, value) in [("per_second", self.per_second), ("burst", self.burst)] {
            count(field, value as usize)?;
            share(field, f64::from(value), 1.0, 1_000_000.0)?;
        }
        count("max_tenants", self.max_tenants)
    }
}

fn count(field: &'static str, value: usize) -> Result<(), ConfigError> {
    if value == 0 { Err(ConfigError::Zero { field }) } else { Ok(()) }
}

fn bounds(min: usize, initial: usize, max: usize) -> Result<(), ConfigError> {
    count("min", min)?;
    if min <= initial && initial <= max {
        Ok(())
    } else {
        Err(ConfigError::Bounds { min, initial, max })
    }
}

// NaN is in no range.
fn share(field: &'static str, value: f64, from: f64, to: f64) -> Result<(), ConfigError> {
    if (from..=to).contains(&value) {
        Ok(())
    } else {
        Err(ConfigError::Number { field, value, from, to })
    }
}

fn duration(field: &'static str, value: Duration, longest: Duration) -> Result<(), ConfigError> {
    if value.is_zero() || value > longest {
        Err(ConfigError::Duration { field, value })
    } else {
        Ok(())
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            limit: Limit::Fixed(20),
            max_waiting: 100,
            target: Duration::from_millis(5),
            interval: Duration::from_millis(100),
            reserve: 0,
            retry_after: Duration::from_secs(1),
        }
    }
}

impl Default for Aimd {
    fn default() -> Self {
        Self { initial: 20, min: 1, max: 1_000, decrease: 0.9 }
    }
}

impl Default for Gradient {
    fn default() -> Self {
        Self {
            initial: 20,
            min: 3,
            max: 1_000,
            tolerance: 1.5,
            window: 50,
            probe_calls: 50,
            probe_every: Duration::from_secs(30),
            probe_jitter: 0.5,
        }
    }
}

impl Default for ThrottleConfig {
    fn default() -> Self {
        Self { k: 2.0, window: Duration::from_secs(120) }
    }
}

impl Default for FairConfig {
    fn default() -> Self {
        Self { per_second: 100, burst: 20, max_tenants: 10_000 }
    }
}

/// A configuration that makes no sense.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ConfigError {
    /// A count that must be at least 1.
    #[error("{field} is 0: set it to at least 1")]
    Zero {
        /// The field.
        field: &'static str,
    },
    /// The limit can't begin where it is told to.
    #[error("the limit begins at {initial}, outside of {min} to {max}: set min ≤ initial ≤ max")]
    Bounds {
        /// The lowest limit.
        min: usize,
        /// The first.
        initial: usize,
        /// The highest.
        max: usize,
    },
    /// A number outside its range, or NaN.
    #[error("{field} is {value}: set it from {from} to {to}")]
    Number {
        /// The field.
        field: &'static str,
        /// Its value.
        value: f64,
        /// The least that it may be.
        from: f64,
        /// The most.
        to: f64,
    },
    /// A duration that is too short or too long.
    #[error("{field} is {value:?}: its range is in the documentation of the field")]
    Duration {
        /// The field.
        field: &'static str,
        /// Its value.
        value: Duration,
    },
}
