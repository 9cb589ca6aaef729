//! A budget of 10 % without a floor around the tries.

use std::sync::Arc;

use super::subject::{Config, Feed, RetryBudget};
use crate::policy::Guard;

pub fn of_requests() -> Guard {
    guard(Feed::Requests)
}

pub fn of_successes() -> Guard {
    guard(Feed::Successes)
}

fn guard(feed: Feed) -> Guard {
    let config = Config { min_retries_per_second: 0, feed, ..Config::default() };
    let budget = Arc::new(RetryBudget::new(config).expect("valid"));
    Arc::new(move |max_retries, one_try| {
        let budget = Arc::clone(&budget);
        Box::pin(async move { budget.call(max_retries, || one_try()).await })
    })
}
