use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use loom::thread;
use tokio::runtime::{Builder, Runtime};

// Of whichever bulkhead the module that includes this is about.
use super::subject::{Bulkhead, Config, Counts, Permit, Rejected};

const MAX_WAIT: Duration = Duration::from_secs(1);

fn paused() -> Runtime {
    Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime")
}

fn one_place() -> Bulkhead {
    let config = Config { max_concurrent: 1, max_waiting: 2, max_wait: MAX_WAIT };
    Bulkhead::new(config).expect("a valid configuration")
}

type Caller = Pin<Box<dyn Future<Output = Result<Permit, Rejected>> + Send>>;

fn poll(caller: &mut Caller) -> Poll<Result<Permit, Rejected>> {
    caller.as_mut().poll(&mut Context::from_waker(Waker::noop()))
}

#[derive(Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, SeqCst);
    }
}

/// A caller that waits.
fn queued(bulkhead: &Bulkhead) -> Caller {
    let bulkhead = bulkhead.clone();
    let mut caller: Caller = Box::pin(async move { bulkhead.acquire().await });
    assert!(poll(&mut caller).is_pending(), "the place is taken");
    caller
}

/// All have gone: nobody is in, nobody waits, and each caller ended once.
fn all_is_back(bulkhead: &Bulkhead, callers: u64) -> Counts {
    let now = bulkhead.snapshot();
    assert_eq!((now.active, now.waiting), (0, 0), "{:?}", now.counts);
    let Counts { admitted, finished, rejected, timed_out, cancelled } = now.counts;
    assert_eq!(admitted, finished);
    assert_eq!(admitted + rejected + timed_out + cancelled, callers);
    assert!(bulkhead.try_acquire().is_ok(), "the place is free");
    now.counts
}

#[test]
fn two_callers_never_share_the_last_place() {
    let clock = paused();
    loom::model(move || {
        let _entered = clock.enter();
        let bulkhead = one_place();
        let ask = |bulkhead: Bulkhead| move || bulkhead.try_acquire().map(std::mem::forget).is_ok();
        let other = thread::spawn(ask(bulkhead.clone()));
        let admitted = usize::from(ask(bulkhead)()) + usize::from(other.join().unwrap());
        assert_eq!(admitted, 1, "one place, one caller");
    });
}

#[test]
fn a_grant_and_a_cancellation_at_once_lose_no_place() {
    let clock = paused();
    loom::model(move || {
        let _entered = clock.enter();
        let bulkhead = one_place();
        let holder = bulkhead.try_acquire().expect("free");
        let waiter = queued(&bulkhead);
        let gives_back = thread::spawn(move || drop(holder));
        drop(waiter);
        gives_back.join().unwrap();
        all_is_back(&bulkhead, 2);
    });
}

#[test]
fn a_grant_and_a_timeout_at_once_are_one_or_the_other() {
    let clock = paused();
    loom::model(move || {
        let _entered = clock.enter();
        let bulkhead = one_place();
        let holder = bulkhead.try_acquire().expect("free");
        let mut waiter = queued(&bulkhead);
        clock.block_on(tokio::time::advance(MAX_WAIT));
        let gives_back = thread::spawn(move || drop(holder));
        let timed_out = match poll(&mut waiter) {
            Poll::Ready(Ok(_permit)) => 0,
            Poll::Ready(Err(Rejected::WaitedTooLong { .. })) => 1,
            other => panic!("its time is over: {other:?}"),
        };
        gives_back.join().unwrap();
        assert_eq!(all_is_back(&bulkhead, 2).timed_out, timed_out, "counted as it was answered");
    });
}

#[test]
fn the_next_gets_the_place_of_a_waiter_that_gives_up() {
    let clock = paused();
    loom::model(move || {
        let _entered = clock.enter();
        let bulkhead = one_place();
        let holder = bulkhead.try_acquire().expect("free");
        let first = queued(&bulkhead);
        let mut second = queued(&bulkhead);
        let woken = Arc::new(Woken::default());
        let waker = Waker::from(Arc::clone(&woken));
        assert!(second.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        let gives_back = thread::spawn(move || drop(holder));
        let gives_up = thread::spawn(move || drop(first));
        gives_back.join().unwrap();
        gives_up.join().unwrap();
        assert!(woken.0.load(SeqCst), "whichever way the place came, it was told");
        assert!(matches!(poll(&mut second), Poll::Ready(Ok(_))), "the only one left has it");
        drop(second);
        all_is_back(&bulkhead, 3);
    });
}

#[test]
fn a_waiter_that_goes_on_to_wait_is_woken() {
    let clock = paused();
    loom::model(move || {
        let _entered = clock.enter();
        let bulkhead = one_place();
        let holder = bulkhead.try_acquire().expect("free");
        let gives_back = thread::spawn(move || drop(holder));
        // loom ends a run in which this never returns.
        let permit = loom::future::block_on({
            let bulkhead = bulkhead.clone();
            async move { bulkhead.acquire().await }
        });
        assert!(permit.is_ok(), "the place was given back");
        gives_back.join().unwrap();
        drop(permit);
        all_is_back(&bulkhead, 2);
    });
}
