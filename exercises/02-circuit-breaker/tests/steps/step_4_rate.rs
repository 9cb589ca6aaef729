//! Step 4: too large a share of failures among the last calls opens the breaker as well.

use circuit_breaker::{Config, State};

use super::{breaker, fail, rate_only, succeed};

#[tokio::test(start_paused = true)]
async fn it_opens_when_the_failure_rate_reaches_the_threshold() {
    let breaker = breaker(rate_only());

    succeed(&breaker, 2);
    for _ in 0..4 {
        fail(&breaker, 1);
        succeed(&breaker, 1);
    }
    assert_eq!(breaker.state(), State::Closed, "4 of 10 calls failed, and the threshold is half");
    fail(&breaker, 1);

    assert_eq!(
        breaker.state(),
        State::Open,
        "5 of the last 10 calls failed, and the threshold is half; never two of them in a row"
    );
}

#[tokio::test(start_paused = true)]
async fn there_is_no_rate_before_the_minimum_of_calls() {
    let breaker = breaker(Config { window_size: 20, min_calls: 7, ..rate_only() });

    fail(&breaker, 6);
    assert_eq!(
        breaker.state(),
        State::Closed,
        "6 of 6 failed, but min_calls is 7: a rate over fewer results says little"
    );
    fail(&breaker, 1);

    assert_eq!(
        breaker.state(),
        State::Open,
        "with the seventh result there is a rate, 7 of 7. It doesn't wait until the window is full"
    );
}

#[tokio::test(start_paused = true)]
async fn a_result_that_leaves_the_window_no_longer_counts() {
    let after = |window_size| {
        let breaker = breaker(Config { window_size, ..rate_only() });
        fail(&breaker, 1);
        succeed(&breaker, 5);
        fail(&breaker, 4);
        breaker.state()
    };

    assert_eq!(
        after(10),
        State::Open,
        "one failure, five successes, four failures. A window of 10 holds all ten of them, and 5 of \
         10 is half: the window is window_size long, whatever min_calls is"
    );
    assert_eq!(
        after(9),
        State::Closed,
        "the same ten results in a window of 9: the failure at the beginning has left it, and 4 of \
         9 is less than half"
    );
}

#[tokio::test(start_paused = true)]
async fn a_long_healthy_past_does_not_hide_an_outage() {
    let breaker = breaker(rate_only());
    succeed(&breaker, 10_000);

    let failures_to_open = (1..=10_000)
        .find(|_| {
            fail(&breaker, 1);
            breaker.state() == State::Open
        })
        .expect("10,000 failures open it");

    assert_eq!(
        failures_to_open, 5,
        "the rate is taken over the last 10 calls, so 5 failures are half of them; over all calls \
         ever made, the outage would have to last as long as the health before it"
    );
}

#[tokio::test(start_paused = true)]
async fn the_window_has_no_edges() {
    let breaker = breaker(rate_only());
    succeed(&breaker, 6);
    fail(&breaker, 4);

    fail(&breaker, 1);

    assert_eq!(
        breaker.state(),
        State::Open,
        "5 of the last 10 calls failed: calls 7 to 11. A window that is emptied after every 10 calls \
         sees 4 failures before its edge and 1 behind it"
    );
}

#[tokio::test(start_paused = true)]
async fn the_rate_is_exact_at_the_threshold() {
    for (failures, of, threshold) in [(5, 10, 0.5), (7, 25, 0.28), (14, 25, 0.56), (7, 50, 0.14)] {
        let breaker = breaker(Config {
            failure_rate_threshold: threshold,
            window_size: 2 * of,
            min_calls: of,
            ..rate_only()
        });
        succeed(&breaker, of - failures);
        fail(&breaker, failures - 1);
        assert_eq!(breaker.state(), State::Closed, "only {} calls so far", of - 1);
        fail(&breaker, 1);

        assert_eq!(
            breaker.state(),
            State::Open,
            "{failures} of {of} is {threshold}; in floats, {threshold} * {of} is {}",
            threshold * of as f64
        );
    }
}

#[tokio::test(start_paused = true)]
async fn just_below_the_threshold_it_stays_closed() {
    for (failures, of, threshold) in [(1, 3, 0.334), (2, 3, 0.667), (1, 200, 0.006)] {
        let breaker = breaker(Config {
            failure_rate_threshold: threshold,
            window_size: of,
            min_calls: of,
            ..rate_only()
        });

        succeed(&breaker, of - failures);
        fail(&breaker, failures);

        assert_eq!(
            breaker.state(),
            State::Closed,
            "{failures} of {of} is {:.5}, less than {threshold}: a rate that is rounded, to percent \
             say, reaches thresholds that it is below",
            failures as f64 / of as f64
        );
    }
}

#[tokio::test(start_paused = true)]
async fn the_largest_numbers_cost_nothing() {
    let config = Config {
        window_size: usize::MAX,
        min_calls: 3,
        half_open_max_calls: u32::MAX,
        success_threshold: u32::MAX,
        ..rate_only()
    };
    fail(&breaker(rate_only()), 1);
    let Ok(breaker) = std::panic::catch_unwind(|| breaker(config)) else {
        panic!(
            "a window without a bound is valid, but there is no room for all of it: make room for the \
             results that are there, not for all that may come"
        );
    };

    fail(&breaker, 3);
    assert_eq!(breaker.state(), State::Open, "3 of 3 failed, in a window for all that come");
    super::wait(super::OPEN_FOR).await;
    succeed(&breaker, 3);

    assert_eq!(
        breaker.state(),
        State::HalfOpen,
        "3 probes succeeded, of the 4,294,967,295 that it takes"
    );
}

#[tokio::test(start_paused = true)]
async fn closing_empties_the_window() {
    let breaker = breaker(rate_only());
    fail(&breaker, 4);
    assert_eq!(breaker.state(), State::Open, "4 of 4 failed");
    super::wait(super::OPEN_FOR).await;
    succeed(&breaker, 3);
    assert_eq!(breaker.state(), State::Closed, "three probes succeeded");

    fail(&breaker, 3);

    assert_eq!(
        breaker.state(),
        State::Closed,
        "3 results are too few for a rate: those from before the breaker opened are no longer there, \
         and probes are not among them"
    );
}

#[tokio::test(start_paused = true)]
async fn a_success_can_complete_the_rate() {
    let breaker = breaker(rate_only());
    fail(&breaker, 3);
    assert_eq!(breaker.state(), State::Closed, "3 calls are too few");

    succeed(&breaker, 1);

    assert_eq!(
        breaker.state(),
        State::Open,
        "3 of 4 calls failed: that the fourth succeeded makes the rate no better than 75 %"
    );
}
