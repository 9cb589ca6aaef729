//! What is said of a storm: a table, a chart, and the numbers in them.

use std::ops::Range;
use std::time::Duration;

use lab_kit::chart::{Chart, Panel};
use lab_kit::{Comparison, Runs, Table, Values};
use storm::Report;

use crate::outage::{self, LENGTH, Storm};
use crate::page::LANE;

pub fn table(storm: Storm, runs: &Runs<Report>) -> Table {
    Comparison::new(runs.done())
        .counts("pages asked for", |report| report.counts().offered)
        .counts("full pages", |report| total(report, "full"))
        .counts("degraded pages", |report| total(report, "degraded"))
        .counts("error pages", |report| report.counts().failed)
        .row("in the outage: fresh parts of a page, of 6", |report| {
            format!("{:.1}", each_page(storm, report, "fresh parts"))
        })
        .row("in the outage: pages with a fresh product, %", |report| products(storm, report))
        .row("in the outage: p99 of the time to a page, ms, mean of its seconds", |report| {
            p99(storm, report)
        })
        .counts("in the outage: calls reaching what fails", |report| reached(storm, report))
        .row("all pages full again after it, s", |report| recovery(storm, report))
        .counts("changes of the level", changes)
        .table()
}

pub fn chart(storm: Storm, runs: &Runs<Report>, values: &Values) -> Chart {
    let panel = |title: &str, points: &dyn Fn(&Report) -> Vec<(f64, f64)>| {
        Panel::new(title).lines(runs.done(), points)
    };
    // A gauge is read at the end of its second: half a second back is the middle.
    let gauge = |report: &Report, name: &str| -> Vec<(f64, f64)> {
        report.gauge(name).into_iter().skip(1).map(|(at, count)| (at - 0.5, count)).collect()
    };
    let fresh = |report: &Report| -> Vec<(f64, f64)> {
        let (full, degraded) = (gauge(report, "full"), gauge(report, "degraded"));
        let errors = report.per_second(|second| second.counts.failed as f64);
        let pages = full.iter().zip(&degraded).zip(&errors);
        let pages = pages.map(|(((_, full), (_, degraded)), (_, errors))| full + degraded + errors);
        let parts = gauge(report, "fresh parts").into_iter().zip(pages);
        parts.map(|((at, parts), pages)| (at, parts / pages)).collect()
    };
    // The margin is too narrow for the whole word.
    let short = |label| if label == "emergency" { "emerg." } else { label };
    let strip = Panel::states("level", ["emerg.", "minimal", "degraded", "normal"]);
    // Without levels it stays at normal.
    let with_levels = runs.done().filter(|(_, report)| changes(report) > 0);
    let strip = with_levels.fold(strip, |strip, (name, report)| {
        strip.steps(name, levels(report).map(|(at, level)| (at, short(level))))
    });
    let sentences = runs.done().map(|(name, report)| {
        format!(
            "{name}: {} full pages, {} degraded, {} errors, {:.1} fresh parts of a page, of 6, in the outage, \
             full again after {} s",
            total(report, "full"),
            total(report, "degraded"),
            report.counts().failed,
            each_page(storm, report, "fresh parts"),
            recovery(storm, report),
        )
    });
    let description = format!(
        "Panels over {} s of virtual time: full pages, degraded pages and error pages a second, the fresh \
         parts of a page, the p99 of the time to a page, and the level. {}. {}",
        LENGTH.as_secs(),
        sentences.collect::<Vec<_>>().join("; "),
        outage::parameters(storm, values),
    );
    let (name, title) = storm.figure();
    let mut chart =
        Chart::new(name, title, LENGTH).description(&description).command(&values.command());
    for (name, span) in storm.spans() {
        chart = chart.band(span.start, span.end, name);
    }
    chart
        .panel(panel("full pages/s", &|report| gauge(report, "full")))
        .panel(panel("degraded pages/s", &|report| gauge(report, "degraded")))
        .panel(panel("error pages/s", &|report| {
            report.per_second(|second| second.counts.failed as f64)
        }))
        .panel(panel("fresh parts of a page, of 6", &fresh))
        .panel(panel("p99 of the time to a page, ms", &|report| {
            report.per_second(|second| second.p99.map_or(f64::NAN, |p99| p99.as_secs_f64() * 1e3))
        }))
        .panel(strip)
}

/// How often the level changed.
pub fn changes(report: &Report) -> u64 {
    // The first mark is where it began.
    levels(report).skip(1).count() as u64
}

/// The levels that it went through, and when.
pub fn levels(report: &Report) -> impl Iterator<Item = (Duration, &str)> {
    let marks = report.marks().iter().filter(|mark| mark.lane == LANE);
    marks.map(|mark| (mark.at, mark.label.as_str()))
}

/// What a gauge counted in all.
pub fn total(report: &Report, gauge: &str) -> u64 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "counts")]
    let total = report.gauge(gauge).iter().map(|(_, count)| count).sum::<f64>() as u64;
    total
}

/// What a gauge counted in the outage, for each page. An error page has nothing.
pub fn each_page(storm: Storm, report: &Report, gauge: &str) -> f64 {
    let within = |gauge: &str| -> f64 {
        let points = report.gauge(gauge);
        points.iter().filter(|(at, _)| inside(&storm.outage(), *at)).map(|(_, count)| count).sum()
    };
    let errors = report.counts_between(storm.outage()).failed as f64;
    within(gauge) / (within("full") + within("degraded") + errors)
}

/// The share of the pages of the outage that have a fresh product, in per cent.
pub fn products(storm: Storm, report: &Report) -> String {
    format!("{:.0}", 100.0 * each_page(storm, report, "fresh products"))
}

/// A gauge is read at the end of the second that it tells of.
fn inside(span: &Range<Duration>, at: f64) -> bool {
    at > span.start.as_secs_f64() && at <= span.end.as_secs_f64()
}

/// The p99 of the time to a page, in milliseconds: the mean of the seconds of the outage.
pub fn p99(storm: Storm, report: &Report) -> String {
    let p99s: Vec<f64> = report
        .seconds()
        .into_iter()
        .zip(0_u64..)
        .filter(|(_, second)| storm.outage().contains(&Duration::from_secs(*second)))
        .filter_map(|(second, _)| second.p99)
        .map(|p99| p99.as_secs_f64() * 1e3)
        .collect();
    format!("{:.0}", p99s.iter().sum::<f64>() / p99s.len() as f64)
}

/// Calls that reach what fails, in the outage.
pub fn reached(storm: Storm, report: &Report) -> u64 {
    let dependencies = storm.fails().iter().filter_map(|name| report.dependency(name));
    dependencies.map(|one| one.calls_between(storm.outage())).sum()
}

/// How many seconds after the outage the last second ended that had a page that was not full.
pub fn recovery(storm: Storm, report: &Report) -> String {
    let failed = report.seconds();
    let end = storm.outage().end.as_secs();
    let last = LENGTH.as_secs();
    let degraded = report.gauge("degraded");
    let bad = |second: u64| {
        let index = usize::try_from(second).unwrap_or(usize::MAX);
        failed.get(index).is_some_and(|second| second.counts.failed > 0)
            || degraded.get(index + 1).is_some_and(|(_, count)| *count > 0.0)
    };
    let after = (end..last).rev().find(|second| bad(*second)).map_or(0, |second| second + 1 - end);
    if end + after < last { after.to_string() } else { "not in this run".to_owned() }
}
