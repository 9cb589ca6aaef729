//! A configuration that makes no sense is refused, with the field that is to blame.

use std::time::Duration;

use retry_budget_solution::{Config, ConfigError, Feed, RetryBudget};

const NANOSECOND: Duration = Duration::from_nanos(1);

fn refused(config: &Config) -> String {
    match RetryBudget::new(*config) {
        Ok(_) => panic!("{config:?} was accepted"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn the_defaults_are_those_of_the_book() {
    let defaults = Config {
        ratio: 0.1,
        min_retries_per_second: 10,
        window: Duration::from_secs(1),
        feed: Feed::Requests,
    };
    assert_eq!(Config::default(), defaults);
    assert!(RetryBudget::new(defaults).is_ok());
}

#[test]
fn every_field_out_of_range_is_named() {
    let ok = Config::default;
    let refusals = [
        Config { ratio: -0.1, ..ok() },
        Config { ratio: 1.000_000_1, ..ok() },
        Config { ratio: 10.0, ..ok() },
        Config { ratio: f64::NAN, ..ok() },
        Config { ratio: f64::INFINITY, ..ok() },
        Config { window: Duration::ZERO, ..ok() },
        Config { window: Config::SHORTEST - NANOSECOND, ..ok() },
        Config { window: Config::LONGEST + NANOSECOND, ..ok() },
        Config { window: Duration::MAX, ..ok() },
    ]
    .iter()
    .map(refused)
    .collect::<Vec<_>>()
    .join("\n");

    insta::assert_snapshot!(refusals, @"
    ratio is -0.1: set it from 0 to 1, 0.1 for one retry in ten requests
    ratio is 1.0000001: set it from 0 to 1, 0.1 for one retry in ten requests
    ratio is 10: set it from 0 to 1, 0.1 for one retry in ten requests
    ratio is NaN: set it from 0 to 1, 0.1 for one retry in ten requests
    ratio is inf: set it from 0 to 1, 0.1 for one retry in ten requests
    window is 0ns: set it from 1 ms to 60 s
    window is 999.999µs: set it from 1 ms to 60 s
    window is 60.000000001s: set it from 1 ms to 60 s
    window is 18446744073709551615.999999999s: set it from 1 ms to 60 s
    ");
}

#[test]
fn the_bounds_themselves_are_accepted() {
    for ratio in [0.0, 1.0] {
        for window in [Config::SHORTEST, Config::LONGEST] {
            let config = Config { ratio, window, ..Config::default() };
            assert_eq!(config.validate(), Ok(()), "{config:?}");
        }
    }
    assert_eq!(
        Config { ratio: 2.0, ..Config::default() }.validate(),
        Err(ConfigError::Ratio(2.0)),
        "two retries a request are no budget"
    );
}

#[test]
fn the_largest_floor_neither_overflows_nor_runs_dry() {
    let config = Config { min_retries_per_second: u32::MAX, ..Config::default() };
    let budget = RetryBudget::new(config).expect("a valid configuration");

    assert_eq!(budget.balance(), u64::from(u32::MAX));
    for _ in 0..1_000 {
        assert_eq!(budget.try_withdraw(), Ok(()));
    }
}
