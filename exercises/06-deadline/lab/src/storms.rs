//! A chain of five services whose database is slow for ten seconds.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use lab_kit::chart::{Chart, Panel};
use lab_kit::{
    Comparison, Knob, Needs, Runs, Scene, Shown, Table, Values, Whose, rounded, well_after,
};
use storm::{Load, Report, StormError};

use crate::reference;
use crate::services::{
    BUFFER, CHAIN, CONNECTIONS, PATIENCE, QUERY_UNITS, Requests, SLOW, UNIT, World, request,
};
#[cfg(feature = "yours")]
use crate::yours;

const LENGTH: Duration = Duration::from_secs(45);
/// Gauges: milliseconds of work in the second before.
const DONE: &str = "work done";
const WASTED: &str = "work wasted";

const RATE: Knob = Knob::number(
    "rate",
    "How close to what the database can serve, 800, may the load be?",
    1..=800,
    500,
    "requests/s",
)
.step(10)
.at(&[100, 200, 300, 400, 450, 500, 550, 600, 700, 750, 790, 800]);
const SLOWER_BY: Knob = Knob::number(
    "slower",
    "How slow must the database get before users lose?",
    1..=20,
    6,
    "times as long",
)
.at(&[1, 2, 3, 4, 5, 6, 8, 10, 15, 20]);

pub static SCENE: Scene = Scene {
    name: "wasted-work",
    about: "A slow database at the end of a chain, and the work for users who have gone",
    knobs: &[RATE, SLOWER_BY],
    figures: &["wasted-work"],
    needs: Some(Needs {
        step: 5,
        text: "The storm needs deadlines that travel (step 4) and work that stops (step 5).",
    }),
    parameters,
    run: |values| {
        let runs = runs(values)?;
        Ok(Shown::new(&runs, table(&runs)).chart(chart(&runs, values)))
    },
};

type MakeRequests = fn(Arc<World>) -> Requests;

/// What ends the waiting: a timeout at each link, or a deadline that travels along, yours or the reference's.
const WAITING: &[(Whose, &str, MakeRequests)] = &[
    (Whose::Naive, "timeouts", |world| Box::new(move |user| request(Arc::clone(&world), user))),
    #[cfg(feature = "yours")]
    (Whose::Yours, "yours", yours::carried::requests),
    (Whose::Reference, "deadline", reference::carried::requests),
];

pub fn runs(values: &Values) -> anyhow::Result<Runs<Report>> {
    Runs::of(values, WAITING.iter().copied(), |name, requests| one(name, requests, values))
}

fn one(name: &str, requests: MakeRequests, values: &Values) -> Result<Report, StormError> {
    let load = Load {
        rate_per_second: values.number(&RATE) as f64,
        length: LENGTH,
        good_within: PATIENCE,
        seed: values.seed(),
        ..Load::default()
    };
    let slower_by = u32::try_from(values.number(&SLOWER_BY)).unwrap_or(u32::MAX);
    storm::run(name, &load, |scene| {
        let world = Arc::new(World::new(slower_by));
        for name in [DONE, WASTED] {
            let world = Arc::clone(&world);
            scene.gauge(name, move || {
                let work = if name == DONE { &world.done } else { &world.wasted };
                work.swap(0, Relaxed) as f64
            });
        }
        let requests = requests(world);
        move |request| requests(request.due + PATIENCE)
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
pub fn wasted_seconds(report: &Report) -> String {
    rounded(seconds(report, WASTED))
}

pub fn wasted_percent(report: &Report) -> String {
    format!("{:.1}", 100.0 * seconds(report, WASTED) / seconds(report, DONE))
}

/// How long after the end of the slow time nearly all requests were good again.
pub fn recovery(report: &Report) -> String {
    well_after(report, SLOW.end)
}

pub fn good_while_slow(report: &Report) -> u64 {
    report.counts_between(SLOW).good
}

/// Of these, the ones that came when the line was as long as users are patient: from 2 s on.
pub fn good_late(report: &Report) -> u64 {
    report.counts_between(SLOW.start + PATIENCE..SLOW.end).good
}

pub fn table(runs: &Runs<Report>) -> Table {
    Comparison::new(runs.done())
        .counts("offered", |report| report.counts().offered)
        .counts("good", |report| report.counts().good)
        .counts("good while the database is slow", good_while_slow)
        .row("work for users who had gone, s", wasted_seconds)
        .row("… of all work, %", wasted_percent)
        .row("recovered after the slow time, s", recovery)
        .table()
}

/// Without a description, which needs both runs.
pub fn chart(runs: &Runs<Report>, values: &Values) -> Chart {
    let slow = format!("database {} times slower", values.number(&SLOWER_BY));
    Chart::new("wasted-work", "Work for users who have gone", LENGTH)
        .command(&values.command())
        .band(SLOW.start, SLOW.end, &slow)
        .panel(
            Panel::new("work for users who have gone, % of all work")
                .lines(runs.done(), wasted_share),
        )
        .panel(
            Panel::new("goodput, requests/s")
                .lines(runs.done(), |report| report.per_second(|second| second.counts.good as f64)),
        )
}

/// The text alternative of the figure.
pub fn description(timeouts: &Report, deadline: &Report, values: &Values) -> String {
    let peak =
        |report| wasted_share(report).into_iter().map(|(_, share)| share).fold(0.0, f64::max);
    format!(
        "Two panels over {} s of virtual time; the database is slow from {} s to {} s. Above, the share of all work that is \
         done for users who have gone: with timeouts it rises to {:.0} %, and stays \
         there until long after the slow time; with a deadline it is {:.0} % at most. Of the whole run it is {} % and {} %. Below, the goodput: it is back {} s and {} s after \
         the slow time. {}",
        LENGTH.as_secs(),
        SLOW.start.as_secs(),
        SLOW.end.as_secs(),
        peak(timeouts),
        peak(deadline),
        wasted_percent(timeouts),
        wasted_percent(deadline),
        recovery(timeouts),
        recovery(deadline),
        parameters(values),
    )
}

pub fn parameters(values: &Values) -> String {
    let names: Vec<_> = CHAIN
        .iter()
        .map(|(name, patience)| format!("{name} ({} s)", patience.as_secs_f64()))
        .collect();
    format!(
        "{} for {} s of virtual time; a user waits for {} s. The chain, with how long each is \
         waited for: {}. A service works for {} ms before it calls the next; the database has {CONNECTIONS} connections and \
         takes {} ms for a query, {} from {} s to {} s. A buffer of {} ms at each hop. Seed {}.",
        values.show(&RATE),
        LENGTH.as_secs(),
        PATIENCE.as_secs(),
        names.join(", "),
        UNIT.as_millis(),
        (UNIT * QUERY_UNITS).as_millis(),
        values.show(&SLOWER_BY),
        SLOW.start.as_secs(),
        SLOW.end.as_secs(),
        BUFFER.as_millis(),
        values.seed(),
    )
}
