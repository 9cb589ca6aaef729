//! Trials: a situation for each step from the third on, in which a bulkhead without that step does worse.

use std::future::poll_fn;
use std::ops::Range;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::task::Poll;
use std::time::Duration;

use lab_kit::{Needs, Scene, Trial, Values, Whose};
use storm::{Failure, Load, Model, Outage, OutageKind, Report, ServiceTime, StormError};
use tokio::time::timeout;

#[cfg(feature = "yours")]
use crate::yours;
use crate::{Call, reference};

const LENGTH: Duration = Duration::from_secs(40);
const TROUBLE: Range<Duration> = Duration::from_secs(10)..Duration::from_secs(20);
/// When what the trouble left is long over.
const AFTER: Range<Duration> = Duration::from_secs(25)..Duration::from_secs(80);
const REQUESTS_PER_SECOND: f64 = 100.0;
const SERVICE: Duration = Duration::from_millis(50);
const DEPENDENCY: &str = "payments";
/// How long a caller waits for everything, where callers give up.
const CALLER: Duration = Duration::from_millis(200);

/// What a bulkhead is made with.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub places: usize,
    pub may_wait: usize,
    pub for_up_to: Duration,
}

const PLACES: usize = 10;
const LIMITS: Limits = Limits { places: PLACES, may_wait: 10, for_up_to: Duration::from_secs(1) };
/// Callers with work for a thread.
pub const THREADS: usize = 10;
pub const ON_THREADS: Limits =
    Limits { places: 2, may_wait: THREADS, for_up_to: Duration::from_secs(60) };

/// Takes a place for a call.
pub type Guard = Arc<dyn Fn(Call) -> Call + Send + Sync>;
/// Whether a bulkhead's numbers agree with so many arrivals and rejections.
pub type Look = Box<dyn Fn(u64, u64) -> bool>;

/// Whose bulkhead, in each of its uses.
#[derive(Clone, Copy)]
struct Contestant {
    guard: fn(Limits) -> Guard,
    /// The same without `call`, which is of a later step.
    acquired: fn(Limits) -> Guard,
    observed: fn(Limits) -> (Guard, Look),
    on_threads: fn() -> u64,
    size: fn(f64, Duration, f64) -> usize,
}

const CONTESTANTS: &[(Whose, &str, Contestant)] = &[
    (
        Whose::Naive,
        "naive",
        Contestant {
            guard: |_| Arc::new(|call| call),
            acquired: |_| Arc::new(|call| call),
            observed: |_| (Arc::new(|call| call), Box::new(|_, _| false)),
            on_threads: || THREADS as u64,
            // As many as run on average.
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small")]
            size: |rate, time, _| (rate * time.as_secs_f64()).round() as usize,
        },
    ),
    #[cfg(feature = "yours")]
    (
        Whose::Yours,
        "yours",
        Contestant {
            guard: yours::tried::guard,
            acquired: yours::tried::acquired,
            observed: yours::tried::observed,
            on_threads: yours::tried::on_threads,
            size: yours::tried::size,
        },
    ),
    (Whose::Reference, "reference", REFERENCE),
];

const REFERENCE: Contestant = Contestant {
    guard: reference::tried::guard,
    acquired: reference::tried::acquired,
    observed: reference::tried::observed,
    on_threads: reference::tried::on_threads,
    size: reference::tried::size,
};

type Count = fn(Contestant, u64) -> Result<u64, StormError>;

