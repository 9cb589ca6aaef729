//! The budget against a second, plainer one: whatever callers and time do, in whatever order, the two
//! agree on every answer. The model keeps every deposit and every retry for ever and counts them again
//! each time; it knows no ring, no running sum and no level.

use std::time::Duration;

use proptest::prelude::*;
use tokio::time::advance;

// Of whatever budget the test file that includes this has.
use crate::{Config, Exhausted, Feed, RetryBudget};

const TOKEN: i128 = 1_000_000_000;

#[derive(Debug, Clone, Copy)]
enum Step {
    Requests(usize),
    Successes(usize),
    Withdraw(usize),
    Wait(Duration),
}

/// Times are nanoseconds since the budget was made.
struct Model {
    config: Config,
    now: i128,
    deposits: Vec<i128>,
    earned_retries: Vec<i128>,
    floor_retries: Vec<i128>,
}

impl Model {
    /// The deposits that count are worth so much more than the retries that count.
    fn earned(&self) -> i128 {
        let slot = (self.config.window / 10).as_nanos().cast_signed();
        let counts = |at: &&i128| self.now / slot - **at / slot < 10;
        let worth = |times: &[i128]| times.iter().filter(counts).count() as i128;
        #[expect(clippy::cast_possible_truncation, reason = "a ratio is 0 to 1")]
        let deposit = (self.config.ratio * 1e9).round() as i128;
        worth(&self.deposits) * deposit - worth(&self.earned_retries) * TOKEN
    }

    /// A token bucket without a level: from any retry on, no more was spent than a full bucket and
    /// what came in since. What the tightest of these leaves is what there is.
    fn floor(&self) -> i128 {
        let rate = i128::from(self.config.min_retries_per_second);
        let retries = &self.floor_retries;
        let left = |(index, at): (usize, &i128)| {
            rate * (TOKEN + self.now - at) - (retries.len() - index) as i128 * TOKEN
        };
        retries.iter().enumerate().map(left).min().unwrap_or(rate * TOKEN).min(rate * TOKEN)
    }

    fn record(&mut self, what: Feed) {
        if self.config.feed == what {
            self.deposits.push(self.now);
        }
    }

    fn withdraw(&mut self) -> Result<(), Exhausted> {
        if self.earned() >= TOKEN {
            self.earned_retries.push(self.now);
        } else if self.floor() >= TOKEN {
            self.floor_retries.push(self.now);
        } else {
            return Err(Exhausted);
        }
        Ok(())
    }

    fn balance(&self) -> i128 {
        self.earned().max(0) / TOKEN + self.floor() / TOKEN
    }
}

fn run(config: Config, steps: Vec<Step>) -> Result<(), TestCaseError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let budget = RetryBudget::new(config).expect("a valid configuration");
        let mut model = Model {
            config,
            now: 0,
            deposits: Vec::new(),
            earned_retries: Vec::new(),
            floor_retries: Vec::new(),
        };
        for step in steps {
            match step {
                Step::Requests(count) => (0..count).for_each(|_| {
                    budget.record_request();
                    model.record(Feed::Requests);
                }),
                Step::Successes(count) => (0..count).for_each(|_| {
                    budget.record_success();
                    model.record(Feed::Successes);
                }),
                Step::Withdraw(count) => {
                    for _ in 0..count {
                        prop_assert_eq!(budget.try_withdraw(), model.withdraw());
                    }
                }
                Step::Wait(time) => {
                    advance(time).await;
                    model.now += time.as_nanos().cast_signed();
                }
            }
            prop_assert_eq!(i128::from(budget.balance()), model.balance(), "after {:?}", step);
        }
        Ok(())
    })
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (0..40_usize).prop_map(Step::Requests),
        3 => (0..40_usize).prop_map(Step::Successes),
        3 => (0..20_usize).prop_map(Step::Withdraw),
        4 => (0..400_u64).prop_map(|ms| Step::Wait(Duration::from_millis(ms))),
        1 => (0..5_000_000_000_u64).prop_map(|ns| Step::Wait(Duration::from_nanos(ns))),
    ]
}

fn config() -> impl Strategy<Value = Config> {
    let ratios = vec![0.0, 0.1, 0.15, 0.5, 2.0 / 3.0, 1.0];
    let windows = vec![1, 7, 250, 1_000, 3_333];
    let feeds = vec![Feed::Requests, Feed::Successes];
    (
        prop::sample::select(ratios),
        0..15_u32,
        prop::sample::select(windows),
        prop::sample::select(feeds),
    )
        .prop_map(|(ratio, min_retries_per_second, window, feed)| Config {
            ratio,
            min_retries_per_second,
            window: Duration::from_millis(window),
            feed,
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn it_does_what_the_plain_model_does(
        config in config(),
        steps in prop::collection::vec(step(), 0..60),
    ) {
        run(config, steps)?;
    }
}
