//! Step 2: the loser is dropped, and a hedge never makes an answer worse.

use std::panic::resume_unwind;

use hedging::Attempt;
use tokio::time::{sleep, timeout};

use super::{
    Broken, DELAY, Diary, Fails, Good, Hangs, MILLISECOND, Panics, SECOND, call, fixed, outcome,
    play, timeline,
};

#[tokio::test(start_paused = true)]
async fn the_loser_is_dropped_before_the_caller_has_the_answer() {
    let hedger = fixed(DELAY);

    insta::assert_snapshot!(
        timeline(&hedger, Good(500), Good(5)).await,
        "when the hedge answers, the original is dropped, and with it its connection, its locks, its place: not \
         detached, not left to a task that runs to its end",
        @"
        0.000s   original sent
        0.010s   hedge sent
        0.015s   hedge answers
        0.015s   original dropped
        0.015s   hedge's answer
        "
    );
    insta::assert_snapshot!(
        timeline(&hedger, Good(12), Good(5)).await,
        "a hedge that loses is dropped as well",
        @"
        0.000s   original sent
        0.010s   hedge sent
        0.012s   original answers
        0.012s   hedge dropped
        0.012s   original's answer
        "
    );
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_not_the_answer_while_the_other_is_out() {
    let hedger = fixed(DELAY);

    insta::assert_snapshot!(
        timeline(&hedger, Fails(12), Good(30)).await,
        "the original fails late: its hedge is out, and may be good",
        @"
        0.000s   original sent
        0.010s   hedge sent
        0.012s   original fails
        0.040s   hedge answers
        0.040s   hedge's answer
        "
    );
    insta::assert_snapshot!(
        timeline(&hedger, Good(500), Fails(1)).await,
        "an instance that is down refuses the hedge at once, and is the first to answer: that is no answer to wait less for",
        @"
        0.000s   original sent
        0.010s   hedge sent
        0.011s   hedge fails
        0.500s   original answers
        0.500s   original's answer
        "
    );
}

#[tokio::test(start_paused = true)]
async fn when_both_fail_the_error_is_that_of_the_original() {
    let hedger = fixed(DELAY);

    for (original, hedge, took) in [(15, 90, 100), (100, 5, 100), (20, 10, 20)] {
        let (outcome, elapsed) = call(&hedger, Fails(original), Fails(hedge)).await;
        assert_eq!(
            outcome, "original's error",
            "original fails at {original} ms, hedge {hedge} ms after it was sent. The caller gets what it would have \
             got without a hedge: the hedge's error may be the hedge's own fault"
        );
        assert_eq!(
            elapsed,
            took * MILLISECOND,
            "original fails at {original} ms, hedge {hedge} ms after it was sent: the call ends when the last of the two has \
             failed"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_of_the_hedge_is_a_failure_of_the_hedge() {
    let hedger = fixed(DELAY);

    insta::assert_snapshot!(
        timeline(&hedger, Good(500), Panics(1)).await,
        "without the hedge there would have been no panic",
        @"
        0.000s   original sent
        0.010s   hedge sent
        0.011s   hedge panics
        0.500s   original answers
        0.500s   original's answer
        "
    );
    let (outcome_of_both, _) = call(&hedger, Fails(500), Panics(1)).await;
    assert_eq!(
        outcome_of_both, "original's error",
        "nor is it what the caller hears of in the end"
    );

    // The future is never made: the function that makes it panics.
    let diary = Diary::new();
    let answer = hedger.call(|attempt| {
        if attempt == Attempt::Hedge {
            resume_unwind(Box::new(Broken("hedge")));
        }
        play(&diary, "original", Good(500))
    });
    assert_eq!(
        outcome(answer).await,
        "original's answer",
        "a panic while the hedge is made is a panic of the hedge too"
    );
}

#[tokio::test(start_paused = true)]
async fn a_panic_of_the_original_goes_on_unless_the_hedge_is_good() {
    let hedger = fixed(DELAY);
    let of = async |original, hedge| call(&hedger, original, hedge).await.0;

    assert_eq!(
        of(Panics(5), Good(1)).await,
        "original's panic",
        "no hedge is out: it is the caller's"
    );
    assert_eq!(
        of(Panics(15), Good(30)).await,
        "hedge's answer",
        "a hedge is out when the original panics, and is good"
    );
    assert_eq!(
        of(Panics(15), Fails(30)).await,
        "original's panic",
        "the hedge fails as well: the caller gets what it would have got without it"
    );
    assert_eq!(of(Panics(15), Panics(30)).await, "original's panic", "of two panics too");
    assert_eq!(of(Panics(40), Fails(5)).await, "original's panic", "whichever is first");
}

#[tokio::test(start_paused = true)]
async fn dropping_the_call_drops_both() {
    let (hedger, diary) = (fixed(DELAY), Diary::new());
    let user = timeout(
        SECOND,
        hedger.call(|attempt| match attempt {
            Attempt::Original => play(&diary, "original", Hangs),
            Attempt::Hedge => play(&diary, "hedge", Hangs),
        }),
    );
    assert!(user.await.is_err(), "both hang");
    diary.note("the user has gone");
    sleep(10 * SECOND).await;
    let log = diary.read();

    let dropped = |name: &str| log.contains(&format!("1.000s   {name} dropped"));
    assert!(
        dropped("original") && dropped("hedge") && log.ends_with("the user has gone\n"),
        "a user who closes the page ends all that is done for him, before he is gone:\n{log}"
    );
    let (diary, user) = (Diary::new(), 4 * MILLISECOND);
    let call = timeout(user, hedger.call(|_| play(&diary, "original", Hangs)));
    assert!(call.await.is_err(), "it hangs");
    sleep(10 * SECOND).await;
    assert_eq!(
        diary.read(),
        "0.000s   original sent\n0.004s   original dropped\n",
        "a caller that leaves before the delay is over causes no hedge"
    );
}

#[tokio::test(start_paused = true)]
async fn of_two_good_answers_at_the_same_time_that_of_the_original_counts() {
    let hedger = fixed(DELAY);

    // A hundred times: a coin that is tossed each time shows both sides.
    for _ in 0..100 {
        assert_eq!(
            call(&hedger, Good(15), Good(5)).await.0,
            "original's answer",
            "both are there at 15 ms: look at the original first, and a run is the same every time"
        );
    }
    assert_eq!(
        call(&hedger, Fails(15), Good(5)).await.0,
        "hedge's answer",
        "an error is no good answer, whenever it comes"
    );
}