const TRIALS: [Trial<Count>; 8] = [
    Trial {
        name: "moved",
        step: 3,
        question: "Each caller begins its call in one task and goes on in another. Who sleeps beside a place?",
        counted: "waited half a second for 50 ms of work",
        situation: |whose, seed| {
            let limits = Limits { places: 8, may_wait: 100, ..LIMITS };
            let counts = moved(seed, (whose.acquired)(limits))?.counts();
            Ok(counts.offered - counts.good)
        },
    },
    Trial {
        name: "held",
        step: 4,
        question: "The dependency hangs for ten seconds. How many calls does it have at a time?",
        counted: "calls beyond the places, at the worst",
        situation: |whose, seed| {
            let report = storm(seed, [LENGTH; 2], (whose.guard)(LIMITS))?;
            let payments = report.dependency(DEPENDENCY).expect("it was added");
            let running = payments.in_service_at(TROUBLE.end - Duration::from_millis(1));
            Ok(running.saturating_sub(PLACES as u64))
        },
    },
    Trial {
        name: "cancelled",
        step: 4,
        question: "Calls that hang are cancelled by their callers. What is left when the trouble is over?",
        counted: "turned away long after it",
        situation: |whose, seed| {
            let limits = Limits { places: 2 * PLACES, may_wait: 0, ..LIMITS };
            Ok(storm(seed, [CALLER; 2], (whose.guard)(limits))?.counts_between(AFTER).shed)
        },
    },
    Trial {
        name: "threads",
        step: 4,
        question: "Work runs on threads, and its callers go away. How much runs at a time?",
        counted: "pieces of work beyond the places",
        situation: |whose, _| Ok((whose.on_threads)().saturating_sub(ON_THREADS.places as u64)),
    },
    Trial {
        name: "impatient",
        step: 5,
        question: "Every second caller leaves the queue before its time. What is left when the trouble is over?",
        counted: "turned away long after it",
        situation: |whose, seed| {
            Ok(storm(seed, [LENGTH, CALLER], (whose.guard)(LIMITS))?.counts_between(AFTER).shed)
        },
    },
    Trial {
        name: "too-long",
        step: 5,
        question: "Callers wait until the bulkhead tells them to go. What is left when the trouble is over?",
        counted: "turned away long after it",
        situation: |whose, seed| {
            let limits = Limits { for_up_to: CALLER, ..LIMITS };
            Ok(storm(seed, [LENGTH; 2], (whose.guard)(limits))?.counts_between(AFTER).shed)
        },
    },
    Trial {
        name: "numbers",
        step: 6,
        question: "Once a second somebody looks at the numbers. Do they tell what happened?",
        counted: "looks at numbers that don't add up",
        situation: looks,
    },
    Trial {
        name: "sized",
        step: 7,
        question: "1,600 workloads, each of a rate, a time and a utilisation. How large is the bulkhead?",
        counted: "sizes too small or too large",
        situation: |whose, _| Ok(sizes(whose.size)),
    },
];

/// A storm with a dependency that hangs, and callers that give up after the one `patience` and the other in turn.
fn storm(seed: u64, patience: [Duration; 2], guard: Guard) -> Result<Report, StormError> {
    let hang = Outage { from: TROUBLE.start, to: TROUBLE.end, kind: OutageKind::Hang };
    let model = model().with_outage(hang).expect("the constants above make sense");
    storm::run("hang", &load(seed), |scene| {
        let payments = scene.dependency(DEPENDENCY, &model);
        move |request| {
            let payments = payments.clone();
            let answer = guard(Box::pin(async move { Ok(payments.call().await?) }));
            let patience = patience[usize::from(!request.id.is_multiple_of(2))];
            async move { timeout(patience, answer).await.unwrap_or(Err(Failure::Failed)) }
        }
    })
}

/// A storm with a dependency that is well, and callers of which each is polled once before it is a task of its own.
fn moved(seed: u64, guard: Guard) -> Result<Report, StormError> {
    let model = model();
    storm::run("moved", &load(seed), |scene| {
        let payments = scene.dependency(DEPENDENCY, &model);
        move |_request| {
            let payments = payments.clone();
            let mut answer = guard(Box::pin(async move { Ok(payments.call().await?) }));
            async move {
                match poll_fn(|cx| Poll::Ready(answer.as_mut().poll(cx))).await {
                    Poll::Ready(answer) => answer,
                    Poll::Pending => match tokio::spawn(answer).await {
                        Ok(answer) => answer,
                        Err(error) => resume_unwind(error.into_panic()),
                    },
                }
            }
        }
    })
}

/// How often the numbers don't agree with what happened.
fn looks(whose: Contestant, seed: u64) -> Result<u64, StormError> {
    let hang = Outage { from: TROUBLE.start, to: TROUBLE.end, kind: OutageKind::Hang };
    let model = model().with_outage(hang).expect("the constants above make sense");
    let bad = Arc::new(AtomicU64::new(0));
    storm::run("numbers", &load(seed), |scene| {
        let payments = scene.dependency(DEPENDENCY, &model);
        let (guard, look) = (whose.observed)(LIMITS);
        let [arrived, rejected] = [(); 2].map(|()| Arc::new(AtomicU64::new(0)));
        let (arrivals, rejections) = (Arc::clone(&arrived), Arc::clone(&rejected));
        let bad = Arc::clone(&bad);
        scene.gauge("agrees", move || {
            let agrees = look(arrivals.load(Relaxed), rejections.load(Relaxed));
            bad.fetch_add(u64::from(!agrees), Relaxed);
            f64::from(u8::from(agrees))
        });
        move |_request| {
            let payments = payments.clone();
            let answer = guard(Box::pin(async move { Ok(payments.call().await?) }));
            let (arrived, rejected) = (Arc::clone(&arrived), Arc::clone(&rejected));
            async move {
                arrived.fetch_add(1, Relaxed);
                let answer = timeout(CALLER, answer).await.unwrap_or(Err(Failure::Failed));
                rejected.fetch_add(u64::from(answer == Err(Failure::Shed)), Relaxed);
                answer
            }
        }
    })?;
    Ok(bad.load(Relaxed))
}

