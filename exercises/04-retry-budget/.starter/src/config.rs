// What can be configured. Given: nothing to write here.

use std::time::Duration;

/// What earns retries, how many, and for how long.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Config {
    /// Retries that each deposit earns, 0 to 1, to the nearest billionth: 0.1 is one for ten deposits.
    pub ratio: f64,
    /// Retries a second that need no deposit, in addition to the earned ones. 0 for none.
    pub min_retries_per_second: u32,
    /// How long a deposit counts, and a retry against it; [`Config::SHORTEST`] to
    /// [`Config::LONGEST`].
    pub window: Duration,
    /// What makes a deposit.
    pub feed: Feed,
}

/// What makes a deposit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Feed {
    /// The first try of each request, however it ends.
    Requests,
    /// Each success, of a first try or of a retry.
    Successes,
}

impl Config {
    /// The shortest window.
    pub const SHORTEST: Duration = Duration::from_millis(1);
    /// The longest window.
    pub const LONGEST: Duration = Duration::from_secs(60);

    /// Says which field is out of its range, if one is.
    ///
    /// # Errors
    /// The first field that is out of its range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        // NaN is in no range.
        if !(0.0..=1.0).contains(&self.ratio) {
            return Err(ConfigError::Ratio(self.ratio));
        }
        if !(Self::SHORTEST..=Self::LONGEST).contains(&self.window) {
            return Err(ConfigError::Window(self.window));
        }
        Ok(())
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            ratio: 0.1,
            min_retries_per_second: 10,
            window: Duration::from_secs(1),
            feed: Feed::Requests,
        }
    }
}

/// A [`Config`] that makes no sense.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ConfigError {
    /// The ratio is negative, above 1, or NaN.
    #[error("ratio is {0}: set it from 0 to 1, 0.1 for one retry in ten requests")]
    Ratio(f64),
    /// The window is too short to be divided, or too long to be a budget.
    #[error("window is {0:?}: set it from 1 ms to 60 s")]
    Window(Duration),
}
