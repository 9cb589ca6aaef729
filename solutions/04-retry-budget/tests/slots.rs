//! What ten slots cost against an exact window, at the worst moment.

use std::time::Duration;

use retry_budget_solution::{Config, RetryBudget};
use tokio::time::advance;

/// A request each millisecond; from 994 ms on somebody asks for all that he can get.
#[tokio::test(start_paused = true)]
async fn a_span_that_straddles_the_slots_sees_nearly_twice_the_share() {
    let config = Config { min_retries_per_second: 0, ..Config::default() };
    let budget = RetryBudget::new(config).expect("a valid configuration");
    let mut grants = Vec::new();
    for millisecond in 0..2_000 {
        budget.record_request();
        while millisecond >= 994 && budget.try_withdraw().is_ok() {
            grants.push(millisecond);
        }
        advance(Duration::from_millis(1)).await;
    }

    let within = |from, to| grants.iter().filter(|at| (from..=to).contains(*at)).count();
    // The slot from 900 ms on, with what was spent in it, leaves the ring at 1,900 ms.
    assert_eq!(within(994, 999), 100);
    assert_eq!(within(1_000, 1_899), 0);
    assert_eq!(within(990, 1_989), 199, "in one second, of 1,000 requests");
    assert_eq!(
        grants.len(),
        200,
        "of 2,000 requests: whatever a window sees, it is a tenth from the beginning on"
    );
}
