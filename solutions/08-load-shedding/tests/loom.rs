//! Every interleaving of a few requests, under loom: `cargo xtask check` runs this with `--cfg loom`.
//! tokio's clock is paused, for loom wants the same run each time; its threads are coroutines on one
//! thread, so that one runtime serves them all.
#![cfg(loom)]

use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use load_shedding_solution::fast::{Config, Limit, Permit, Reason, Request, Shed, Shedder};
use loom::sync::Arc;
use loom::sync::atomic::{AtomicU64, Ordering::Relaxed};
use loom::thread;
use tokio::runtime::{Builder, Runtime};

fn paused() -> Runtime {
    Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime")
}

fn one_place(max_waiting: usize) -> Shedder {
    let config = Config { limit: Limit::Fixed(1), max_waiting, ..Config::default() };
    Shedder::seeded(config, 7).expect("a valid configuration")
}

type Caller = Pin<Box<dyn Future<Output = Result<Permit, Shed>> + Send>>;

fn comes(shedder: &Shedder) -> (Caller, Poll<Result<Permit, Shed>>) {
    let shedder = shedder.clone();
    let mut caller: Caller = Box::pin(async move { shedder.acquire(Request::default()).await });
    let answer = poll(&mut caller);
    (caller, answer)
}

fn poll(caller: &mut Caller) -> Poll<Result<Permit, Shed>> {
    caller.as_mut().poll(&mut Context::from_waker(Waker::noop()))
}

fn at_once(shedder: &Shedder) -> Result<Permit, Shed> {
    match comes(shedder).1 {
        Poll::Ready(answer) => answer,
        Poll::Pending => panic!("it waits"),
    }
}

fn all_is_back(shedder: &Shedder) {
    let now = shedder.snapshot();
    assert_eq!((now.running, now.waiting), (0, 0));
    assert!(at_once(shedder).is_ok(), "the place is free");
}

#[test]
fn two_requests_never_share_the_last_place_and_the_other_is_refused() {
    let clock = paused();
    loom::model(move || {
        let _entered = clock.enter();
        let shedder = one_place(0);
        let shared = shedder.clone();
        let other = thread::spawn(move || at_once(&shared));
        let answers = [at_once(&shedder), other.join().unwrap()];
        let refused = answers.iter().filter_map(|answer| answer.as_ref().err());
        assert!(refused.map(|shed| shed.reason).eq([Reason::Full]), "{answers:?}");
        drop(answers);
        all_is_back(&shedder);
    });
}

#[test]
fn who_comes_to_wait_while_the_place_is_given_back_gets_it() {
    let clock = paused();
    loom::model(move || {
        let _entered = clock.enter();
        let shedder = one_place(1);
        let holder = at_once(&shedder).expect("free");
        let gives_back = thread::spawn(move || drop(holder));
        let (mut caller, answer) = comes(&shedder);
        let now = shedder.snapshot();
        assert!(now.waiting == 0 || now.running == 1, "who waits beside a free place: {now:?}");
        gives_back.join().unwrap();
        let answer = if answer.is_pending() { poll(&mut caller) } else { answer };
        assert!(matches!(answer, Poll::Ready(Ok(_))), "it waits beside a free place: {answer:?}");
        drop(answer);
        all_is_back(&shedder);
    });
}

#[test]
fn a_newcomer_never_overtakes_who_waits() {
    let clock = paused();
    loom::model(move || {
        let _entered = clock.enter();
        let shedder = one_place(1);
        let holder = at_once(&shedder).expect("free");
        let (mut waiter, answer) = comes(&shedder);
        assert!(answer.is_pending(), "the place is taken");
        let gives_back = thread::spawn(move || drop(holder));
        let (newcomer, answer) = comes(&shedder);
        assert!(!matches!(answer, Poll::Ready(Ok(_))), "the place is the waiter's");
        gives_back.join().unwrap();
        assert!(matches!(poll(&mut waiter), Poll::Ready(Ok(_))), "handed on");
        drop(newcomer);
    });
}

#[test]
fn a_place_for_who_leaves_just_then_is_not_lost() {
    let clock = paused();
    loom::model(move || {
        let _entered = clock.enter();
        let shedder = one_place(1);
        let holder = at_once(&shedder).expect("free");
        let (waiter, _) = comes(&shedder);
        let gives_back = thread::spawn(move || drop(holder));
        drop(waiter);
        gives_back.join().unwrap();
        all_is_back(&shedder);
    });
}

#[test]
fn what_a_holder_did_is_seen_by_the_next_one_whoever_looks_in_between() {
    let clock = paused();
    loom::model(move || {
        let _entered = clock.enter();
        let shedder = one_place(0);
        let visits = Arc::new(AtomicU64::new(0));
        // In two steps: only who has the place to itself, and sees what was done in it, counts right.
        let visit = |shedder: &Shedder, visits: &AtomicU64| {
            let permit = at_once(shedder);
            if permit.is_ok() {
                visits.store(visits.load(Relaxed) + 1, Relaxed);
            }
            u64::from(permit.is_ok())
        };
        let shared = (shedder.clone(), visits.clone());
        let other = thread::spawn(move || visit(&shared.0, &shared.1));
        let mut admitted = visit(&shedder, &visits);
        shedder.snapshot();
        admitted += visit(&shedder, &visits);
        admitted += other.join().unwrap();
        assert_eq!(visits.load(Relaxed), admitted, "one visit was unseen");
    });
}
