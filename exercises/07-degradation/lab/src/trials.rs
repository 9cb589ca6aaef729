//! Trials: situations for each step from the third on, in which a service without that step does worse.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use lab_kit::{Needs, Scene, Trial, Values, Whose};
use storm::{
    Dependency, Failure, Load, Model, Outage, OutageKind, Report, ServiceTime, StormError,
};
use tokio::time::{Instant, sleep, timeout};

use crate::code::{Code, CopyOf, Fault, Fresh, Level, Look, Mode, NAIVE, Said, Served, Source};
use crate::reference;
#[cfg(feature = "yours")]
use crate::yours;

type Count = fn(Code, u64) -> Result<u64, StormError>;

const TRIALS: [Trial<Count>; 6] = [
    Trial {
        name: "overload",
        step: 3,
        question: "For 40 s a database can't do all that a full page asks of it. How many pages try all the same?",
        counted: "pages that fail, or are reduced long after it",
        situation: overload,
    },
    Trial {
        name: "flicker",
        step: 3,
        question: "One look of four is bad, for two minutes. How often are users told so?",
        counted: "changes of the level",
        situation: flicker,
    },
    Trial {
        name: "slow-cache",
        step: 4,
        question: "The dependency is down, and then the cache takes half a second as well. Who waits for it?",
        counted: "pages without an answer within 150 ms",
        situation: slow_cache,
    },
    Trial {
        name: "answers",
        step: 4,
        question: "Answers fail, are 404, have copies that are recent, old, or none. What do users get?",
        counted: "other than the best answer that there was",
        situation: answers,
    },
    Trial {
        name: "stored",
        step: 5,
        question: "A proxy stores what it may. Who sees a degraded page after the outage, or isn't told in it?",
        counted: "degraded pages, stored or not declared",
        situation: stored,
    },
    Trial {
        name: "looks",
        step: 6,
        question: "Calls that are rare fail, then all calls do, then one in 25 hangs. Does the level follow?",
        counted: "seconds at another level than is called for",
        situation: looks,
    },
];

const CODES: &[(Whose, &str, Code)] = &[
    (Whose::Naive, "naive", NAIVE),
    #[cfg(feature = "yours")]
    (Whose::Yours, "yours", yours::parts::CODE),
    (Whose::Reference, "reference", reference::parts::CODE),
];

pub static SCENE: Scene = Scene {
    name: "trials",
    about: "Situations that steps 3 to 6 are for; the numbers count what is bad",
    knobs: &[],
    figures: &[],
    needs: Some(Needs { step: 3, text: "Each trial needs its step, and those before it." }),
    parameters: |values| {
        format!("Each trial has one part alone. Virtual time. Seed {}.", values.seed())
    },
    run: |values: &Values| {
        Trial::all(&TRIALS, values, CODES, |trial, _, code| {
            Ok((trial.situation)(code, values.seed())?)
        })
    },
};

const fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

fn load(rate_per_second: f64, length: u64, seed: u64) -> Load {
    Load { rate_per_second, length: seconds(length), seed, ..Load::default() }
}

/// Once a second, for the first caller.
struct EverySecond(Instant);

impl EverySecond {
    fn is_time(&mut self) -> bool {
        let is_time = self.0.elapsed() >= seconds(1);
        if is_time {
            self.0 = Instant::now();
        }
        is_time
    }
}

// ---------------------------------------------------------------------------------------------
// Step 3

const DWELL: Duration = seconds(5);

/// Pages, their level, and what became of them since the last look.
struct Pages {
    start: Instant,
    second: EverySecond,
    look: Look,
    level: Level,
    all: u64,
    failed: u64,
    reduced_late: u64,
}

