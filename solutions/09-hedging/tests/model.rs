//! Hedging against plainer models: whatever callers, answers and time do, and in whatever order, the two agree on
//! every answer, report and number. The models keep everything that ever happened.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use hedging_solution::{Attempt, Budget, Delay, Ended, Hedger, Pool, Report, Request, Snapshot};
use proptest::prelude::*;
use tokio::runtime::{Builder, Runtime};
use tokio::time::advance;

const DELAY: u64 = 10;

fn paused() -> Runtime {
    Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime")
}

/// How an attempt ends by itself.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Act {
    Good,
    Fails,
    Panics,
}

impl Act {
    fn ended(self) -> Ended {
        match self {
            Act::Good => Ended::Good,
            Act::Fails => Ended::Failed,
            Act::Panics => Ended::Panicked,
        }
    }
}

/// Which call, is taken modulo how many are out.
#[derive(Debug, Clone, Copy)]
enum Step {
    Begins {
        may_be_repeated: bool,
    },
    /// The original or the hedge of a call comes to its end, if it is out.
    Ends(usize, Attempt, Act),
    Leaves(usize),
    Hold(u64),
    Wait(u64),
}

/// What came of a call: whose outcome, and which.
type Outcome = (Attempt, Act);

/// An attempt that ends when it is told to.
type Gate = Rc<Cell<Option<Act>>>;

struct Panicked(Attempt);

async fn attempt(gate: Gate, attempt: Attempt) -> Result<Attempt, Attempt> {
    match poll_fn(|_| gate.get().map_or(Poll::Pending, Poll::Ready)).await {
        Act::Good => Ok(attempt),
        Act::Fails => Err(attempt),
        Act::Panics => resume_unwind(Box::new(Panicked(attempt))),
    }
}

struct Call<'a> {
    /// The original's, then the hedge's.
    gates: Rc<RefCell<Vec<Gate>>>,
    answer: Pin<Box<dyn Future<Output = Result<Attempt, Attempt>> + 'a>>,
}

fn begin<'a>(hedger: &'a Hedger, pool: &'a Pool, may_be_repeated: bool) -> Call<'a> {
    let method = if may_be_repeated { "GET" } else { "POST" };
    let gates = Rc::new(RefCell::new(Vec::new()));
    let made = Rc::clone(&gates);
    let answer = hedger.call_among(Request { method, key: None }, pool, move |_| {
        let gate = Gate::default();
        let which = if made.borrow().is_empty() { Attempt::Original } else { Attempt::Hedge };
        made.borrow_mut().push(Rc::clone(&gate));
        attempt(gate, which)
    });
    Call { gates, answer: Box::pin(answer) }
}

fn look(call: &mut Call<'_>) -> Option<Outcome> {
    let poll = || call.answer.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    match catch_unwind(AssertUnwindSafe(poll)) {
        Ok(Poll::Pending) => None,
        Ok(Poll::Ready(Ok(attempt))) => Some((attempt, Act::Good)),
        Ok(Poll::Ready(Err(attempt))) => Some((attempt, Act::Fails)),
        Err(panic) => match panic.downcast::<Panicked>() {
            Ok(panicked) => Some((panicked.0, Act::Panics)),
            Err(panic) => resume_unwind(panic),
        },
    }
}

/// An attempt in the model.
#[derive(Clone, Copy)]
struct Sent {
    instance: usize,
    begun: u64,
    ended: Option<Act>,
}

struct PlainCall {
    may_be_repeated: bool,
    was_late: bool,
    original: Sent,
    hedge: Option<Sent>,
    told: [bool; 2],
}

/// Everything by the table of the chapter, one attempt after the other.
struct Plain {
    now: u64,
    places: usize,
    next: usize,
    out: Vec<usize>,
    /// In hundredths of a token.
    earns: u64,
    level: u64,
    most: u64,
    held_until: u64,
    counts: Snapshot,
    calls: Vec<PlainCall>,
    reports: Vec<Report>,
}

impl Plain {
    fn begin(&mut self, may_be_repeated: bool) {
        let instance = self.next;
        self.next = (instance + 1) % self.out.len();
        self.out[instance] += 1;
        self.counts.calls += 1;
        let original = Sent { instance, begun: self.now, ended: None };
        let told = [false; 2];
        self.calls.push(PlainCall {
            may_be_repeated,
            was_late: false,
            original,
            hedge: None,
            told,
        });
    }

    fn report(&mut self, attempt: Attempt, sent: Sent, ended: Ended) {
        self.out[sent.instance] -= 1;
        if attempt == Attempt::Hedge {
            let won = ended == Ended::Good;
            *(if won { &mut self.counts.won } else { &mut self.counts.wasted }) += 1;
        }
        let after = Duration::from_millis(self.now - sent.begun);
        self.reports.push(Report { attempt, instance: Some(sent.instance), ended, after });
    }

    /// Notes what has ended by itself, once.
    fn note(&mut self, index: usize, attempt: Attempt) -> Option<Act> {
        let call = &mut self.calls[index];
        let sent = match attempt {
            Attempt::Original => call.original,
            Attempt::Hedge => call.hedge?,
        };
        let act = sent.ended?;
        if !std::mem::replace(&mut call.told[attempt as usize], true) {
            self.report(attempt, sent, act.ended());
        }
        Some(act)
    }

