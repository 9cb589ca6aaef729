//! A service that is slow for one call in a hundred, and the page that needs a hundred of its calls.
//!
//! After J. Dean and L. A. Barroso, "The Tail at Scale", 2013.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use lab_kit::chart::{Chart, Panel};
use lab_kit::{Comparison, Knob, Needs, Runs, Scene, Shown, Table, Values, Whose, rounded};
use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt as _, SeedableRng as _};
use tokio::runtime::Builder;
use tokio::time::{Instant, sleep};

use crate::code::{Answer, Code, Delay, NEVER, Sends, after};
use crate::reference;
#[cfg(feature = "yours")]
use crate::yours;

/// So many calls a run: a thousand pages of a hundred.
const CALLS: usize = 100_000;
/// What a fast call takes, and a slow one, in milliseconds, evenly spread.
const FAST: std::ops::Range<f64> = 5.0..15.0;
const SLOW: std::ops::Range<f64> = 500.0..1_500.0;
/// A fixed delay beside the percentile, in milliseconds: longer than any fast call.
const FIXED: f64 = 20.0;
/// tokio's timers tick in milliseconds, too coarse for calls of 5 to 15 of them. So one of the model is a second here.
const MILLISECOND: Duration = Duration::from_secs(1);
const MOST_FANNED_OUT: usize = 100;

const PERCENT: Knob = Knob::number(
    "percent",
    "From which percentile on is a call late? The lower, the more requests",
    50..=99,
    95,
    "%",
)
.at(&[50, 75, 90, 95, 97, 98, 99]);
const SLOW_CALLS: Knob =
    Knob::number("slow", "How many calls of a thousand are slow?", 0..=200, 10, "of 1,000 calls")
        .at(&[0, 1, 5, 10, 20, 50, 100, 200]);

pub static SCENE: Scene = Scene {
    name: "tail",
    about: "One call in a hundred is slow, and a page needs a hundred",
    knobs: &[PERCENT, SLOW_CALLS],
    figures: &["hedging-tail"],
    needs: Some(Needs { step: 3, text: "The scene needs a delay that finds itself (step 3)." }),
    parameters,
    run: |values| {
        let runs = runs(values)?;
        Ok(Shown::new(&runs, table(&runs)).chart(chart(&runs, values)))
    },
};

pub const ONCE: &str = "sent once";
pub const PERCENTILE: &str = "late by percentile";
pub const AFTER_FIXED: &str = "late after 20 ms";

/// What a run measured.
pub struct Measured {
    /// Of each call, in milliseconds, in the order of the calls.
    latencies: Vec<f64>,
    requests: u64,
}

impl Measured {
    /// So long is the slowest of so many calls, or shorter, in this share of all pages.
    pub fn page(&self, calls: usize, quantile: f64) -> f64 {
        let slowest = |page: &[f64]| page.iter().copied().fold(0.0, f64::max);
        let mut pages: Vec<_> = self.latencies.chunks_exact(calls).map(slowest).collect();
        pages.sort_by(f64::total_cmp);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rank")]
        let rank = (quantile * pages.len() as f64).ceil() as usize;
        pages[rank.clamp(1, pages.len()) - 1]
    }

    /// How many calls took longer than so many milliseconds.
    pub fn longer_than(&self, milliseconds: f64) -> u64 {
        self.latencies.iter().filter(|latency| **latency > milliseconds).count() as u64
    }

    /// In percent of the calls.
    pub fn more_requests(&self) -> f64 {
        100.0 * self.requests as f64 / self.latencies.len() as f64 - 100.0
    }
}

