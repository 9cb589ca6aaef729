//! What the checks share: ways to make delays and retries, and to write down what happens when.
//!
//! Time is virtual: `#[tokio::test(start_paused = true)]` stops tokio's clock, and it jumps to the end
//! of a sleep when nothing else can run. Chance is seeded: each run draws the same numbers.

use std::cell::{Cell, RefCell};
use std::fmt::Write as _;
use std::time::Duration;

use backoff::{Backoff, Config, GaveUp, Jitter, Limits, Retry, Verdict};
use rand::SeedableRng;
use rand::rngs::Xoshiro256PlusPlus;
use tokio::time::{Instant, sleep};

mod step_1_grow;
mod step_2_jitter;
mod step_3_retry;
mod step_4_listen;
mod step_5_herd;
mod step_6_once;

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

fn rng() -> Xoshiro256PlusPlus {
    Xoshiro256PlusPlus::seed_from_u64(7)
}

fn backoff(config: Config) -> Backoff {
    Backoff::new(config).expect("this configuration is valid")
}

/// 100 ms, 200 ms, 400 ms … 30 s, with this jitter.
fn jittered(jitter: Jitter) -> Backoff {
    backoff(Config { jitter, ..Config::default() })
}

/// 100 ms, 200 ms, 400 ms … 30 s, exactly.
fn plain() -> Backoff {
    jittered(Jitter::None)
}

/// Retries after exactly 100 ms, 200 ms, 400 ms … within these limits.
fn retry(limits: Limits) -> Retry {
    Retry::new(plain(), limits).expect("these limits are valid")
}

fn attempts(max_attempts: u32) -> Limits {
    Limits { max_attempts, ..Limits::default() }
}

/// Runs an operation as [`Diary`] describes it, and returns what was written down.
async fn diary(
    retry: Retry,
    each: Duration,
    answers: &[Result<(), &'static str>],
    classify: impl FnMut(&&'static str) -> Verdict,
) -> String {
    let diary = Diary::begin(each, answers);
    let end = retry.run(rng(), |attempt| diary.attempt(attempt), classify).await;
    diary.end(&end)
}

/// An operation that is answered from a list, the last answer again and again, and takes `each` every
/// time. Writes down when each attempt begins, and how it all ends.
struct Diary<'a> {
    each: Duration,
    answers: &'a [Result<(), &'static str>],
    answered: Cell<usize>,
    begun: Instant,
    text: RefCell<String>,
}

impl<'a> Diary<'a> {
    fn begin(each: Duration, answers: &'a [Result<(), &'static str>]) -> Self {
        let (answered, text) = (Cell::new(0), RefCell::default());
        Self { each, answers, answered, begun: Instant::now(), text }
    }

    /// `attempt` is the number that the operation was told, right or wrong: it is only written down.
    /// An attempt begins when it is asked for, not when its future is first polled.
    fn attempt(&self, attempt: u32) -> impl Future<Output = Result<(), &'static str>> {
        self.write(&format!("attempt {attempt}"));
        async {
            sleep(self.each).await;
            let answered = self.answered.replace(self.answered.get() + 1);
            self.answers[answered.min(self.answers.len() - 1)]
        }
    }

    fn end(self, end: &Result<(), GaveUp<&'static str>>) -> String {
        match end {
            Ok(()) => self.write("success"),
            Err(GaveUp { error, attempts, elapsed, why }) => self.write(&format!(
                "gave up after {attempts} in {elapsed:?} on {error:?}\n         {why}"
            )),
        }
        self.text.into_inner()
    }

    fn write(&self, what: &str) {
        let at = format!("{:.3}s", self.begun.elapsed().as_secs_f64());
        writeln!(self.text.borrow_mut(), "{at:<8} {what}").unwrap();
    }
}
