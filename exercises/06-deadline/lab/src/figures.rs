//! The figure and the tables of the chapter, from runs with timeouts and with the reference.

use std::path::Path;

use storm::Report;
use storm::chart::{Chart, Panel};
use storm::lab::{numbers, write_figure};

use crate::audit;
use crate::storms::{
    LENGTH, SLOW, SLOWER_BY, Waiting, good_late, good_while_slow, parameters, recovery, run, table,
    wasted_percent, wasted_seconds, wasted_share,
};

pub fn write(directory: &Path, rate: f64, seed: u64) -> anyhow::Result<()> {
    let reports = [run(Waiting::Timeouts, rate, seed)?, run(Waiting::Reference, rate, seed)?];
    let parameters = parameters(rate, seed);
    let table = table(&reports).markdown();
    write_figure(directory, "wasted-work.md", &format!("{table}\n{parameters}\n"))?;
    write_figure(directory, "wasted-work.svg", &chart(&reports, rate, seed))?;
    let [timeouts, deadline] = &reports;
    let text = numbers([
        ("timeouts-seconds", wasted_seconds(timeouts)),
        ("timeouts-percent", wasted_percent(timeouts)),
        ("timeouts-recovery", recovery(timeouts)),
        ("timeouts-slow", storm::thousands(good_while_slow(timeouts))),
        ("deadline-seconds", wasted_seconds(deadline)),
        ("deadline-percent", wasted_percent(deadline)),
        ("deadline-recovery", recovery(deadline)),
        ("deadline-slow", storm::thousands(good_while_slow(deadline))),
        ("deadline-slow-late", storm::thousands(good_late(deadline))),
        ("chain-mended", audit::mended(3).to_string()),
    ]);
    write_figure(directory, "wasted-work.txt", &text)?;
    write_figure(directory, "timeout-chain.md", &audit::markdown())?;
    Ok(())
}

fn peak(report: &Report) -> f64 {
    wasted_share(report).into_iter().map(|(_, share)| share).fold(0.0, f64::max)
}

fn chart(reports: &[Report], rate: f64, seed: u64) -> String {
    let panel = |panel: Panel, points: &dyn Fn(&Report) -> Vec<(f64, f64)>| {
        reports.iter().fold(panel, |panel, report| panel.line(report.name(), points(report)))
    };
    let [timeouts, deadline] = reports else { return String::new() };
    let description = format!(
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
        parameters(rate, seed),
    );
    Chart::new("wasted-work", "Work for users who have gone", LENGTH)
        .description(&description)
        .command(&format!("cargo xtask lab deadline --rate {rate} --seed {seed}"))
        .band(SLOW.start, SLOW.end, &format!("database {SLOWER_BY} times slower"))
        .panel(panel(Panel::new("work for users who have gone, % of all work"), &wasted_share))
        .panel(panel(Panel::new("goodput, requests/s"), &|report| {
            report.per_second(|second| second.counts.good as f64)
        }))
        .svg()
}