type Contestant = (Whose, &'static str, Code, bool);

const CONTESTANTS: &[Contestant] = &[
    (Whose::Naive, ONCE, NEVER, false),
    #[cfg(feature = "yours")]
    (Whose::Yours, "yours, by percentile", yours::hedger::CODE, false),
    (Whose::Reference, PERCENTILE, reference::hedger::CODE, false),
    (Whose::Reference, AFTER_FIXED, reference::hedger::CODE, true),
];

pub fn runs(values: &Values) -> anyhow::Result<Runs<Measured>> {
    let contestants =
        CONTESTANTS.iter().map(|(whose, name, code, fixed)| (*whose, *name, (*code, *fixed)));
    Runs::of(values, contestants, |_, (code, fixed)| {
        let delay = if fixed {
            Delay::Fixed(MILLISECOND.mul_f64(FIXED))
        } else {
            Delay::Percentile(values.number(&PERCENT))
        };
        let slow = values.number(&SLOW_CALLS) as f64 / 1_000.0;
        measure(code, delay, slow, CALLS, values.seed())
    })
}

/// So many calls, of which this share is slow.
pub fn measure(
    code: Code,
    delay: Delay,
    slow: f64,
    calls: usize,
    seed: u64,
) -> anyhow::Result<Measured> {
    let random = Mutex::new(Xoshiro256PlusPlus::seed_from_u64(seed));
    let requests = Arc::new(AtomicU64::new(0));
    let sends: Sends = {
        let requests = Arc::clone(&requests);
        Arc::new(move |_| -> Answer {
            requests.fetch_add(1, Relaxed);
            let mut random = random.lock().unwrap_or_else(PoisonError::into_inner);
            let range = if random.random_bool(slow) { SLOW } else { FAST };
            let takes = MILLISECOND.mul_f64(random.random_range(range));
            Box::pin(async move {
                sleep(takes).await;
                Ok(())
            })
        })
    };
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build()?;
    let latencies = runtime.block_on(async {
        let hedging = (code.hedging)(after(delay));
        let mut latencies = Vec::with_capacity(calls);
        for _ in 0..calls {
            let begun = Instant::now();
            Arc::clone(&hedging).call(Arc::clone(&sends)).await?;
            latencies.push(begun.elapsed().div_duration_f64(MILLISECOND));
        }
        anyhow::Ok(latencies)
    })?;
    Ok(Measured { latencies, requests: requests.load(Relaxed) })
}

pub fn table(runs: &Runs<Measured>) -> Table {
    Comparison::new(runs.done())
        .row("a call: p50, ms", |run| rounded(run.page(1, 0.5)))
        .row("p99, ms", |run| rounded(run.page(1, 0.99)))
        .row("p99.9, ms", |run| rounded(run.page(1, 0.999)))
        .row("a page of 100 calls: p50, ms", |run| rounded(run.page(100, 0.5)))
        .row("p99, ms", |run| rounded(run.page(100, 0.99)))
        .row("more requests, %", |run| format!("{:.1}", run.more_requests()))
        .table()
}

pub fn chart(runs: &Runs<Measured>, values: &Values) -> Chart {
    let pages = |run: &Measured| {
        (1..=MOST_FANNED_OUT).map(|calls| (calls as f64, run.page(calls, 0.5))).collect()
    };
    Chart::new("hedging-tail", "How long a page takes", Duration::from_secs(MOST_FANNED_OUT as u64))
        .command(&values.command())
        .across("calls that a page needs")
        .panel(Panel::new("half of the pages take longer than, ms").log().lines(runs.done(), pages))
}

pub fn parameters(values: &Values) -> String {
    format!(
        "{} calls, one after the other, of {} to {} ms; {} take {} to {} ms, no matter who sends them, or how often. A call is late \
         after the {}th percentile of the newest 1,000 originals, or after {FIXED} ms. Seed {}.",
        rounded(CALLS as f64),
        FAST.start,
        FAST.end,
        values.show(&SLOW_CALLS),
        rounded(SLOW.start),
        rounded(SLOW.end),
        values.number(&PERCENT),
        values.seed(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_of_the_book_are_those_of_the_model_within_15_percent() {
        let near = |measured: f64, expected: f64, what: &str| {
            assert!((measured / expected - 1.0).abs() < 0.15, "{what}: {measured}, not {expected}");
        };
        for seed in [7, 8] {
            let values = crate::LAB.defaults().scene(&SCENE).with(&Knob::SEED, seed);
            let runs = runs(&values).unwrap();
            let [once, percentile, fixed] =
                [ONCE, PERCENTILE, AFTER_FIXED].map(|name| runs.get(name).unwrap());
            near(once.page(1, 0.999), 1_410.0, "p99.9 of a call that is sent once");
            near(percentile.page(1, 0.999), 29.0, "late by percentile");
            near(fixed.page(1, 0.999), 34.0, "late after 20 ms");
            near(percentile.more_requests(), 5.1, "more requests, by percentile");
            near(fixed.more_requests(), 1.0, "more requests, after 20 ms");
            near(once.page(100, 0.5), 797.0, "the median page of 100");
            near(percentile.page(100, 0.5), 23.0, "the median page, by percentile");
            assert_eq!(once.requests, CALLS as u64, "sent once");
        }
    }
}
