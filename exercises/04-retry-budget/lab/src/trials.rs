//! Trials: situations for each step from the third on, in which a budget without that step does worse.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed, Ordering::SeqCst};
use std::thread;
use std::time::Duration;

use lab_kit::{Needs, Scene, Trial, Values, Whose};
use storm::{Dependency, Load, Model, Outage, OutageKind, Report, ServiceTime, StormError};
use tokio::runtime::{Builder, Runtime};
use tokio::time::{Instant, advance, timeout};

use crate::code::{ALWAYS, Code, Feed, NEVER, Setting};
use crate::policy::Try;
use crate::reference;
#[cfg(feature = "yours")]
use crate::yours;

type Count = fn(Code, u64) -> anyhow::Result<u64>;

const TRIALS: [Trial<Count>; 7] = [
    Trial {
        name: "saved-up",
        step: 3,
        question: "After a minute without a failure, all calls fail for ten seconds. Of what are retries a share?",
        counted: "retries in the outage",
        situation: saved_up,
    },
    Trial {
        name: "late-clocks",
        step: 4,
        question: "Every other thread comes with a reading of the clock that is half a second old. What does it earn?",
        counted: "retries, of 2,000 that were asked for",
        situation: late_clocks,
    },
    Trial {
        name: "threads",
        step: 4,
        question: "Four threads deposit a token each, and ask for two. Is there a moment at which more is spent than earned?",
        counted: "retries that nobody had paid for yet",
        situation: threads,
    },
    Trial {
        name: "outage",
        step: 5,
        question: "A thousand requests fail, whose callers have ten retries each. Half as many retries are allowed.",
        counted: "retries",
        situation: outage,
    },
    Trial {
        name: "blips",
        step: 5,
        question: "One request of 20 fails once, and one of 20 whatever one does. Is there a retry for those that it helps?",
        counted: "requests that fail, and needn't",
        situation: |code, seed| blips(code, seed, Feed::Requests),
    },
    Trial {
        name: "recovery",
        step: 6,
        question: "A dependency hangs for ten seconds, and retries may be half of the successes. Does it get over it?",
        counted: "requests that aren't good a minute later",
        situation: recovery,
    },
    Trial {
        name: "earned",
        step: 6,
        question: "The blips once more, with a budget that successes feed.",
        counted: "requests that fail, and needn't",
        situation: |code, seed| blips(code, seed, Feed::Successes),
    },
];

const CODES: &[(Whose, &str, Code)] = &[
    (Whose::Naive, "no retries", NEVER),
    (Whose::Naive, "unbounded", ALWAYS),
    #[cfg(feature = "yours")]
    (Whose::Yours, "yours", yours::budget::CODE),
    (Whose::Reference, "reference", reference::budget::CODE),
];

pub static SCENE: Scene = Scene {
    name: "trials",
    about: "Situations that steps 3 to 6 are for; the numbers count what is bad",
    knobs: &[],
    figures: &[],
    needs: Some(Needs { step: 2, text: "The trials need a budget that pays (step 2)." }),
    parameters: |values| format!("Virtual time, but for the threads. Seed {}.", values.seed()),
    run: |values: &Values| {
        Trial::all(&TRIALS, values, CODES, |trial, _, code| (trial.situation)(code, values.seed()))
    },
};

/// A tenth of the requests of a second, and nothing else.
const SHARE: Setting =
    Setting { ratio: 0.1, floor: 0, window: Duration::from_secs(1), feed: Feed::Requests };

fn load(rate_per_second: f64, length: u64, seed: u64) -> Load {
    Load { rate_per_second, length: Duration::from_secs(length), seed, ..Load::default() }
}

// ---------------------------------------------------------------------------------------------
// Step 3

