// What a service can configure. Given: nothing to write here.

use std::time::Duration;

/// How much time a service gives to a request, whatever the request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// For a request that names no deadline; above 0.
    pub default_budget: Duration,
    /// The most that a request is given, whatever it asks for; [`Limits::default_budget`] or more.
    pub max_budget: Duration,
    /// Of the requests in a window of [`Limits::WINDOW`], at most so many in a hundred are rejected because they
    /// have expired; 0 to 100. The others are served.
    pub max_rejected_percent: u32,
}

impl Limits {
    /// The window in which rejections are counted.
    pub const WINDOW: Duration = Duration::from_secs(10);

    /// Says which field is out of its range, if one is.
    ///
    /// # Errors
    /// The first field that is out of its range.
    pub fn validate(&self) -> Result<(), LimitsError> {
        if self.default_budget.is_zero() {
            return Err(LimitsError::NoBudget);
        }
        if self.max_budget < self.default_budget {
            return Err(LimitsError::MaxBudget(self.max_budget, self.default_budget));
        }
        if self.max_rejected_percent > 100 {
            return Err(LimitsError::Percent(self.max_rejected_percent));
        }
        Ok(())
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            default_budget: Duration::from_secs(5),
            max_budget: Duration::from_secs(30),
            max_rejected_percent: 20,
        }
    }
}

/// [`Limits`] that make no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LimitsError {
    /// Every request without a deadline would have expired on arrival.
    #[error("default_budget is 0: give requests that name no deadline some time, 5 s say")]
    NoBudget,
    /// The most is less than the usual.
    #[error("max_budget is {0:?}: set it to default_budget ({1:?}) or more")]
    MaxBudget(Duration, Duration),
    /// More than all.
    #[error("max_rejected_percent is {0}: set it from 0 to 100")]
    Percent(u32),
}
