// What can be configured. Given: nothing to write here.

use std::time::Duration;

/// How many at once, and who may wait for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Config {
    /// Calls that may run at the same time, 1 or more.
    pub max_concurrent: usize,
    /// Callers that may wait for a place when all are taken. 0 for no queue: then
    /// [`Bulkhead::acquire`](crate::Bulkhead::acquire) rejects at once.
    pub max_waiting: usize,
    /// How long a caller may wait for a place; [`Config::SHORTEST`] to [`Config::LONGEST`]. How long
    /// its call may run afterwards is not limited here.
    pub max_wait: Duration,
}

impl Config {
    /// The shortest limit on waiting: tokio's timers tick in milliseconds.
    pub const SHORTEST: Duration = Duration::from_millis(1);
    /// The longest limit on waiting.
    pub const LONGEST: Duration = Duration::from_secs(60 * 60);

    /// Says which field is out of its range, if one is.
    ///
    /// # Errors
    /// The first field that is out of its range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        if self.max_concurrent == 0 {
            return Err(ConfigError::NoPlaces);
        }
        if !(Self::SHORTEST..=Self::LONGEST).contains(&self.max_wait) {
            return Err(ConfigError::MaxWait(self.max_wait));
        }
        Ok(())
    }
}

impl Default for Config {
    fn default() -> Self {
        Self { max_concurrent: 10, max_waiting: 5, max_wait: Duration::from_secs(30) }
    }
}

/// A [`Config`] that makes no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// Nobody would ever get in. It does not mean "without a limit".
    #[error("max_concurrent is 0: nobody would ever get in, so set it to 1 or more")]
    NoPlaces,
    /// The limit on waiting is too short for a timer, or too long to be a limit.
    #[error("max_wait is {0:?}: set it from 1 ms to 1 h, or max_waiting to 0 if nobody may wait")]
    MaxWait(Duration),
}
