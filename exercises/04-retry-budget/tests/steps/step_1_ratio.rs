//! Step 1: retries are a share of the requests, and 15 % is 15 %.

use std::fmt::Write as _;

use retry_budget::Exhausted;

use super::{budget, granted, requests, share_only};

#[tokio::test(start_paused = true)]
async fn ten_requests_earn_one_retry() {
    let budget = budget(share_only(0.1));

    requests(&budget, 9);
    assert_eq!(budget.try_withdraw(), Err(Exhausted), "nine tenths of a token are no token");
    requests(&budget, 1);

    assert_eq!(budget.try_withdraw(), Ok(()), "the tenth request completes a token");
    assert_eq!(budget.try_withdraw(), Err(Exhausted), "which can be spent once");
}

#[tokio::test(start_paused = true)]
async fn without_a_request_there_is_no_retry() {
    let budget = budget(share_only(0.1));

    assert_eq!(
        budget.try_withdraw(),
        Err(Exhausted),
        "10 % of nothing is nothing: a ratio that can't be divided by zero requests is no leave to \
         retry without limit"
    );
}

#[tokio::test(start_paused = true)]
async fn the_share_is_exact_over_100_000_requests() {
    let mut table = String::new();

    for ratio in [0.001, 0.1, 0.1251, 0.15, 0.29, 0.6, 0.9] {
        let budget = budget(share_only(ratio));
        let mut retries = 0;
        for _ in 0..100_000 {
            budget.record_request();
            retries += granted(&budget, 1);
        }
        writeln!(table, "{ratio:<7} {retries}").unwrap();
    }

    insta::assert_snapshot!(
        table,
        "each ratio times 100,000: whole deposits per token, whole percent, sums of floats, or a \
         ratio that was cut off and not rounded, give another share than the one that was asked for",
        @"
        0.001   100
        0.1     10000
        0.1251  12510
        0.15    15000
        0.29    29000
        0.6     60000
        0.9     90000
        "
    );

    let third = budget(share_only(1.0 / 3.0));
    requests(&third, 3);
    assert_eq!(
        (granted(&third, 1), requests(&third, 1), granted(&third, 1)),
        (0, (), 1),
        "a third is 0.333333333, the nearest billionth: three of these are a billionth less than a token, \
         and nothing is rounded up"
    );
    let nearly = budget(share_only(0.999_999_999));
    requests(&nearly, 1);
    assert_eq!(
        granted(&nearly, 1),
        0,
        "a billionth less than a token is no token: millionths, or hundred-millionths, are too coarse"
    );
}

#[tokio::test(start_paused = true)]
async fn tokens_add_up_until_they_are_needed() {
    let budget = budget(share_only(0.1));

    requests(&budget, 255);

    assert_eq!(budget.balance(), 25, "255 requests have earned 25 retries and a half");
    assert_eq!(granted(&budget, 100), 25, "and so many are granted");
    assert_eq!(budget.balance(), 0, "half a token is left, which pays for nothing");
}

#[tokio::test(start_paused = true)]
async fn a_refused_retry_costs_nothing() {
    let budget = budget(share_only(0.1));

    requests(&budget, 5);
    for _ in 0..1_000 {
        assert_eq!(budget.try_withdraw(), Err(Exhausted), "half a token pays for nothing");
    }
    requests(&budget, 5);

    assert_eq!(granted(&budget, 100), 1, "what the refused callers asked for is still there");
}

#[tokio::test(start_paused = true)]
async fn a_ratio_of_zero_earns_nothing() {
    let budget = budget(share_only(0.0));

    requests(&budget, 100_000);

    assert_eq!(budget.try_withdraw(), Err(Exhausted), "no share, no floor, no retries");
}
