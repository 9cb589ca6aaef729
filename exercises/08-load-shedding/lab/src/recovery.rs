//! After an outage: who is served first, and who no more.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use lab_kit::chart::{Chart, Panel};
use lab_kit::{Comparison, Needs, Runs, Scene, Shown, Table, Values, Whose};
use storm::{Load, Model, Outage, OutageKind, Report, Second, ServiceTime, StormError};

use crate::code::{Ask, Limit, Serve, Setting};
use crate::line;
use crate::reference;
#[cfg(feature = "yours")]
use crate::yours;

const LENGTH: Duration = Duration::from_secs(200);
pub const HANGS: Range<Duration> = Duration::from_secs(20)..Duration::from_secs(30);
pub const PATIENCE: Duration = Duration::from_secs(1);
const REQUESTS_PER_SECOND: f64 = 280.0;
const SERVERS: u32 = 3;
const SERVICE: Duration = Duration::from_millis(10);
/// More than come in an outage.
const MANY: usize = 100_000;

pub const FIRST: &str = "first come";
pub const EXPIRED: &str = "expired dropped";
pub const NEWEST: &str = "newest first";
pub const AGE: &str = "by age";

/// The limit that the server has of its own, and a queue that is patient for an hour.
const PATIENT: Setting = Setting {
    limit: Limit::Fixed(SERVERS as usize),
    max_waiting: MANY,
    target: Duration::from_secs(60 * 60),
    interval: Duration::from_secs(60 * 60),
    reserve: 0,
};
/// A twentieth of what callers wait, and half of it.
pub const BY_AGE: Setting =
    Setting { target: Duration::from_millis(50), interval: Duration::from_millis(500), ..PATIENT };
/// An answer is quick within this.
const QUICK: Duration = Duration::from_millis(100);

type Policy = fn(u64) -> Serve;

const POLICIES: &[(Whose, &str, Policy)] = &[
    (Whose::Naive, FIRST, |_| Arc::new(|_, work| work)),
    (Whose::Naive, NEWEST, |_| line::serve(SERVERS as usize, MANY, true)),
    (Whose::Reference, EXPIRED, |seed| (reference::parts::CODE.server)(PATIENT, seed).0),
    #[cfg(feature = "yours")]
    (Whose::Yours, "by age, yours", |seed| (yours::parts::CODE.server)(BY_AGE, seed).0),
    (Whose::Reference, AGE, |seed| (reference::parts::CODE.server)(BY_AGE, seed).0),
];

pub static SCENE: Scene = Scene {
    name: "recovery",
    about: "After an outage of ten seconds: who is served first, and who no more",
    knobs: &[],
    figures: &["load-shedding-recovery"],
    needs: Some(Needs { step: 2, text: "The storm needs `acquire`, and the age of step 2." }),
    parameters,
    run: |values| {
        let runs = runs(values)?;
        Ok(Shown::new(&runs, table(&runs)).chart(chart(&runs, values)))
    },
};

pub fn runs(values: &Values) -> anyhow::Result<Runs<Report>> {
    Runs::of(values, POLICIES.iter().copied(), |name, policy| {
        one(name, &policy(values.seed()), values.seed())
    })
}

pub fn one(name: &str, serve: &Serve, seed: u64) -> Result<Report, StormError> {
    let load = Load {
        rate_per_second: REQUESTS_PER_SECOND,
        length: LENGTH,
        good_within: PATIENCE,
        seed,
        ..Load::default()
    };
    let hang = Outage { from: HANGS.start, to: HANGS.end, kind: OutageKind::Hang };
    let model = Model::new(SERVERS, ServiceTime::Constant(SERVICE))
        .and_then(|model| model.with_outage(hang))
        .expect("the constants above make sense");
    storm::run(name, &load, |scene| {
        let work = scene.dependency("work", &model);
        let serve = Arc::clone(serve);
        move |request| {
            let work = work.clone();
            let ask = Ask { class: 1, deadline: Some(request.due + PATIENCE) };
            serve(ask, Box::pin(async move { Ok(work.call().await?) }))
        }
    })
}

