//! What the checks share: ways to make a bulkhead, to fill it, and to wait in it.
//!
//! Time is virtual: `#[tokio::test(start_paused = true)]` stops tokio's clock, and `wait` moves it.

use std::fmt::Write as _;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, mpsc};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::Duration;

use bulkhead::{Bulkhead, Config, Permit, Rejected};
use tokio::runtime::{Builder, Runtime};
use tokio::time::Instant;

mod step_1_limit;
mod step_2_wait;
mod step_3_hold;
mod step_4_abandon;
mod step_5_measure;
mod step_6_size;

const SECOND: Duration = Duration::from_secs(1);
const MILLISECOND: Duration = Duration::from_millis(1);

fn bulkhead(config: Config) -> Bulkhead {
    Bulkhead::new(config).expect("this configuration is valid")
}

/// So many places and so many chairs, where one may sit for ten seconds.
fn sized(max_concurrent: usize, max_waiting: usize) -> Bulkhead {
    bulkhead(Config { max_concurrent, max_waiting, max_wait: 10 * SECOND })
}

/// What a caller is told who finds it full.
fn full(active: usize, max_concurrent: usize, waiting: usize, max_waiting: usize) -> Rejected {
    Rejected::Full { active, max_concurrent, waiting, max_waiting }
}

/// Takes so many places.
#[track_caller]
fn take(bulkhead: &Bulkhead, places: usize) -> Vec<Permit> {
    (1..=places)
        .map(|place| match bulkhead.try_acquire() {
            Ok(permit) => permit,
            Err(why) => panic!("place {place} of {places} should have been free, but: {why}"),
        })
        .collect()
}

/// How many places are free. They are given back at once.
fn free(bulkhead: &Bulkhead) -> usize {
    let permits: Vec<_> = std::iter::from_fn(|| bulkhead.try_acquire().ok()).take(1_000).collect();
    permits.len()
}

/// A caller of `acquire` that moves only when a check polls it, so that a check decides who comes
/// first, who looks late, and who is dropped at which moment.
struct Caller(Pin<Box<dyn Future<Output = Result<Permit, Rejected>> + Send>>);

impl Caller {
    /// A caller that has asked once: it has its place, or its place in the queue.
    fn of(bulkhead: &Bulkhead) -> (Self, Poll<Result<Permit, Rejected>>) {
        let bulkhead = bulkhead.clone();
        let mut caller = Self(Box::pin(async move { bulkhead.acquire().await }));
        let answer = caller.poll();
        (caller, answer)
    }

    /// A caller that had to queue.
    #[track_caller]
    fn queued(bulkhead: &Bulkhead) -> Self {
        let (caller, answer) = Self::of(bulkhead);
        assert!(answer.is_pending(), "all places are taken, so this caller waits: {answer:?}");
        caller
    }

    fn poll(&mut self) -> Poll<Result<Permit, Rejected>> {
        self.poll_with(Waker::noop())
    }

    fn poll_with(&mut self, waker: &Waker) -> Poll<Result<Permit, Rejected>> {
        self.0.as_mut().poll(&mut Context::from_waker(waker))
    }

    /// The permit that this caller must have been granted.
    #[track_caller]
    fn permit(&mut self, why: &str) -> Permit {
        match self.poll() {
            Poll::Ready(Ok(permit)) => permit,
            other => panic!("{why}: a permit was expected, and this is what came: {other:?}"),
        }
    }
}

/// A waker that asks the bulkhead for a place when it is woken, and when it is dropped: as an executor
/// may, whose task owns a handle to it.
struct Asks(Bulkhead);

impl Wake for Asks {
    fn wake(self: Arc<Self>) {
        drop(self.0.try_acquire());
    }
}

impl Drop for Asks {
    fn drop(&mut self) {
        drop(self.0.try_acquire());
    }
}

/// One who holds the only place, and one who waits for it with a waker that asks for a place as well.
#[track_caller]
fn a_holder_and_a_waker_that_asks() -> (Vec<Permit>, Caller) {
    // Never shut down, for that wakes all timers, and so might hang the check that is about to fail.
    let runtime = Box::leak(Box::new(clock()));
    let _entered = runtime.enter();
    let bulkhead = sized(1, 5);
    let holder = take(&bulkhead, 1);
    let mut waiter = Caller::queued(&bulkhead);
    let answer = waiter.poll_with(&Waker::from(Arc::new(Asks(bulkhead))));
    assert!(answer.is_pending(), "nobody gave a place back, so this caller waits: {answer:?}");
    (holder, waiter)
}

/// Whether `act` comes to its end. Who waits for a lock that it holds itself never does, and whoever
/// else needs the lock doesn't either: so `act` owns all that might.
fn ends(act: impl FnOnce() + Send + 'static) -> bool {
    let (tell, told) = mpsc::channel();
    thread::spawn(move || {
        act();
        let _ = tell.send(());
    });
    told.recv_timeout(5 * SECOND).is_ok()
}

/// Has several threads go through the same rounds. Who falls behind skips to the newest, so that they
/// meet again and again without waiting for each other; each round is acted by one of them at least.
fn chase(rounds: usize, act: impl Fn(usize) + Sync) {
    let newest = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let mut round = 0;
                while round < rounds {
                    act(round);
                    round = newest.fetch_max(round + 1, SeqCst).max(round + 1);
                }
            });
        }
    });
}

/// A paused clock for threads that have none.
fn clock() -> Runtime {
    Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime")
}

/// Moves the clock.
async fn wait(time: Duration) {
    tokio::time::advance(time).await;
}

/// Lets every task run until it has nothing more to do now.
async fn settle() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}

/// Writes down what happened, and when.
struct Diary {
    begun: Instant,
    text: String,
}

impl Diary {
    fn begin() -> Self {
        Self { begun: Instant::now(), text: String::new() }
    }

    fn note(&mut self, what: &str) {
        let at = format!("{:.3}s", self.begun.elapsed().as_secs_f64());
        writeln!(self.text, "{at:<9} {what}").unwrap();
    }
}
