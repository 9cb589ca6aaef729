//! The parts against plainer ones: whatever health, looks, calls and time come, the two agree. The
//! models keep everything that ever happened, and count it again each time.

use std::time::Duration;

use degradation_solution::{
    Config, Degradation, DependencyHealth, LIMITS, Level, MOST_CALLS, Steady, assess,
};
use proptest::prelude::*;
use tokio::time::{Instant, advance};

/// Rates are whole thousandths, so that the model can compute with whole numbers.
fn plain_level(health: &[(bool, u64, u64)]) -> Level {
    let count = health.len() as u64;
    let unhealthy = health.iter().filter(|(healthy, rate, _)| !healthy || *rate >= 500).count();
    let rates: u64 = health.iter().map(|(_, rate, _)| rate).sum();
    let p99s: u64 = health.iter().map(|(_, _, p99)| p99).sum();
    if count == 0 || unhealthy == 0 && rates < 10 * count && p99s < 100 * count {
        Level::Normal
    } else if unhealthy <= 2 && rates < 50 * count {
        Level::Degraded
    } else if unhealthy <= 4 && rates < 200 * count {
        Level::Minimal
    } else {
        Level::Emergency
    }
}

/// All looks so far, and the level after each.
#[derive(Default)]
struct PlainSteady {
    looks: Vec<(u64, Level, Level)>,
}

impl PlainSteady {
    fn observe(&mut self, dwell: u64, assessed: Level, now: u64) -> Level {
        let (newest, _, level) = *self.looks.last().unwrap_or(&(0, Level::Normal, Level::Normal));
        let now = now.max(newest);
        let climbed_at = self
            .looks
            .windows(2)
            .rposition(|pair| pair[1].2 < pair[0].2)
            .map_or(0, |index| index + 1);
        // The looks, the last ones, that were all better than the level, at the level of today.
        let better: Vec<u64> = self.looks[climbed_at..]
            .iter()
            .rev()
            .take_while(|(_, assessed, at_level)| *assessed < level && *at_level == level)
            .map(|(at, _, _)| *at)
            .collect();
        let since = better.last().copied().unwrap_or(now);
        let next = if assessed >= level {
            assessed
        } else if now - since >= dwell {
            Level::ALL[level as usize - 1]
        } else {
            level
        };
        self.looks.push((now, assessed, next));
        next
    }
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Calls { count: usize, succeeded: bool, took: u64 },
    Wait(u64),
}

/// All calls so far.
#[derive(Default)]
struct PlainWindow {
    now: u64,
    calls: Vec<(u64, bool, u64)>,
}

impl PlainWindow {
    fn health(&self, config: &Config) -> DependencyHealth {
        let window = u64::try_from(config.window.as_millis()).expect("short");
        let newest = &self.calls[self.calls.len().saturating_sub(MOST_CALLS)..];
        let counting: Vec<_> = newest.iter().filter(|(at, _, _)| self.now - at < window).collect();
        if counting.len() < config.min_calls {
            return DependencyHealth { healthy: true, error_rate: 0.0, p99: Duration::ZERO };
        }
        let failed = counting.iter().filter(|(_, succeeded, _)| !succeeded).count();
        let mut took: Vec<u64> = counting.iter().map(|(_, _, took)| *took).collect();
        took.sort_unstable();
        // One call of a hundred may be longer.
        let p99 = took[took.len() - 1 - took.len() / 100];
        DependencyHealth {
            healthy: failed * 2 < counting.len(),
            error_rate: failed as f64 / counting.len() as f64,
            p99: Duration::from_millis(p99),
        }
    }
}

fn run_window(config: Config, steps: Vec<Step>) -> Result<(), TestCaseError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let shop = Degradation::new(config, &["search"]).expect("a valid configuration");
        let mut model = PlainWindow::default();
        for step in steps {
            match step {
                Step::Calls { count, succeeded, took } => {
                    for _ in 0..count {
                        shop.record("search", succeeded, Duration::from_millis(took))
                            .expect("known");
                        model.calls.push((model.now, succeeded, took));
                    }
                }
                Step::Wait(millis) => {
                    advance(Duration::from_millis(millis)).await;
                    model.now += millis;
                }
            }
            prop_assert_eq!(shop.health("search").expect("known"), model.health(&config));
        }
        Ok(())
    })
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0..600_usize, any::<bool>(), 0..50_u64).prop_map(|(count, succeeded, took)| Step::Calls {
            count,
            succeeded,
            took
        }),
        (0..400_u64).prop_map(Step::Wait),
    ]
}

fn level() -> impl Strategy<Value = Level> {
    prop::sample::select(Level::ALL.to_vec())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_level_is_that_of_the_plain_model(
        health in prop::collection::vec(
            (
                prop::bool::weighted(0.9),
                prop_oneof![4 => 0..30_u64, 1 => 0..=1_000_u64],
                prop_oneof![1 => 50..150_u64, 1 => Just(100)],
            ),
            0..12,
        ),
    ) {
        let given: Vec<_> = health
            .iter()
            .map(|&(healthy, rate, p99)| DependencyHealth {
                healthy,
                error_rate: rate as f64 / 1_000.0,
                p99: Duration::from_millis(p99),
            })
            .collect();
        prop_assert_eq!(assess(&given, &LIMITS), plain_level(&health));
    }

    #[test]
    fn a_steady_level_is_that_of_the_plain_model(
        dwell in 0..40_u64,
        looks in prop::collection::vec((level(), 0..30_u64, 0..10_u64), 0..60),
    ) {
        let begun = Instant::now();
        let mut steady = Steady::new(Duration::from_millis(dwell), begun);
        let (mut model, mut now, mut changes) = (PlainSteady::default(), 0, 0);
        let mut last_change = None;
        for (assessed, passed, late) in looks {
            now += passed;
            // Some looks come with a time that is older than that of the look before.
            let read = if late == 0 { now.saturating_sub(25) } else { now };
            let before = steady.level();
            let change = steady.observe(assessed, begun + Duration::from_millis(read));
            prop_assert_eq!(steady.level(), model.observe(dwell, assessed, read));
            prop_assert_eq!(change.is_some(), before != steady.level());
            if let Some(change) = change {
                changes += 1;
                prop_assert_eq!((change.from, change.to, change.number), (before, steady.level(), changes));
                if change.to < change.from {
                    prop_assert_eq!(change.from as usize - change.to as usize, 1, "one step up");
                    let since = last_change.map(|last| change.at.duration_since(last));
                    prop_assert!(since.is_some_and(|since| since >= Duration::from_millis(dwell)));
                }
                last_change = Some(change.at);
            }
        }
    }

    #[test]
    fn a_window_says_what_the_plain_model_says(
        window in 1..1_000_u64,
        min_calls in 1..200_usize,
        steps in prop::collection::vec(step(), 0..12),
    ) {
        let config =
            Config { window: Duration::from_millis(window), min_calls, ..Config::default() };
        run_window(config, steps)?;
    }
}
