//! Limits and chains that make no sense are refused, with what is to blame.

use std::time::Duration;

use deadline_solution::{Chain, Gate, Limits, Link};

const SECOND: Duration = Duration::from_secs(1);
const NANOSECOND: Duration = Duration::from_nanos(1);

#[tokio::test(start_paused = true)]
async fn the_defaults_are_those_of_the_book() {
    let defaults =
        Limits { default_budget: 5 * SECOND, max_budget: 30 * SECOND, max_rejected_percent: 20 };
    assert_eq!(Limits::default(), defaults);
    assert!(Gate::new(defaults).is_ok());
}

#[tokio::test(start_paused = true)]
async fn every_field_out_of_range_is_named() {
    let ok = Limits::default;
    let refusals = [
        Limits { default_budget: Duration::ZERO, ..ok() },
        Limits { max_budget: 5 * SECOND - NANOSECOND, ..ok() },
        Limits { max_rejected_percent: 101, ..ok() },
    ]
    .map(|limits| Gate::new(limits).expect_err("out of range").to_string());

    insta::assert_snapshot!(refusals.join("\n"), @"
    default_budget is 0: give requests that name no deadline some time, 5 s say
    max_budget is 4.999999999s: set it to default_budget (5s) or more
    max_rejected_percent is 101: set it from 0 to 100
    ");
}

#[tokio::test(start_paused = true)]
async fn the_bounds_themselves_are_accepted() {
    for max_rejected_percent in [0, 100] {
        for budget in [NANOSECOND, Duration::MAX] {
            let limits =
                Limits { default_budget: budget, max_budget: budget, max_rejected_percent };
            assert!(Gate::new(limits).is_ok(), "{limits:?}");
        }
    }
}

#[test]
fn a_chain_that_calls_nobody_is_refused() {
    let refusals = [
        Vec::new(),
        vec![Link::new("shop", SECOND), Link::new("stock", Duration::ZERO)],
        vec![Link { tries: 0, ..Link::new("shop", SECOND) }],
    ]
    .map(|links| Chain::new(links).expect_err("no chain").to_string());

    insta::assert_snapshot!(refusals.join("\n"), @"
    the chain has no links: name the outermost service first
    the timeout of stock is 0: give the time that its caller waits for one try
    shop has 0 tries: give 1 for a call that is not repeated
    ");
}
