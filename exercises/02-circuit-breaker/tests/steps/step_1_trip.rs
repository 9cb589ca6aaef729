//! Step 1: failures in a row open the breaker; a success starts the count over.

use circuit_breaker::{Config, Outcome, State};

use super::{DAY, Diary, breaker, fail, streak_only, succeed, wait};

#[tokio::test(start_paused = true)]
async fn a_new_breaker_is_closed_and_lets_calls_through() {
    let breaker = breaker(streak_only());

    succeed(&breaker, 100);

    assert_eq!(breaker.state(), State::Closed, "closed is the normal state: calls pass");
}

#[tokio::test(start_paused = true)]
async fn it_opens_with_the_last_failure_of_the_threshold() {
    let breaker = breaker(streak_only());
    let mut diary = Diary::of(&breaker);

    for failure in 1..=5 {
        fail(&breaker, 1);
        diary.note(&format!("failure {failure}"));
    }

    insta::assert_snapshot!(
        diary.text,
        "a threshold of 5 means that the fifth failure opens the breaker, not the fourth or the sixth",
        @"
        0.000s    failure 1                closed
        0.000s    failure 2                closed
        0.000s    failure 3                closed
        0.000s    failure 4                closed
        0.000s    failure 5                open
        "
    );
}

#[tokio::test(start_paused = true)]
async fn a_success_starts_the_count_over() {
    let breaker = breaker(streak_only());

    for round in 1..=10 {
        fail(&breaker, 1);
        assert_eq!(
            breaker.state(),
            State::Closed,
            "round {round}: never five in a row. Unless a success resets the count, every breaker \
             opens in the end"
        );
        fail(&breaker, 3);
        succeed(&breaker, 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_streak_has_no_age() {
    let breaker = breaker(streak_only());

    fail(&breaker, 4);
    wait(DAY).await;
    fail(&breaker, 1);

    assert_eq!(
        breaker.state(),
        State::Open,
        "no success came in between, so these are five failures in a row, however far apart"
    );
}

#[tokio::test(start_paused = true)]
async fn a_threshold_of_one_opens_at_the_first_failure() {
    let breaker = breaker(Config { failure_threshold: 1, ..streak_only() });

    fail(&breaker, 1);

    assert_eq!(breaker.state(), State::Open, "failure_threshold: 1 leaves no second chance");
}

#[tokio::test(start_paused = true)]
async fn calls_that_overlap_count_in_the_order_in_which_they_end() {
    let breaker = breaker(streak_only());
    let mut calls: Vec<_> = (0..6).map(|_| breaker.try_acquire().unwrap()).collect();
    let last = calls.pop().unwrap();

    last.record(Outcome::Success);
    for call in calls {
        call.record(Outcome::Failure);
    }

    assert_eq!(
        breaker.state(),
        State::Open,
        "a result counts when it arrives: one success, then five failures in a row"
    );
}

#[test]
fn no_failure_is_lost_between_threads() {
    let breaker = breaker(Config { failure_threshold: 8_000, ..streak_only() });
    fail(&breaker, 1);

    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| fail(&breaker, 999));
        }
    });

    assert_eq!(breaker.state(), State::Closed, "7,993 failures are fewer than 8,000");
    fail(&breaker, 7);
    assert_eq!(
        breaker.state(),
        State::Open,
        "8 threads counted 8,000 failures between them: reading a count and writing it back must be \
         one step, under one lock"
    );
}
