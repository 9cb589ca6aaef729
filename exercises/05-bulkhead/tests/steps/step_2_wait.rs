//! Step 2: a short queue, first come first served, with a limit on waiting.

use std::panic::catch_unwind;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bulkhead::{Config, Rejected};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};

use super::{Caller, Diary, MILLISECOND, SECOND, bulkhead, free, full, settle, sized, take, wait};

// Without a runtime: a caller that asks for a timer here panics.
#[test]
fn a_free_place_is_had_without_waiting() {
    let bulkhead = sized(2, 5);

    let answers = catch_unwind(|| [Caller::of(&bulkhead).1, Caller::of(&bulkhead).1]);

    let [first, second] = answers.unwrap_or_else(|_| {
        panic!("two places are free: to take one needs neither a clock nor a timer, and must not ask for them")
    });
    assert!(
        matches!((&first, &second), (Poll::Ready(Ok(_)), Poll::Ready(Ok(_)))),
        "both places were free: {first:?}, {second:?}"
    );
    assert_eq!(free(&bulkhead), 0, "and both are taken now");
}

#[tokio::test(start_paused = true)]
async fn a_waiter_gets_the_place_that_is_given_back() {
    let bulkhead = sized(1, 5);
    let mut diary = Diary::begin();
    let holder = take(&bulkhead, 1);
    tokio::spawn(async move {
        sleep(3 * SECOND).await;
        drop(holder);
    });

    diary.note("asks");
    let permit = bulkhead.acquire().await;
    diary.note(&format!("admitted: {}", permit.is_ok()));

    insta::assert_snapshot!(
        diary.text,
        "the place is given back after three seconds, and that is when the waiter has it: somebody has to \
         wake it",
        @"
        0.000s    asks
        3.000s    admitted: true
        "
    );
    assert_eq!(free(&bulkhead), 0, "one place, and it has it");
}

#[tokio::test(start_paused = true)]
async fn the_first_to_come_is_the_first_to_be_served() {
    let bulkhead = sized(1, 5);
    let (tell, mut told) = mpsc::unbounded_channel();
    let mut diary = Diary::begin();
    let holder = take(&bulkhead, 1);
    for name in ["Ada", "Barbara", "Edsger", "Grace", "Leslie"] {
        let (bulkhead, tell) = (bulkhead.clone(), tell.clone());
        tokio::spawn(async move {
            let permit = bulkhead.acquire().await;
            tell.send(format!("{name}: {}", permit.is_ok())).expect("this check listens");
            sleep(SECOND).await;
        });
        settle().await;
    }

    drop((holder, tell));
    while let Some(line) = told.recv().await {
        diary.note(&line);
    }

    insta::assert_snapshot!(
        diary.text,
        "they asked in alphabetical order, and each stays for a second: the last in must not be the first \
         out, for then the first waits for ever while there is traffic",
        @"
        0.000s    Ada: true
        1.000s    Barbara: true
        2.000s    Edsger: true
        3.000s    Grace: true
        4.000s    Leslie: true
        "
    );
}

#[tokio::test(start_paused = true)]
async fn turns_are_kept_however_many_have_waited() {
    let bulkhead = sized(1, 5);
    let mut holder = take(&bulkhead, 1);
    let mut have_waited = 0;
    for many in [1 << 8, 1 << 16] {
        while have_waited < many - 2 {
            drop(Caller::queued(&bulkhead));
            have_waited += 1;
        }
        let mut waiters: Vec<_> = (0..4).map(|_| Caller::queued(&bulkhead)).collect();
        have_waited += 4;
        for (index, waiter) in waiters.iter_mut().enumerate().rev() {
            let answer = waiter.poll();
            assert!(
                answer.is_pending(),
                "{have_waited} callers have waited so far, and the place is taken, but waiter {index} of the last four \
                 got {answer:?}: numbers of few bits begin again, and then their order says nothing"
            );
        }
        holder.clear();
        for (index, waiter) in waiters.iter_mut().enumerate() {
            drop(
                waiter
                    .permit(&format!("{have_waited} have waited: waiter {index} of the last four")),
            );
        }
        holder = take(&bulkhead, 1);
    }
}

#[tokio::test(start_paused = true)]
async fn newcomers_do_not_overtake_those_who_wait() {
    let bulkhead = sized(1, 5);
    let mut holder = take(&bulkhead, 1);
    let mut waiter = Caller::queued(&bulkhead);

    holder.pop();
    let newcomer = bulkhead.try_acquire().map(drop);
    let (mut second, answer) = Caller::of(&bulkhead);

    assert_eq!(
        newcomer,
        Err(full(1, 1, 0, 5)),
        "the place was given back while somebody waited: it is that waiter's from then on, though the \
         waiter hasn't looked yet. If it lay free until it is woken, the first to come by would have it"
    );
    assert!(answer.is_pending(), "nor does a newcomer that may wait get it: {answer:?}");
    let permit = waiter.permit("it was the first in the queue");
    assert!(second.poll().is_pending(), "one place was given back, not two");
    drop(permit);
    drop(second.permit("now it is its turn"));
}

