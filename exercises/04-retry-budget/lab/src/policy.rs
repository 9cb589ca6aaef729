//! Who decides about a retry: nobody, or a budget.

use std::pin::Pin;
use std::sync::Arc;

use lab_kit::Whose;
use storm::Failure;

use crate::reference;
#[cfg(feature = "yours")]
use crate::yours;

/// One try of a call.
pub type Try = Pin<Box<dyn Future<Output = Result<(), Failure>> + Send>>;

/// Makes as many tries as it likes: one, and up to so many retries.
pub type Guard = Arc<dyn Fn(u32, Arc<dyn Fn() -> Try + Send + Sync>) -> Try + Send + Sync>;

/// What limits the retries of a caller.
#[derive(Clone, Copy)]
pub struct Policy {
    pub whose: Whose,
    pub name: &'static str,
    /// All calls of one caller go through one guard.
    pub guard: fn() -> Guard,
}

pub const NO_RETRIES: Policy =
    Policy { whose: Whose::Naive, name: "no retries", guard: || Arc::new(|_, one_try| one_try()) };
pub const UNBOUNDED: Policy = Policy {
    whose: Whose::Naive,
    name: "unbounded",
    guard: || {
        Arc::new(|max_retries, one_try| {
            Box::pin(async move {
                let mut result = one_try().await;
                for _ in 0..max_retries {
                    if result.is_ok() {
                        break;
                    }
                    result = one_try().await;
                }
                result
            })
        })
    },
};
#[cfg(feature = "yours")]
pub const YOUR_REQUESTS: Policy =
    Policy { whose: Whose::Yours, name: "yours, of requests", guard: yours::budget::of_requests };
pub const REQUESTS: Policy = Policy {
    whose: Whose::Reference,
    name: "10 % of requests",
    guard: reference::budget::of_requests,
};
pub const SUCCESSES: Policy = Policy {
    whose: Whose::Reference,
    name: "10 % of successes",
    guard: reference::budget::of_successes,
};
#[cfg(feature = "yours")]
pub const YOUR_SUCCESSES: Policy =
    Policy { whose: Whose::Yours, name: "yours, of successes", guard: yours::budget::of_successes };
