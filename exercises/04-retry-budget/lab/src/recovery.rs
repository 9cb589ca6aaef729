//! A dependency that hangs for ten seconds, and whether it ever gets over it.

use std::ops::Range;
use std::time::Duration;

use storm::{
    Dependency, Failure, Load, Model, Outage, OutageKind, Report, ServiceTime, StormError, Table,
};
use tokio::time::timeout;

use crate::policy::Policy;

pub const POLICIES: [Policy; 4] =
    [Policy::None, Policy::Unbounded, Policy::Requests, Policy::Successes];
pub const LENGTH: Duration = Duration::from_secs(300);
pub const OUTAGE: Range<Duration> = Duration::from_secs(30)..Duration::from_secs(40);
pub const DEPENDENCY: &str = "payments";
/// How long a client waits for an answer before it gives up on a try.
const PATIENCE: Duration = Duration::from_secs(1);
const MAX_RETRIES: u32 = 1;
/// Three servers, 10 ms a call: 300 calls a second.
const SERVERS: u32 = 3;
const SERVICE: Duration = Duration::from_millis(10);

/// One run.
pub fn run(policy: Policy, rate_per_second: f64, seed: u64) -> Result<Report, StormError> {
    let load = Load {
        rate_per_second,
        length: LENGTH,
        // A retry begins after a second, and a good answer to it is good.
        good_within: PATIENCE * (1 + MAX_RETRIES),
        seed,
        ..Load::default()
    };
    let hang = Outage { from: OUTAGE.start, to: OUTAGE.end, kind: OutageKind::Hang };
    let model = Model::new(SERVERS, ServiceTime::Constant(SERVICE))
        .and_then(|model| model.with_outage(hang))
        .expect("the constants above make sense");
    storm::run(policy.name(), &load, |scene| {
        let payments = scene.dependency(DEPENDENCY, &model);
        let guard = policy.guard();
        move |_request| {
            let (guard, payments) = (guard.clone(), payments.clone());
            async move { guard.call(MAX_RETRIES, || charge(&payments)).await }
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
        .counts("offered", |report| report.counts().offered)
        .counts("good", |report| report.counts().good)
        .counts("calls reaching the dependency", |report| {
            report.dependency(DEPENDENCY).map_or(0, storm::DependencyReport::calls)
        })
        .counts("waiting in its queue at the end", |report| {
            report.dependency(DEPENDENCY).map_or(0, |payments| payments.waiting_at(LENGTH))
        })
        .row("well again after the outage, s", seconds)
}

/// How long after the end of the outage nearly all requests were good again.
pub fn seconds(report: &Report) -> String {
    match report.well_from(OUTAGE.end) {
        Some(at) => (at - OUTAGE.end).as_secs().to_string(),
        None => "not in this run".to_owned(),
    }
}

pub fn parameters(rate_per_second: f64, seed: u64) -> String {
    format!(
        "{rate_per_second} requests/s for {} s of virtual time; a client gives up on a try after {} s, and \
         makes {MAX_RETRIES} retry at most. The dependency serves {} calls a second, first in, first out, \
         and hangs from {} s to {} s. Budgets have no floor. Seed {seed}.",
        LENGTH.as_secs(),
        PATIENCE.as_secs(),
        u128::from(SERVERS) * 1_000 / SERVICE.as_millis(),
        OUTAGE.start.as_secs(),
        OUTAGE.end.as_secs(),
    )
}
