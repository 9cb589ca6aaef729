//! What the checks share: ways to make a budget and to ask it.
//!
//! Time is virtual: `#[tokio::test(start_paused = true)]` stops tokio's clock, and `wait` moves it.

use std::time::Duration;

use retry_budget::{Config, RetryBudget};

mod step_1_ratio;
mod step_2_floor;
mod step_3_window;
mod step_4_share;
mod step_5_amplify;
mod step_6_recover;

const SECOND: Duration = Duration::from_secs(1);
const MILLISECOND: Duration = Duration::from_millis(1);
const NANOSECOND: Duration = Duration::from_nanos(1);

fn budget(config: Config) -> RetryBudget {
    RetryBudget::new(config).expect("this configuration is valid")
}

/// Every retry has to be earned.
fn share_only(ratio: f64) -> Config {
    Config { ratio, min_retries_per_second: 0, ..Config::default() }
}

/// No retry can be earned.
fn floor_only(min_retries_per_second: u32) -> Config {
    Config { ratio: 0.0, min_retries_per_second, ..Config::default() }
}

fn requests(budget: &RetryBudget, count: usize) {
    for _ in 0..count {
        budget.record_request();
    }
}

/// How many retries are granted to somebody who asks until he is refused, so many times at most.
fn granted(budget: &RetryBudget, asked: usize) -> usize {
    (0..asked).take_while(|_| budget.try_withdraw().is_ok()).count()
}

/// Moves the clock.
async fn wait(time: Duration) {
    tokio::time::advance(time).await;
}