    /// What a call makes of what there is now, when it is looked at.
    fn look(&mut self, index: usize) -> Option<Outcome> {
        let original = self.note(index, Attempt::Original);
        let call = &self.calls[index];
        let is_late = call.may_be_repeated && self.now - call.original.begun >= DELAY;
        if original.is_none() && is_late && !call.was_late {
            self.late(index);
        }
        if original == Some(Act::Good) {
            return Some(self.done(index, (Attempt::Original, Act::Good)));
        }
        match (original, self.calls[index].hedge) {
            (None, None) => None,
            (Some(failed), None) => Some(self.done(index, (Attempt::Original, failed))),
            (original, Some(_)) => match (original, self.note(index, Attempt::Hedge)) {
                (_, Some(Act::Good)) => Some(self.done(index, (Attempt::Hedge, Act::Good))),
                (Some(failed), Some(_)) => Some(self.done(index, (Attempt::Original, failed))),
                _ => None,
            },
        }
    }

    fn late(&mut self, index: usize) {
        self.calls[index].was_late = true;
        self.counts.late += 1;
        let original = self.calls[index].original.instance;
        let free = (0..self.out.len())
            .filter(|other| *other != original && self.out[*other] < self.places);
        // Of equals the first.
        let fewest = free.rev().min_by_key(|other| (self.out[*other], *other));
        match fewest {
            _ if self.now < self.held_until => self.counts.held += 1,
            None => self.counts.nowhere += 1,
            Some(_) if self.level < 100 => self.counts.unpaid += 1,
            Some(instance) => {
                self.level -= 100;
                self.counts.sent += 1;
                self.out[instance] += 1;
                self.calls[index].hedge = Some(Sent { instance, begun: self.now, ended: None });
            }
        }
    }

    fn done(&mut self, index: usize, outcome: Outcome) -> Outcome {
        if outcome.1 == Act::Good {
            self.level = (self.level + self.earns).min(self.most);
            self.drop_what_is_out(index, Ended::Overtaken);
        }
        outcome
    }

    fn drop_what_is_out(&mut self, index: usize, ended: Ended) {
        let PlainCall { original, hedge, told, .. } = self.calls[index];
        if !told[0] {
            self.report(Attempt::Original, original, ended);
        }
        if let Some(hedge) = hedge.filter(|_| !told[1]) {
            self.report(Attempt::Hedge, hedge, ended);
        }
    }
}

/// In an order in which two lists of them can be compared.
fn sorted(reports: &mut Vec<Report>) -> Vec<String> {
    let mut lines: Vec<String> = reports.drain(..).map(|report| report.to_string()).collect();
    lines.sort();
    lines
}

async fn agree(
    [instances, places]: [usize; 2],
    [percent, most]: [u32; 2],
    steps: Vec<Step>,
) -> Result<(), TestCaseError> {
    let budget = Arc::new(Budget::new(percent, most).expect("a valid budget"));
    let reports = Arc::new(Mutex::new(Vec::new()));
    let listener = Arc::clone(&reports);
    let hedger = Hedger::new(Delay::Fixed(Duration::from_millis(DELAY)), Arc::clone(&budget))
        .expect("a valid delay")
        .on_attempt(move |report| listener.lock().unwrap().push(*report));
    let pool = Pool::new(instances, places).expect("a valid pool");
    let mut calls: Vec<Call<'_>> = Vec::new();
    let most = u64::from(most) * 100;
    let delay = Some(Duration::from_millis(DELAY));
    let mut plain = Plain {
        now: 0,
        places,
        next: 0,
        out: vec![0; instances],
        earns: percent.into(),
        level: most,
        most,
        held_until: 0,
        counts: Snapshot { delay, ..Snapshot::default() },
        calls: Vec::new(),
        reports: Vec::new(),
    };
    for step in steps {
        match step {
            Step::Begins { may_be_repeated } => {
                calls.push(begin(&hedger, &pool, may_be_repeated));
                plain.begin(may_be_repeated);
            }
            Step::Ends(which, attempt, act) if !calls.is_empty() => {
                let index = which % calls.len();
                if let Some(gate) = calls[index].gates.borrow().get(attempt as usize)
                    && gate.get().is_none()
                {
                    gate.set(Some(act));
                    let call = &mut plain.calls[index];
                    match attempt {
                        Attempt::Original => call.original.ended = Some(act),
                        Attempt::Hedge => {
                            call.hedge.as_mut().expect("it was sent").ended = Some(act);
                        }
                    }
                }
            }
            Step::Leaves(which) if !calls.is_empty() => {
                let index = which % calls.len();
                drop(calls.remove(index));
                plain.drop_what_is_out(index, Ended::Abandoned);
                plain.calls.remove(index);
            }
            Step::Hold(pause) => {
                hedger.hold(Duration::from_millis(pause));
                plain.held_until = plain.held_until.max(plain.now + pause);
            }
            Step::Wait(time) => {
                advance(Duration::from_millis(time)).await;
                plain.now += time;
            }
            _ => {}
        }
        // Each call looks once, in the order in which they came.
        let mut index = 0;
        while index < calls.len() {
            let outcome = look(&mut calls[index]);
            prop_assert_eq!(outcome, plain.look(index), "{:?}", step);
            if outcome.is_some() {
                drop(calls.remove(index));
                plain.calls.remove(index);
            } else {
                index += 1;
            }
        }
        let told = sorted(&mut reports.lock().unwrap());
        prop_assert_eq!(told, sorted(&mut plain.reports), "{:?}", step);
        prop_assert_eq!(pool.out(), plain.out.clone(), "{:?}", step);
        prop_assert_eq!(hedger.snapshot(), plain.counts, "{:?}", step);
        prop_assert_eq!(budget.balance(), plain.level / 100, "{:?}", step);
    }
    drop(calls);
    prop_assert_eq!(pool.out(), vec![0; instances], "all have gone");
    let Snapshot { late, sent, held, nowhere, unpaid, won, wasted, .. } = hedger.snapshot();
    prop_assert_eq!(late, sent + held + nowhere + unpaid);
    prop_assert_eq!(sent, won + wasted, "no hedge is out");
    Ok(())
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![3 => Just(Act::Good), 2 => Just(Act::Fails), 1 => Just(Act::Panics)]
}

