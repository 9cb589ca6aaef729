//! Trials: situations for each step from the third on, in which a service without that step does worse.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc;
use std::time::{Duration, SystemTime};

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use deadline_solution::{GRPC_TIMEOUT, X_DEADLINE};
use lab_kit::{Needs, Scene, Trial, Values, Whose};
use storm::Load;
use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;
use tokio::task::{spawn_blocking, yield_now};
use tokio::time::{advance, timeout};

use crate::code::{Code, NAIVE, Planned};
use crate::reference;
use crate::services::{PATIENCE, World};
#[cfg(feature = "yours")]
use crate::yours;

type Count = fn(Code, u64) -> anyhow::Result<u64>;

const TRIALS: [Trial<Count>; 6] = [
    Trial {
        name: "wire",
        step: 3,
        question: "Times from nanoseconds to centuries go over the wire, and some bytes that are no time. What arrives?",
        counted: "times that grew or shrank, or were none",
        situation: wire,
    },
    Trial {
        name: "arrivals",
        step: 4,
        question: "One request of six has expired; then a caller's clock is ten minutes slow. Who is served?",
        counted: "served for nobody, or turned away for the clock",
        situation: arrivals,
    },
    Trial {
        name: "hops",
        step: 4,
        question: "Five services would wait for a second and more, and their users wait for half of one. Who works on?",
        counted: "work for users who have gone, ms",
        situation: hops,
    },
    Trial {
        name: "threads",
        step: 5,
        question: "Threads work for callers whose time is over, or who hang up. When do they notice?",
        counted: "units of work for nobody",
        situation: threads,
    },
    Trial {
        name: "queue",
        step: 5,
        question: "All threads are busy, and callers wait for one until they go. What is begun when one is free?",
        counted: "pieces of work begun for nobody",
        situation: begun_late,
    },
    Trial {
        name: "plans",
        step: 6,
        question: "A thousand chains are mended as the audit says, and no further. Which links have too little, or too much?",
        counted: "links with too little time, or too much",
        situation: plans,
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
        Trial::all(&TRIALS, values, CODES, |trial, _, code| (trial.situation)(code, values.seed()))
    },
};

/// Numbers without a pattern, the same for the same seed.
fn numbers(seed: u64) -> impl Iterator<Item = u64> {
    let mut state = seed;
    std::iter::repeat_with(move || {
        // SplitMix64.
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    })
}

// ---------------------------------------------------------------------------------------------
// Step 3

const NO_TIMES: [&[u8]; 12] = [
    b"",
    b"S",
    b"+5S",
    b"-5S",
    b" 5S",
    b"5S ",
    b"5",
    b"5s",
    b"123456789n",
    b"5SS",
    b"1.5S",
    b"\xb55S",
];

#[expect(clippy::unnecessary_wraps, reason = "as the other trials")]
fn wire(code: Code, seed: u64) -> anyhow::Result<u64> {
    let mut bad = 0;
    for (number, bits) in numbers(seed).take(1_000).zip((1..=63).cycle()) {
        // Of every length in bits: from a nanosecond to three centuries.
        let left = Duration::from_nanos(number >> (64 - bits));
        let arrived = (code.read_relative)((code.write_relative)(left).as_bytes());
        // Eight digits are right to a hundred-millionth of the largest, and a ten-millionth of the smallest.
        bad +=
            u64::from(!arrived.is_some_and(|time| time <= left && left - time <= left / 100_000));

        let now = SystemTime::UNIX_EPOCH + Duration::from_nanos(number >> 4);
        let arrived = (code.read_absolute)((code.write_absolute)(left, now).as_bytes(), now);
        let tick = Duration::from_millis(1);
        bad += u64::from(!arrived.is_some_and(|time| time <= left && left - time <= tick));
    }
    for bytes in NO_TIMES {
        bad += u64::from((code.read_relative)(bytes).is_some());
    }
    Ok(bad)
}

// ---------------------------------------------------------------------------------------------
// Step 4

fn load(rate_per_second: f64, length: u64, seed: u64) -> Load {
    let length = Duration::from_secs(length);
    Load { rate_per_second, length, good_within: PATIENCE, seed, ..Load::default() }
}