impl Pages {
    /// Begins a page, and says how many calls it makes.
    fn begin(&mut self) -> usize {
        if self.second.is_time() {
            // The share of failures, in per cent, from which on a level is called for.
            let called_for =
                [1, 10, 50].into_iter().filter(|least| self.failed * 100 >= self.all * least);
            let called_for = if self.all == 0 { 0 } else { called_for.count() };
            (self.all, self.failed) = (0, 0);
            self.level = (self.look)(called_for);
        }
        if self.level > 0 && self.start.elapsed() > SLOW.end + 3 * DWELL + seconds(3) {
            self.reduced_late += 1;
        }
        [5, 2, 1, 0][self.level]
    }

    fn end(&mut self, succeeded: bool) {
        self.all += 1;
        self.failed += u64::from(!succeeded);
    }
}

const SLOW: Range<Duration> = seconds(20)..seconds(60);

/// The level decides about the load, and the load about the level.
fn overload(code: Code, seed: u64) -> Result<u64, StormError> {
    let slow = Outage { from: SLOW.start, to: SLOW.end, kind: OutageKind::Slow(4.0) };
    let model = Model::new(10, ServiceTime::Constant(Duration::from_millis(20)))
        .and_then(|model| model.with_outage(slow))
        .expect("the constants above make sense");
    let mut kept = None;
    let report = storm::run("overload", &load(50.0, 90, seed), |scene| {
        let database = scene.dependency("database", &model);
        let (start, look) = (Instant::now(), (code.steady)(DWELL));
        let second = EverySecond(start);
        let pages = Pages { start, second, look, level: 0, all: 0, failed: 0, reduced_late: 0 };
        let pages = Arc::new(Mutex::new(pages));
        kept = Some(Arc::clone(&pages));
        move |_request| page(Arc::clone(&pages), database.clone())
    })?;
    let reduced_late = kept.map_or(0, |pages| lock(&pages).reduced_late);
    Ok(report.counts().failed + reduced_late)
}

async fn page(pages: Arc<Mutex<Pages>>, database: Dependency) -> Result<(), Failure> {
    let calls = lock(&pages).begin();
    let calls: Vec<_> = (0..calls).map(|_| tokio::spawn(ask(database.clone()))).collect();
    let mut succeeded = true;
    for call in calls {
        succeeded &= call.await.is_ok_and(|answered| answered);
    }
    lock(&pages).end(succeeded);
    if succeeded { Ok(()) } else { Err(Failure::Failed) }
}

