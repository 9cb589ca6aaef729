//! What can be configured, what can't, and what is said of it.

use std::time::Duration;

use degradation_solution::{
    Config, ConfigError, Degradation, Fallback, FallbackConfig, LIMITS, Level, Limit, MOST_CALLS,
};

/// The message for a configuration that is refused.
fn refused(config: Config) -> String {
    Degradation::new(config, &[]).expect_err("this configuration makes no sense").to_string()
}

fn limit(level: Level, change: impl FnOnce(&mut Limit)) -> Config {
    let mut config = Config::default();
    change(&mut config.limits[level as usize]);
    config
}

#[test]
fn the_defaults_are_valid() {
    assert_eq!(Config::default().validate(), Ok(()));
    assert_eq!(FallbackConfig::default().validate(), Ok(()));
}

#[test]
fn an_error_rate_must_be_reachable() {
    for value in [0.0, 1e-10, -0.1, 1.1, f64::NAN, f64::INFINITY] {
        assert_eq!(
            refused(limit(Level::Degraded, |limit| limit.error_rate = value)),
            format!("the error_rate of degraded is {value}: set it from 0.000000001 to 1")
        );
    }
    for value in [1e-9, 1.0] {
        let limits = LIMITS.map(|limit| Limit { error_rate: value, ..limit });
        let config = Config { limits, ..Config::default() };
        assert_eq!(config.validate(), Ok(()), "{value}");
    }
}

#[test]
fn a_p99_of_zero_is_refused() {
    assert_eq!(
        refused(limit(Level::Normal, |limit| limit.p99 = Some(Duration::ZERO))),
        "the p99 of normal is 0: set it above 0, or to None for any"
    );
}

#[test]
fn a_worse_level_puts_up_with_no_less() {
    let p99 = Some(Duration::from_millis(1));
    for config in [
        limit(Level::Minimal, |limit| limit.unhealthy = 1),
        limit(Level::Minimal, |limit| limit.error_rate = 0.04),
        limit(Level::Minimal, |limit| limit.p99 = p99),
    ] {
        assert_eq!(
            refused(config),
            "minimal puts up with less than the level before it: widen its limit"
        );
    }
    let same = Config { limits: [LIMITS[0]; 3], ..Config::default() };
    assert_eq!(same.validate(), Ok(()), "levels that are never reached do no harm");
}

#[test]
fn durations_and_counts_have_bounds() {
    let day = Config::LONGEST;
    let more = day + Duration::from_nanos(1);
    assert_eq!(
        refused(Config { dwell: more, ..Config::default() }),
        "dwell is 86400.000000001s: set it from 0 to a day"
    );
    for window in [Duration::ZERO, more] {
        assert_eq!(
            refused(Config { window, ..Config::default() }),
            format!("window is {window:?}: set it from more than 0 to a day")
        );
    }
    for min_calls in [0, MOST_CALLS + 1] {
        assert_eq!(
            refused(Config { min_calls, ..Config::default() }),
            format!("min_calls is {min_calls}: set it from 1 to {MOST_CALLS}")
        );
    }
    for (dwell, window, min_calls) in
        [(Duration::ZERO, Duration::from_nanos(1), 1), (day, day, MOST_CALLS)]
    {
        let config = Config { dwell, window, min_calls, ..Config::default() };
        assert_eq!(config.validate(), Ok(()), "{config:?}");
    }
}

#[test]
fn a_fallback_has_bounds_too() {
    let good = FallbackConfig::default();
    let more = Config::LONGEST + Duration::from_nanos(1);
    let refused = |config| Fallback::new(config).expect_err("it makes no sense").to_string();
    for limit in [0, FallbackConfig::MOST + 1] {
        assert_eq!(
            refused(FallbackConfig { limit, ..good }),
            format!("limit is {limit}: set it from 1 to {}", FallbackConfig::MOST)
        );
    }
    for timeout in [Duration::ZERO, more] {
        assert_eq!(
            refused(FallbackConfig { timeout, ..good }),
            format!("timeout is {timeout:?}: set it from more than 0 to a day")
        );
    }
    assert_eq!(
        FallbackConfig { max_age: more, ..good }.validate(),
        Err(ConfigError::Duration { field: "max_age", value: more, from: "0" })
    );
    let least =
        FallbackConfig { limit: 1, timeout: Duration::from_nanos(1), max_age: Duration::ZERO };
    assert_eq!(least.validate(), Ok(()));
}
