//! A configuration that makes no sense is refused, with the field that is to blame.

use std::time::Duration;

use bulkhead_solution::{Bulkhead, Config, Registry, Workload, size_for};

const NANOSECOND: Duration = Duration::from_nanos(1);

fn refused(config: &Config) -> String {
    match Bulkhead::new(*config) {
        Ok(_) => panic!("{config:?} was accepted"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn the_defaults_are_those_of_the_book() {
    let defaults = Config { max_concurrent: 10, max_waiting: 5, max_wait: Duration::from_secs(30) };
    assert_eq!(Config::default(), defaults);
    assert!(Bulkhead::new(defaults).is_ok());
}

#[test]
fn every_field_out_of_range_is_named() {
    let ok = Config::default;
    let refusals = [
        Config { max_concurrent: 0, ..ok() },
        Config { max_wait: Duration::ZERO, ..ok() },
        Config { max_wait: Config::SHORTEST - NANOSECOND, ..ok() },
        Config { max_wait: Config::LONGEST + NANOSECOND, max_waiting: 0, ..ok() },
    ]
    .iter()
    .map(refused)
    .collect::<Vec<_>>()
    .join("\n");

    insta::assert_snapshot!(refusals, @"
    max_concurrent is 0: nobody would ever get in, so set it to 1 or more
    max_wait is 0ns: set it from 1 ms to 1 h, or max_waiting to 0 if nobody may wait
    max_wait is 999.999µs: set it from 1 ms to 1 h, or max_waiting to 0 if nobody may wait
    max_wait is 3600.000000001s: set it from 1 ms to 1 h, or max_waiting to 0 if nobody may wait
    ");
}

#[test]
fn the_bounds_themselves_are_accepted() {
    for (max_concurrent, max_waiting) in [(1, 0), (usize::MAX, usize::MAX)] {
        for max_wait in [Config::SHORTEST, Config::LONGEST] {
            let config = Config { max_concurrent, max_waiting, max_wait };
            assert_eq!(config.validate(), Ok(()), "{config:?}");
            assert!(Bulkhead::new(config).expect("valid").try_acquire().is_ok());
        }
    }
}

#[test]
fn messages_say_what_to_do() {
    let one = Config { max_concurrent: 1, max_waiting: 0, ..Config::default() };
    let bulkhead = Bulkhead::new(one).expect("valid");
    let _permit = bulkhead.try_acquire().expect("free");
    let registry = Registry::new();
    let made = registry.get_or_create("payments", one).expect("it is made");
    let nonsense = [
        Workload { arrivals_per_second: 0.0, service_time: NANOSECOND, utilisation: 1.0 },
        Workload { arrivals_per_second: 1.0, service_time: Duration::ZERO, utilisation: 1.0 },
        Workload { arrivals_per_second: 1.0, service_time: NANOSECOND, utilisation: 80.0 },
    ];
    let mut messages = vec![
        bulkhead.try_acquire().expect_err("full").to_string(),
        registry.get_or_create("payments", Config::default()).expect_err("differs").to_string(),
        registry
            .get_or_create("x", Config { max_concurrent: 0, ..one })
            .expect_err("none")
            .to_string(),
    ];
    messages.extend(nonsense.map(|load| size_for(load).expect_err("nonsense").to_string()));

    insta::assert_snapshot!(messages.join("\n"), @r#"
    bulkhead is full (1 of 1 places taken, 0 of 0 waiting): shed the request or use a fallback
    bulkhead "payments" exists with Config { max_concurrent: 1, max_waiting: 0, max_wait: 30s }, and was asked for with Config { max_concurrent: 10, max_waiting: 5, max_wait: 30s }: configure it in one place, or choose another name
    bulkhead "x" can't be made: max_concurrent is 0: nobody would ever get in, so set it to 1 or more
    arrivals_per_second is 0: give a rate above 0 and at most 1,000,000
    service_time is 0ns: give the mean time that a call takes, above 0 and at most 1 h
    utilisation is 80: give the share of places in use, 0.01 to 1, 0.8 for a fifth in reserve
    "#);
    drop(made);
}
