//! A configuration that makes no sense is refused, with the field that is to blame.

use std::time::Duration;

use load_shedding_solution::{
    Aimd, Config, ConfigError, Fair, FairConfig, Gradient, Limit, Shedder, Throttle, ThrottleConfig,
};

fn limit(limit: Limit) -> Result<(), ConfigError> {
    Config { limit, ..Config::default() }.validate()
}

#[test]
fn every_field_out_of_range_is_named() {
    let config = Config::default;
    let (aimd, gradient) = (Aimd::default, Gradient::default);
    let (throttle, fair) = (ThrottleConfig::default, FairConfig::default);
    let refusals = [
        limit(Limit::Fixed(0)),
        limit(Limit::Aimd(Aimd { min: 0, ..aimd() })),
        limit(Limit::Aimd(Aimd { initial: 2_000, ..aimd() })),
        limit(Limit::Aimd(Aimd { decrease: 1.0, ..aimd() })),
        limit(Limit::Aimd(Aimd { decrease: f64::NAN, ..aimd() })),
        limit(Limit::Gradient(Gradient { initial: 2, ..gradient() })),
        limit(Limit::Gradient(Gradient { tolerance: 0.9, ..gradient() })),
        limit(Limit::Gradient(Gradient { window: 0, ..gradient() })),
        limit(Limit::Gradient(Gradient { probe_calls: 0, ..gradient() })),
        limit(Limit::Gradient(Gradient { probe_every: Duration::ZERO, ..gradient() })),
        limit(Limit::Gradient(Gradient { probe_jitter: 1.1, ..gradient() })),
        Config { interval: Duration::MAX, ..config() }.validate(),
        Config { target: Duration::from_millis(101), ..config() }.validate(),
        Config { retry_after: Duration::ZERO, ..config() }.validate(),
        ThrottleConfig { k: 0.9, ..throttle() }.validate(),
        ThrottleConfig { window: Duration::from_millis(9), ..throttle() }.validate(),
        FairConfig { per_second: 0, ..fair() }.validate(),
        FairConfig { burst: 1_000_001, ..fair() }.validate(),
        FairConfig { max_tenants: 0, ..fair() }.validate(),
    ]
    .map(|refused| refused.expect_err("it is out of range").to_string())
    .join("\n");

    insta::assert_snapshot!(refusals, @"
    limit is 0: set it to at least 1
    min is 0: set it to at least 1
    the limit begins at 2000, outside of 1 to 1000: set min ≤ initial ≤ max
    decrease is 1: set it from 0.1 to 0.99
    decrease is NaN: set it from 0.1 to 0.99
    the limit begins at 2, outside of 3 to 1000: set min ≤ initial ≤ max
    tolerance is 0.9: set it from 1 to 10
    window is 0: set it to at least 1
    probe_calls is 0: set it to at least 1
    probe_every is 0ns: its range is in the documentation of the field
    probe_jitter is 1.1: set it from 0 to 1
    interval is 18446744073709551615.999999999s: its range is in the documentation of the field
    target is 101ms: its range is in the documentation of the field
    retry_after is 0ns: its range is in the documentation of the field
    k is 0.9: set it from 1 to 100
    window is 9ms: its range is in the documentation of the field
    per_second is 0: set it to at least 1
    burst is 1000001: set it from 1 to 1000000
    max_tenants is 0: set it to at least 1
    ");
}

#[test]
fn the_defaults_are_accepted() {
    assert!(Shedder::new(Config::default()).is_ok());
    for adaptive in [Limit::Aimd(Aimd::default()), Limit::Gradient(Gradient::default())] {
        assert!(Shedder::new(Config { limit: adaptive, ..Config::default() }).is_ok());
    }
    assert!(Throttle::new(&ThrottleConfig::default()).is_ok());
    assert!(Fair::new(&FairConfig::default()).is_ok());
}
