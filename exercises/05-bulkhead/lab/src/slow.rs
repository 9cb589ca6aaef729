//! The storm in virtual time: payments slow down to 20 s a call, and inventory is well.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use lab_kit::chart::{Chart, Panel};
use lab_kit::{Comparison, Knob, Runs, Scene, Shown, Table, Values};
use storm::{Load, Model, Outage, OutageKind, Report, ServiceTime, StormError};

use crate::{MAX_WAIT, MakePools, NEEDS, ON_WAITS, POOLS, Target};

const LENGTH: Duration = Duration::from_secs(120);
pub const SLOW: Range<Duration> = Duration::from_secs(30)..Duration::from_secs(90);
const REQUESTS_PER_SECOND: f64 = 400.0;
/// An answer that comes later is of no use to the user.
const GOOD_WITHIN: Duration = Duration::from_millis(500);
const PAYMENT: Duration = Duration::from_millis(50);
const STOCK: Duration = Duration::from_millis(20);
const SLOWER_BY: f64 = 400.0;
const PAYMENT_PLACES: Knob = Knob::number(
    "payments",
    "How many calls to payments may run at a time? One pool has these and inventory's",
    1..=200,
    10,
    "places",
)
.at(&[1, 2, 5, 8, 10, 12, 15, 20, 30, 50, 100, 200]);
const INVENTORY_PLACES: Knob = Knob::number(
    "inventory",
    "How many calls to inventory may run at a time?",
    1..=200,
    50,
    "places",
)
.at(&[1, 5, 10, 20, 30, 40, 50, 75, 100, 200]);

pub static SCENE: Scene = Scene {
    name: "slow",
    about: "Payments slow down, and inventory is well",
    knobs: &[PAYMENT_PLACES, INVENTORY_PLACES],
    figures: &["bulkhead-slow"],
    needs: Some(NEEDS),
    parameters,
    run: |values| {
        let runs = runs(values)?;
        Ok(Shown::new(&runs, table(&runs)).chart(chart(&runs, values)).note(ON_WAITS))
    },
};

pub fn runs(values: &Values) -> anyhow::Result<Runs<Report>> {
    Runs::of(values, POOLS.iter().copied(), |name, pools| one(name, pools, values))
}

fn one(name: &str, pools: MakePools, values: &Values) -> Result<Report, StormError> {
    let load = Load {
        rate_per_second: REQUESTS_PER_SECOND,
        length: LENGTH,
        good_within: GOOD_WITHIN,
        seed: values.seed(),
        ..Load::default()
    };
    let slow = Outage { from: SLOW.start, to: SLOW.end, kind: OutageKind::Slow(SLOWER_BY) };
    // Neither is short of capacity: what is slow here is each call.
    let model = |mean| Model::new(200, ServiceTime::Exponential { mean });
    let models = [model(PAYMENT).and_then(|model| model.with_outage(slow)), model(STOCK)]
        .map(|model| model.expect("the constants above make sense"));
    storm::run(name, &load, |scene| {
        let dependencies =
            Target::ALL.map(|target| scene.dependency(target.name(), &models[target as usize]));
        let good = Target::ALL.map(|target| {
            let good = Arc::new(AtomicU64::new(0));
            let count = Arc::clone(&good);
            scene.gauge(target.name(), move || count.load(Relaxed) as f64);
            good
        });
        let pools = pools(places(values));
        move |request| {
            let target = Target::of(request.id);
            let good = Arc::clone(&good[target as usize]);
            let dependency = dependencies[target as usize].clone();
            let answer = pools(target, Box::pin(async move { Ok(dependency.call().await?) }));
            async move {
                answer.await?;
                good.fetch_add(u64::from(request.due.elapsed() <= GOOD_WITHIN), Relaxed);
                Ok(())
            }
        }
    })
}

/// Good answers of a dependency in each second, at its middle.
pub fn good_per_second(report: &Report, target: Target) -> Vec<(f64, f64)> {
    let total = report.gauge(target.name());
    total.windows(2).map(|pair| (pair[0].0 + 0.5, pair[1].1 - pair[0].1)).collect()
}

/// Good answers of a dependency in `window`, a second on average.
pub fn goodput(report: &Report, target: Target, window: Range<Duration>) -> f64 {
    let seconds = window.start.as_secs_f64()..window.end.as_secs_f64();
    let good: f64 = good_per_second(report, target)
        .iter()
        .filter(|(second, _)| seconds.contains(second))
        .map(|(_, good)| good)
        .sum();
    good / (seconds.end - seconds.start)
}

pub fn table(runs: &Runs<Report>) -> Table {
    let rate = |report: &Report, target, window| format!("{:.1}", goodput(report, target, window));
    let before = Duration::ZERO..SLOW.start;
    Comparison::new(runs.done())
        .row("inventory, good/s before", |report| rate(report, Target::Inventory, before.clone()))
        .row("inventory, good/s while payments are slow", |report| {
            rate(report, Target::Inventory, SLOW)
        })
        .row("payments, good/s before", |report| rate(report, Target::Payments, before.clone()))
        .row("payments, good/s while they are slow", |report| rate(report, Target::Payments, SLOW))
        .well_after("recovered after it, s", SLOW.end)
        .counts("turned away", |report| report.counts().shed)
        .waits()
        .table()
}

pub fn chart(runs: &Runs<Report>, values: &Values) -> Chart {
    let panel = |title: &str, target| {
        Panel::new(title).lines(runs.done(), |report| good_per_second(report, target))
    };
    let sentences = runs.done().map(|(name, report)| {
        format!(
            "with {name}, inventory has {:.1} good answers a second while payments are slow",
            goodput(report, Target::Inventory, SLOW)
        )
    });
    let description = format!(
        "Two panels over {} s of virtual time: good answers a second of inventory, which is well all the \
         time, and of payments, which are slow from {} s to {} s: {}. {}",
        LENGTH.as_secs(),
        SLOW.start.as_secs(),
        SLOW.end.as_secs(),
        sentences.collect::<Vec<_>>().join("; "),
        parameters(values),
    );
    Chart::new("bulkhead-slow", "A slow dependency and a healthy one beside it", LENGTH)
        .description(&description)
        .command(&values.command())
        .band(SLOW.start, SLOW.end, "payments take 20 s")
        .panel(panel("inventory, good answers/s", Target::Inventory))
        .panel(panel("payments, good answers/s", Target::Payments))
}

/// Places for payments and for inventory.
fn places(values: &Values) -> [usize; 2] {
    [PAYMENT_PLACES, INVENTORY_PLACES]
        .map(|knob| usize::try_from(values.number(&knob)).unwrap_or(usize::MAX))
}

pub fn parameters(values: &Values) -> String {
    let [payments, inventory] = places(values);
    format!(
        "{REQUESTS_PER_SECOND} requests/s for {} s of virtual time. Every fourth needs payments ({} ms on \
         average), the others inventory ({} ms); good is an answer within {} ms. From {} s to {} s payments take \
         {SLOWER_BY} times as long, {} s on average. One pool has {} places, or payments have {payments} and \
         inventory {inventory}; half as many may wait, for {} s. Seed {}.",
        LENGTH.as_secs(),
        PAYMENT.as_millis(),
        STOCK.as_millis(),
        GOOD_WITHIN.as_millis(),
        SLOW.start.as_secs(),
        SLOW.end.as_secs(),
        PAYMENT.mul_f64(SLOWER_BY).as_secs(),
        payments + inventory,
        MAX_WAIT.as_secs(),
        values.seed(),
    )
}
