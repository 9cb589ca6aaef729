//! Who decides about a retry: nobody, or a budget.

use std::sync::Arc;

/// What limits the retries of a caller.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    /// No retries.
    None,
    /// Retries without a limit but their number.
    Unbounded,
    /// The reference, fed by requests.
    Requests,
    /// The reference, fed by successes.
    Successes,
    /// Your budget, fed by requests.
    YourRequests,
    /// Your budget, fed by successes.
    YourSuccesses,
}

impl Policy {
    pub const WITH_YOURS: [Self; 4] =
        [Self::None, Self::Unbounded, Self::YourRequests, Self::Requests];

    pub fn name(self) -> &'static str {
        match self {
            Self::None => "no retries",
            Self::Unbounded => "unbounded",
            Self::Requests => "10 % of requests",
            Self::Successes => "10 % of successes",
            Self::YourRequests => "yours, of requests",
            Self::YourSuccesses => "yours, of successes",
        }
    }

    /// A budget of 10 % without a floor, if there is one.
    pub fn guard(self) -> Guard {
        use {retry_budget as yours, retry_budget_solution as reference};
        let your = |feed| {
            let config = yours::Config { min_retries_per_second: 0, feed, ..Default::default() };
            Guard::Yours(Arc::new(yours::RetryBudget::new(config).expect("valid")))
        };
        let our = |feed| {
            let config =
                reference::Config { min_retries_per_second: 0, feed, ..Default::default() };
            Guard::Reference(Arc::new(reference::RetryBudget::new(config).expect("valid")))
        };
        match self {
            Self::None => Guard::NoRetries,
            Self::Unbounded => Guard::Unbounded,
            Self::Requests => our(reference::Feed::Requests),
            Self::Successes => our(reference::Feed::Successes),
            Self::YourRequests => your(yours::Feed::Requests),
            Self::YourSuccesses => your(yours::Feed::Successes),
        }
    }
}

#[derive(Clone)]
pub enum Guard {
    NoRetries,
    Unbounded,
    Yours(Arc<retry_budget::RetryBudget>),
    Reference(Arc<retry_budget_solution::RetryBudget>),
}

impl Guard {
    pub async fn call<T, E, F>(
        &self,
        max_retries: u32,
        mut operation: impl FnMut() -> F,
    ) -> Result<T, E>
    where
        F: Future<Output = Result<T, E>>,
    {
        match self {
            Self::NoRetries => operation().await,
            Self::Unbounded => {
                let mut result = operation().await;
                for _ in 0..max_retries {
                    if result.is_ok() {
                        break;
                    }
                    result = operation().await;
                }
                result
            }
            Self::Yours(budget) => budget.call(max_retries, operation).await,
            Self::Reference(budget) => budget.call(max_retries, operation).await,
        }
    }
}