/// How many workloads get another number of places than in whole numbers.
fn sizes(size: fn(f64, Duration, f64) -> usize) -> u64 {
    let mut bad = 0;
    for rate in (20_u64..=400).step_by(20) {
        for millis in (10..=200).step_by(10) {
            for percent in [50, 70, 80, 100] {
                let exact = (rate * millis).div_ceil(10 * percent);
                let time = Duration::from_millis(millis);
                let places = size(rate as f64, time, percent as f64 / 100.0);
                bad += u64::from(places as u64 != exact);
            }
        }
    }
    bad
}

fn model() -> Model {
    // So many servers that the bulkhead alone decides who waits.
    Model::new(10_000, ServiceTime::Exponential { mean: SERVICE })
        .expect("the constants above make sense")
}

fn load(seed: u64) -> Load {
    Load { rate_per_second: REQUESTS_PER_SECOND, length: LENGTH, seed, ..Load::default() }
}

pub static SCENE: Scene = Scene {
    name: "trials",
    about: "Situations that steps 3 to 7 are for; the numbers count what is bad",
    knobs: &[],
    figures: &[],
    needs: Some(Needs {
        step: 3,
        text: "The first trial needs `acquire` (step 3), most need `call` (step 4); the last two need `snapshot` (step 6) and `size_for` (step 7).",
    }),
    parameters,
    run: |values| {
        Trial::all(&TRIALS, values, CONTESTANTS, |trial, _, whose| {
            Ok((trial.situation)(whose, values.seed())?)
        })
    },
};

fn parameters(values: &Values) -> String {
    format!(
        "{REQUESTS_PER_SECOND} requests/s for {} s of virtual time, {} ms each on average. What hangs does so from \
         {} s to {} s. Seed {}.",
        LENGTH.as_secs(),
        SERVICE.as_millis(),
        TROUBLE.start.as_secs(),
        TROUBLE.end.as_secs(),
        values.seed(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The trials in which this contestant does worse than the reference should.
    fn bad(whose: Contestant) -> Vec<&'static str> {
        let is_bad = |trial: &&Trial<Count>| (trial.situation)(whose, 7).unwrap() > 0;
        TRIALS.iter().filter(is_bad).map(|trial| trial.name).collect()
    }

    #[test]
    fn the_reference_does_nothing_of_what_is_counted() {
        assert_eq!(bad(REFERENCE), [""; 0]);
    }

    #[test]
    fn without_a_bulkhead_nothing_limits_nothing_tells_and_nobody_waits() {
        let (_, _, naive) = CONTESTANTS[0];
        assert_eq!(bad(naive), ["held", "threads", "numbers", "sized"]);
    }

    #[test]
    fn these_mistakes_fail_the_trials_of_their_step() {
        // One place too many.
        let guard: fn(Limits) -> Guard =
            |limits| (REFERENCE.guard)(Limits { places: limits.places + 1, ..limits });
        assert_eq!(bad(Contestant { guard, ..REFERENCE }), ["held"]);

        // An arrival that is not counted.
        let observed: fn(Limits) -> (Guard, Look) = |limits| {
            let (guard, look) = (REFERENCE.observed)(limits);
            (guard, Box::new(move |arrived, shed| look(arrived + 1, shed)))
        };
        assert_eq!(bad(Contestant { observed, ..REFERENCE }), ["numbers"]);

        let on_threads = || THREADS as u64;
        assert_eq!(bad(Contestant { on_threads, ..REFERENCE }), ["threads"]);

        // No headroom.
        let size = |rate, time, _| (REFERENCE.size)(rate, time, 1.0);
        assert_eq!(bad(Contestant { size, ..REFERENCE }), ["sized"]);
    }
}
