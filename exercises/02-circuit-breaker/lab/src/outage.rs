//! The storm in virtual time: a dependency that hangs for half a minute.

use std::ops::Range;
use std::time::Duration;

use lab_kit::chart::{Chart, Panel};
use lab_kit::{Comparison, Knob, Runs, Scene, Shown, Table, Values, well_after};
use storm::{Dependency, Load, Model, Outage, OutageKind, Report, ServiceTime, StormError};
use tokio::time::timeout;

use crate::{Fault, GUARDS, LANE, MakeGuard, NEEDS, Setting};

pub const LENGTH: Duration = Duration::from_secs(180);
pub const OUTAGE: Range<Duration> = Duration::from_secs(60)..Duration::from_secs(90);
const DEPENDENCY: &str = "payments";
const REQUESTS_PER_SECOND: f64 = 280.0;
/// How long a client waits for an answer before it gives up.
pub const PATIENCE: Duration = Duration::from_secs(1);
const SERVERS: u32 = 20;
const SERVICE: Duration = Duration::from_millis(50);

pub const OPEN_FOR: Knob = Knob::number(
    "open-for",
    "How long should a breaker stay open before it probes?",
    1..=86_400,
    5,
    "s",
)
.at(&[1, 2, 3, 5, 7, 10, 15, 20, 25, 30, 45, 60, 300, 3_600, 86_400]);

pub static SCENE: Scene = Scene {
    name: "outage",
    about: "A dependency that hangs for half a minute",
    knobs: &[OPEN_FOR],
    figures: &["breaker-outage", "breaker-states"],
    needs: Some(NEEDS),
    parameters,
    run: |values| {
        let runs = runs(values)?;
        Ok(Shown::new(&runs, table(&runs)).chart(chart(&runs, values)))
    },
};

pub fn runs(values: &Values) -> anyhow::Result<Runs<Report>> {
    Runs::of(values, GUARDS.iter().copied(), |name, guard| one(name, guard, values))
}

fn one(name: &str, guard: MakeGuard, values: &Values) -> Result<Report, StormError> {
    let load = Load {
        rate_per_second: REQUESTS_PER_SECOND,
        length: LENGTH,
        good_within: PATIENCE,
        seed: values.seed(),
        ..Load::default()
    };
    let hang = Outage { from: OUTAGE.start, to: OUTAGE.end, kind: OutageKind::Hang };
    let model = Model::new(SERVERS, ServiceTime::Exponential { mean: SERVICE })
        .and_then(|model| model.with_outage(hang))
        .expect("the constants above make sense");
    let setting = Setting::open_for(values.seconds(&OPEN_FOR));
    storm::run(name, &load, |scene| {
        let payments = scene.dependency(DEPENDENCY, &model);
        let guard = guard(setting, values.seed(), &scene.timeline());
        move |_request| guard(Box::pin(charge(payments.clone())))
    })
}

pub async fn charge(payments: Dependency) -> Result<(), Fault> {
    match timeout(PATIENCE, payments.call()).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) | Err(_) => Err(Fault::Failed),
    }
}

pub fn table(runs: &Runs<Report>) -> Table {
    Comparison::new(runs.done())
        .outcomes()
        .waits()
        .counts("calls reaching the dependency", |report| reached(report, Duration::ZERO..LENGTH))
        .counts("of these, in the outage", |report| reached(report, OUTAGE))
        .well_after("recovered after the outage, s", OUTAGE.end)
        .table()
}

pub fn reached(report: &Report, window: Range<Duration>) -> u64 {
    report.dependency(DEPENDENCY).map_or(0, |payments| payments.calls_between(window))
}

/// The states that a breaker went through, and when.
pub fn states(report: &Report) -> impl Iterator<Item = (Duration, &str)> {
    let marks = report.marks().iter().filter(|mark| mark.lane == LANE);
    marks.map(|mark| (mark.at, mark.label.as_str()))
}

pub fn chart(runs: &Runs<Report>, values: &Values) -> Chart {
    let strip = Panel::states("state of the breaker", ["closed", "half-open", "open"]);
    let with_states = runs.done().filter(|(_, report)| states(report).next().is_some());
    let strip = with_states.fold(strip, |strip, (name, report)| strip.steps(name, states(report)));
    let sentences = runs.done().map(|(name, report)| {
        format!(
            "{name}: {} calls reach the dependency in these {} s, and seconds until all has recovered after it: {}",
            reached(report, OUTAGE),
            (OUTAGE.end - OUTAGE.start).as_secs(),
            well_after(report, OUTAGE.end),
        )
    });
    let description = format!(
        "Three panels over {} s of virtual time, with the dependency hanging from {} s to {} s. {}. Without a \
         breaker the dependency first works off the calls that nobody waits for any more. {}",
        LENGTH.as_secs(),
        OUTAGE.start.as_secs(),
        OUTAGE.end.as_secs(),
        sentences.collect::<Vec<_>>().join("; "),
        parameters(values),
    );
    let title = "An outage of 30 seconds, without and with a circuit breaker";
    Chart::new("breaker-outage", title, LENGTH)
        .description(&description)
        .command(&values.command())
        .band(OUTAGE.start, OUTAGE.end, "dependency hangs")
        .panel(
            Panel::new("goodput, requests/s")
                .lines(runs.done(), |report| report.per_second(|second| second.counts.good as f64)),
        )
        .panel(
            Panel::new("calls reaching the dependency, 1/s")
                .lines(runs.done(), |report| report.calls_per_second(DEPENDENCY)),
        )
        .panel(strip)
}

pub fn parameters(values: &Values) -> String {
    format!(
        "{REQUESTS_PER_SECOND} requests/s for {} s of virtual time; a client gives up after {} s. The \
         dependency serves {SERVERS} calls at a time, {} ms each on average, and hangs from {} s to {} s. \
         Breakers have their defaults, but are open for {}. Seed {}.",
        LENGTH.as_secs(),
        PATIENCE.as_secs(),
        SERVICE.as_millis(),
        OUTAGE.start.as_secs(),
        OUTAGE.end.as_secs(),
        values.show(&OPEN_FOR),
        values.seed(),
    )
}