#[tokio::test(start_paused = true)]
async fn polling_again_keeps_the_turn_and_the_limit() {
    let bulkhead = sized(2, 5);
    let mut holders = take(&bulkhead, 2);
    let mut waiters: Vec<_> = (0..4).map(|_| Caller::queued(&bulkhead)).collect();

    // A future may be polled at any time: in a `select!` beside a ticking clock, say.
    wait(9 * SECOND).await;
    assert!(waiters[0].poll().is_pending(), "no place has been given back");
    holders.clear();

    let _first = waiters[0].permit("two places were given back, and it was the first in the queue");
    let _second =
        waiters[1].permit("two places were given back, and it was the second in the queue");
    assert!(waiters[2].poll().is_pending(), "two places, two waiters: the third goes on waiting");
    assert!(waiters[3].poll().is_pending(), "and so does the fourth");
    wait(3 * SECOND).await;
    for waiter in [3, 2] {
        let answer = waiters[waiter].poll().map(|answer| answer.map(drop));
        assert_eq!(
            answer,
            Poll::Ready(Err(Rejected::WaitedTooLong { max_wait: 10 * SECOND })),
            "it came at 0 s, looked at 9 s and looks again at 12 s. To look doesn't start its ten seconds over, \
             nor does it matter who else is still in the queue; and what it is told is the limit, not when it \
             happened to look"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_caller_has_come_when_it_is_first_polled() {
    let bulkhead = sized(1, 2);
    let mut holder = take(&bulkhead, 1);
    let mut made_first = pin!(bulkhead.acquire());
    let mut polled_first = pin!(bulkhead.acquire());
    let _never_polled = bulkhead.acquire();
    let mut cx = Context::from_waker(Waker::noop());

    wait(8 * SECOND).await;
    assert!(polled_first.as_mut().poll(&mut cx).is_pending(), "the place is taken");
    wait(SECOND).await;
    assert!(
        made_first.as_mut().poll(&mut cx).is_pending(),
        "two may wait, and it is the second. A future that nobody has polled waits for nothing"
    );
    wait(8 * SECOND).await;
    holder.clear();

    let second = made_first.as_mut().poll(&mut cx);
    assert!(
        second.is_pending(),
        "it was made first and came second: its ten seconds began at 9 s, now it is 17 s, and it is the other's \
         turn. It got {second:?}"
    );
    let first = polled_first.as_mut().poll(&mut cx);
    assert!(
        matches!(first, Poll::Ready(Ok(_))),
        "it came at 8 s, at 17 s it is its turn: {first:?}"
    );
    drop(first);
    let second = made_first.as_mut().poll(&mut cx);
    assert!(matches!(second, Poll::Ready(Ok(_))), "and now it is the other's: {second:?}");
}

#[tokio::test(start_paused = true)]
async fn a_full_queue_rejects_at_once() {
    let bulkhead = sized(1, 2);
    let _holder = take(&bulkhead, 1);
    let _waiters = [Caller::queued(&bulkhead), Caller::queued(&bulkhead)];
    let begun = Instant::now();

    let rejected = bulkhead.acquire().await.map(drop);

    assert_eq!(
        (rejected, begun.elapsed()),
        (Err(full(1, 1, 2, 2)), Duration::ZERO),
        "two may wait, and two do. A queue without a limit moves the overload into memory, where \
         everybody waits longer"
    );

    let without_a_queue = sized(1, 0);
    let holder = take(&without_a_queue, 1);
    let rejected = without_a_queue.acquire().await.map(drop);
    drop(holder);

    assert_eq!(rejected, Err(full(1, 1, 0, 0)), "max_waiting: 0 means a place at once or none");
    assert!(without_a_queue.acquire().await.is_ok(), "a place that is free is had all the same");
}

#[tokio::test(start_paused = true)]
async fn each_waiter_has_a_limit_of_its_own() {
    let max_wait = 1_250 * MILLISECOND;
    // As many as like: a valid limit, if not a wise one.
    let bulkhead = bulkhead(Config { max_concurrent: 1, max_waiting: usize::MAX, max_wait });
    let (tell, mut told) = mpsc::unbounded_channel();
    let mut diary = Diary::begin();
    let holder = take(&bulkhead, 1);
    tokio::spawn(async move {
        sleep(1_249 * MILLISECOND).await;
        drop(holder);
    });
    for (name, comes_at) in [("first", 0), ("second", 400), ("third", 800)] {
        let (bulkhead, tell) = (bulkhead.clone(), tell.clone());
        tokio::spawn(async move {
            sleep(comes_at * MILLISECOND).await;
            let line = match bulkhead.acquire().await {
                Ok(permit) => {
                    // For ever: the holder of a permit may take as long as it likes.
                    std::mem::forget(permit);
                    format!("{name}: admitted")
                }
                Err(Rejected::WaitedTooLong { max_wait }) => format!("{name}: waited {max_wait:?}"),
                Err(other) => format!("{name}: {other}"),
            };
            tell.send(line).expect("this check listens");
        });
    }

    drop(tell);
    while let Some(line) = told.recv().await {
        diary.note(&line);
    }

    insta::assert_snapshot!(
        diary.text,
        "max_wait is 1.25 s. They come at 0, 0.4 and 0.8 s, and the one place is given back a millisecond \
         before the first would have left: each waits for its own 1.25 s, and a queue that moves doesn't \
         start it over",
        @"
        1.249s    first: admitted
        1.650s    second: waited 1.25s
        2.050s    third: waited 1.25s
        "
    );
    for max_wait in [Config::SHORTEST, Config::LONGEST] {
        let bulkhead = super::bulkhead(Config { max_concurrent: 1, max_waiting: 1, max_wait });
        let _holder = take(&bulkhead, 1);
        let begun = Instant::now();
        let answer = bulkhead.acquire().await.map(drop);
        assert_eq!(
            (answer, begun.elapsed()),
            (Err(Rejected::WaitedTooLong { max_wait }), max_wait),
            "{max_wait:?} is a limit like any other"
        );
    }
}
