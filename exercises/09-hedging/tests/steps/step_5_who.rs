//! Step 5: who is sent twice, and where to.

use std::panic::resume_unwind;
use std::sync::Arc;

use hedging::{ConfigError, Delay, Hedger, Pool, Request};
use tokio::time::{sleep, timeout};

use super::{
    Act, Answer, Broken, DELAY, Diary, Fails, Good, Hangs, MILLISECOND, Panics, SECOND, bucket,
    fixed, outcome, play,
};

const READ: Request<'static> = Request { method: "GET", key: None };
const PAYMENT: Request<'static> = Request { method: "POST", key: None };
const NAMES: [&str; 4] = ["instance 0", "instance 1", "instance 2", "instance 3"];

fn pool(instances: usize, places: usize) -> Pool {
    Pool::new(instances, places).expect("this pool is valid")
}

/// A call to instances that do this, and what came of it.
async fn ask(
    hedger: &Hedger,
    request: Request<'_>,
    pool: &Pool,
    acts: &[Act],
    diary: &Diary,
) -> String {
    let call =
        hedger.call_among(request, pool, |instance| play(diary, NAMES[instance], acts[instance]));
    outcome(call).await
}

/// So many calls to instances that do this, one after the other: what happened, line by line.
async fn asked(
    hedger: &Hedger,
    request: Request<'_>,
    pool: &Pool,
    acts: &[Act],
    calls: usize,
) -> String {
    let diary = Diary::new();
    for _ in 0..calls {
        let outcome = ask(hedger, request, pool, acts, &diary).await;
        diary.note(&outcome);
    }
    diary.read()
}

