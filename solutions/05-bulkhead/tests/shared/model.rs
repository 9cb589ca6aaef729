//! The bulkhead against a second, plainer one: whatever callers and time do, in whatever order, the two
//! agree on every answer and every number, each waiter that is granted a place is woken, and in the end every
//! permit is back.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use proptest::prelude::*;
use tokio::runtime::{Builder, Runtime};
use tokio::time::advance;

// Of whatever bulkhead the test file that includes this has.
use crate::{Bulkhead, Config, Counts, Permit, Rejected};

const MAX_WAIT: Duration = Duration::from_millis(100);

#[derive(Debug, Clone, Copy)]
enum Step {
    TryAcquire,
    /// A new caller of `acquire` asks.
    Acquire,
    /// A caller that waits is polled; which one, is taken modulo how many there are.
    Poll(usize),
    /// A caller that waits is dropped.
    Cancel(usize),
    GiveBack(usize),
    /// The holder of a permit panics.
    Panic(usize),
    Wait(Duration),
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum State {
    Waits,
    Granted,
}

/// A list of those who asked and haven't been answered, in order.
struct Model {
    config: Config,
    now: Duration,
    active: usize,
    callers: Vec<(State, Duration)>,
    counts: Counts,
}

impl Model {
    fn waiting(&self) -> usize {
        self.callers.iter().filter(|caller| caller.0 == State::Waits).count()
    }

    fn full(&mut self) -> Rejected {
        self.counts.rejected += 1;
        let Config { max_concurrent, max_waiting, .. } = self.config;
        Rejected::Full { active: self.active, max_concurrent, waiting: self.waiting(), max_waiting }
    }

    fn try_acquire(&mut self) -> Result<(), Rejected> {
        if self.active == self.config.max_concurrent {
            return Err(self.full());
        }
        self.active += 1;
        self.counts.admitted += 1;
        Ok(())
    }

    fn acquire(&mut self) -> Poll<Result<(), Rejected>> {
        if self.active < self.config.max_concurrent || self.waiting() == self.config.max_waiting {
            return Poll::Ready(self.try_acquire());
        }
        self.callers.push((State::Waits, self.now));
        Poll::Pending
    }

    fn poll(&mut self, index: usize) -> Poll<Result<(), Rejected>> {
        let (state, since) = self.callers[index];
        if state == State::Waits && self.now - since < MAX_WAIT {
            return Poll::Pending;
        }
        self.callers.remove(index);
        Poll::Ready(match state {
            State::Granted => Ok(()),
            State::Waits => {
                self.counts.timed_out += 1;
                Err(Rejected::WaitedTooLong { max_wait: MAX_WAIT })
            }
        })
    }

    fn cancel(&mut self, index: usize) {
        match self.callers.remove(index).0 {
            State::Granted => self.give_back(),
            State::Waits => self.counts.cancelled += 1,
        }
    }

    fn give_back(&mut self) {
        self.counts.finished += 1;
        match self.callers.iter_mut().find(|caller| caller.0 == State::Waits) {
            Some(first) => {
                first.0 = State::Granted;
                self.counts.admitted += 1;
            }
            None => self.active -= 1,
        }
    }
}

#[derive(Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, SeqCst);
    }
}

struct Caller {
    future: Pin<Box<dyn Future<Output = Result<Permit, Rejected>>>>,
    /// Since its last poll.
    woken: Arc<Woken>,
}

impl Caller {
    fn of(bulkhead: &Bulkhead) -> Self {
        let bulkhead = bulkhead.clone();
        Self { future: Box::pin(async move { bulkhead.acquire().await }), woken: Arc::default() }
    }

    /// With a waker of its own each time: only the newest tells.
    fn poll(&mut self) -> Poll<Result<Permit, Rejected>> {
        self.woken = Arc::default();
        let waker = Waker::from(Arc::clone(&self.woken));
        self.future.as_mut().poll(&mut Context::from_waker(&waker))
    }
}

/// Keeps a permit that was given, and says what the answer was.
fn keep(permits: &mut Vec<Permit>, answer: Result<Permit, Rejected>) -> Result<(), Rejected> {
    answer.map(|permit| permits.push(permit))
}