fn arrivals(code: Code, seed: u64) -> anyhow::Result<u64> {
    /// From then on; before, fewer requests have expired than may be turned away.
    const SLOW_CLOCK: Duration = Duration::from_secs(50);
    let bad = Arc::new(AtomicU64::new(0));
    let its = Arc::clone(&bad);
    let run = storm::run("arrivals", &load(100.0, 60, seed), |_scene| {
        let (admits, start) = ((code.gate)(), tokio::time::Instant::now());
        move |request| {
            let is_expired = request.id.is_multiple_of(6);
            let clock_is_slow = start.elapsed() >= SLOW_CLOCK;
            let (name, value) = if clock_is_slow {
                // Two seconds from now, by a clock that is ten minutes slow.
                (X_DEADLINE, "2024-01-15T10:20:02.000Z")
            } else if !is_expired {
                (GRPC_TIMEOUT, "2000m")
            } else if request.id.is_multiple_of(12) {
                (GRPC_TIMEOUT, "0n")
            } else {
                (X_DEADLINE, "2024-01-15T10:29:59.999Z")
            };
            let value = (HeaderName::from_static(name), HeaderValue::from_static(value));
            let headers = HeaderMap::from_iter([value]);
            // 2024-01-15T10:30:00Z.
            let wall = SystemTime::UNIX_EPOCH + Duration::from_secs(1_705_314_600);
            let admitted = admits(&headers, wall);
            let is_bad = if clock_is_slow { !admitted } else { admitted == is_expired };
            its.fetch_add(u64::from(is_bad), Relaxed);
            async { Ok(()) }
        }
    });
    run?;
    Ok(bad.load(Relaxed))
}

/// The storm, but smaller, and with users who have less time than any of the services would give them.
fn hops(code: Code, seed: u64) -> anyhow::Result<u64> {
    let mut kept = None;
    storm::run("hops", &load(60.0, 25, seed), |_scene| {
        let world = Arc::new(World::new(20));
        kept = Some(Arc::clone(&world));
        let requests = (code.requests)(world);
        move |request| requests(request.due + Duration::from_millis(500))
    })?;
    Ok(kept.map_or(0, |world| world.wasted.load(Relaxed)))
}

// ---------------------------------------------------------------------------------------------
// Step 5

const UNIT: Duration = Duration::from_millis(10);
const UNITS: u32 = 100;

/// Runs on a clock that the threads move on: it stands while they work.
fn run<T>(body: impl Future<Output = T>) -> anyhow::Result<T> {
    let mut runtime = Builder::new_current_thread();
    let runtime = runtime.enable_time().start_paused(true).max_blocking_threads(1).build()?;
    Ok(runtime.block_on(body))
}

/// A unit of work takes its time. Not for a thread that must not block: that panics.
fn unit() {
    Handle::current().block_on(advance(UNIT));
}

fn threads(code: Code, _seed: u64) -> anyhow::Result<u64> {
    let for_nobody = Arc::new(AtomicU64::new(0));
    for budget in [50, 100, 300, 500] {
        // The caller's time is over.
        let (count, (done, is_done)) = (Arc::clone(&for_nobody), mpsc::channel::<()>());
        run(async move {
            let begun = tokio::time::Instant::now();
            let budget = Duration::from_millis(budget);
            let work = move |goes_on: &dyn Fn() -> bool| {
                let _done = done;
                for _ in 0..UNITS {
                    if !goes_on() {
                        return;
                    }
                    count.fetch_add(u64::from(begun.elapsed() >= budget), Relaxed);
                    unit();
                }
            };
            (code.blocking)(budget, Box::new(work)).await;
            // The thread has ended, however.
            let _ = is_done.recv();
        })?;

        // The caller hangs up after so many units.
        let (count, (done, is_done)) = (Arc::clone(&for_nobody), mpsc::channel::<()>());
        let (go, goes) = mpsc::channel::<()>();
        let (reached, is_reached) = oneshot::channel();
        run(async move {
            let work = move |goes_on: &dyn Fn() -> bool| {
                let (_done, mut reached) = (done, Some(reached));
                let mut alone = 0;
                for number in 0..UNITS {
                    if !goes_on() {
                        return;
                    }
                    count.fetch_add(alone, Relaxed);
                    unit();
                    if u64::from(number) == budget / 10 {
                        let _ = reached.take().map(|reached| reached.send(()));
                        let _ = goes.recv();
                        alone = 1;
                    }
                }
            };
            let minute = Duration::from_secs(60);
            let call = (code.blocking)(minute, Box::new(work));
            // Whichever comes first; the call is dropped.
            let _ = timeout(minute, async {
                tokio::select! { () = call => (), _ = is_reached => () }
            })
            .await;
            drop(go);
            let _ = is_done.recv();
        })?;
    }
    Ok(for_nobody.load(Relaxed))
}