pub fn table(runs: &Runs<Report>) -> Table {
    Comparison::new(runs.done())
        .counts("requests", |report| report.counts().offered)
        .counts("good (within 1 s)", |report| report.counts().good)
        .counts("served too late", |report| report.counts().late)
        .counts("refused", |report| report.counts().shed)
        .row("good, of those in the 10 s after the outage", |report| {
            format!("{:.0} %", 100.0 * good_afterwards(report))
        })
        .row("95 of 100 good again after the outage, s", well_after)
        .row("quick again (99 of 100 within 100 ms), s", quick_after)
        .table()
}

/// The share of the requests that came in the ten seconds after the outage.
pub fn good_afterwards(report: &Report) -> f64 {
    let counts = report.counts_of(HANGS.end..HANGS.end + Duration::from_secs(10));
    counts.good as f64 / counts.offered as f64
}

/// How many seconds after the outage it is so for the first time.
fn first(report: &Report, is_so: fn(Second) -> bool) -> Option<u64> {
    let end = usize::try_from(HANGS.end.as_secs()).expect("it is short");
    let mut afterwards = report.seconds().into_iter().skip(end);
    afterwards.position(is_so).map(|seconds| seconds as u64)
}

/// At least 95 of 100 of those that come.
fn is_well(second: Second) -> bool {
    second.counts.good * 100 >= second.counts.offered * 95
}

/// Answers and refusals, but for one of a hundred.
fn is_quick(second: Second) -> bool {
    second.p99.is_some_and(|p99| p99 <= QUICK)
}

fn seconds(found: Option<u64>) -> String {
    found.map_or_else(|| "not in this run".to_owned(), |seconds| seconds.to_string())
}

pub fn well_after(report: &Report) -> String {
    seconds(first(report, is_well))
}

pub fn quick_after(report: &Report) -> String {
    seconds(first(report, is_quick))
}

pub fn chart(runs: &Runs<Report>, values: &Values) -> Chart {
    let sentences = runs.done().map(|(name, report)| format!("{name}: {}", well_after(report)));
    let description = format!(
        "Good answers a second over {} s, with the server hanging from {} s to {} s. Seconds after it until 95 of 100 answers are good: \
         {}. {}",
        LENGTH.as_secs(),
        HANGS.start.as_secs(),
        HANGS.end.as_secs(),
        sentences.collect::<Vec<_>>().join("; "),
        parameters(values),
    );
    Chart::new("load-shedding-recovery", "Ten seconds of outage, and the queue after it", LENGTH)
        .description(&description)
        .command(&values.command())
        .band(HANGS.start, HANGS.end, "server hangs")
        .panel(
            Panel::new("good answers, 1/s")
                .lines(runs.done(), |report| report.per_second(|second| second.counts.good as f64)),
        )
}

pub fn parameters(values: &Values) -> String {
    format!(
        "{REQUESTS_PER_SECOND} requests/s for {} s of virtual time. A server can serve 300 a second ({SERVERS} at a time, {} ms \
         each), and hangs from {} s to {} s. An answer is good within {} s, and nobody retries. Seed {}.",
        LENGTH.as_secs(),
        SERVICE.as_millis(),
        HANGS.start.as_secs(),
        HANGS.end.as_secs(),
        PATIENCE.as_secs(),
        values.seed(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The model of the metastable states of Bronson and others (2021), as this workbook measured it before: 126 s, 13 s,
    /// at once.
    #[test]
    fn the_published_times_of_recovery_are_met() {
        const RUNS: u64 = 8;
        // The backlog shrinks by 20 a second, and the arrivals of a second vary by 17: one run says little.
        let mean = |name: &str, measure: fn(&Report) -> f64| {
            let (_, _, policy) = POLICIES.iter().find(|policy| policy.1 == name).unwrap();
            let seeds = 7..7 + RUNS;
            let one = |seed| measure(&one(name, &policy(seed), seed).unwrap());
            seeds.map(one).sum::<f64>() / RUNS as f64
        };
        let well = |report: &Report| first(report, is_well).expect("in this run") as f64;
        let quick = |report: &Report| first(report, is_quick).expect("in this run") as f64;
        let near = |found: f64, published: f64| {
            assert!((found / published - 1.0).abs() <= 0.15, "{found} s, published {published} s");
        };
        near(mean(FIRST, well), 126.0);
        near(mean(EXPIRED, quick), 13.0);
        for name in [NEWEST, AGE] {
            let good = mean(name, good_afterwards);
            assert!(good >= 0.95, "{name}: {good} of those that come in the ten seconds after it");
        }
    }
}
