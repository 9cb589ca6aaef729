//! Step 4: hedges are paid for, and a dependency that says no is left alone.

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use hedging::{Attempt, Budget, Delay, Hedger};
use tokio::time::{sleep, timeout};

use super::{
    Act, DELAY, Diary, Fails, Good, Hangs, MILLISECOND, Panics, SECOND, bucket, call, hedges,
    outcome, play,
};

fn paid_by(budget: &Arc<Budget>) -> Hedger {
    Hedger::new(Delay::Fixed(DELAY), Arc::clone(budget)).expect("any delay is valid")
}

#[tokio::test(start_paused = true)]
async fn without_a_token_the_original_goes_on_alone() {
    let budget = bucket(0, 2);
    let hedger = paid_by(&budget);
    let diary = Diary::new();
    let one = async |begins: u32| {
        sleep(begins * MILLISECOND).await;
        let unread = Diary::new();
        let call = hedger.call(|attempt| match attempt {
            Attempt::Original => play(&unread, "original", Good(500)),
            Attempt::Hedge => play(&unread, "hedge", Good(20)),
        });
        let outcome = outcome(call).await;
        diary.note(&format!("call {begins}: {outcome}"));
    };

    tokio::join!(one(1), one(2), one(3), one(4));

    insta::assert_snapshot!(
        diary.read(),
        "four calls are late and there are two tokens: the other two wait for their originals, which nobody takes from them",
        @"
        0.031s   call 1: hedge's answer
        0.032s   call 2: hedge's answer
        0.503s   call 3: original's answer
        0.504s   call 4: original's answer
        "
    );
    assert_eq!(budget.balance(), 0, "two hedges, two tokens");
    let (outcome, _) = call(&hedger, Fails(500), Good(1)).await;
    assert_eq!(outcome, "original's error", "and not one of the budget");

    let held = paid_by(&bucket(0, 100));
    held.hold(SECOND);
    for (hedger, why) in [(&hedger, "there is no token"), (&held, "a pushback holds")] {
        let made = Cell::new(0);
        let call = hedger.call(|_| {
            made.set(made.get() + 1);
            play(&diary, "original", Good(20))
        });
        assert_eq!(call.await, Ok("original"));
        assert_eq!(
            made.get(),
            1,
            "{why}, so there is no second request, and the operation is not called to make one: it may count its calls, or \
             take a connection"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_is_taken_when_a_hedge_is_sent_and_not_before() {
    let budget = bucket(0, 10);
    let hedger = paid_by(&budget);
    let seen = async {
        let mut seen = Vec::new();
        for _ in 0..3 {
            sleep(6 * MILLISECOND).await;
            seen.push(budget.balance());
        }
        seen
    };

    let (seen, _) = tokio::join!(seen, call(&hedger, Good(16), Hangs));

    assert_eq!(
        seen,
        [10, 9, 9],
        "tokens at 6, 12 and 18 ms of a call that was late at 10 and answered at 16: one that is taken when a call begins is \
         lost to 19 of 20 calls. And it is spent: the hedge was sent, though it lost"
    );
    for act in [Good(9), Good(10), Fails(9), Panics(9)] {
        call(&hedger, act, Hangs).await;
        assert_eq!(budget.balance(), 9, "{act:?} ms: what is not late costs nothing");
    }
}

#[tokio::test(start_paused = true)]
async fn each_call_with_a_good_answer_earns_its_share_once() {
    // How many of 100 such calls pay for a token of their own, at 10 %.
    let earned = async |original: Act, hedge: Act| {
        let budget = bucket(10, 1_000);
        while budget.balance() > 500 {
            assert!(budget.try_withdraw(), "there are some left");
        }
        let hedger = paid_by(&budget);
        for _ in 0..100 {
            call(&hedger, original, hedge).await;
        }
        budget.balance().cast_signed() - 500
    };

    assert_eq!(earned(Good(5), Hangs).await, 10, "a tenth of a token for a good answer");
    assert_eq!(
        earned(Good(500), Good(5)).await,
        10 - 100,
        "the hedges of 100 calls answered: 100 tokens were paid and 10 earned. An answer earns, whichever request had it"
    );
    assert_eq!(earned(Good(12), Good(5)).await, 10 - 100, "two requests are one call");
    for (original, hedge) in [
        (Fails(15), Good(30)),
        (Panics(15), Good(30)),
        (Good(500), Fails(5)),
        (Good(500), Panics(5)),
    ] {
        assert_eq!(
            earned(original, hedge).await,
            10 - 100,
            "original: {original:?} ms, hedge: {hedge:?} ms. One failed, and then the other had a good answer: the call ended with \
             it, so it earns"
        );
    }
    assert_eq!(
        earned(Fails(5), Hangs).await,
        0,
        "a failure earns nothing: a dependency that is down is not to be asked twice as often"
    );
    assert_eq!(
        earned(Fails(15), Fails(20)).await,
        -100,
        "nor do two of them: 100 tokens were paid for hedges, and none is earned"
    );
    assert_eq!(earned(Panics(5), Hangs).await, 0, "nor does a panic");
}

#[tokio::test(start_paused = true)]
async fn a_late_call_without_a_hedge_leaves_its_sample_and_earns() {
    let delay = Delay::Percentile { percent: 50, window: 10, min_samples: 10 };
    let unpaid = Hedger::new(delay, bucket(0, 0)).expect("this configuration is valid");
    let held = Hedger::new(delay, bucket(0, 100)).expect("this configuration is valid");
    held.hold(3_600 * SECOND);

    for (hedger, why) in [(&unpaid, "there was no token"), (&held, "a pushback held")] {
        for takes in [[20; 10], [50; 10]].as_flattened() {
            call(hedger, Good(*takes), Hangs).await;
        }
        assert_eq!(
            hedger.delay(),
            Some(50 * MILLISECOND),
            "ten originals answered after 50 ms, and sent no hedge as {why}: an answer is a sample, late or not"
        );
        for _ in 0..10 {
            let diary = Diary::new();
            let call = hedger.call(|_| play(&diary, "original", Hangs));
            assert!(timeout(80 * MILLISECOND, call).await.is_err(), "it hangs");
        }
        assert_eq!(
            hedger.delay(),
            Some(80 * MILLISECOND),
            "ten callers left after 80 ms, later than the delay. That {why} makes no difference to what their originals say \
             of the dependency"
        );
    }
    let budget = bucket(50, 1);
    assert!(budget.try_withdraw(), "the only token");
    let hedger = paid_by(&budget);
    hedger.hold(SECOND);
    for _ in 0..2 {
        call(&hedger, Good(20), Hangs).await;
    }
    assert_eq!(budget.balance(), 1, "two good answers earn a token, also while a pushback holds");
}

#[tokio::test(start_paused = true)]
async fn an_operation_may_ask_the_hedger() {
    let hedger = Arc::new(paid_by(&bucket(0, 10)));
    let (diary, asked) = (Diary::new(), RefCell::new(Vec::new()));
    let call = hedger.call(|attempt| {
        // On a thread of its own, so that a hedger that holds its lock can be told from one that doesn't. Only in the
        // first case does this wait.
        let (done, answer) = mpsc::channel();
        let shared = Arc::clone(&hedger);
        thread::spawn(move || done.send(shared.delay()));
        let answer = answer.recv_timeout(Duration::from_secs(2)).ok().flatten();
        asked.borrow_mut().push((attempt, answer));
        play(&diary, "one of them", Good(15))
    });

    assert_eq!(call.await, Ok("one of them"));
    assert_eq!(
        *asked.borrow(),
        [(Attempt::Original, Some(DELAY)), (Attempt::Hedge, Some(DELAY))],
        "the operation asks for the delay while it makes its request, and gets it: it is somebody else's code, which may well \
         call `hold`, and must not be called while you hold a lock"
    );
}

#[tokio::test(start_paused = true)]
async fn hedges_and_retries_have_one_budget() {
    let budget = bucket(50, 2);
    let (shop, stock) = (paid_by(&budget), paid_by(&budget));

    assert!(budget.try_withdraw(), "a retry of somebody else");
    assert!(hedges(&shop).await, "the second token");
    assert!(
        !budget.try_withdraw(),
        "half a token is no retry: two budgets, of 10 % each, are one of 20 %"
    );
    assert!(!hedges(&stock).await, "its original's answer earns the second half");
    assert!(hedges(&stock).await, "and with that there is a whole one");
    assert_eq!(budget.balance(), 0, "which is spent");
}

#[tokio::test(start_paused = true)]
async fn a_pushback_stops_hedges_for_its_time() {
    let budget = bucket(0, 100);
    let hedger = paid_by(&budget);
    // The first is under way when the pushback comes; it is late only then.
    let under_way = async {
        let (outcome, _) = call(&hedger, Good(500), Good(1)).await;
        assert_eq!(
            outcome, "original's answer",
            "it began before the pushback, but its hedge would be sent after it"
        );
    };
    let pushback = async {
        sleep(5 * MILLISECOND).await;
        hedger.hold(2 * SECOND);
    };
    tokio::join!(under_way, pushback);
    // It is 500 ms now; the pause ends at 2.005 s.
    sleep(1_494 * MILLISECOND).await;

    let (outcome, _) = call(&hedger, Good(100), Good(1)).await;
    assert_eq!(outcome, "original's answer", "late at 2.004 s");
    assert_eq!(
        budget.balance(),
        100,
        "two calls were late while the pushback held. A hedge that isn't sent isn't paid for: ask the pause before the budget"
    );

    hedger.hold(SECOND);
    sleep(990 * MILLISECOND).await;
    let (outcome, _) = call(&hedger, Good(500), Good(1)).await;
    assert_eq!(
        outcome, "hedge's answer",
        "late just when the pause is over, a second after the pushback: hedges are sent again"
    );
    assert_eq!(budget.balance(), 99, "and paid for");
}

#[tokio::test(start_paused = true)]
async fn of_several_pushbacks_the_one_that_ends_last_counts() {
    let hedger = paid_by(&bucket(0, 100));

    hedger.hold(10 * SECOND);
    hedger.hold(SECOND);
    hedger.hold(Duration::ZERO);
    sleep(5 * SECOND).await;
    assert!(
        call(&hedger, Good(500), Good(1)).await.0 == "original's answer",
        "one instance asked for 10 s, then another one for 1 s: the first still means it"
    );
    sleep(5 * SECOND).await;
    assert!(hedges(&hedger).await, "all of them are over");
    hedger.hold(SECOND);
    hedger.hold(2 * SECOND);
    sleep(1_500 * MILLISECOND).await;
    assert!(
        call(&hedger, Good(20), Good(1)).await.0 == "original's answer",
        "a longer one prolongs the pause"
    );
    let endless = catch_unwind(AssertUnwindSafe(|| hedger.hold(Duration::MAX)));
    assert!(endless.is_ok(), "a pause without end is no panic: cut it before you add it to now");
    sleep(365 * 24 * 3_600 * SECOND).await;
    assert!(!hedges(&hedger).await, "nor is it a pause that is over at once");
}
