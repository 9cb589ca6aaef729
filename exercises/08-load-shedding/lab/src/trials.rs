//! Trials: a situation for each step, in which a server or a client without that step does worse.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use lab_kit::{Needs, Scene, Trial, Values, Whose};
use storm::{Failure, Load, Model, ServiceTime};

use crate::code::{Ask, Code, Limit, NAIVE, Setting};
#[cfg(feature = "yours")]
use crate::yours;
use crate::{recovery, reference, slow, throttle};

const CONTESTANTS: &[(Whose, &str, Code)] = &[
    (Whose::Naive, "naive", NAIVE),
    #[cfg(feature = "yours")]
    (Whose::Yours, "yours", yours::parts::CODE),
    (Whose::Reference, "reference", reference::parts::CODE),
];

type Count = fn(Code, u64) -> anyhow::Result<u64>;

const TRIALS: [Trial<Count>; 6] = [
    Trial {
        name: "crowd",
        step: 1,
        question: "Four times the capacity for ten seconds. How much work does the server do for who has given up?",
        counted: "answers later than a second",
        situation: crowd,
    },
    Trial {
        name: "backlog",
        step: 2,
        question: "The server hung for ten seconds. How many of those who come afterwards have no good answer?",
        counted: "without a good answer",
        situation: |code, seed| {
            let (serve, _) = (code.server)(recovery::BY_AGE, seed);
            let report = recovery::one("backlog", &serve, seed)?;
            let after = report.counts_between(recovery::HANGS.end..Duration::from_secs(200));
            Ok(after.offered.saturating_sub(after.good))
        },
    },
    Trial {
        name: "payments",
        step: 3,
        question: "Twice the capacity, and a payment among ten requests. How many payments fail?",
        counted: "payments without a good answer",
        situation: payments,
    },
    Trial {
        name: "slower",
        step: 4,
        question: "What is below becomes three times as slow. How many are served too late?",
        counted: "late answers",
        situation: |code, seed| {
            let limit = Limit::Gradient(Duration::from_secs(10));
            Ok(slow::one("slower", code, limit, seed)?.counts().late)
        },
    },
    Trial {
        name: "refused",
        step: 5,
        question: "Ten times the capacity is asked for. How much of that reaches the server, with K = 2?",
        counted: "requests a second beyond the capacity",
        situation: |code, seed| Ok(throttle::reach(code, 2.0, 10, seed)?.0.saturating_sub(1_000)),
    },
    Trial {
        name: "flood",
        step: 6,
        question: "One tenant floods a server of 200 requests a second. How many of another tenant's are lost?",
        counted: "requests of the other, refused or late",
        situation: flood,
    },
];

pub static SCENE: Scene = Scene {
    name: "trials",
    about: "A situation for each step, with one number that the step improves",
    knobs: &[],
    figures: &[],
    needs: Some(Needs { step: 1, text: "Each trial needs the step that it names." }),
    parameters,
    run: |values| {
        Trial::all(&TRIALS, values, CONTESTANTS, |trial, _, code| {
            (trial.situation)(code, values.seed())
        })
    },
};

fn parameters(values: &Values) -> String {
    format!("Storms in virtual time; each trial says what happens. Seed {}.", values.seed())
}

const SETTING: Setting = Setting {
    limit: Limit::Fixed(10),
    max_waiting: 50,
    target: Duration::from_millis(5),
    interval: Duration::from_millis(100),
    reserve: 0,
};

fn load(rate_per_second: f64, seed: u64) -> Load {
    let (length, good_within) = (Duration::from_secs(10), Duration::from_millis(200));
    Load { rate_per_second, length, good_within, seed, ..Load::default() }
}

/// Ten at a time, 20 ms each: 500 a second.
fn model() -> Model {
    Model::new(10, ServiceTime::Constant(Duration::from_millis(20)))
        .expect("the constants above make sense")
}

fn crowd(code: Code, seed: u64) -> anyhow::Result<u64> {
    let load = Load { good_within: Duration::from_secs(1), ..load(2_000.0, seed) };
    // Step 1 has no age yet: all who wait are served.
    let setting = Setting { interval: Duration::from_secs(60), ..SETTING };
    let report = storm::run("crowd", &load, |scene| {
        let work = scene.dependency("work", &model());
        let (serve, _) = (code.server)(setting, seed);
        move |_request| {
            let work = work.clone();
            serve(Ask::default(), Box::pin(async move { Ok(work.call().await?) }))
        }
    })?;
    Ok(report.counts().late + report.counts().unfinished)
}

fn payments(code: Code, seed: u64) -> anyhow::Result<u64> {
    let served = Arc::new(AtomicU64::new(0));
    let its = Arc::clone(&served);
    let report = storm::run("payments", &load(1_000.0, seed), |scene| {
        let work = scene.dependency("work", &model());
        let (serve, _) = (code.server)(Setting { reserve: 1, ..SETTING }, seed);
        move |request| {
            let pays = request.id.is_multiple_of(10);
            let ask = Ask { class: if pays { 0 } else { 2 }, deadline: None };
            let (work, served) = (work.clone(), Arc::clone(&its));
            let answer = serve(ask, Box::pin(async move { Ok(work.call().await?) }));
            async move {
                let answer = answer.await;
                let in_time = request.due.elapsed() <= Duration::from_millis(200);
                served.fetch_add(u64::from(pays && answer.is_ok() && in_time), Relaxed);
                answer
            }
        }
    })?;
    Ok(report.counts().offered.div_ceil(10) - served.load(Relaxed))
}

fn flood(code: Code, seed: u64) -> anyhow::Result<u64> {
    let served = Arc::new(AtomicU64::new(0));
    let its = Arc::clone(&served);
    let model = Model::new(4, ServiceTime::Constant(Duration::from_millis(20)))
        .expect("the constants above make sense");
    let report = storm::run("flood", &load(1_000.0, seed), |scene| {
        let work = scene.dependency("work", &model);
        let admit = (code.tenants)(100, 20);
        move |request| {
            let other = request.id.is_multiple_of(20);
            let admitted = admit(if other { "other" } else { "flood" });
            let (work, served) = (work.clone(), Arc::clone(&its));
            async move {
                if !admitted {
                    return Err(Failure::Shed);
                }
                work.call().await?;
                let in_time = request.due.elapsed() <= Duration::from_millis(200);
                served.fetch_add(u64::from(other && in_time), Relaxed);
                Ok(())
            }
        }
    })?;
    Ok(report.counts().offered.div_ceil(20) - served.load(Relaxed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reference_is_up_to_each_trial_and_the_naive_way_to_none() {
        for seed in [7, 8] {
            let counts = |code| TRIALS.map(|trial| (trial.situation)(code, seed).unwrap());
            let (naive, reference) = (counts(NAIVE), counts(reference::parts::CODE));
            for (trial, (naive, reference)) in TRIALS.iter().zip(naive.iter().zip(reference)) {
                let name = trial.name;
                assert!(
                    *naive >= 250 && reference * 5 <= *naive,
                    "{name}, seed {seed}: naive {naive}, reference {reference}"
                );
            }
        }
    }
}
