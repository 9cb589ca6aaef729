// When a call counts as late. Given: nothing to write here.

use std::time::Duration;

/// How long a call waits for its original before it is late.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delay {
    /// Always this long. 0 sends the hedge with the original; [`Duration::MAX`] sends none.
    Fixed(Duration),
    /// What `percent` of a hundred recent originals took at most.
    Percentile {
        /// How many in a hundred samples are at or below the delay; 1 to 99.
        percent: usize,
        /// How many samples are kept, the newest ones; 1 to [`Delay::MOST_SAMPLES`].
        window: usize,
        /// While there are fewer samples, no call is late; 1 to `window`.
        min_samples: usize,
    },
}

impl Delay {
    /// The largest window.
    pub const MOST_SAMPLES: usize = 100_000;

    /// Says which field is out of its range, if one is.
    ///
    /// # Errors
    /// The first field that is out of its range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let Self::Percentile { percent, window, min_samples } = *self else { return Ok(()) };
        if !(1..=99).contains(&percent) {
            return Err(ConfigError::Percent(percent));
        }
        if !(1..=Self::MOST_SAMPLES).contains(&window) {
            return Err(ConfigError::Window(window));
        }
        if !(1..=window).contains(&min_samples) {
            return Err(ConfigError::MinSamples(min_samples, window));
        }
        Ok(())
    }
}

impl Default for Delay {
    fn default() -> Self {
        Self::Percentile { percent: 95, window: 1_000, min_samples: 100 }
    }
}

/// A configuration that makes no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// No share of the samples, or all of them.
    #[error("percent is {0}: set it from 1 to 99, 95 to hedge one call in twenty")]
    Percent(usize),
    /// No samples, or more than anybody needs.
    #[error("window is {0}: keep 1 to 100,000 samples")]
    Window(usize),
    /// More than the window holds, or none.
    #[error("min_samples is {0}: set it from 1 to the window, {1}")]
    MinSamples(usize, usize),
    /// A success would earn more than a hedge.
    #[error("percent of a budget is {0}: set it from 0 to 100, 10 for one hedge in ten successes")]
    Share(u32),
    /// A pool without instances, or with instances that take nothing.
    #[error("a pool of {instances} instances with {places} places each: give it 1 or more of both")]
    Pool {
        /// How many instances there would be.
        instances: usize,
        /// How many calls each would take.
        places: usize,
    },
}
