//! The fast shedder: under the exercise's own spec, against the readable one, and between threads.

use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use load_shedding_solution as readable;
use proptest::prelude::*;
use tokio::time::{Instant, advance};

// So that the spec's `load_shedding::Shedder` is the fast one.
extern crate self as load_shedding;
pub use load_shedding_solution::fast::*;

#[path = "../../../exercises/08-load-shedding/tests/steps/mod.rs"]
mod steps;

type Answer<P> = Pin<Box<dyn Future<Output = Result<P, Shed>>>>;

/// What the two have in common.
trait Subject {
    type Permit;
    fn acquire(&self, request: Request) -> Answer<Self::Permit>;
    fn snapshot(&self) -> Snapshot;
}

impl Subject for readable::Shedder {
    type Permit = readable::Permit;
    fn acquire(&self, request: Request) -> Answer<Self::Permit> {
        let shedder = self.clone();
        Box::pin(async move { shedder.acquire(request).await })
    }
    fn snapshot(&self) -> Snapshot {
        self.snapshot()
    }
}

impl Subject for Shedder {
    type Permit = Permit;
    fn acquire(&self, request: Request) -> Answer<Self::Permit> {
        let shedder = self.clone();
        Box::pin(async move { shedder.acquire(request).await })
    }
    fn snapshot(&self) -> Snapshot {
        self.snapshot()
    }
}

/// Which one, is taken modulo how many there are.
#[derive(Debug, Clone, Copy)]
enum Step {
    Comes(Priority, Option<u64>),
    Leaves(usize),
    Ends(usize),
    Wait(u64),
    /// All that wait look for their answers.
    Look,
}

/// A shedder, and all that are in it.
struct Side<S: Subject> {
    shedder: S,
    waiting: Vec<Answer<S::Permit>>,
    running: Vec<S::Permit>,
}

impl<S: Subject> Side<S> {
    fn new(shedder: S) -> Self {
        Self { shedder, waiting: Vec::new(), running: Vec::new() }
    }

    /// What was answered, and the numbers afterwards.
    fn takes(&mut self, step: Step, now: Instant) -> (Vec<Result<(), Shed>>, Snapshot) {
        match step {
            Step::Comes(priority, patience) => {
                let deadline = patience.map(|millis| now + Duration::from_millis(millis));
                let mut answer = self.shedder.acquire(Request { priority, deadline });
                // Whom it displaces looks later.
                let told = self.told(answer.as_mut());
                if told.is_none() {
                    self.waiting.push(answer);
                }
                return (told.into_iter().collect(), self.shedder.snapshot());
            }
            Step::Leaves(which) if !self.waiting.is_empty() => {
                drop(self.waiting.remove(which % self.waiting.len()));
            }
            Step::Ends(which) if !self.running.is_empty() => {
                drop(self.running.remove(which % self.running.len()));
            }
            _ => {}
        }
        let mut answers = Vec::new();
        if matches!(step, Step::Look) {
            for mut answer in std::mem::take(&mut self.waiting) {
                match self.told(answer.as_mut()) {
                    Some(told) => answers.push(told),
                    None => self.waiting.push(answer),
                }
            }
        }
        (answers, self.shedder.snapshot())
    }

    fn told(
        &mut self,
        answer: Pin<&mut (dyn Future<Output = Result<S::Permit, Shed>> + 'static)>,
    ) -> Option<Result<(), Shed>> {
        match answer.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Pending => None,
            Poll::Ready(told) => Some(told.map(|permit| self.running.push(permit))),
        }
    }
}

