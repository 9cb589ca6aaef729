//! Trials: situations for each step from the third on, in which hedging without that step does worse.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use lab_kit::{Needs, Scene, Trial, Values, Whose};
use storm::Failure;
use tokio::runtime::Builder;
use tokio::time::{sleep, timeout};

use crate::code::{ALWAYS, Answer, Code, Delay, NEVER, Sends, Setting, after};
use crate::reference;
#[cfg(feature = "yours")]
use crate::yours;
use crate::{overload, tail};

type Count = fn(Code, u64) -> anyhow::Result<u64>;

const TRIALS: [Trial<Count>; 6] = [
    Trial {
        name: "tail",
        step: 3,
        question: "Ten thousand calls, one in a hundred slow, and nobody says which delay is right. What do users and servers get?",
        counted: "calls slower than 100 ms, and hedges beyond 6 %",
        situation: long_tail,
    },
    Trial {
        name: "pushback",
        step: 4,
        question: "All calls are late, and a server asks for five seconds without hedges. Does it get them?",
        counted: "hedges in these seconds",
        situation: pushback,
    },
    Trial {
        name: "overload",
        step: 4,
        question: "A dependency is slow for ten seconds, and hedges come on top. Is it over when it is over?",
        counted: "requests that aren't good, from 20 s after it on",
        situation: overloaded,
    },
    Trial {
        name: "payments",
        step: 5,
        question: "A hundred payments without a key are late. How many cards are charged twice?",
        counted: "payments that were sent twice",
        situation: payments,
    },
    Trial {
        name: "queues",
        step: 5,
        question: "Three instances work on two calls each, and are given up to three. Where do the hedges go?",
        counted: "hedges to the late instance, or into a queue",
        situation: queues,
    },
    Trial {
        name: "dead",
        step: 6,
        question: "One of two instances answers nobody, and hedges hide it. Who is told?",
        counted: "requests to it that nobody was told of",
        situation: dead,
    },
];

const CODES: &[(Whose, &str, Code)] = &[
    (Whose::Naive, "sent once", NEVER),
    (Whose::Naive, "sent twice", ALWAYS),
    #[cfg(feature = "yours")]
    (Whose::Yours, "yours", yours::hedger::CODE),
    (Whose::Reference, "reference", reference::hedger::CODE),
];

pub static SCENE: Scene = Scene {
    name: "trials",
    about: "Situations that steps 3 to 6 are for; the numbers count what is bad",
    knobs: &[],
    figures: &[],
    needs: Some(Needs { step: 3, text: "Each trial needs its step, and those before it." }),
    parameters: |values| format!("Virtual time. Seed {}.", values.seed()),
    run: |values: &Values| {
        Trial::all(&TRIALS, values, CODES, |trial, _, code| (trial.situation)(code, values.seed()))
    },
};

const MILLISECOND: Duration = Duration::from_millis(1);
const LATE: Delay = Delay::Fixed(Duration::from_millis(10));

/// Runs in virtual time.
fn run<T>(calls: impl Future<Output = T>) -> anyhow::Result<T> {
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build()?;
    Ok(runtime.block_on(calls))
}

fn answer_after(time: Duration) -> Answer {
    Box::pin(async move {
        sleep(time).await;
        Ok(())
    })
}

// ---------------------------------------------------------------------------------------------
// Step 3

fn long_tail(code: Code, seed: u64) -> anyhow::Result<u64> {
    const CALLS: usize = 10_000;
    let measured = tail::measure(code, Delay::Percentile(95), 0.01, CALLS, seed)?;
    let hedges = (measured.more_requests() / 100.0 * CALLS as f64).round();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "cut at 0")]
    let too_many = (hedges - 0.06 * CALLS as f64).max(0.0) as u64;
    Ok(measured.longer_than(100.0) + too_many)
}

// ---------------------------------------------------------------------------------------------
// Step 4

fn pushback(code: Code, _seed: u64) -> anyhow::Result<u64> {
    let hedges = Arc::new(AtomicU64::new(0));
    let its = Arc::clone(&hedges);
    run(async move {
        let hedging = (code.hedging)(after(LATE));
        let sends: Sends = Arc::new(move |attempt| {
            its.fetch_add(attempt as u64, Relaxed);
            answer_after(50 * MILLISECOND)
        });
        hedging.hold(5_000 * MILLISECOND);
        // Each takes 50 ms, which is 5 s.
        for _ in 0..99 {
            let _ = Arc::clone(&hedging).call(Arc::clone(&sends)).await;
        }
    })?;
    Ok(hedges.load(Relaxed))
}

fn overloaded(code: Code, seed: u64) -> anyhow::Result<u64> {
    let setting = Setting { budget: Some((10, 100)), ..after(Delay::Fixed(100 * MILLISECOND)) };
    let run = overload::one("overload", code, setting, 350.0, 2.0, seed)?;
    let calm = overload::SLOW.end + 20_000 * MILLISECOND;
    let counts = run.report.counts_of(calm..run.report.load().length);
    Ok(counts.offered - counts.good)
}