async fn ask(database: Dependency) -> bool {
    matches!(timeout(Duration::from_millis(300), database.call()).await, Ok(Ok(())))
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A look a second, of which each fourth calls for a level that is worse.
fn flicker(code: Code, seed: u64) -> Result<u64, StormError> {
    count_in(20.0, 150, seed, |count| {
        let (start, mut look, mut level) = (Instant::now(), (code.steady)(DWELL), 0);
        let (mut second, mut looks) = (EverySecond(start), 0_u64);
        Box::new(move |_| {
            if second.is_time() {
                looks += 1;
                let is_bad = start.elapsed() < seconds(120) && looks.is_multiple_of(4);
                let next = look(if is_bad { 2 } else { 0 });
                count.fetch_add(u64::from(next != level), Relaxed);
                level = next;
            }
        })
    })
}

/// Runs a storm of requests that take no time, and says what they counted.
fn count_in(
    rate_per_second: f64,
    length: u64,
    seed: u64,
    setup: impl FnOnce(Arc<AtomicU64>) -> Box<dyn FnMut(u64)>,
) -> Result<u64, StormError> {
    let count = Arc::new(AtomicU64::new(0));
    let its = Arc::clone(&count);
    storm::run("trial", &load(rate_per_second, length, seed), |_scene| {
        let mut request = setup(its);
        move |one| {
            request(one.id);
            async { Ok(()) }
        }
    })?;
    Ok(count.load(Relaxed))
}

// ---------------------------------------------------------------------------------------------
// Step 4

/// What a dependency and a cache do for one request, and what the best answer to it is.
struct Asked {
    mode: Mode,
    fresh: Fresh,
    copy: CopyOf,
    best: fn(Served) -> bool,
}

fn slow_cache(code: Code, seed: u64) -> Result<u64, StormError> {
    let load = Load { good_within: Duration::from_millis(150), ..load(200.0, 20, seed) };
    let report = serve(code, &load, |id, since| {
        let is_slow = (seconds(5)..seconds(15)).contains(&since);
        let read = Duration::from_millis(if is_slow { 500 } else { 2 });
        Asked {
            mode: if id.is_multiple_of(2) { Mode::Full } else { Mode::Reduced },
            fresh: fails(Duration::ZERO),
            copy: copy(read, Some(MINUTE)),
            best: |served| served != Served::Error,
        }
    })?;
    Ok(report.counts().offered - report.counts().good)
}

fn answers(code: Code, seed: u64) -> Result<u64, StormError> {
    let report = serve(code, &load(200.0, 20, seed), |id, _| {
        let has = |age| copy(Duration::from_millis(2), age);
        let hangs = fails(Duration::from_millis(300));
        let refuses = fails(Duration::ZERO);
        let mode = Mode::Full;
        match id % 5 {
            // It hangs, and there is a copy.
            0 | 1 => Asked {
                mode,
                fresh: hangs,
                copy: has(Some(MINUTE)),
                best: |served| served == Served::Cached,
            },
            // It is gone.
            2 => Asked {
                mode,
                fresh: Box::pin(async { Err(Fault::Permanent) }),
                copy: has(Some(MINUTE)),
                best: |served| served == Served::Error,
            },
            // The copy is too old, or there is none.
            3 => Asked {
                mode,
                fresh: refuses,
                copy: has((id % 2 == 0).then_some(10 * MINUTE)),
                best: |served| served == Served::Fixed,
            },
            // It should be left alone.
            _ => Asked {
                mode: Mode::Reduced,
                fresh: Box::pin(async { Ok(()) }),
                copy: has(Some(MINUTE)),
                best: |served| served == Served::Cached,
            },
        }
    })?;
    Ok(report.counts().failed)
}

const MINUTE: Duration = seconds(60);

fn fails(after: Duration) -> Fresh {
    Box::pin(async move {
        sleep(after).await;
        Err(Fault::Transient)
    })
}

fn copy(takes: Duration, age: Option<Duration>) -> CopyOf {
    Box::pin(async move {
        sleep(takes).await;
        age
    })
}

/// A request fails if its answer isn't the best. `ask` is told how many came before, and how long it is running.
fn serve(
    code: Code,
    load: &Load,
    ask: impl Fn(u64, Duration) -> Asked,
) -> Result<Report, StormError> {
    storm::run("answers", load, |_scene| {
        let (start, get) = (Instant::now(), (code.fallback)());
        move |request| {
            let Asked { mode, fresh, copy, best } = ask(request.id, start.elapsed());
            let served = get(mode, fresh, copy);
            async move { if best(served.await) { Ok(()) } else { Err(Failure::Failed) } }
        }
    })
}

// ---------------------------------------------------------------------------------------------
// Step 5

/// A proxy in front of a page of two parts, one of which is degraded in an outage of ten seconds.
fn stored(code: Code, seed: u64) -> Result<u64, StormError> {
    const FRESH_FOR: Duration = seconds(5);
    const OUTAGE: Range<Duration> = seconds(10)..seconds(20);
    count_in(10.0, 40, seed, |count| {
        let start = Instant::now();
        let mut until = start;
        let mut stored_degraded = false;
        Box::new(move |id| {
            let now = Instant::now();
            if now < until {
                // From the proxy: nobody has asked for another.
                count.fetch_add(u64::from(stored_degraded), Relaxed);
                return;
            }
            let is_degraded = OUTAGE.contains(&(now - start));
            let part = match (is_degraded, id % 3) {
                (false, _) => Source::Fresh,
                (true, 0) => Source::Fixed,
                (true, _) => Source::Cached(Duration::from_millis(90_500)),
            };
            let parts = if id % 2 == 0 { [part, Source::Fresh] } else { [Source::Fresh, part] };
            let said = (code.say)(parts, FRESH_FOR);
            if let Some(fresh) = max_age(&said) {
                (until, stored_degraded) = (now + fresh, is_degraded);
            }
            count.fetch_add(u64::from(!declares(&said, part)), Relaxed);
        })
    })
}

fn max_age(said: &Said) -> Option<Duration> {
    let seconds = said.field("cache-control")?.strip_prefix("max-age=")?;
    Some(Duration::from_secs(seconds.parse().ok()?))
}

/// Whether users and clients learn what the worse part of a page is, and no copy is said to be younger.
fn declares(said: &Said, part: Source) -> bool {
    let degraded = said.field("degraded");
    match part {
        Source::Fresh => degraded.is_none() && !said.notice,
        Source::Fixed => degraded == Some("static") && said.notice,
        Source::Cached(age) => {
            let at_least = said.field("age").and_then(|seconds| seconds.parse().ok());
            degraded == Some("cached")
                && said.notice
                && at_least.is_some_and(|seconds| Duration::from_secs(seconds) >= age)
        }
    }
}

// ---------------------------------------------------------------------------------------------
// Step 6

const DEPENDENCIES: [&str; 6] =
    ["catalogue", "search", "inventory", "pricing", "reviews", "newsletter"];

/// The level that is called for, in the seconds in which there is no doubt.
fn called_for(second: u64) -> Option<Level> {
    match second {
        0..40 | 75..100 => Some(0),
        45..50 => Some(2),
        115..130 => Some(1),
        _ => None,
    }
}

fn looks(code: Code, seed: u64) -> Result<u64, StormError> {
    count_in(30.0, 130, seed, |count| {
        let start = Instant::now();
        let mut second = EverySecond(start);
        let mut health = (code.health)(&DEPENDENCIES, DWELL);
        Box::new(move |id| {
            let now = start.elapsed().as_secs();
            let quick = Duration::from_millis(20);
            for dependency in &DEPENDENCIES[..5] {
                // After its outage nobody calls it for a while.
                if (50..100).contains(&now) && *dependency == "search" {
                    continue;
                }
                let (succeeded, took) = match now {
                    40..50 if *dependency == "search" => (false, quick),
                    100.. if *dependency == "search" && id.is_multiple_of(25) => {
                        (false, seconds(1))
                    }
                    _ => (true, quick),
                };
                health.record(dependency, succeeded, took);
            }
            // Hardly anybody calls it, and it is down for good.
            if id.is_multiple_of(100) {
                health.record("newsletter", false, quick);
            }
            if second.is_time() {
                let level = health.evaluate();
                let is_off = called_for(now).is_some_and(|called_for| called_for != level);
                count.fetch_add(u64::from(is_off), Relaxed);
            }
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(code: Code, seed: u64) -> [u64; TRIALS.len()] {
        TRIALS.map(|trial| (trial.situation)(code, seed).unwrap())
    }

    #[test]
    fn the_reference_is_up_to_each_trial_and_the_naive_way_to_none() {
        for seed in [7, 8] {
            let [overload, flicker, others @ ..] = counts(reference::parts::CODE, seed);
            // A page that fails ends a try to go up, and the level is back at normal when the flickering is over.
            assert!(overload <= 200, "seed {seed}: {overload}");
            assert_eq!((flicker, others), (3, [0; 4]), "seed {seed}");
            let naive = counts(NAIVE, seed);
            let bad_enough = [500, 50, 3_500, 2_500, 50, 50];
            assert!(
                naive.iter().zip(bad_enough).all(|(naive, least)| *naive >= least),
                "{naive:?}"
            );
        }
    }
}