fn saved_up(code: Code, seed: u64) -> anyhow::Result<u64> {
    let retries = Arc::new(AtomicU64::new(0));
    let its = Arc::clone(&retries);
    storm::run("saved up", &load(100.0, 70, seed), |_scene| {
        let (budget, start) = ((code.budget)(SHARE), Instant::now());
        move |_request| {
            budget.record_request();
            let fails = start.elapsed() >= Duration::from_secs(60);
            its.fetch_add(u64::from(fails && budget.withdraw()), Relaxed);
            async { Ok(()) }
        }
    })?;
    Ok(retries.load(Relaxed))
}

// ---------------------------------------------------------------------------------------------
// Step 4

/// A clock that stands, so much after its start.
///
/// A thread reads the clock, is put off the processor, and takes the lock after another thread that read it later. With
/// two clocks that happens when a trial says so.
fn clock(ahead: Duration) -> anyhow::Result<Runtime> {
    let clock = Builder::new_current_thread().enable_time().start_paused(true).build()?;
    clock.block_on(advance(ahead));
    Ok(clock)
}

fn late_clocks(code: Code, _seed: u64) -> anyhow::Result<u64> {
    let (early, late) = (clock(Duration::from_millis(500))?, clock(Duration::from_secs(1))?);
    let budget = {
        let _now = early.enter();
        (code.budget)(Setting { floor: 10, ..SHARE })
    };
    let mut retries = 0;
    for round in 0..200 {
        let _now = if round % 2 == 0 { late.enter() } else { early.enter() };
        for _ in 0..10 {
            budget.record_request();
        }
        retries += (0..10).filter(|_| budget.withdraw()).count() as u64;
    }
    Ok(retries)
}

/// Each deposit is a token. It is put on an account before the budget knows of it, and taken off after a retry was
/// granted: so the account is never below what the budget may hold.
fn threads(code: Code, _seed: u64) -> anyhow::Result<u64> {
    const THREADS: usize = 4;
    const ROUNDS: usize = 10_000;
    let clock = clock(Duration::ZERO)?;
    let budget = {
        let _now = clock.enter();
        (code.budget)(Setting { ratio: 1.0, window: Duration::from_secs(60), ..SHARE })
    };
    // What isn't written yet is found out here, and not on a thread of which nobody is told.
    budget.record_request();
    let account = AtomicI64::new(1);
    let caller = || {
        let _now = clock.enter();
        let mut unpaid = 0;
        for _ in 0..ROUNDS {
            account.fetch_add(1, SeqCst);
            budget.record_request();
            for _ in 0..2 {
                if budget.withdraw() {
                    unpaid += u64::from(account.fetch_sub(1, SeqCst) <= 0);
                }
            }
        }
        unpaid
    };
    Ok(thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(caller)).collect();
        threads.into_iter().map(|thread| thread.join().expect("no caller panics")).sum()
    }))
}

// ---------------------------------------------------------------------------------------------
// Step 5

fn outage(code: Code, seed: u64) -> anyhow::Result<u64> {
    let tries = Arc::new(AtomicU64::new(0));
    let its = Arc::clone(&tries);
    let report = storm::run("outage", &load(100.0, 10, seed), |_scene| {
        let guard = (code.guard)(Setting { ratio: 0.5, ..SHARE });
        move |_request| {
            let tries = Arc::clone(&its);
            let one_try = move || -> Try {
                tries.fetch_add(1, Relaxed);
                Box::pin(async { Err(storm::Failure::Failed) })
            };
            guard(10, Arc::new(one_try))
        }
    })?;
    Ok(tries.load(Relaxed).saturating_sub(report.counts().offered))
}

