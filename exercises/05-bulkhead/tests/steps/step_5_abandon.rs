//! Step 5: a waiter that gives up is out of the way, and whatever was meant for it goes to the next.

use std::task::Poll;
use std::thread;
use std::time::Duration;

use bulkhead::{Config, Rejected};
use tokio::runtime::Handle;
use tokio::time::Instant;

use super::between::{MOMENTS, between};
use super::{
    Caller, MILLISECOND, SECOND, a_holder_and_a_waiter, bulkhead, chase, clock, ends, free, full,
    leaves_a_waker_that_asks, settle, sized, take, wait,
};

#[tokio::test(start_paused = true)]
async fn a_waiter_that_was_dropped_leaves_the_queue() {
    let bulkhead = sized(1, 2);
    let _holder = take(&bulkhead, 1);
    let (first, second) = (Caller::queued(&bulkhead), Caller::queued(&bulkhead));
    assert_eq!(bulkhead.try_acquire().map(drop), Err(full(1, 1, 2, 2)), "two of two wait");

    drop(first);
    assert_eq!(
        bulkhead.try_acquire().map(drop),
        Err(full(1, 1, 1, 2)),
        "one was cancelled, and one waits: who has gone takes nobody's place in the queue"
    );
    let third = Caller::queued(&bulkhead);

    drop((second, third));
    assert_eq!(bulkhead.try_acquire().map(drop), Err(full(1, 1, 0, 2)), "and now nobody waits");

    // On a thread without a runtime there is no timer to wait with: `acquire` panics, as it says.
    let mine = bulkhead.clone();
    let _panicked = thread::spawn(move || drop(Caller::of(&mine))).join();
    assert_eq!(
        bulkhead.try_acquire().map(drop),
        Err(full(1, 1, 0, 2)),
        "it had its chair when it asked for a timer and panicked: unwinding must take it out of the queue. \
         Make the value whose `drop` leaves the queue before anything that can panic"
    );
}

#[tokio::test(start_paused = true)]
async fn a_waiter_whose_time_is_over_leaves_the_queue() {
    let bulkhead = sized(1, 1);
    let _holder = take(&bulkhead, 1);

    let first = bulkhead.acquire().await.map(drop);
    assert_eq!(first, Err(Rejected::WaitedTooLong { max_wait: 10 * SECOND }));

    assert_eq!(
        bulkhead.acquire().await.map(drop),
        Err(Rejected::WaitedTooLong { max_wait: 10 * SECOND }),
        "the second may wait as the first did: the one chair is free again. Full would mean that somebody \
         who has gone is still counted"
    );
    assert_eq!(bulkhead.try_acquire().map(drop), Err(full(1, 1, 0, 1)), "nobody waits any more");
}

#[tokio::test(start_paused = true)]
async fn those_who_give_up_do_not_hold_up_those_behind_them() {
    let bulkhead = sized(1, 5);
    let mut holder = take(&bulkhead, 1);
    let mut waiters: Vec<_> = (0..5).map(|_| Caller::queued(&bulkhead)).collect();

    // The first, one in the middle, and the last.
    waiters.remove(4);
    waiters.remove(2);
    waiters.remove(0);

    holder.clear();
    let permit = waiters[0].permit("those before it have gone, so it is its turn");
    assert!(waiters[1].poll().is_pending(), "there is one place");
    drop(permit);
    drop(waiters[1].permit("the one between them has gone"));
    assert_eq!(free(&bulkhead), 1, "all have gone, and the place is free");

    // And again, with time that is over: the third, the fourth and the first look at their limit.
    let mut holder = take(&bulkhead, 1);
    let mut waiters: Vec<_> = (0..4).map(|_| Caller::queued(&bulkhead)).collect();
    wait(9 * SECOND).await;
    let mut fifth = Caller::queued(&bulkhead);
    wait(SECOND).await;
    for late in [2, 3, 0] {
        let answer = waiters[late].poll().map(|answer| answer.map(drop));
        assert_eq!(answer, Poll::Ready(Err(Rejected::WaitedTooLong { max_wait: 10 * SECOND })));
    }
    assert_eq!(bulkhead.try_acquire().map(drop), Err(full(1, 1, 2, 5)), "two of five wait still");
    holder.clear();
    drop(
        waiters[1].permit(
            "it hasn't looked since its time was over: the place is granted, and it takes it",
        ),
    );
    drop(fifth.permit("and then the fifth"));
}

