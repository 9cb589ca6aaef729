//! What the checks share: attempts that do as they are told, and a diary of what happened when.
//!
//! Time is virtual: `#[tokio::test(start_paused = true)]` stops tokio's clock, which jumps to the next timer
//! when nothing else is left to do.

use std::any::Any;
use std::cell::RefCell;
use std::fmt::Write as _;
use std::future::{pending, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use hedging::{Attempt, Budget, Delay, Hedger};
use tokio::time::{Instant, sleep};

mod step_1_delay;
mod step_2_cancel;
mod step_3_percentile;
mod step_4_budget;
mod step_5_who;
mod step_6_observe;

const SECOND: Duration = Duration::from_secs(1);
const MILLISECOND: Duration = Duration::from_millis(1);
/// The delay of most checks.
const DELAY: Duration = Duration::from_millis(10);

/// A bucket that is never empty.
fn plenty() -> Arc<Budget> {
    bucket(100, 1_000_000)
}

/// A full bucket of `most` tokens, to which each success adds so many hundredths.
fn bucket(percent: u32, most: u32) -> Arc<Budget> {
    Arc::new(Budget::new(percent, most).expect("at most 100"))
}

/// Calls are late after `delay`.
fn fixed(delay: Duration) -> Hedger {
    Hedger::new(Delay::Fixed(delay), plenty()).expect("any delay is valid")
}

/// What an attempt does, with times in milliseconds.
#[derive(Debug, Clone, Copy)]
enum Act {
    /// Has an answer after so long.
    Good(u64),
    Fails(u64),
    Panics(u64),
    Hangs,
}
use Act::{Fails, Good, Hangs, Panics};

/// What an attempt of a check panics with. Any other panic is none of the check's.
struct Broken(&'static str);

/// Writes down what happened, and when.
struct Diary {
    begun: Instant,
    text: RefCell<String>,
}

impl Diary {
    fn new() -> Self {
        Self { begun: Instant::now(), text: RefCell::default() }
    }

    fn note(&self, what: &str) {
        let at = format!("{:.3}s", self.begun.elapsed().as_secs_f64());
        writeln!(self.text.borrow_mut(), "{at:<8} {what}").unwrap();
    }

    fn read(&self) -> String {
        self.text.borrow().clone()
    }
}

/// Notes that an attempt was dropped before it came to its end.
struct Unfinished<'a> {
    diary: &'a Diary,
    name: &'static str,
    is_done: bool,
}

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        if !self.is_done {
            self.diary.note(&format!("{} dropped", self.name));
        }
    }
}

type Answer = Result<&'static str, &'static str>;

/// An attempt, which answers with its own name.
async fn play(diary: &Diary, name: &'static str, act: Act) -> Answer {
    let mut unfinished = Unfinished { diary, name, is_done: false };
    diary.note(&format!("{name} sent"));
    let answer = match act {
        Good(time) => {
            sleep(Duration::from_millis(time)).await;
            Ok(name)
        }
        Fails(time) => {
            sleep(Duration::from_millis(time)).await;
            Err(name)
        }
        Panics(time) => {
            sleep(Duration::from_millis(time)).await;
            unfinished.is_done = true;
            diary.note(&format!("{name} panics"));
            resume_unwind(Box::new(Broken(name)))
        }
        Hangs => pending().await,
    };
    unfinished.is_done = true;
    diary.note(&format!("{name} {}", if answer.is_ok() { "answers" } else { "fails" }));
    answer
}

/// What became of a call: a panic of one of its attempts is an outcome as well.
async fn outcome(call: impl Future<Output = Answer>) -> String {
    let mut call = pin!(call);
    let caught = poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| call.as_mut().poll(cx))) {
        Ok(Poll::Pending) => Poll::Pending,
        Ok(Poll::Ready(answer)) => Poll::Ready(Ok(answer)),
        Err(panic) => Poll::Ready(Err(panic)),
    });
    match caught.await {
        Ok(Ok(name)) => format!("{name}'s answer"),
        Ok(Err(name)) => format!("{name}'s error"),
        Err(panic) => match panic.downcast::<Broken>() {
            Ok(broken) => format!("{}'s panic", broken.0),
            Err(panic) => {
                assert!(
                    is_to_do(&*panic),
                    "the call panicked, and none of its attempts did: whatever hedging does, an answer is no worse for it"
                );
                resume_unwind(panic)
            }
        },
    }
}

/// A `todo!` says for itself what is missing.
fn is_to_do(panic: &(dyn Any + Send)) -> bool {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or(panic.downcast_ref::<String>().map(String::as_str));
    text.is_some_and(|text| text.starts_with("not yet implemented"))
}

/// One call whose attempts do this: what happened, line by line.
async fn timeline(hedger: &Hedger, original: Act, hedge: Act) -> String {
    let diary = Diary::new();
    let call = hedger.call(|attempt| match attempt {
        Attempt::Original => play(&diary, "original", original),
        Attempt::Hedge => play(&diary, "hedge", hedge),
    });
    let outcome = outcome(call).await;
    diary.note(&outcome);
    // What was forgotten somewhere would come to an end now.
    sleep(10 * SECOND).await;
    diary.read()
}

/// One call whose attempts do this, and how long it took.
async fn call(hedger: &Hedger, original: Act, hedge: Act) -> (String, Duration) {
    let diary = Diary::new();
    let begun = Instant::now();
    let call = hedger.call(|attempt| match attempt {
        Attempt::Original => play(&diary, "original", original),
        Attempt::Hedge => play(&diary, "hedge", hedge),
    });
    (outcome(call).await, begun.elapsed())
}

/// Whether a call that is late sends a hedge now.
async fn hedges(hedger: &Hedger) -> bool {
    call(hedger, Good(60_000), Good(1)).await.0 == "hedge's answer"
}
