//! A configuration that makes no sense is refused, with the field that is to blame.

use std::sync::Arc;
use std::time::Duration;

use hedging_solution::{Budget, ConfigError, Delay, Hedger, Pool};

fn hedger(delay: Delay) -> Result<(), ConfigError> {
    let budget = Arc::new(Budget::new(10, 10).expect("a valid budget"));
    Hedger::new(delay, budget).map(|_| ())
}

fn percentile(percent: usize, window: usize, min_samples: usize) -> Result<(), ConfigError> {
    hedger(Delay::Percentile { percent, window, min_samples })
}

#[test]
fn the_defaults_are_those_of_the_book() {
    let defaults = Delay::Percentile { percent: 95, window: 1_000, min_samples: 100 };
    assert_eq!(Delay::default(), defaults);
    assert_eq!(hedger(Delay::default()), Ok(()));
}

#[test]
fn every_field_out_of_range_is_named() {
    let refusals = [
        percentile(0, 100, 10),
        percentile(100, 100, 10),
        percentile(95, 0, 1),
        percentile(95, Delay::MOST_SAMPLES + 1, 10),
        percentile(95, usize::MAX, usize::MAX),
        percentile(95, 100, 0),
        percentile(95, 100, 101),
        Budget::new(101, 10).map(|_| ()),
        Pool::new(0, 8).map(|_| ()),
        Pool::new(3, 0).map(|_| ()),
    ]
    .map(|refused| refused.expect_err("it is out of range").to_string())
    .join("\n");

    insta::assert_snapshot!(refusals, @"
    percent is 0: set it from 1 to 99, 95 to hedge one call in twenty
    percent is 100: set it from 1 to 99, 95 to hedge one call in twenty
    window is 0: keep 1 to 100,000 samples
    window is 100001: keep 1 to 100,000 samples
    window is 18446744073709551615: keep 1 to 100,000 samples
    min_samples is 0: set it from 1 to the window, 100
    min_samples is 101: set it from 1 to the window, 100
    percent of a budget is 101: set it from 0 to 100, 10 for one hedge in ten successes
    a pool of 0 instances with 8 places each: give it 1 or more of both
    a pool of 3 instances with 0 places each: give it 1 or more of both
    ");
}

#[test]
fn the_bounds_themselves_are_accepted() {
    for delay in [Duration::ZERO, Duration::MAX] {
        assert_eq!(hedger(Delay::Fixed(delay)), Ok(()), "{delay:?}");
    }
    let most = Delay::MOST_SAMPLES;
    for (percent, window, min_samples) in [(1, 1, 1), (99, 1, 1), (95, most, 1), (95, most, most)] {
        assert_eq!(percentile(percent, window, min_samples), Ok(()), "{percent} of {window}");
    }
    for (percent, most) in [(0, 0), (100, u32::MAX)] {
        assert!(Budget::new(percent, most).is_ok(), "{percent} of {most}");
    }
    assert!(Pool::new(1, 1).is_ok());
}