#[tokio::test(start_paused = true)]
async fn a_place_granted_to_a_waiter_that_is_gone_goes_to_the_next() {
    let bulkhead = sized(1, 5);
    let mut holder = take(&bulkhead, 1);
    let first = Caller::queued(&bulkhead);
    let next = bulkhead.clone();
    let second = tokio::spawn(async move { next.acquire().await });
    settle().await;
    let begun = Instant::now();

    holder.clear(); // The place is the first waiter's now.
    drop(first); // And it will never know.
    let second = second.await.expect("the second waiter doesn't panic");

    assert!(
        second.is_ok(),
        "the first waiter was granted the place and was dropped before it looked: nobody else can give \
         that place back, so it has to be passed on. The second got {second:?}"
    );
    assert_eq!(
        begun.elapsed(),
        Duration::ZERO,
        "it was passed on at once, but the second waiter learned of it only at its limit: a waiter that passes its \
         place on has to wake the next"
    );
    assert_eq!(
        free(&bulkhead),
        0,
        "passed on once: there is one place, and the second waiter has it"
    );
}

#[test]
fn the_waker_of_one_who_leaves_is_dropped_without_the_lock() {
    let (_bulkhead, holder, waiter) = leaves_a_waker_that_asks(a_holder_and_a_waiter());

    assert!(
        ends(move || {
            drop(waiter);
            drop(holder);
        })
        .is_some(),
        "it left the queue, and its waker, whose `drop` asked for a place, still waits for the lock. Take \
         the waiter out of the core, and drop it when the lock is free"
    );
}

#[tokio::test(start_paused = true)]
async fn a_place_granted_to_the_last_waiter_is_free_when_it_is_gone() {
    let bulkhead = sized(2, 5);
    let mut holders = take(&bulkhead, 2);
    let waiter = Caller::queued(&bulkhead);

    holders.pop();
    drop(waiter);

    assert_eq!(
        free(&bulkhead),
        1,
        "it was granted to a waiter that is gone, and nobody else waits"
    );
    drop(holders);
    assert_eq!(free(&bulkhead), 2, "given back once each: two places, not one and not three");
}

#[tokio::test(start_paused = true)]
async fn a_place_that_was_granted_before_the_waiter_looked_is_taken() {
    let bulkhead = bulkhead(Config { max_wait: SECOND, ..Config::default() });
    let mut holders = take(&bulkhead, 10);
    let mut waiter = Caller::queued(&bulkhead);

    // It is granted in time, but its task is kept from running until after the limit.
    wait(999 * MILLISECOND).await;
    holders.pop();
    wait(SECOND).await;
    let answer = waiter.poll();

    assert!(
        matches!(answer, Poll::Ready(Ok(_))),
        "the place was granted at 0.999 s, and the waiter looks at 1.999 s. It has a place: to go away \
         now, or to leave the place with nobody, helps no one. It got {answer:?}"
    );
    drop((answer, holders));
    assert_eq!(free(&bulkhead), 10, "and all of them come back");
}

#[tokio::test(start_paused = true)]
async fn a_waiter_that_is_gone_is_granted_nothing_later() {
    let bulkhead = sized(1, 5);
    let mut holder = take(&bulkhead, 1);
    let mut late = Caller::queued(&bulkhead);
    wait(10 * SECOND).await;
    let answer = late.poll();
    assert!(
        matches!(answer, Poll::Ready(Err(Rejected::WaitedTooLong { .. }))),
        "its time is over, and no place has come: {answer:?}"
    );

    // Its future still exists, as it does in a caller that goes on to log the error, say.
    holder.clear();

    assert_eq!(
        free(&bulkhead),
        1,
        "it has been told that it got no place: so it must not hold one"
    );
    drop(late);
    assert_eq!(free(&bulkhead), 1, "and when its future is dropped there is nothing to give back");
}

#[test]
fn no_place_is_lost_when_one_gives_back_while_another_gives_up() {
    let runtime = clock();
    for (why, over) in [("is dropped", false), ("has waited too long", true)] {
        for moment in 0..MOMENTS {
            let _entered = runtime.enter();
            let bulkhead = sized(1, 2);
            let holder = take(&bulkhead, 1);
            let mut waiter = Caller::queued(&bulkhead);
            let gives_up = move || {
                if over {
                    Handle::current().block_on(wait(11 * SECOND));
                    drop(waiter.poll());
                }
                drop(waiter);
            };
            let ((), in_between) = between(moment, move || drop(holder), gives_up);
            assert_eq!(
                free(&bulkhead),
                1,
                "a waiter {why}, and meanwhile the holder gives its place back: both have gone, and the place must be \
                 free. Whether a waiter is still in the queue or has been granted a place must be asked, and acted \
                 upon, in one visit to the core"
            );
            if !in_between {
                break;
            }
        }
    }
    let bulkhead = sized(1, 2);

    // The caller with the place gives it back at once, and the waiter gives up at once.
    chase(100_000, |_| {
        let _entered = runtime.enter();
        drop(Caller::of(&bulkhead));
    });

    assert_eq!(
        free(&bulkhead),
        1,
        "three threads came and went, and the one place has to be free: to ask whether a waiter is in the queue, and \
         to act upon it, must be one visit to the core"
    );
}