fn step() -> impl Strategy<Value = Step> {
    let which = prop::sample::select(vec![Attempt::Original, Attempt::Hedge]);
    prop_oneof![
        4 => prop::bool::weighted(0.8).prop_map(|may_be_repeated| Step::Begins { may_be_repeated }),
        4 => (any::<usize>(), which, act()).prop_map(|(call, attempt, act)| Step::Ends(call, attempt, act)),
        1 => any::<usize>().prop_map(Step::Leaves),
        1 => (0..40_u64).prop_map(Step::Hold),
        3 => prop_oneof![Just(DELAY), 0..15_u64].prop_map(Step::Wait),
    ]
}

/// How an original ends, and after how long.
#[derive(Debug, Clone, Copy)]
enum Original {
    Good(u64),
    Fails(u64),
    /// Its caller leaves.
    Abandoned(u64),
}

/// One call whose hedge hangs, in nanoseconds.
async fn one(hedger: &Hedger, original: Original) {
    let (time, act) = match original {
        Original::Good(time) => (time, Some(Act::Good)),
        Original::Fails(time) => (time, Some(Act::Fails)),
        Original::Abandoned(time) => (time, None),
    };
    let gate = Gate::default();
    let mut call = Box::pin(hedger.call(|which| {
        attempt(if which == Attempt::Original { gate.clone() } else { Gate::default() }, which)
    }));
    let mut look = || call.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    assert!(look().is_pending());
    advance(Duration::from_nanos(time)).await;
    gate.set(act);
    // A failure waits for the hedge, if that is out.
    assert!(look().is_ready() || act != Some(Act::Good));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn calls_end_as_the_plain_model_says(
        instances in 1..5_usize,
        places in 1..4_usize,
        percent in 0..=100_u32,
        most in 0..5_u32,
        steps in prop::collection::vec(step(), 0..80),
    ) {
        paused().block_on(agree([instances, places], [percent, most], steps))?;
    }

    #[test]
    fn the_delay_is_the_percentile_of_the_newest_samples(
        percent in 1..=99_usize,
        (window, min_samples) in (1..40_usize).prop_flat_map(|window| (Just(window), 1..=window)),
        originals in prop::collection::vec(
            prop_oneof![
                4 => prop_oneof![0..50_u64, 0..10_000_000_u64].prop_map(Original::Good),
                1 => (0..100_u64).prop_map(Original::Fails),
                1 => (0..10_000_000_u64).prop_map(Original::Abandoned),
            ],
            0..120,
        ),
    ) {
        let budget = Arc::new(Budget::new(100, 1_000).expect("a valid budget"));
        let delay = Delay::Percentile { percent, window, min_samples };
        let hedger = Hedger::new(delay, budget).expect("a valid delay");
        let mut samples = Vec::new();
        paused().block_on(async {
            for original in originals {
                let delay = hedger.delay();
                one(&hedger, original).await;
                match original {
                    Original::Good(time) => samples.push(time),
                    Original::Abandoned(time)
                        if delay.is_some_and(|delay| Duration::from_nanos(time) >= delay) =>
                    {
                        samples.push(time);
                    }
                    _ => {}
                }
                let mut newest = samples[samples.len().saturating_sub(window)..].to_vec();
                newest.sort_unstable();
                // The shortest that so many in a hundred don't exceed, found by counting.
                let enough = |sample: &&u64| {
                    let within = newest.iter().filter(|other| other <= sample).count();
                    within * 100 >= percent * newest.len()
                };
                let expected = newest.iter().find(enough).filter(|_| newest.len() >= min_samples);
                prop_assert_eq!(hedger.delay(), expected.copied().map(Duration::from_nanos));
            }
            Ok(())
        })?;
    }
}
