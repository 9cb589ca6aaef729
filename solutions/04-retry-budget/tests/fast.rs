//! The fast budget: under the exercise's own spec, against the plain model, and where it differs from the
//! readable one.

use std::thread;
use std::time::Duration;

use tokio::time::advance;

// So that the spec's `retry_budget::RetryBudget` is the fast one.
extern crate self as retry_budget;
pub use retry_budget_solution::fast::*;

#[path = "../../../exercises/04-retry-budget/tests/steps/mod.rs"]
mod steps;

#[path = "shared/model.rs"]
mod model;

fn budget(config: Config) -> RetryBudget {
    RetryBudget::new(config).expect("a valid configuration")
}

/// Of a floor only, refused without the lock until the very nanosecond of its next token.
#[tokio::test(start_paused = true)]
async fn a_refusal_ends_when_the_floor_has_its_next_token() {
    // A third of a second, rounded up: 333,333,333 ns earn one billionth less than a token.
    let third = Duration::from_nanos(333_333_334);
    let budget = budget(Config { ratio: 0.0, min_retries_per_second: 3, ..Config::default() });
    for _ in 0..3 {
        budget.try_withdraw().expect("the floor is full");
    }

    for _ in 0..50 {
        assert_eq!(budget.try_withdraw(), Err(Exhausted));
        advance(third - Duration::from_nanos(1)).await;
        assert_eq!(budget.try_withdraw(), Err(Exhausted), "one nanosecond too early");
        advance(Duration::from_nanos(1)).await;
        assert_eq!(budget.try_withdraw(), Ok(()));
        // So that the parts of a nanosecond don't add up.
        advance(Duration::from_secs(1) - third).await;
        for _ in 0..2 {
            assert_eq!(budget.try_withdraw(), Ok(()));
        }
    }
}

/// The clock is read with no lock held, so a thread may come with an old time, and pay into the newest slot.
#[test]
fn between_threads_no_deposit_is_lost_and_no_token_spent_twice() {
    const THREADS: u64 = 4;
    const DEPOSITS: u64 = 20_000;
    // The shortest window: slots of 0.1 ms end all the time. Nothing may be earned from what expired, and
    // every look takes the sum back.
    for window in [Config::SHORTEST, Config::LONGEST] {
        let (ratio, min_retries_per_second) = (0.5, 0);
        let config = Config { ratio, min_retries_per_second, window, ..Config::default() };
        let budget = budget(config);
        let granted: u64 = thread::scope(|scope| {
            let callers = (0..THREADS).map(|_| {
                let budget = &budget;
                scope.spawn(move || {
                    let mut granted = 0;
                    for deposit in 0..DEPOSITS {
                        budget.record_request();
                        granted += u64::from(budget.try_withdraw().is_ok());
                        if deposit % 64 == 0 {
                            budget.balance();
                        }
                    }
                    granted
                })
            });
            callers.collect::<Vec<_>>().into_iter().map(|c| c.join().expect("no panic")).sum()
        });
        let earned = THREADS * DEPOSITS / 2;
        if window == Config::LONGEST {
            assert_eq!(granted + budget.balance(), earned, "nothing has expired");
        } else {
            assert!(granted <= earned, "{granted} of {earned}");
        }
    }
}
