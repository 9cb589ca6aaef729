//! The figure, the table and the numbers of the chapter, with the reference.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use storm::chart::{Chart, Panel};
use storm::lab::{numbers, write_figure};
use storm::{Report, thousands};

use crate::outage::{self, LENGTH, OUTAGES, Storm};
use crate::page::Policy;
use crate::reference::shop::LANE;

pub fn write(directory: &Path, dwell: Duration, seed: u64) -> anyhow::Result<()> {
    for (storm, name) in [
        (Storm::Apart, "degradation-outage"),
        (Storm::Together, "degradation-together"),
        (Storm::Flapping, "degradation-flapping"),
    ] {
        let mut reports = Vec::new();
        for policy in [Policy::Naive, Policy::Fallback, Policy::Levels] {
            reports.push(outage::run(storm, policy, dwell, seed)?);
        }
        let table = outage::table(storm, &reports).markdown();
        let parameters = outage::parameters(storm, dwell, seed);
        write_figure(directory, &format!("{name}.md"), &format!("{table}\n{parameters}\n"))?;
        write_figure(directory, &format!("{name}.txt"), &text(storm, &reports))?;
        if storm == Storm::Apart {
            write_figure(directory, &format!("{name}.svg"), &chart(&reports, dwell, seed))?;
        }
    }
    write_figure(directory, "degradation-dwell.md", &dwells(seed)?)?;
    Ok(())
}

/// What the dwell does, in each storm.
fn dwells(seed: u64) -> anyhow::Result<String> {
    let mut table = "\
        | dwell, s | storm | fresh parts of a page, of 6 | pages with a fresh product, % | calls reaching what fails | \
        full again after, s | changes of the level |\n|---:|---|---:|---:|---:|---:|---:|\n"
        .to_owned();
    let storms =
        [(Storm::Apart, "apart"), (Storm::Together, "together"), (Storm::Flapping, "flapping")];
    for (storm, name) in storms {
        for dwell in [0, 10, 30] {
            let report = outage::run(storm, Policy::Levels, Duration::from_secs(dwell), seed)?;
            writeln!(
                table,
                "| {dwell} | {name} | {:.1} | {} | {} | {} | {} |",
                outage::each_page(storm, &report, "fresh parts"),
                outage::products(storm, &report),
                thousands(outage::reached(storm, &report)),
                outage::recovery(storm, &report),
                outage::changes(&report),
            )?;
        }
    }
    Ok(table)
}

/// The numbers for the chapter's sentences.
fn text(storm: Storm, reports: &[Report]) -> String {
    let mut named = Vec::new();
    for report in reports {
        let mut one = |name: &str, value| named.push((format!("{}-{name}", report.name()), value));
        one("errors", thousands(report.counts().failed));
        one("fresh", format!("{:.1}", outage::each_page(storm, report, "fresh parts")));
        one("products", outage::products(storm, report));
        one("p99", outage::p99(storm, report));
        one("calls", thousands(outage::reached(storm, report)));
        one("recovery", outage::recovery(storm, report));
    }
    let levels = reports[2].marks().iter().filter(|mark| mark.lane == LANE);
    let steps: Vec<String> =
        levels.skip(1).map(|mark| format!("{} at {} s", mark.label, mark.at.as_secs())).collect();
    named.push(("steps".to_owned(), steps.join(", ")));
    numbers(named.iter().map(|(name, value)| (name.as_str(), value.clone())))
}

fn chart(reports: &[Report], dwell: Duration, seed: u64) -> String {
    let panel = |title: &str, points: &dyn Fn(&Report) -> Vec<(f64, f64)>| {
        reports
            .iter()
            .fold(Panel::new(title), |panel, report| panel.line(report.name(), points(report)))
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
    let states = reports[2].marks().iter().filter(|mark| mark.lane == LANE);
    // The margin is too narrow for the whole word.
    let short = |label| if label == "emergency" { "emerg." } else { label };
    let strip = Panel::states("level", ["emerg.", "minimal", "degraded", "normal"])
        .steps("levels", states.map(|mark| (mark.at, short(mark.label.as_str()))));
    let sentences: Vec<String> = reports
        .iter()
        .map(|report| {
            format!(
                "{}: {} full pages, {} degraded, {} errors, {} fresh parts of a page, of 6, in the outage, \
                 full again after {} s",
                report.name(),
                outage::total(report, "full"),
                outage::total(report, "degraded"),
                report.counts().failed,
                format_args!("{:.1}", outage::each_page(Storm::Apart, report, "fresh parts")),
                outage::recovery(Storm::Apart, report),
            )
        })
        .collect();
    let description = format!(
        "Panels over {} s of virtual time: full pages, degraded pages and error pages a second, the fresh \
         parts of a page, the p99 of the time to a page, and the level. {}. {}",
        LENGTH.as_secs(),
        sentences.join("; "),
        outage::parameters(Storm::Apart, dwell, seed),
    );
    let title = "A product page through three outages";
    let mut chart = Chart::new("degradation-outage", title, LENGTH)
        .description(&description)
        .command(&format!("cargo xtask lab degradation --dwell {} --seed {seed}", dwell.as_secs()));
    for (name, _, span) in OUTAGES {
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
        .svg()
}