#[test]
fn what_may_be_repeated_is_idempotent_or_has_a_key() {
    for method in ["GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"] {
        assert!(
            Request { method, key: None }.may_be_repeated(),
            "two {method} requests do no more than one: RFC 9110, section 9.2.2"
        );
    }
    for method in ["POST", "PATCH", "CONNECT", "PROPFIND", "get", "Put", "GET ", ""] {
        assert!(
            !Request { method, key: None }.may_be_repeated(),
            "two `{method}` requests may do more than one: of a method that isn't known nothing may be assumed, and methods are \
             told apart by case"
        );
        assert!(
            Request { method, key: Some("7f3a") }.may_be_repeated(),
            "by the key the server knows the second `{method}` as the first"
        );
        assert!(
            !Request { method, key: Some("") }.may_be_repeated(),
            "`{method}`: an empty key is none"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_payment_without_a_key_is_sent_once() {
    let budget = bucket(0, 10);
    let hedger = Hedger::new(Delay::Fixed(DELAY), Arc::clone(&budget)).unwrap();

    insta::assert_snapshot!(
        asked(&hedger, PAYMENT, &pool(2, 8), &[Good(500), Good(5)], 1).await,
        "late, and not sent again: nobody knows whether the card has been charged",
        @"
        0.000s   instance 0 sent
        0.500s   instance 0 answers
        0.500s   instance 0's answer
        "
    );
    assert_eq!(budget.balance(), 10, "nothing was sent, so nothing is paid");
    insta::assert_snapshot!(
        asked(&hedger, Request { key: Some("7f3a"), ..PAYMENT }, &pool(2, 8), &[Good(500), Good(5)], 1).await,
        "with a key it may be",
        @"
        0.000s   instance 0 sent
        0.010s   instance 1 sent
        0.015s   instance 1 answers
        0.015s   instance 0 dropped
        0.015s   instance 1's answer
        "
    );
}

#[tokio::test(start_paused = true)]
async fn originals_take_turns_and_a_hedge_goes_to_another_instance() {
    insta::assert_snapshot!(
        asked(&fixed(DELAY), READ, &pool(3, 8), &[Good(500), Good(5), Good(20)], 4).await,
        "0, 1, 2 and 0 again: a hedge takes nobody's turn. The slow instance is asked once, and not a second time where it \
         would be last in the queue of the first",
        @"
        0.000s   instance 0 sent
        0.010s   instance 1 sent
        0.015s   instance 1 answers
        0.015s   instance 0 dropped
        0.015s   instance 1's answer
        0.015s   instance 1 sent
        0.020s   instance 1 answers
        0.020s   instance 1's answer
        0.020s   instance 2 sent
        0.030s   instance 0 sent
        0.040s   instance 2 answers
        0.040s   instance 0 dropped
        0.040s   instance 2's answer
        0.040s   instance 0 sent
        0.050s   instance 1 sent
        0.055s   instance 1 answers
        0.055s   instance 0 dropped
        0.055s   instance 1's answer
        "
    );
}

#[tokio::test(start_paused = true)]
async fn each_original_takes_its_turn_and_a_place() {
    let pool = pool(3, 8);
    insta::assert_snapshot!(
        asked(&fixed(DELAY), PAYMENT, &pool, &[Good(5); 3], 4).await,
        "a payment is sent once, to whose turn it is: what may not be hedged needs its load balanced as well",
        @"
        0.000s   instance 0 sent
        0.005s   instance 0 answers
        0.005s   instance 0's answer
        0.005s   instance 1 sent
        0.010s   instance 1 answers
        0.010s   instance 1's answer
        0.010s   instance 2 sent
        0.015s   instance 2 answers
        0.015s   instance 2's answer
        0.015s   instance 0 sent
        0.020s   instance 0 answers
        0.020s   instance 0's answer
        "
    );
    let seen = async {
        sleep(2 * MILLISECOND).await;
        pool.out()
    };
    let (hedger, diary) = (fixed(DELAY), Diary::new());
    let (seen, _) = tokio::join!(seen, ask(&hedger, PAYMENT, &pool, &[Good(5); 3], &diary));
    assert_eq!(
        seen,
        [0, 1, 0],
        "a payment is out at instance 1, whose place it takes from the hedges of others"
    );
}

#[tokio::test(start_paused = true)]
async fn calls_among_instances_teach_and_earn_like_any_other() {
    let delay = Delay::Percentile { percent: 60, window: 10, min_samples: 10 };
    let budget = bucket(10, 50);
    let hedger = Hedger::new(delay, Arc::clone(&budget)).unwrap();
    for _ in 0..10 {
        assert!(budget.try_withdraw(), "there are 50");
    }
    let pool = pool(2, 8);
    let ten = async |request: Request<'static>, acts: [Act; 2]| {
        for _ in 0..10 {
            ask(&hedger, request, &pool, &acts, &Diary::new()).await;
        }
        (hedger.delay(), budget.balance())
    };

    assert_eq!(
        ten(PAYMENT, [Good(20); 2]).await,
        (Some(20 * MILLISECOND), 41),
        "ten payments, each sent once, are ten samples of 20 ms and ten good answers, which earn a token"
    );
    assert_eq!(
        ten(READ, [Good(25); 2]).await,
        (Some(25 * MILLISECOND), 37),
        "five reads were late, until the delay was 25 ms as well. They paid for five hedges; all originals were first, after \
         25 ms. A tenth of ten is earned back"
    );
    assert_eq!(
        ten(READ, [Good(60_000), Good(5)]).await,
        (Some(30 * MILLISECOND), 33),
        "five originals were overtaken after 30 ms, and five answered after 5: six in ten samples don't exceed 30 ms. A \
         hedge's answer is no sample"
    );
    for _ in 0..10 {
        let diary = Diary::new();
        let call = ask(&hedger, PAYMENT, &pool, &[Hangs; 2], &diary);
        assert!(timeout(60 * MILLISECOND, call).await.is_err(), "it hangs");
    }
    assert_eq!(
        hedger.delay(),
        Some(30 * MILLISECOND),
        "the callers of ten payments left. A payment has no delay that could be over, so these leave no samples"
    );
}

/// Sends so many originals, which take turns, and keeps those out whose instance is among `kept` while `then` runs.
async fn busy<R>(pool: &Pool, turns: usize, kept: &[usize], then: impl AsyncFnOnce() -> R) -> R {
    let instances = pool.out().len();
    let hedger = fixed(SECOND * 3_600);
    let mut calls = Vec::new();
    for turn in (0..instances).cycle().take(turns) {
        let mut call = Box::pin(hedger.call_among(READ, pool, move |instance| {
            assert_eq!(instance, turn, "originals take turns");
            std::future::pending::<Answer>()
        }));
        // One look sends it.
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(call.as_mut().poll(&mut context).is_pending(), "it hangs");
        calls.push((turn, call));
    }
    calls.retain(|(turn, _)| kept.contains(turn));
    let result = then().await;
    drop(calls);
    result
}

#[tokio::test(start_paused = true)]
async fn a_hedge_goes_where_the_fewest_calls_are_out() {
    for (turns, kept, expected) in [
        (0, &[][..], "instance 1"),
        // The next in turn is 3: nothing is out at 0 and 1.
        (3, &[2], "instance 0"),
        (3, &[0, 1], "instance 2"),
        (4, &[0, 1, 2, 3], "instance 1"),
        (6, &[0, 1, 2, 3], "instance 3"),
        (9, &[0, 3], "instance 2"),
        (8, &[1], "instance 2"),
    ] {
        let pool = pool(4, 8);
        let diary = Diary::new();
        let mut acts = [Good(5); 4];
        acts[turns % 4] = Hangs;
        let outcome =
            busy(&pool, turns, kept, async || ask(&fixed(DELAY), READ, &pool, &acts, &diary).await);
        assert_eq!(
            outcome.await,
            format!("{expected}'s answer"),
            "{turns} originals took turns, and those to {kept:?} are still out; this one goes to {}. Of the other instances the \
             hedge takes the one with the fewest calls out, and of equals the first\n{}",
            turns % 4,
            diary.read()
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_hedge_does_not_wait_in_a_queue() {
    let budget = bucket(0, 10);
    let hedger = Hedger::new(Delay::Fixed(DELAY), Arc::clone(&budget)).unwrap();
    let full = pool(3, 1);

    let outcome = busy(&full, 3, &[0, 1, 2], async || {
        let diary = Diary::new();
        let outcome = ask(&hedger, READ, &full, &[Good(500), Good(1), Good(1)], &diary).await;
        format!("{}{outcome}", diary.read())
    });

    insta::assert_snapshot!(
        outcome.await,
        "each instance works on one call and has one. An original is sent all the same, and waits there. A hedge would only \
         make the queue longer",
        @"
        0.000s   instance 0 sent
        0.500s   instance 0 answers
        instance 0's answer
        "
    );
    assert_eq!(budget.balance(), 10, "look for a place before you pay: this hedge was not sent");
    let free = pool(3, 2);
    let hedged = busy(&free, 3, &[0, 1, 2], async || {
        ask(&hedger, READ, &free, &[Good(500), Good(1), Good(1)], &Diary::new()).await
    });
    assert_eq!(hedged.await, "instance 1's answer", "one place of two is free there");
    let one_full = pool(3, 1);
    let sent = busy(&one_full, 3, &[0], async || {
        ask(&hedger, READ, &one_full, &[Good(2), Good(1), Good(1)], &Diary::new()).await
    });
    assert_eq!(
        sent.await,
        "instance 0's answer",
        "an original takes its turn, also where it has to wait: whom to spare is the balancer's"
    );
    let alone = pool(1, 100);
    assert_eq!(
        ask(&hedger, READ, &alone, &[Good(500)], &Diary::new()).await,
        "instance 0's answer",
        "of one instance there is no other"
    );
    assert_eq!(budget.balance(), 9, "one hedge was sent");
}

#[tokio::test(start_paused = true)]
async fn a_place_is_given_back_however_the_attempt_ends() {
    let hedger = fixed(DELAY);
    for (original, hedge) in [
        (Good(1), Hangs),
        (Hangs, Good(5)),
        (Good(20), Hangs),
        (Fails(20), Good(50)),
        (Fails(20), Fails(50)),
        (Panics(20), Good(50)),
        (Good(50), Panics(5)),
        (Panics(20), Panics(5)),
        (Fails(1), Hangs),
        (Panics(1), Hangs),
    ] {
        let pool = pool(2, 8);
        ask(&hedger, READ, &pool, &[original, hedge], &Diary::new()).await;
        assert_eq!(
            pool.out(),
            [0, 0],
            "original: {original:?} ms, hedge: {hedge:?} ms, and the call is over: a place that is lost is an instance that is full \
             for ever"
        );
    }
    let pool = pool(3, 8);
    let seen = async {
        let mut seen = vec![pool.out()];
        for _ in 0..2 {
            sleep(12 * MILLISECOND).await;
            seen.push(pool.out());
        }
        seen
    };
    let diary = Diary::new();
    let call = ask(&hedger, READ, &pool, &[Fails(20), Hangs, Hangs], &diary);
    let (seen, call) = tokio::join!(seen, timeout(30 * MILLISECOND, call));
    assert!(call.is_err(), "the user has gone");
    assert_eq!(
        seen[1..],
        [[1, 1, 0], [0, 1, 0]],
        "at 12 ms both are out, at 24 ms the original has failed and its place is free"
    );
    assert_eq!(pool.out(), [0, 0, 0], "and with the user all are");
}

#[tokio::test(start_paused = true)]
async fn a_request_that_is_not_sent_keeps_no_place() {
    let hedger = Hedger::new(Delay::Fixed(DELAY), bucket(0, 0)).unwrap();
    let pool = pool(2, 8);
    let seen = async {
        sleep(15 * MILLISECOND).await;
        pool.out()
    };
    let diary = Diary::new();
    let (seen, _) = tokio::join!(seen, ask(&hedger, READ, &pool, &[Good(20), Hangs], &diary));
    assert_eq!(
        seen,
        [1, 0],
        "the call was late at 10 ms, a place for its hedge was found, and there was no token: the place is free again"
    );

    let hedger = fixed(DELAY);
    let diary = Diary::new();
    let breaks = |broken: usize, name: &'static str| {
        let diary = &diary;
        hedger.call_among(READ, &pool, move |instance| {
            if instance == broken {
                resume_unwind(Box::new(Broken(name)));
            }
            play(diary, "the other", Good(20))
        })
    };
    assert_eq!(
        outcome(breaks(0, "hedge")).await,
        "the other's answer",
        "the function that makes the hedge panics: a panic of the hedge, as in step 2"
    );
    assert_eq!(pool.out(), [0, 0], "and its place is free");
    assert_eq!(outcome(breaks(0, "original")).await, "original's panic", "of the original");
    assert_eq!(pool.out(), [0, 0], "whose place is free as well");
}

#[test]
fn a_pool_without_instances_or_places_is_refused() {
    for (instances, places) in [(0, 1), (1, 0), (0, 0)] {
        let pool = Pool::new(instances, places).map(|pool| pool.out());
        assert_eq!(
            pool,
            Err(ConfigError::Pool { instances, places }),
            "nothing could be sent there"
        );
    }
    assert_eq!(pool(3, 1).out(), [0, 0, 0], "nothing is out yet");
}
