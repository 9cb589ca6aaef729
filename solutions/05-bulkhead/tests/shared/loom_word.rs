//! What only the fast bulkhead can get wrong: the places in the word, taken back and lent out while others
//! take them and put them back.

use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use loom::sync::Arc;
use loom::sync::atomic::{AtomicU64, Ordering::Relaxed};
use loom::thread;
use tokio::runtime::{Builder, Runtime};

use super::subject::{Bulkhead, Config, Counts, Permit, Rejected, Snapshot};

fn paused() -> Runtime {
    Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime")
}

fn places(max_concurrent: usize) -> Bulkhead {
    let config = Config { max_concurrent, max_waiting: 1, ..Config::default() };
    Bulkhead::new(config).expect("a valid configuration")
}

type Caller = Pin<Box<dyn Future<Output = Result<Permit, Rejected>>>>;

/// A caller that has asked once.
fn asked(bulkhead: &Bulkhead) -> (Caller, Poll<Result<Permit, Rejected>>) {
    let bulkhead = bulkhead.clone();
    let mut caller: Caller = Box::pin(async move { bulkhead.acquire().await });
    let answer = poll(&mut caller);
    (caller, answer)
}

fn poll(caller: &mut Caller) -> Poll<Result<Permit, Rejected>> {
    caller.as_mut().poll(&mut Context::from_waker(Waker::noop()))
}

/// That the numbers of one look agree with each other.
fn agree(now: Snapshot) -> Counts {
    let Counts { admitted, finished, .. } = now.counts;
    assert_eq!(admitted.checked_sub(finished), Some(now.active as u64), "of one instant: {now:?}");
    assert!(now.waiting == 0 || now.active == now.max_concurrent, "who waits beside a free place");
    now.counts
}

#[test]
fn a_place_taken_and_given_back_while_somebody_looks_is_counted_once() {
    loom::model(|| {
        let bulkhead = places(2);
        let shared = bulkhead.clone();
        let other = thread::spawn(move || drop(shared.try_acquire().expect("there are two")));
        let permit = bulkhead.try_acquire().expect("there are two");
        assert!((1..=2).contains(&agree(bulkhead.snapshot()).admitted));
        drop(permit);
        other.join().unwrap();
        let counts = agree(bulkhead.snapshot());
        assert_eq!((counts.admitted, counts.finished, counts.rejected), (2, 2, 0));
    });
}

#[test]
fn who_comes_to_wait_while_the_place_is_given_back_gets_it() {
    let clock = paused();
    loom::model(move || {
        let _entered = clock.enter();
        let bulkhead = places(1);
        let holder = bulkhead.try_acquire().expect("free");
        let gives_back = thread::spawn(move || drop(holder));
        let (mut caller, answer) = asked(&bulkhead);
        agree(bulkhead.snapshot());
        gives_back.join().unwrap();
        let answer = if answer.is_pending() { poll(&mut caller) } else { answer };
        assert!(matches!(answer, Poll::Ready(Ok(_))), "it waits beside a free place: {answer:?}");
    });
}

#[test]
fn a_newcomer_never_overtakes_who_waits() {
    let clock = paused();
    loom::model(move || {
        let _entered = clock.enter();
        let bulkhead = places(1);
        let holder = bulkhead.try_acquire().expect("free");
        let (mut waiter, answer) = asked(&bulkhead);
        assert!(answer.is_pending(), "the place is taken");
        let gives_back = thread::spawn(move || drop(holder));
        let newcomer = bulkhead.try_acquire();
        assert!(newcomer.is_err(), "the place is the waiter's, given back or not");
        gives_back.join().unwrap();
        assert!(matches!(poll(&mut waiter), Poll::Ready(Ok(_))), "handed on");
    });
}

#[test]
fn what_a_holder_did_is_seen_by_the_next_one_whoever_looks_in_between() {
    loom::model(|| {
        let bulkhead = places(1);
        let visits = Arc::new(AtomicU64::new(0));
        // With two steps: only who has the place to himself, and sees what was done in it, counts right.
        let visit = |bulkhead: &Bulkhead, visits: &AtomicU64| {
            if let Ok(_permit) = bulkhead.try_acquire() {
                visits.store(visits.load(Relaxed) + 1, Relaxed);
            }
        };
        let shared = (bulkhead.clone(), visits.clone());
        let other = thread::spawn(move || visit(&shared.0, &shared.1));
        visit(&bulkhead, &visits);
        agree(bulkhead.snapshot());
        visit(&bulkhead, &visits);
        other.join().unwrap();
        assert_eq!(
            visits.load(Relaxed),
            bulkhead.snapshot().counts.admitted,
            "one visit was unseen"
        );
    });
}