fn run(clock: &Runtime, config: Config, steps: Vec<Step>) -> Result<(), TestCaseError> {
    clock.block_on(async {
        let bulkhead = Bulkhead::new(config).expect("a valid configuration");
        let mut model = Model {
            config,
            now: Duration::ZERO,
            active: 0,
            callers: Vec::new(),
            counts: Counts::default(),
        };
        let mut permits: Vec<Permit> = Vec::new();
        let mut callers: Vec<Caller> = Vec::new();
        for step in steps {
            match step {
                Step::TryAcquire => {
                    let answer = keep(&mut permits, bulkhead.try_acquire());
                    prop_assert_eq!(answer, model.try_acquire());
                }
                Step::Acquire => {
                    let mut caller = Caller::of(&bulkhead);
                    let answer = caller.poll().map(|answer| keep(&mut permits, answer));
                    prop_assert_eq!(answer, model.acquire());
                    if answer.is_pending() {
                        callers.push(caller);
                    }
                }
                Step::Poll(which) if !callers.is_empty() => {
                    let index = which % callers.len();
                    let answer = callers[index].poll().map(|answer| keep(&mut permits, answer));
                    prop_assert_eq!(answer, model.poll(index));
                    if answer.is_ready() {
                        drop(callers.remove(index));
                    }
                }
                Step::Cancel(which) if !callers.is_empty() => {
                    let index = which % callers.len();
                    drop(callers.remove(index));
                    model.cancel(index);
                }
                Step::GiveBack(which) if !permits.is_empty() => {
                    drop(permits.swap_remove(which % permits.len()));
                    model.give_back();
                }
                Step::Panic(which) if !permits.is_empty() => {
                    let permit = permits.swap_remove(which % permits.len());
                    let panicked = catch_unwind(AssertUnwindSafe(|| {
                        let _permit = permit;
                        resume_unwind(Box::new("a bug in the holder's code"));
                    }));
                    prop_assert!(panicked.is_err());
                    model.give_back();
                }
                Step::Wait(time) => {
                    advance(time).await;
                    model.now += time;
                }
                Step::Poll(_) | Step::Cancel(_) | Step::GiveBack(_) | Step::Panic(_) => {}
            }
            for (caller, (state, _)) in callers.iter().zip(&model.callers) {
                let knows = *state == State::Waits || caller.woken.0.load(SeqCst);
                prop_assert!(knows, "after {:?}: granted a place, and not woken", step);
            }
            let now = bulkhead.snapshot();
            prop_assert_eq!(
                (now.active, now.waiting, now.counts),
                (model.active, model.waiting(), model.counts),
                "after {:?}",
                step
            );
        }

        drop((permits, callers));
        let now = bulkhead.snapshot();
        prop_assert_eq!((now.active, now.waiting), (0, 0), "every permit is back");
        prop_assert_eq!(now.counts.admitted, now.counts.finished);
        let all: Vec<_> = (0..config.max_concurrent).map(|_| bulkhead.try_acquire()).collect();
        prop_assert!(all.iter().all(Result::is_ok), "every place is free");
        prop_assert!(bulkhead.try_acquire().is_err(), "and there is no place more");
        Ok(())
    })
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => Just(Step::TryAcquire),
        5 => Just(Step::Acquire),
        3 => any::<usize>().prop_map(Step::Poll),
        2 => any::<usize>().prop_map(Step::Cancel),
        3 => any::<usize>().prop_map(Step::GiveBack),
        1 => any::<usize>().prop_map(Step::Panic),
        2 => (1..80_u64).prop_map(|ms| Step::Wait(Duration::from_millis(ms))),
    ]
}

fn config() -> impl Strategy<Value = Config> {
    (1..4_usize, 0..5_usize).prop_map(|(max_concurrent, max_waiting)| Config {
        max_concurrent,
        max_waiting,
        max_wait: MAX_WAIT,
    })
}

#[test]
fn every_permit_comes_back_from_ten_thousand_schedules() {
    let clock =
        Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime");
    let settings =
        ProptestConfig { cases: 10_000, failure_persistence: None, ..ProptestConfig::default() };
    proptest!(settings, |(config in config(), steps in prop::collection::vec(step(), 0..25))| {
        run(&clock, config, steps)?;
    });
}
