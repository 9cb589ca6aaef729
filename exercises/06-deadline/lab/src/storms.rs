//! A chain of five services whose database is slow for ten seconds.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use storm::{Load, Report, StormError, Table, thousands};
use tokio::time::timeout;

use crate::services::{
    BUFFER, CHAIN, CONNECTIONS, PATIENCE, QUERY_UNITS, UNIT, World, reference, timeouts, yours,
};

pub const LENGTH: Duration = Duration::from_secs(45);
pub const SLOW: Range<Duration> = Duration::from_secs(10)..Duration::from_secs(20);
pub const SLOWER_BY: u32 = 6;
/// Gauges: milliseconds of work in the second before.
const DONE: &str = "work done";
const WASTED: &str = "work wasted";

/// What ends the waiting.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Waiting {
    /// A timeout at each link.
    Timeouts,
    /// Your deadline, which travels along.
    Yours,
    /// That of the reference.
    Reference,
}

impl Waiting {
    pub fn name(self) -> &'static str {
        match self {
            Self::Timeouts => "timeouts",
            Self::Yours => "yours",
            Self::Reference => "deadline",
        }
    }
}

pub fn run(waiting: Waiting, rate_per_second: f64, seed: u64) -> Result<Report, StormError> {
    let load =
        Load { rate_per_second, length: LENGTH, good_within: PATIENCE, seed, ..Load::default() };
    storm::run(waiting.name(), &load, |scene| {
        let world = Arc::new(World::new());
        for name in [DONE, WASTED] {
            let world = Arc::clone(&world);
            scene.gauge(name, move || {
                let work = if name == DONE { &world.done } else { &world.wasted };
                work.swap(0, Relaxed) as f64
            });
        }
        // One gate for all services: what it counts, rejections, is not what this storm is about.
        let gates = (waiting == Waiting::Yours).then(yours::gate);
        let reference_gate = reference::gate();
        move |request| {
            let (world, gates) = (Arc::clone(&world), gates.clone());
            let gate = Arc::clone(&reference_gate);
            let user = request.due + PATIENCE;
            async move {
                match (waiting, gates) {
                    (Waiting::Yours, Some(gate)) => yours::request(world, gate, user).await,
                    (Waiting::Timeouts, _) => {
                        let gateway = tokio::spawn(timeouts(world, 0, user));
                        let answer = timeout(PATIENCE.min(CHAIN[0].1), gateway).await;
                        answer.map_or(Err(storm::Failure::Failed), |task| task.expect("no panic"))
                    }
                    _ => reference::request(world, gate, user).await,
                }
            }
        }
    })
}

/// The share of the work of each second that was done for users who had gone, in percent.
pub fn wasted_share(report: &Report) -> Vec<(f64, f64)> {
    let (done, wasted) = (report.gauge(DONE), report.gauge(WASTED));
    done.into_iter()
        .zip(wasted)
        .map(|((at, done), (_, wasted))| (at, if done > 0.0 { 100.0 * wasted / done } else { 0.0 }))
        .collect()
}

fn seconds(report: &Report, name: &str) -> f64 {
    report.gauge(name).iter().map(|(_, milliseconds)| milliseconds).sum::<f64>() / 1_000.0
}

/// The seconds of work of the whole run that were done for users who had gone.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a positive number of seconds"
)]
pub fn wasted_seconds(report: &Report) -> String {
    thousands(seconds(report, WASTED).round() as u64)
}

pub fn wasted_percent(report: &Report) -> String {
    format!("{:.1}", 100.0 * seconds(report, WASTED) / seconds(report, DONE))
}

/// How long after the end of the slow time nearly all requests were good again.
pub fn recovery(report: &Report) -> String {
    match report.well_from(SLOW.end) {
        Some(at) => (at - SLOW.end).as_secs().to_string(),
        None => "not in this run".to_owned(),
    }
}

pub fn good_while_slow(report: &Report) -> u64 {
    report.counts_between(SLOW).good
}

/// Of these, the ones that came when the line was as long as users are patient: from 2 s on.
pub fn good_late(report: &Report) -> u64 {
    report.counts_between(SLOW.start + PATIENCE..SLOW.end).good
}

pub fn table<'a>(reports: impl IntoIterator<Item = &'a Report>) -> Table<'a> {
    Table::new(reports)
        .counts("offered", |report| report.counts().offered)
        .counts("good", |report| report.counts().good)
        .counts("good while the database is slow", good_while_slow)
        .row("work for users who had gone, s", wasted_seconds)
        .row("… of all work, %", wasted_percent)
        .row("well again after the slow time, s", recovery)
}

pub fn parameters(rate_per_second: f64, seed: u64) -> String {
    let names: Vec<_> = CHAIN
        .iter()
        .map(|(name, patience)| format!("{name} ({} s)", patience.as_secs_f64()))
        .collect();
    format!(
        "{rate_per_second} requests/s for {} s of virtual time; a user waits for {} s. The chain, with how long each is \
         waited for: {}. A service works for {} ms before it calls the next; the database has {CONNECTIONS} connections and \
         takes {} ms for a query, {SLOWER_BY} times as long from {} s to {} s. A buffer of {} ms at each hop. Seed {seed}.",
        LENGTH.as_secs(),
        PATIENCE.as_secs(),
        names.join(", "),
        UNIT.as_millis(),
        (UNIT * QUERY_UNITS).as_millis(),
        SLOW.start.as_secs(),
        SLOW.end.as_secs(),
        BUFFER.as_millis(),
    )
}
