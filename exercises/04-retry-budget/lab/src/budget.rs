//! Budgets around the tries.

use std::sync::Arc;

use super::subject::{Config, Feed, RetryBudget};
use crate::code::{self, Budget, Code, Setting};
use crate::policy::Guard;

pub fn of_requests() -> Guard {
    guard(Config { min_retries_per_second: 0, ..Config::default() })
}

pub fn of_successes() -> Guard {
    guard(Config { min_retries_per_second: 0, feed: Feed::Successes, ..Config::default() })
}

/// What the trials try.
pub const CODE: Code = Code {
    budget: |setting| Arc::new(RetryBudget::new(config(setting)).expect("valid")),
    guard: |setting| guard(config(setting)),
};

fn config(setting: Setting) -> Config {
    Config {
        ratio: setting.ratio,
        min_retries_per_second: setting.floor,
        window: setting.window,
        feed: match setting.feed {
            code::Feed::Requests => Feed::Requests,
            code::Feed::Successes => Feed::Successes,
        },
    }
}

fn guard(config: Config) -> Guard {
    let budget = Arc::new(RetryBudget::new(config).expect("valid"));
    Arc::new(move |max_retries, one_try| {
        let budget = Arc::clone(&budget);
        Box::pin(async move { budget.call(max_retries, || one_try()).await })
    })
}

impl Budget for RetryBudget {
    fn record_request(&self) {
        RetryBudget::record_request(self);
    }

    fn withdraw(&self) -> bool {
        self.try_withdraw().is_ok()
    }
}
