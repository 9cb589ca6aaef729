//! The storm in virtual time: payments slow down to 20 s a call, and inventory is well.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use storm::{Load, Model, Outage, OutageKind, Report, ServiceTime, StormError, Table};

use crate::pools::{Places, Pools, Target, Whose};

pub const LENGTH: Duration = Duration::from_secs(120);
pub const SLOW: Range<Duration> = Duration::from_secs(30)..Duration::from_secs(90);
const REQUESTS_PER_SECOND: f64 = 400.0;
/// An answer that comes later is of no use to the user.
const GOOD_WITHIN: Duration = Duration::from_millis(500);
const PAYMENT: Duration = Duration::from_millis(50);
const STOCK: Duration = Duration::from_millis(20);
const SLOWER_BY: f64 = 400.0;
/// As in the document that this workbook grew from.
pub const PLACES: Places = Places([10, 50]);

/// One run.
pub fn run(whose: Whose, seed: u64) -> Result<Report, StormError> {
    let load = Load {
        rate_per_second: REQUESTS_PER_SECOND,
        length: LENGTH,
        good_within: GOOD_WITHIN,
        seed,
        ..Load::default()
    };
    let slow = Outage { from: SLOW.start, to: SLOW.end, kind: OutageKind::Slow(SLOWER_BY) };
    // Neither is short of capacity: what is slow here is each call.
    let model = |mean| Model::new(200, ServiceTime::Exponential { mean });
    let models = [model(PAYMENT).and_then(|model| model.with_outage(slow)), model(STOCK)]
        .map(|model| model.expect("the constants above make sense"));
    storm::run(whose.name(), &load, |scene| {
        let dependencies =
            Target::ALL.map(|target| scene.dependency(target.name(), &models[target as usize]));
        let good = Target::ALL.map(|target| {
            let good = Arc::new(AtomicU64::new(0));
            let count = Arc::clone(&good);
            scene.gauge(target.name(), move || count.load(Relaxed) as f64);
            good
        });
        let pools = Pools::new(whose, PLACES);
        move |request| {
            let target = Target::of(request.id);
            let (pools, good) = (pools.clone(), Arc::clone(&good[target as usize]));
            let dependency = dependencies[target as usize].clone();
            async move {
                pools.call(target, || dependency.call()).await?;
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

pub fn table<'a>(reports: impl IntoIterator<Item = &'a Report>) -> Table<'a> {
    let rate = |report: &Report, target, window| format!("{:.1}", goodput(report, target, window));
    let before = Duration::ZERO..SLOW.start;
    Table::new(reports)
        .row("inventory, good/s before", |report| rate(report, Target::Inventory, before.clone()))
        .row("inventory, good/s while payments are slow", |report| {
            rate(report, Target::Inventory, SLOW)
        })
        .row("payments, good/s before", |report| rate(report, Target::Payments, before.clone()))
        .row("payments, good/s while they are slow", |report| rate(report, Target::Payments, SLOW))
        .row("well again after it, s", |report| match report.well_from(SLOW.end) {
            Some(at) => (at - SLOW.end).as_secs().to_string(),
            None => "never".to_owned(),
        })
        .counts("turned away", |report| report.counts().shed)
        .waits()
}

pub fn parameters(seed: u64) -> String {
    let Places([payments, inventory]) = PLACES;
    format!(
        "{REQUESTS_PER_SECOND} requests/s for {} s of virtual time. Every fourth needs payments ({} ms on \
         average), the others inventory ({} ms); good is an answer within {} ms. From {} s to {} s payments take \
         {SLOWER_BY} times as long, {} s on average. One pool has {} places, or payments have {payments} and \
         inventory {inventory}; half as many may wait, for {} s. Seed {seed}.",
        LENGTH.as_secs(),
        PAYMENT.as_millis(),
        STOCK.as_millis(),
        GOOD_WITHIN.as_millis(),
        SLOW.start.as_secs(),
        SLOW.end.as_secs(),
        PAYMENT.mul_f64(SLOWER_BY).as_secs(),
        payments + inventory,
        super::MAX_WAIT.as_secs(),
    )
}
