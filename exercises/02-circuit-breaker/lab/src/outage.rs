//! The storm in virtual time: a dependency that hangs for half a minute.

use std::ops::Range;
use std::time::Duration;

use storm::{
    Dependency, Failure, Load, Model, Outage, OutageKind, Report, ServiceTime, StormError, Table,
};
use tokio::time::timeout;

use crate::guard::{Guard, Whose};

pub const LENGTH: Duration = Duration::from_secs(180);
pub const OUTAGE: Range<Duration> = Duration::from_secs(60)..Duration::from_secs(90);
pub const DEPENDENCY: &str = "payments";
const REQUESTS_PER_SECOND: f64 = 280.0;
/// How long a client waits for an answer before it gives up.
const PATIENCE: Duration = Duration::from_secs(1);
const SERVERS: u32 = 20;
const SERVICE: Duration = Duration::from_millis(50);

/// One run.
pub fn run(whose: Whose, open_for: Duration, seed: u64) -> Result<Report, StormError> {
    let load = Load {
        rate_per_second: REQUESTS_PER_SECOND,
        length: LENGTH,
        good_within: PATIENCE,
        seed,
        ..Load::default()
    };
    let hang = Outage { from: OUTAGE.start, to: OUTAGE.end, kind: OutageKind::Hang };
    let model = Model::new(SERVERS, ServiceTime::Exponential { mean: SERVICE })
        .and_then(|model| model.with_outage(hang))
        .expect("the constants above make sense");
    storm::run(whose.name(), &load, |scene| {
        let payments = scene.dependency(DEPENDENCY, &model);
        let guard = Guard::new(whose, open_for, seed, scene.timeline());
        move |_request| {
            let (guard, payments) = (guard.clone(), payments.clone());
            async move { guard.call(|| charge(&payments)).await }
        }
    })
}

async fn charge(payments: &Dependency) -> Result<(), Failure> {
    match timeout(PATIENCE, payments.call()).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) | Err(_) => Err(Failure::Failed),
    }
}

pub fn table<'a>(reports: impl IntoIterator<Item = &'a Report>) -> Table<'a> {
    Table::new(reports)
        .outcomes()
        .waits()
        .counts("calls reaching the dependency", |report| reached(report, Duration::ZERO..LENGTH))
        .counts("of these, in the outage", |report| reached(report, OUTAGE))
        .row("well again after the outage, s", |report| match recovery(report) {
            Some(after) => after.as_secs().to_string(),
            None => "never".to_owned(),
        })
}

/// How long after the end of the outage nearly all requests were good again.
pub fn recovery(report: &Report) -> Option<Duration> {
    report.well_from(OUTAGE.end).map(|at| at - OUTAGE.end)
}

pub fn reached(report: &Report, window: Range<Duration>) -> u64 {
    report.dependency(DEPENDENCY).map_or(0, |payments| payments.calls_between(window))
}

pub fn parameters(open_for: Duration, seed: u64) -> String {
    format!(
        "{REQUESTS_PER_SECOND} requests/s for {} s of virtual time; a client gives up after {} s. The \
         dependency serves {SERVERS} calls at a time, {} ms each on average, and hangs from {} s to {} s. \
         Breakers have their defaults, but are open for {} s. Seed {seed}.",
        LENGTH.as_secs(),
        PATIENCE.as_secs(),
        SERVICE.as_millis(),
        OUTAGE.start.as_secs(),
        OUTAGE.end.as_secs(),
        open_for.as_secs(),
    )
}