// ---------------------------------------------------------------------------------------------
// Step 5

fn among(instances: usize, places: usize) -> Setting {
    Setting { instances: (instances, places), ..after(LATE) }
}

fn payments(code: Code, _seed: u64) -> anyhow::Result<u64> {
    run(async move {
        let hedging = (code.hedging)(among(2, 8));
        let mut twice = 0;
        for _ in 0..100 {
            let sent = Arc::new(AtomicU64::new(0));
            let its = Arc::clone(&sent);
            let sends: Sends = Arc::new(move |_| {
                its.fetch_add(1, Relaxed);
                answer_after(50 * MILLISECOND)
            });
            let _ = Arc::clone(&hedging).call_among(false, sends).await;
            twice += u64::from(sent.load(Relaxed) > 1);
        }
        twice
    })
}

/// A call that is out at an instance.
struct Out(Arc<[AtomicUsize; 3]>, usize);

impl Drop for Out {
    fn drop(&mut self) {
        self.0[self.1].fetch_sub(1, Relaxed);
    }
}

fn queues(code: Code, _seed: u64) -> anyhow::Result<u64> {
    const PLACES: usize = 2;
    let bad = Arc::new(AtomicU64::new(0));
    let its = Arc::clone(&bad);
    run(async move {
        let hedging = (code.hedging)(among(3, PLACES));
        let out: Arc<[AtomicUsize; 3]> = Arc::default();
        let mut calls = tokio::task::JoinSet::new();
        for number in 0..300_u32 {
            sleep(MILLISECOND * (7 + number % 5)).await;
            let (out, bad, first) = (Arc::clone(&out), Arc::clone(&its), OnceLock::new());
            let sends: Sends = Arc::new(move |instance| {
                let busy = out[instance].fetch_add(1, Relaxed);
                let is_hedge = first.set(instance).is_err();
                let is_late = is_hedge && first.get() == Some(&instance);
                bad.fetch_add(u64::from(is_late || (is_hedge && busy >= PLACES)), Relaxed);
                let place = Out(Arc::clone(&out), instance);
                Box::pin(async move {
                    let _place = place;
                    sleep(MILLISECOND * if instance == 0 { 60 } else { 30 }).await;
                    Ok(())
                })
            });
            calls.spawn(Arc::clone(&hedging).call_among(true, sends));
        }
        calls.join_all().await;
    })?;
    Ok(bad.load(Relaxed))
}

// ---------------------------------------------------------------------------------------------
// Step 6

fn dead(code: Code, _seed: u64) -> anyhow::Result<u64> {
    let (sent, told) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let (its, heard) = (Arc::clone(&sent), Arc::clone(&told));
    run(async move {
        let listener = move |instance: usize, overtaken: bool| {
            heard.fetch_add(u64::from(instance == 0 && overtaken), Relaxed);
        };
        let hedging = (code.listened_to)(among(2, 8), Box::new(listener));
        let sends: Sends = Arc::new(move |instance| -> Answer {
            if instance == 1 {
                return answer_after(MILLISECOND);
            }
            its.fetch_add(1, Relaxed);
            Box::pin(async {
                sleep(3_600_000 * MILLISECOND).await;
                Err(Failure::Failed)
            })
        });
        for _ in 0..100 {
            let call = Arc::clone(&hedging).call_among(true, Arc::clone(&sends));
            let _ = timeout(1_000 * MILLISECOND, call).await;
        }
    })?;
    Ok(sent.load(Relaxed).saturating_sub(told.load(Relaxed)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(code: Code, seed: u64) -> [u64; TRIALS.len()] {
        TRIALS.map(|trial| (trial.situation)(code, seed).unwrap())
    }

    #[test]
    fn the_reference_is_up_to_each_trial_and_a_naive_way_to_none() {
        for seed in [7, 8] {
            let [tail, pushback, overload, payments, queues, dead] =
                counts(reference::hedger::CODE, seed);
            assert!(tail <= 10 && overload <= 20, "seed {seed}: {tail}, {overload}");
            assert_eq!([pushback, payments, queues, dead], [0; 4], "seed {seed}");
        }
        let [_, pushback, overload, payments, queues, _] = counts(ALWAYS, 7);
        let twice = [pushback, overload, payments, queues].into_iter();
        assert!(
            twice.zip([50, 5_000, 100, 20]).all(|(count, least)| count >= least),
            "{pushback}, {overload}, {payments}, {queues}"
        );
        let [tail, _, _, _, _, dead] = counts(NEVER, 7);
        assert!(tail > 50 && dead == 100, "{tail}, {dead}");
    }
}
