//! A configuration that makes no sense is refused, with the field that is to blame.

use std::time::Duration;

use circuit_breaker_solution::{CircuitBreaker, Config, ConfigError};

fn refused(config: &Config) -> String {
    match CircuitBreaker::new(config.clone()) {
        Ok(_) => panic!("{config:?} was accepted"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn the_defaults_are_those_of_the_book() {
    let defaults = Config {
        failure_threshold: 5,
        failure_rate_threshold: 0.5,
        window_size: 50,
        min_calls: 10,
        open_for: Duration::from_secs(30),
        open_jitter: 0.0,
        half_open_max_calls: 3,
        success_threshold: 3,
        probe_lease: Duration::from_secs(60),
        slow_call_threshold: None,
    };
    assert_eq!(Config::default(), defaults);
    assert!(CircuitBreaker::new(defaults).is_ok());
}

#[test]
fn every_field_out_of_range_is_named() {
    let ok = Config::default;
    let day = Duration::from_secs(24 * 60 * 60);
    let (zero, too_long) = (Duration::ZERO, day + Duration::from_nanos(1));
    let refusals = [
        Config { failure_threshold: 0, ..ok() },
        Config { window_size: 0, ..ok() },
        Config { min_calls: 0, ..ok() },
        Config { min_calls: 51, ..ok() },
        Config { half_open_max_calls: 0, ..ok() },
        Config { success_threshold: 0, ..ok() },
        Config { failure_rate_threshold: 0.0, ..ok() },
        Config { failure_rate_threshold: 1.01, ..ok() },
        Config { failure_rate_threshold: f64::NAN, ..ok() },
        Config { open_jitter: -0.1, ..ok() },
        Config { open_jitter: f64::INFINITY, ..ok() },
        Config { open_for: zero, ..ok() },
        Config { open_for: too_long, ..ok() },
        Config { probe_lease: zero, ..ok() },
        Config { slow_call_threshold: Some(too_long), ..ok() },
    ]
    .iter()
    .map(refused)
    .collect::<Vec<_>>()
    .join("\n");

    insta::assert_snapshot!(refusals, @"
    failure_threshold is 0: set it to at least 1
    window_size is 0: set it to at least 1
    min_calls is 0: set it to at least 1
    min_calls is 51, but the window holds 50: lower min_calls
    half_open_max_calls is 0: set it to at least 1
    success_threshold is 0: set it to at least 1
    failure_rate_threshold is 0: set it to a share above 0 and at most 1
    failure_rate_threshold is 1.01: set it to a share above 0 and at most 1
    failure_rate_threshold is NaN: set it to a share above 0 and at most 1
    open_jitter is -0.1: set it to a share from 0 to 1
    open_jitter is inf: set it to a share from 0 to 1
    open_for is 0ns: set it to more than zero and at most a day
    open_for is 86400.000000001s: set it to more than zero and at most a day
    probe_lease is 0ns: set it to more than zero and at most a day
    slow_call_threshold is 86400.000000001s: set it to more than zero and at most a day
    ");
}

#[test]
fn the_bounds_themselves_are_accepted() {
    let day = Duration::from_secs(24 * 60 * 60);
    let widest = Config {
        failure_rate_threshold: 1.0,
        open_jitter: 1.0,
        open_for: day,
        probe_lease: day,
        slow_call_threshold: Some(day),
        min_calls: 50,
        ..Config::default()
    };
    let narrowest = Config {
        failure_threshold: 1,
        failure_rate_threshold: f64::MIN_POSITIVE,
        window_size: 1,
        min_calls: 1,
        open_for: Duration::from_nanos(1),
        half_open_max_calls: 1,
        success_threshold: 1,
        probe_lease: Duration::from_nanos(1),
        ..Config::default()
    };
    assert_eq!((widest.validate(), narrowest.validate()), (Ok(()), Ok(())));
    assert_eq!(
        Config { open_for: day * 2, ..narrowest }.validate(),
        Err(ConfigError::Duration { field: "open_for", value: day * 2 })
    );
}
