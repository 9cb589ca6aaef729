//! What the checks share: ways to make a bulkhead, to fill it, and to wait in it.
//!
//! Time is virtual: `#[tokio::test(start_paused = true)]` stops tokio's clock, and `wait` moves it.

use std::fmt::Write as _;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, mpsc};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use bulkhead::{Bulkhead, Config, Permit, Rejected};
use cooked_waker::{IntoWaker, Wake, WakeRef};
use tokio::runtime::{Builder, Runtime};
use tokio::time::Instant;

mod between;
mod step_1_limit;
mod step_2_wait;
mod step_3_wake;
mod step_4_hold;
mod step_5_abandon;
mod step_6_measure;
mod step_7_size;

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
    /// A caller that hasn't asked yet.
    fn new(bulkhead: &Bulkhead) -> Self {
        let bulkhead = bulkhead.clone();
        Self(Box::pin(async move { bulkhead.acquire().await }))
    }

    /// A caller that has asked once: it has its place, or its place in the queue.
    fn of(bulkhead: &Bulkhead) -> (Self, Poll<Result<Permit, Rejected>>) {
        let mut caller = Self::new(bulkhead);
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

/// A waker that asks the bulkhead for a place when it is woken, cloned or dropped: as an executor may, whose task
/// owns a handle to it. Each clone is a value of its own.
struct Asks(Bulkhead);

impl Asks {
    fn waker(bulkhead: &Bulkhead) -> Waker {
        Box::new(Self(bulkhead.clone())).into_waker()
    }
}

impl Clone for Asks {
    fn clone(&self) -> Self {
        self.wake_by_ref();
        Self(self.0.clone())
    }
}

impl WakeRef for Asks {
    fn wake_by_ref(&self) {
        drop(self.0.try_acquire());
    }
}

impl Wake for Asks {}

impl Drop for Asks {
    fn drop(&mut self) {
        self.wake_by_ref();
    }
}

/// A bulkhead, who holds its only place, and who waits for it.
type Scene = (Bulkhead, Vec<Permit>, Caller);

#[track_caller]
fn a_holder_and_a_waiter() -> Scene {
    // Never shut down, for that wakes all timers, and so might hang the check that is about to fail.
    let runtime = Box::leak(Box::new(clock()));
    let _entered = runtime.enter();
    let bulkhead = sized(1, 5);
    let holder = take(&bulkhead, 1);
    let waiter = Caller::queued(&bulkhead);
    (bulkhead, holder, waiter)
}

/// Has the waiter look with a waker that asks for a place.
#[track_caller]
fn leaves_a_waker_that_asks((bulkhead, holder, mut waiter): Scene) -> Scene {
    let looked = ends(move || {
        let answer = waiter.poll_with(&Asks::waker(&bulkhead));
        (answer.is_pending(), (bulkhead, holder, waiter))
    });
    let (waits, scene) = looked.expect(
        "a waiter looked, with a waker whose `clone` and `drop` ask for a place, and that still waits for the lock: \
         clone the waker before the visit to the core, and drop the one that it replaces after it",
    );
    assert!(waits, "nobody gave a place back, so this caller waits");
    scene
}

/// A waker that remembers that it was woken. That it is cloned is one of the moments of its thread.
#[derive(Default)]
struct Woken(Arc<AtomicBool>);

impl Woken {
    /// What it remembers, and the waker to poll with.
    fn waker() -> (Arc<AtomicBool>, Waker) {
        let woken = Self::default();
        (Arc::clone(&woken.0), Box::new(woken).into_waker())
    }
}

impl Clone for Woken {
    fn clone(&self) -> Self {
        between::moment();
        Self(Arc::clone(&self.0))
    }
}

impl WakeRef for Woken {
    fn wake_by_ref(&self) {
        self.0.store(true, SeqCst);
    }
}

impl Wake for Woken {}

/// What `act` returns, if it comes to its end. A thread that waits for a lock that it holds itself never does, and
/// neither does any other that needs the lock: so `act` owns all that might.
fn ends<T: Send + 'static>(act: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let (tell, told) = mpsc::channel();
    thread::spawn(move || {
        let _ = tell.send(act());
    });
    told.recv_timeout(5 * SECOND).ok()
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
