//! A configuration that makes no sense is refused, with the field that is to blame.

use std::time::{Duration, Instant};

use taxonomy_solution::{HeartbeatConfig, Heartbeats};

fn ok() -> HeartbeatConfig {
    HeartbeatConfig::default()
}

#[test]
fn the_defaults_are_those_of_the_book() {
    let defaults =
        HeartbeatConfig { interval: Duration::from_secs(1), suspect_after: 2, dead_after: 5 };
    assert_eq!(HeartbeatConfig::default(), defaults);
}

#[test]
fn every_field_out_of_range_is_named() {
    let refusals = [
        HeartbeatConfig { interval: Duration::ZERO, ..ok() },
        HeartbeatConfig { suspect_after: 0, ..ok() },
        HeartbeatConfig { suspect_after: 5, ..ok() },
        HeartbeatConfig { dead_after: 0, ..ok() },
    ]
    .map(|config| match Heartbeats::new(config, Instant::now()) {
        Ok(_) => panic!("{config:?} was accepted"),
        Err(error) => error.to_string(),
    });

    insta::assert_snapshot!(refusals.join("\n"), @"
    interval is 0: set the time from one heartbeat to the next, 1 s for example
    suspect_after is 0: set it to 1 or more, 2 if a heartbeat may be a little late
    dead_after is 5: set it above suspect_after, which is 5
    dead_after is 0: set it above suspect_after, which is 2
    ");
}

#[test]
fn the_bounds_themselves_are_accepted() {
    for config in [
        HeartbeatConfig { interval: Duration::from_nanos(1), ..ok() },
        HeartbeatConfig { interval: Duration::MAX, ..ok() },
        HeartbeatConfig { suspect_after: 1, dead_after: 2, ..ok() },
        HeartbeatConfig { suspect_after: u32::MAX - 1, dead_after: u32::MAX, ..ok() },
    ] {
        assert_eq!(config.validate(), Ok(()), "{config:?}");
    }
}