fn begun_late(code: Code, _seed: u64) -> anyhow::Result<u64> {
    let begun = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&begun);
    run(async move {
        // There is one thread, and it is busy.
        let (release, is_busy) = mpsc::channel::<()>();
        let busy = spawn_blocking(move || is_busy.recv());
        let mut calls = Vec::new();
        for number in 0..10_u64 {
            let count = Arc::clone(&count);
            let work = move |_: &dyn Fn() -> bool| {
                count.fetch_add(1, Relaxed);
            };
            // Half of them have the time, and hang up.
            let budget = if number.is_multiple_of(2) { UNIT } else { 100 * UNIT };
            calls.push((code.blocking)(budget, Box::new(work)));
        }
        for moment in [Duration::ZERO, 2 * UNIT] {
            advance(moment).await;
            for call in &mut calls {
                // Polled, and not waited for.
                tokio::select! { biased; () = call => (), () = yield_now() => () }
            }
        }
        drop(calls);
        drop(release);
        let _ = busy.await;
        // The thread has come to the end of its queue.
        spawn_blocking(|| ()).await
    })??;
    Ok(begun.load(Relaxed))
}

// ---------------------------------------------------------------------------------------------
// Step 6

#[expect(clippy::unnecessary_wraps, reason = "as the other trials")]
fn plans(code: Code, seed: u64) -> anyhow::Result<u64> {
    let mut numbers = numbers(seed);
    let mut up_to = |most: u64| numbers.next().expect("it has no end") % most;
    let mut bad = 0;
    for _ in 0..1_000 {
        let planned: Vec<Planned> = (0..4)
            .map(|_| Planned {
                timeout: Duration::from_secs(1 + up_to(8)),
                tries: 1 + u32::try_from(up_to(2)).expect("small"),
                backoff: Duration::from_millis(500 * up_to(2)),
                overhead: Duration::from_millis(500 * up_to(2)),
            })
            .collect();
        let mut mended = planned.clone();
        // From the inside out: a link that waits for longer makes the one outside of it too short.
        for place in (0..planned.len() - 1).rev() {
            let needs = (code.audit)(&mended).into_iter().find(|(its, _)| *its == place);
            if let Some((_, needs)) = needs {
                mended[place].timeout = needs + Duration::from_millis(1);
            }
        }
        for place in 0..planned.len() - 1 {
            // How long the link inside takes, if only its last try has an answer, at the last moment.
            let inner = mended[place + 1];
            let worst = inner.timeout * inner.tries + inner.backoff + inner.overhead;
            let enough = planned[place].timeout.max(worst + Duration::from_millis(1));
            bad += u64::from(mended[place].timeout != enough);
        }
    }
    Ok(bad)
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
            let [wire, arrivals, others @ ..] = counts(reference::parts::CODE, seed);
            // Of the thousand with the slow clock, one in five may be turned away.
            assert!(arrivals <= 250, "seed {seed}: {arrivals}");
            assert_eq!((wire, others), (0, [0; 4]), "seed {seed}");
            let naive = counts(NAIVE, seed);
            let bad_enough = [1_500, 750, 50_000, 600, 10, 2_000];
            assert!(
                naive.iter().zip(bad_enough).all(|(naive, least)| *naive >= least),
                "{naive:?}"
            );
        }
    }
}
