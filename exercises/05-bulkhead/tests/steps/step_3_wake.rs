//! Step 3: nobody sleeps beside a free place.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc;
use std::task::Poll;
use std::thread;
use std::time::Duration;

use tokio::time::Instant;

use super::between::{MOMENTS, between};
use super::{
    Caller, Woken, a_holder_and_a_waiter, clock, ends, leaves_a_waker_that_asks, settle, sized,
    take,
};

#[tokio::test(start_paused = true)]
async fn a_waiter_that_moves_to_another_task_is_still_woken() {
    let bulkhead = sized(1, 5);
    let holder = take(&bulkhead, 1);
    let waiter = Caller::queued(&bulkhead);
    let begun = Instant::now();

    let task = tokio::spawn(waiter.0);
    settle().await;
    drop(holder);
    let admitted = task.await.expect("the waiter doesn't panic").is_ok();

    assert_eq!(
        (admitted, begun.elapsed()),
        (true, Duration::ZERO),
        "a future may be polled by one task first and by another later: wake the one that polled last"
    );
}

#[test]
fn no_waker_is_touched_under_the_lock() {
    // The second look replaces what the first has left.
    let scene = leaves_a_waker_that_asks(a_holder_and_a_waiter());
    let (_bulkhead, holder, waiter) = leaves_a_waker_that_asks(scene);

    let ended = ends(move || {
        drop(holder);
        drop(waiter);
    });
    assert!(
        ended.is_some(),
        "the place went to a waiter, whose `wake` asked for a place and still waits for the lock. Take the \
         waker out of the core, and wake it when the lock is free"
    );
}

/// Who acts, and who comes in between.
#[derive(Clone, Copy, PartialEq)]
enum Meeting {
    /// The place is granted while the waiter looks for the first time.
    FirstLook,
    /// It is granted while the waiter looks once more.
    LaterLook,
    /// The waiter looks once more while the place is granted.
    Grant,
}

/// What becomes of a waiter that meets its grant at that moment; and whether there is such a moment.
fn meets(meeting: Meeting, moment: usize) -> (&'static str, bool) {
    let bulkhead = sized(1, 1);
    let holder = take(&bulkhead, 1);
    let mut waiter = Caller::new(&bulkhead);
    if meeting != Meeting::FirstLook {
        assert!(waiter.poll().is_pending(), "the place is taken, so this caller waits");
    }
    let (woken, waker) = Woken::waker();
    let (answer, in_between) = if meeting == Meeting::Grant {
        let (tell, told) = mpsc::channel();
        let look = move || {
            let answer = waiter.poll_with(&waker);
            // With its waiter, which would leave the queue.
            let _ = tell.send((answer, waiter));
        };
        let ((), in_between) = between(moment, look, || drop(holder));
        let (answer, _waiter) = told.recv().expect("it has looked");
        (answer, in_between)
    } else {
        between(moment, move || drop(holder), || waiter.poll_with(&waker))
    };
    let fate = match (&answer, woken.load(SeqCst)) {
        (Poll::Ready(Ok(_)), _) => "has its place",
        (Poll::Pending, true) => "is woken",
        (Poll::Pending, false) => {
            "answers Pending, and nobody wakes it: it sleeps beside its place"
        }
        (Poll::Ready(Err(_)), _) => "is turned away",
    };
    (fate, in_between)
}

#[test]
fn a_place_that_is_granted_while_a_waiter_looks_is_not_missed() {
    let runtime = clock();
    let _entered = runtime.enter();
    let mut picture = String::new();

    for (meeting, act, other) in [
        (Meeting::FirstLook, "the first look", "the grant"),
        (Meeting::LaterLook, "a later look", "the grant"),
        (Meeting::Grant, "the grant", "a look"),
    ] {
        for moment in 0..MOMENTS {
            let (fate, in_between) = meets(meeting, moment);
            let when =
                if in_between { format!("at moment {moment}") } else { "at its end".to_owned() };
            // In between both are right, and how many visits there are is nobody's business.
            if !in_between || !["has its place", "is woken"].contains(&fate) {
                writeln!(picture, "{act}, and {when} {other}: the waiter {fate}").unwrap();
            }
            if !in_between {
                break;
            }
        }
    }

    insta::assert_snapshot!(
        picture,
        "two threads, one that looks for its place and one that grants it, meet at each moment that there is: before each \
         visit to the core, after it, and while a waker is cloned. A waiter that sees that it has no place yet must be sure to be woken by \
         the thread that grants it one after that. What is seen in one visit may be false in the next",
        @"
        the first look, and at its end the grant: the waiter is woken
        a later look, and at its end the grant: the waiter is woken
        the grant, and at its end a look: the waiter has its place
        "
    );
}

#[test]
fn no_waiter_sleeps_beside_its_place() {
    const ROUNDS: usize = 1_000;
    let runtime = clock();
    let _entered = runtime.enter();
    let bulkhead = sized(1, 1);
    let (give, given) = mpsc::sync_channel(1);
    let rounds_granted = AtomicUsize::new(0);

    // One thread grants a place in each round, and the other looks again and again until then.
    let asleep = thread::scope(|scope| {
        // Dropped at the end, be that a panic: so the other thread ends too.
        let give = give;
        scope.spawn(|| {
            for holder in given {
                drop(holder);
                rounds_granted.fetch_add(1, SeqCst);
            }
        });
        (1..=ROUNDS).find(|round| {
            let holder = take(&bulkhead, 1);
            let mut waiter = Caller::queued(&bulkhead);
            give.send(holder).expect("the other thread listens");
            loop {
                let (woken, waker) = Woken::waker();
                let answer = waiter.poll_with(&waker);
                let granted = rounds_granted.load(SeqCst) == *round;
                match answer {
                    Poll::Ready(_) => break false,
                    Poll::Pending if granted => break !woken.load(SeqCst),
                    Poll::Pending => {}
                }
            }
        })
    });

    assert_eq!(
        asleep, None,
        "in that round the place was granted while the waiter looked: it answered Pending, its waker was never woken, \
         and it sleeps to its limit beside a place of its own"
    );
}
