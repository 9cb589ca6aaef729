//! A dependency that is slow for ten seconds, and hedges that keep it so.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use lab_kit::chart::{Chart, Panel};
use lab_kit::{Comparison, Knob, Needs, Runs, Scene, Shown, Table, Values, Whose, well_after};
use storm::{Load, Model, Outage, OutageKind, Report, ServiceTime, StormError};

use crate::code::{Code, Delay, NEVER, Sends, Setting, after};
use crate::reference;
#[cfg(feature = "yours")]
use crate::yours;

const LENGTH: Duration = Duration::from_secs(60);
pub const SLOW: Range<Duration> = Duration::from_secs(10)..Duration::from_secs(20);
/// An answer is good for so long.
const PATIENCE: Duration = Duration::from_millis(500);
/// 10 calls at a time of 20 ms each: 500 a second.
const SERVERS: u32 = 10;
const SERVICE: Duration = Duration::from_millis(20);
const FIXED: Delay = Delay::Fixed(Duration::from_millis(100));
const DEPENDENCY: &str = "search";

const RATE: Knob = Knob::number(
    "rate",
    "How much load does the dependency survive, when it can serve 500?",
    50..=500,
    350,
    "requests/s",
)
.at(&[100, 150, 200, 220, 240, 250, 260, 300, 350, 400, 450]);
const SLOWER_BY: Knob = Knob::number(
    "slower",
    "How slow must it get before hedges are too much for it?",
    1..=10,
    2,
    "times as long",
);

pub static SCENE: Scene = Scene {
    name: "overload",
    about: "A dependency that is slow for ten seconds, and the hedges that come on top",
    knobs: &[RATE, SLOWER_BY],
    figures: &["hedging-overload"],
    needs: Some(Needs { step: 4, text: "The scene needs a budget that pays for hedges (step 4)." }),
    parameters,
    run: |values| {
        let runs = runs(values)?;
        Ok(Shown::new(&runs, table(&runs)).chart(chart(&runs, values)))
    },
};

pub const ONCE: &str = "sent once";
pub const UNPAID: &str = "late after 100 ms";
pub const PAID: &str = "… and paid for";
pub const PERCENTILE: &str = "late by percentile";

const PAID_FOR: Setting = Setting { budget: Some((10, 100)), ..after(FIXED) };

const CONTESTANTS: &[(Whose, &str, (Code, Setting))] = &[
    (Whose::Naive, ONCE, (NEVER, after(FIXED))),
    (Whose::Reference, UNPAID, (reference::hedger::CODE, after(FIXED))),
    (Whose::Reference, PAID, (reference::hedger::CODE, PAID_FOR)),
    #[cfg(feature = "yours")]
    (Whose::Yours, "yours, paid for", (yours::hedger::CODE, PAID_FOR)),
    (Whose::Reference, PERCENTILE, (reference::hedger::CODE, after(Delay::Percentile(95)))),
];

/// A run, and how many requests it sent.
pub struct Sent {
    pub report: Report,
    pub requests: u64,
}

pub fn runs(values: &Values) -> anyhow::Result<Runs<Sent>> {
    Runs::of(values, CONTESTANTS.iter().copied(), |name, (code, setting)| {
        let (rate, slower) = (values.number(&RATE) as f64, values.number(&SLOWER_BY) as f64);
        one(name, code, setting, rate, slower, values.seed())
    })
}

pub fn one(
    name: &str,
    code: Code,
    setting: Setting,
    rate_per_second: f64,
    slower_by: f64,
    seed: u64,
) -> Result<Sent, StormError> {
    let load =
        Load { rate_per_second, length: LENGTH, good_within: PATIENCE, seed, ..Load::default() };
    let slow = Outage { from: SLOW.start, to: SLOW.end, kind: OutageKind::Slow(slower_by) };
    let model = Model::new(SERVERS, ServiceTime::Exponential { mean: SERVICE })
        .and_then(|model| model.with_outage(slow))
        .expect("the constants above make sense");
    let requests = Arc::new(AtomicU64::new(0));
    let report = storm::run(name, &load, |scene| {
        let search = scene.dependency(DEPENDENCY, &model);
        let hedging = (code.hedging)(setting);
        let requests = Arc::clone(&requests);
        let sends: Sends = Arc::new(move |_| {
            requests.fetch_add(1, Relaxed);
            let search = search.clone();
            Box::pin(async move { Ok(search.call().await?) })
        });
        move |_request| Arc::clone(&hedging).call(Arc::clone(&sends))
    })?;
    Ok(Sent { report, requests: requests.load(Relaxed) })
}

impl Sent {
    /// In percent of all requests of users.
    pub fn more_requests(&self) -> f64 {
        100.0 * self.requests as f64 / self.report.counts().offered as f64 - 100.0
    }

    /// In percent of the requests that users make after the slow time.
    pub fn good_after(&self) -> f64 {
        let counts = self.report.counts_of(SLOW.end..LENGTH);
        100.0 * counts.good as f64 / counts.offered as f64
    }
}

pub fn table(runs: &Runs<Sent>) -> Table {
    Comparison::new(runs.done())
        .counts("offered", |run| run.report.counts().offered)
        .counts("good (within 500 ms)", |run| run.report.counts().good)
        .row("good after the slow time, %", |run| format!("{:.1}", run.good_after()))
        .row("more requests, %", |run| format!("{:.1}", run.more_requests()))
        .row("good again after the slow time, s", |run| well_after(&run.report, SLOW.end))
        .table()
}

pub fn chart(runs: &Runs<Sent>, values: &Values) -> Chart {
    let slow = format!("{} times slower", values.number(&SLOWER_BY));
    Chart::new("hedging-overload", "Hedges in an overload", LENGTH)
        .command(&values.command())
        .band(SLOW.start, SLOW.end, &slow)
        .panel(
            Panel::new("goodput, requests/s").lines(runs.done(), |run| {
                run.report.per_second(|second| second.counts.good as f64)
            }),
        )
        .panel(
            Panel::new("requests that reach the dependency, 1/s")
                .lines(runs.done(), |run| run.report.calls_per_second(DEPENDENCY)),
        )
}

pub fn parameters(values: &Values) -> String {
    format!(
        "{} for {} s of virtual time, good within {} ms. The dependency serves {SERVERS} calls at a time, {} ms each on average \
         (exponential), so 500 a second, and takes {} from {} s to {} s. What is dropped is worked on all the same. A call is late \
         after 100 ms, or after the 95th percentile; hedges are paid for from a tenth of the successes, 100 at most. Seed {}.",
        values.show(&RATE),
        LENGTH.as_secs(),
        PATIENCE.as_millis(),
        SERVICE.as_millis(),
        values.show(&SLOWER_BY),
        SLOW.start.as_secs(),
        SLOW.end.as_secs(),
        values.seed(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_budget_hedges_keep_the_overload_by_whatever_delay() {
        let values = crate::LAB.defaults().scene(&SCENE);
        let runs = runs(&values).unwrap();
        let after = |name| runs.get(name).unwrap().good_after();
        assert!(after(ONCE) > 80.0, "{}", after(ONCE));
        assert!(after(UNPAID) < 5.0, "{}", after(UNPAID));
        assert!(after(PAID) > 65.0, "{}", after(PAID));
        assert!(after(PERCENTILE) < 5.0, "{}", after(PERCENTILE));
    }
}