fn agree(config: &Config, steps: Vec<Step>) -> Result<(), TestCaseError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let mut plain =
            Side::new(readable::Shedder::seeded(config.clone(), 7).expect("it is valid"));
        let mut fast = Side::new(Shedder::seeded(config.clone(), 7).expect("it is valid"));
        for step in steps.into_iter().chain([Step::Look]) {
            if let Step::Wait(millis) = step {
                advance(Duration::from_millis(millis)).await;
            }
            let now = Instant::now();
            let [fast, plain] = [fast.takes(step, now), plain.takes(step, now)];
            for answer in &fast.0 {
                let spread = config.retry_after..=config.retry_after * 2;
                let is_spread = |shed: Shed| spread.contains(&shed.retry_after);
                prop_assert!(answer.err().is_none_or(is_spread), "{:?}", answer);
            }
            // Their chances are not the same ones.
            let reasons = |answers: &[Result<(), Shed>]| {
                answers.iter().map(|answer| answer.map_err(|shed| shed.reason)).collect::<Vec<_>>()
            };
            prop_assert_eq!((reasons(&fast.0), fast.1), (reasons(&plain.0), plain.1), "{:?}", step);
        }
        // All go: every place is back, and as many as at first may begin.
        drop((fast.waiting, fast.running));
        let left = fast.shedder.snapshot();
        prop_assert_eq!((left.running, left.waiting), (0, 0));
        Ok(())
    })
}

fn step() -> impl Strategy<Value = Step> {
    let priority = prop::sample::select(Priority::ALL.to_vec());
    let patience = prop::option::weighted(0.3, 0..150_u64);
    prop_oneof![
        4 => (priority, patience).prop_map(|(priority, patience)| Step::Comes(priority, patience)),
        1 => any::<usize>().prop_map(Step::Leaves),
        3 => any::<usize>().prop_map(Step::Ends),
        2 => prop_oneof![0..8_u64, 0..120_u64].prop_map(Step::Wait),
        3 => Just(Step::Look),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whoever_comes_and_goes_the_fast_one_answers_as_the_readable_one(
        limit in 1..5_usize,
        max_waiting in 0..4_usize,
        reserve in 0..4_usize,
        steps in prop::collection::vec(step(), 0..60),
    ) {
        let limit = Limit::Fixed(limit);
        agree(&Config { limit, max_waiting, reserve, ..Config::default() }, steps)?;
    }
}

#[test]
fn places_without_number_are_places_all_the_same() {
    for places in [usize::MAX - 1, usize::MAX] {
        let config = Config { limit: Limit::Fixed(places), max_waiting: 0, ..Config::default() };
        let mut side = Side::new(Shedder::new(config).expect("a valid configuration"));
        let now = Instant::now();
        for running in 1..=2 {
            let (answers, numbers) = side.takes(Step::Comes(Priority::Critical, None), now);
            assert_eq!((answers, numbers.running), (vec![Ok(())], running), "of {places}");
        }
        assert_eq!(side.takes(Step::Ends(0), now).1.running, 1, "of {places}");
    }
}

#[test]
fn between_threads_and_dashboards_no_place_is_lost() {
    const THREADS: usize = 4;
    const CALLS: usize = 20_000;
    // One place less than there are threads: some are refused.
    let limit = Limit::Fixed(THREADS - 1);
    let config = Config { limit, max_waiting: 0, ..Config::default() };
    let shedder = Shedder::new(config).expect("a valid configuration");
    let inside = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                for call in 0..CALLS {
                    if let Ok(permit) = at_once(&shedder) {
                        let beside = inside.fetch_add(1, SeqCst);
                        assert!(beside < THREADS - 1, "{beside} others are in");
                        inside.fetch_sub(1, SeqCst);
                        drop(permit);
                    }
                    if call % 64 == 0 {
                        let now = shedder.snapshot();
                        assert!(now.running < THREADS && now.waiting == 0, "{now:?}");
                    }
                }
            });
        }
    });
    assert_eq!(shedder.snapshot().running, 0, "all have gone");
}

/// The answer to a request that can't wait.
fn at_once(shedder: &Shedder) -> Result<Permit, Shed> {
    match Subject::acquire(shedder, Request::default())
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()))
    {
        Poll::Ready(answer) => answer,
        Poll::Pending => panic!("there is no queue"),
    }
}
