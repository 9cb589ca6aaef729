//! A dependency that hangs for ten seconds, and whether it ever gets over it.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use lab_kit::chart::{Chart, Panel};
use lab_kit::{Comparison, Knob, Runs, Scene, Shown, Table, Values, well_after};
use storm::{Dependency, Load, Model, Outage, OutageKind, Report, ServiceTime, StormError};
use tokio::time::timeout;

use crate::NEEDS;
#[cfg(feature = "yours")]
use crate::policy::YOUR_SUCCESSES;
use crate::policy::{NO_RETRIES, Policy, REQUESTS, SUCCESSES, Try, UNBOUNDED};

const POLICIES: &[Policy] = &[
    NO_RETRIES,
    UNBOUNDED,
    REQUESTS,
    SUCCESSES,
    #[cfg(feature = "yours")]
    YOUR_SUCCESSES,
];
const LENGTH: Duration = Duration::from_secs(300);
pub const OUTAGE: Range<Duration> = Duration::from_secs(30)..Duration::from_secs(40);
const DEPENDENCY: &str = "payments";
/// How long a client waits for an answer before it gives up on a try.
const PATIENCE: Duration = Duration::from_secs(1);
const MAX_RETRIES: u32 = 1;
/// Three servers, 10 ms a call: 300 calls a second.
const SERVERS: u32 = 3;
const SERVICE: Duration = Duration::from_millis(10);

const RATE: Knob = Knob::number(
    "rate",
    "How close to what the dependency can serve, 300, may the load be?",
    1..=300,
    280,
    "requests/s",
)
.step(5)
.at(&[50, 100, 145, 150, 200, 250, 260, 265, 270, 275, 280, 290, 300]);

pub static SCENE: Scene = Scene {
    name: "recovery",
    about: "A dependency that hangs for ten seconds, and whether it ever gets over it",
    knobs: &[RATE],
    figures: &["recovery"],
    needs: Some(NEEDS),
    parameters,
    run: |values| {
        let runs = runs(values)?;
        Ok(Shown::new(&runs, table(&runs)).chart(chart(&runs, values)))
    },
};

pub fn runs(values: &Values) -> anyhow::Result<Runs<Report>> {
    let policies = POLICIES.iter().map(|policy| (policy.whose, policy.name, policy));
    Runs::of(values, policies, |_, policy| one(policy, values))
}

fn one(policy: &Policy, values: &Values) -> Result<Report, StormError> {
    let load = Load {
        rate_per_second: values.number(&RATE) as f64,
        length: LENGTH,
        // A retry begins after a second, and a good answer to it is good.
        good_within: PATIENCE * (1 + MAX_RETRIES),
        seed: values.seed(),
        ..Load::default()
    };
    let hang = Outage { from: OUTAGE.start, to: OUTAGE.end, kind: OutageKind::Hang };
    let model = Model::new(SERVERS, ServiceTime::Constant(SERVICE))
        .and_then(|model| model.with_outage(hang))
        .expect("the constants above make sense");
    storm::run(policy.name, &load, |scene| {
        let payments = scene.dependency(DEPENDENCY, &model);
        let guard = (policy.guard)();
        let one_try = Arc::new(move || charge(payments.clone()));
        move |_request| guard(MAX_RETRIES, Arc::clone(&one_try) as _)
    })
}

fn charge(payments: Dependency) -> Try {
    Box::pin(async move {
        match timeout(PATIENCE, payments.call()).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(storm::Failure::Failed),
        }
    })
}

pub fn table(runs: &Runs<Report>) -> Table {
    Comparison::new(runs.done())
        .counts("offered", |report| report.counts().offered)
        .counts("good", |report| report.counts().good)
        .counts("calls reaching the dependency", |report| {
            report.dependency(DEPENDENCY).map_or(0, storm::DependencyReport::calls)
        })
        .counts("waiting in its queue at the end", |report| {
            report.dependency(DEPENDENCY).map_or(0, |payments| payments.waiting_at(LENGTH))
        })
        .well_after("recovered after the outage, s", OUTAGE.end)
        .table()
}

pub fn chart(runs: &Runs<Report>, values: &Values) -> Chart {
    let waiting = |report: &Report| -> Vec<(f64, f64)> {
        let payments = report.dependency(DEPENDENCY);
        (0..=LENGTH.as_secs())
            .map(|second| {
                let moment = Duration::from_secs(second);
                let waiting = payments.map_or(0, |payments| payments.waiting_at(moment));
                (second as f64, waiting as f64)
            })
            .collect()
    };
    let sentences =
        runs.done().map(|(name, report)| format!("{name}: {}", well_after(report, OUTAGE.end)));
    let description = format!(
        "Two panels over {} s of virtual time, with the dependency hanging from {} s to {} s. Above, the \
         goodput: it falls to nothing in the outage, and some runs do not get it back. Below, the calls that \
         wait at the dependency. Seconds until all has recovered after the outage: {}. {}",
        LENGTH.as_secs(),
        OUTAGE.start.as_secs(),
        OUTAGE.end.as_secs(),
        sentences.collect::<Vec<_>>().join("; "),
        parameters(values),
    );
    Chart::new("recovery", "Ten seconds of outage, and what retries make of it", LENGTH)
        .description(&description)
        .command(&values.command())
        .band(OUTAGE.start, OUTAGE.end, "dependency hangs")
        .panel(
            Panel::new("goodput, requests/s")
                .lines(runs.done(), |report| report.per_second(|second| second.counts.good as f64)),
        )
        .panel(Panel::new("calls waiting at the dependency").log().lines(runs.done(), waiting))
}

pub fn parameters(values: &Values) -> String {
    format!(
        "{} for {} s of virtual time; a client gives up on a try after {} s, and \
         makes {MAX_RETRIES} retry at most. The dependency serves {} calls a second, first in, first out, \
         and hangs from {} s to {} s. Budgets have no floor. Seed {}.",
        values.show(&RATE),
        LENGTH.as_secs(),
        PATIENCE.as_secs(),
        u128::from(SERVERS) * 1_000 / SERVICE.as_millis(),
        OUTAGE.start.as_secs(),
        OUTAGE.end.as_secs(),
        values.seed(),
    )
}
