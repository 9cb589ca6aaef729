//! A limit that finds itself, when what is below becomes slower.

use std::ops::Range;
use std::time::Duration;

use lab_kit::chart::{Chart, Panel};
use lab_kit::{Comparison, Knob, Needs, Runs, Scene, Shown, Table, Values, Whose};
use storm::{Load, Model, Outage, OutageKind, Report, ServiceTime, StormError};

use crate::code::{Ask, Code, Limit, NAIVE, Setting};
use crate::reference;
#[cfg(feature = "yours")]
use crate::yours;

const SERVERS: u32 = 20;
const SERVICE: Duration = Duration::from_millis(20);
const REQUESTS_PER_SECOND: f64 = 700.0;
const LENGTH: Duration = Duration::from_secs(150);
pub const SLOW: Range<Duration> = Duration::from_secs(30)..Duration::from_secs(110);
const PATIENCE: Duration = Duration::from_millis(200);
/// Work that takes longer is an overload, to the limit that is cut by overloads.
const TOO_LONG: Duration = Duration::from_millis(150);

const PROBE_EVERY: Knob =
    Knob::number("probe-every", "How long from one probe to the next, at least?", 1..=60, 10, "s");

pub const NO_LIMIT: &str = "no limit";
pub const FIXED: &str = "fixed at 100";
pub const AIMD: &str = "aimd";
pub const GRADIENT: &str = "gradient";

#[derive(Clone, Copy)]
enum Kind {
    Fixed,
    Aimd,
    Gradient,
}

const CONTESTANTS: &[(Whose, &str, (Code, Kind))] = &[
    (Whose::Naive, NO_LIMIT, (NAIVE, Kind::Fixed)),
    (Whose::Naive, FIXED, (reference::parts::CODE, Kind::Fixed)),
    #[cfg(feature = "yours")]
    (Whose::Yours, "gradient, yours", (yours::parts::CODE, Kind::Gradient)),
    (Whose::Reference, AIMD, (reference::parts::CODE, Kind::Aimd)),
    (Whose::Reference, GRADIENT, (reference::parts::CODE, Kind::Gradient)),
];

pub static SCENE: Scene = Scene {
    name: "slow",
    about: "A limit that finds itself, when what is below takes three times as long",
    knobs: &[PROBE_EVERY],
    figures: &["load-shedding-slow"],
    needs: Some(Needs { step: 4, text: "The storm needs the limits of step 4." }),
    parameters,
    run: |values| {
        let runs = runs(values)?;
        Ok(Shown::new(&runs, table(&runs)).chart(chart(&runs, values)))
    },
};

pub fn runs(values: &Values) -> anyhow::Result<Runs<Report>> {
    let probe_every = values.seconds(&PROBE_EVERY);
    Runs::of(values, CONTESTANTS.iter().copied(), |name, (code, kind)| {
        let limit = match kind {
            Kind::Fixed => Limit::Fixed(100),
            Kind::Aimd => Limit::Aimd(TOO_LONG),
            Kind::Gradient => Limit::Gradient(probe_every),
        };
        one(name, code, limit, values.seed())
    })
}

pub fn one(name: &str, code: Code, limit: Limit, seed: u64) -> Result<Report, StormError> {
    let load = Load {
        rate_per_second: REQUESTS_PER_SECOND,
        length: LENGTH,
        good_within: PATIENCE,
        seed,
        ..Load::default()
    };
    let slow = Outage { from: SLOW.start, to: SLOW.end, kind: OutageKind::Slow(3.0) };
    let model = Model::new(SERVERS, ServiceTime::Constant(SERVICE))
        .and_then(|model| model.with_outage(slow))
        .expect("the constants above make sense");
    storm::run(name, &load, |scene| {
        let work = scene.dependency("work", &model);
        let setting = Setting {
            limit,
            max_waiting: 100,
            target: Duration::from_millis(5),
            interval: Duration::from_millis(100),
            reserve: 0,
        };
        let (serve, look) = (code.server)(setting, seed);
        scene.gauge("limit", move || look() as f64);
        move |_request| {
            let work = work.clone();
            serve(Ask::default(), Box::pin(async move { Ok(work.call().await?) }))
        }
    })
}

/// Good answers a second in the last part of the slow time.
pub fn good_while_slow(report: &Report) -> f64 {
    let window = SLOW.start + (SLOW.end - SLOW.start) / 4..SLOW.end;
    let seconds = (window.end - window.start).as_secs_f64();
    report.counts_between(window).good as f64 / seconds
}

pub fn table(runs: &Runs<Report>) -> Table {
    Comparison::new(runs.done())
        .outcomes()
        .row("good while slow, from 50 s on, requests/s", |report| {
            format!("{:.0}", good_while_slow(report))
        })
        .well_after("recovered after it, s", SLOW.end)
        .table()
}

pub fn chart(runs: &Runs<Report>, values: &Values) -> Chart {
    let sentences = runs.done().map(|(name, report)| {
        format!("{name}: {:.0} good answers a second from 50 s on", good_while_slow(report))
    });
    let description = format!(
        "Two panels over {} s, with work taking three times as long from {} s to {} s: the limit, and the good answers a \
         second. {}. {}",
        LENGTH.as_secs(),
        SLOW.start.as_secs(),
        SLOW.end.as_secs(),
        sentences.collect::<Vec<_>>().join("; "),
        parameters(values),
    );
    let limited = runs.done().filter(|(name, _)| *name != NO_LIMIT);
    Chart::new("load-shedding-slow", "What is below becomes slower, and the limit follows", LENGTH)
        .description(&description)
        .command(&values.command())
        .band(SLOW.start, SLOW.end, "three times as slow")
        .panel(Panel::new("limit").lines(limited, |report| report.gauge("limit")))
        .panel(
            Panel::new("good answers, 1/s")
                .lines(runs.done(), |report| report.per_second(|second| second.counts.good as f64)),
        )
}

pub fn parameters(values: &Values) -> String {
    format!(
        "{REQUESTS_PER_SECOND} requests/s for {} s of virtual time. What is below does {SERVERS} pieces of work at a time, {} ms \
         each, and takes three times as long from {} s to {} s: 333 a second then, and 1,000 otherwise. An answer is good within \
         {} ms. AIMD takes more than {} ms below for an overload; the gradient probes every {} at least. Seed {}.",
        LENGTH.as_secs(),
        SERVICE.as_millis(),
        SLOW.start.as_secs(),
        SLOW.end.as_secs(),
        PATIENCE.as_millis(),
        TOO_LONG.as_millis(),
        values.show(&PROBE_EVERY),
        values.seed(),
    )
}
