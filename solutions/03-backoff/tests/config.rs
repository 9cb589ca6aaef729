//! A configuration that makes no sense is refused, with the field that is to blame.

use std::time::Duration;

use backoff_solution::{Backoff, Config, Jitter, Limits, Retry};

const NANOSECOND: Duration = Duration::from_nanos(1);

fn refused(config: Config) -> String {
    match Backoff::new(config) {
        Ok(_) => panic!("{config:?} was accepted"),
        Err(error) => error.to_string(),
    }
}

fn limited(limits: Limits) -> Result<Retry, String> {
    let backoff = Backoff::new(Config::default()).expect("the defaults are valid");
    Retry::new(backoff, limits).map_err(|error| error.to_string())
}

#[test]
fn the_defaults_are_those_of_the_book() {
    let defaults = Config {
        base: Duration::from_millis(100),
        factor: 2,
        cap: Duration::from_secs(30),
        jitter: Jitter::Additive(Duration::from_millis(100)),
    };
    assert_eq!(Config::default(), defaults);
    assert_eq!(Limits::default(), Limits { max_attempts: 3, max_total: None });
    assert!(limited(Limits::default()).is_ok());
}

#[test]
fn every_field_out_of_range_is_named() {
    let ok = Config::default;
    let additive = |jitter| Config { jitter: Jitter::Additive(jitter), ..ok() };
    let configs = [
        Config { base: Duration::ZERO, ..ok() },
        Config { factor: 0, ..ok() },
        Config { cap: Duration::from_millis(99), ..ok() },
        additive(Duration::ZERO),
        additive(Duration::from_secs(30) + NANOSECOND),
    ];
    let limits = [
        Limits { max_attempts: 0, ..Limits::default() },
        Limits { max_total: Some(Duration::ZERO), ..Limits::default() },
    ];
    let refusals: Vec<String> = configs
        .into_iter()
        .map(refused)
        .chain(limits.into_iter().map(|limits| limited(limits).expect_err("out of range")))
        .collect();

    insta::assert_snapshot!(refusals.join("\n"), @"
    base is 0: set it to more than zero
    factor is 0: set it to 1 for delays that don't grow, 2 for delays that double
    cap is 99ms, but base is 100ms: raise the cap or lower the base
    additive jitter is 0ns: set it to more than zero and at most the cap of 30s, or use Jitter::None
    additive jitter is 30.000000001s: set it to more than zero and at most the cap of 30s, or use Jitter::None
    max_attempts is 0: set it to at least 1, the first attempt is one of them
    max_total is 0: set it to more than zero, or to None for no limit
    ");
}

#[test]
fn the_bounds_themselves_are_accepted() {
    for extreme in [NANOSECOND, Duration::MAX] {
        let config =
            Config { base: extreme, factor: 1, cap: extreme, jitter: Jitter::Additive(extreme) };
        assert!(Backoff::new(config).is_ok(), "{config:?}");
    }
    assert!(limited(Limits { max_attempts: 1, max_total: Some(NANOSECOND) }).is_ok());
}