fn blips(code: Code, seed: u64, feed: Feed) -> anyhow::Result<u64> {
    let hopeless = Arc::new(AtomicU64::new(0));
    let its = Arc::clone(&hopeless);
    let report = storm::run("blips", &load(100.0, 60, seed), |_scene| {
        // Enough for one retry of each request that fails, and little more.
        let setting = Setting { ratio: 0.12, floor: 0, window: Duration::from_secs(10), feed };
        let guard = (code.guard)(setting);
        let hopeless = Arc::clone(&its);
        move |request| {
            let failures = match request.id % 20 {
                0 => 1,
                10 => u64::MAX,
                _ => 0,
            };
            hopeless.fetch_add(u64::from(failures == u64::MAX), Relaxed);
            let tries = AtomicU64::new(0);
            let one_try = move || -> Try {
                let fails = tries.fetch_add(1, Relaxed) < failures;
                Box::pin(async move { if fails { Err(storm::Failure::Failed) } else { Ok(()) } })
            };
            guard(1, Arc::new(one_try))
        }
    })?;
    Ok(report.counts().failed.saturating_sub(hopeless.load(Relaxed)))
}

// ---------------------------------------------------------------------------------------------
// Step 6

const HANGS: Range<Duration> = Duration::from_secs(10)..Duration::from_secs(20);
const PATIENCE: Duration = Duration::from_secs(1);
const LENGTH: u64 = 110;

fn recovery(code: Code, seed: u64) -> anyhow::Result<u64> {
    let report = hanging(code, seed)?;
    let counts = report.counts_between(HANGS.end + 60 * PATIENCE..Duration::from_secs(LENGTH));
    Ok(counts.failed + counts.late + counts.unfinished)
}

/// 80 requests a second, of 100 that the dependency can serve.
fn hanging(code: Code, seed: u64) -> Result<Report, StormError> {
    let hang = Outage { from: HANGS.start, to: HANGS.end, kind: OutageKind::Hang };
    let model = Model::new(1, ServiceTime::Constant(Duration::from_millis(10)))
        .and_then(|model| model.with_outage(hang))
        .expect("the constants above make sense");
    let load = Load { good_within: 2 * PATIENCE, ..load(80.0, LENGTH, seed) };
    storm::run("recovery", &load, |scene| {
        let payments = scene.dependency("payments", &model);
        let guard = (code.guard)(Setting { ratio: 0.5, feed: Feed::Successes, ..SHARE });
        let one_try: Arc<dyn Fn() -> Try + Send + Sync> =
            Arc::new(move || charge(payments.clone()));
        move |_request| guard(1, Arc::clone(&one_try))
    })
}

fn charge(payments: Dependency) -> Try {
    Box::pin(async move {
        match timeout(PATIENCE, payments.call()).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(storm::Failure::Failed),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(code: Code, seed: u64) -> [u64; TRIALS.len()] {
        TRIALS.map(|trial| (trial.situation)(code, seed).unwrap())
    }

    #[test]
    fn the_reference_is_up_to_each_trial_and_the_naive_ways_to_none() {
        for seed in [7, 8] {
            let [saved_up, late_clocks, threads, outage, blips, recovery, earned] =
                counts(reference::budget::CODE, seed);
            // Shares of what comes in 10 s, and of the second before.
            assert!(saved_up <= 120 && outage <= 600, "seed {seed}: {saved_up}, {outage}");
            // A tenth of 2,000, and a floor of 10.
            assert_eq!((late_clocks, threads, recovery), (210, 0, 0), "seed {seed}");
            // The first request that fails may come before the first token.
            assert!(blips <= 5 && earned <= 5, "seed {seed}: {blips}, {earned}");

            let [saved_up, late_clocks, threads, outage, _, recovery, _] = counts(ALWAYS, seed);
            let unbounded = [saved_up, late_clocks, threads, outage, recovery];
            let bad_enough = [900, 2_000, 30_000, 9_000, 2_000];
            assert!(
                unbounded.iter().zip(bad_enough).all(|(count, least)| *count >= least),
                "{unbounded:?}"
            );
            let [.., blips, _, earned] = counts(NEVER, seed);
            assert!(blips >= 250 && earned >= 250, "seed {seed}: {blips}, {earned}");
        }
    }
}
