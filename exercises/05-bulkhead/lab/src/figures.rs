//! The figures and tables of the chapter, from one pool and from two bulkheads of the reference.

use std::path::Path;
use std::time::Duration;

use storm::Report;
use storm::chart::{Chart, Panel};
use storm::lab::{numbers, write_figure};

use crate::knee;
use crate::pools::{Target, Whose};
use crate::slow::{self, LENGTH, SLOW};

pub fn write(directory: &Path, seed: u64) -> anyhow::Result<()> {
    slow(directory, seed)?;
    knee(directory, seed)
}

fn slow(directory: &Path, seed: u64) -> anyhow::Result<()> {
    let both = [slow::run(Whose::OnePool, seed)?, slow::run(Whose::Reference, seed)?];
    let table = slow::table(&both).markdown();
    let content = format!("{table}\n{}\n", slow::parameters(seed));
    write_figure(directory, "bulkhead-slow.md", &content)?;
    write_figure(directory, "bulkhead-slow.svg", &slow_chart(&both, seed))?;
    let inventory =
        |report, window| format!("{:.0}", slow::goodput(report, Target::Inventory, window));
    let [_, bulkheads] = &both;
    let wait_max = bulkheads.waits().max().unwrap_or_default();
    let well_after = bulkheads.well_from(SLOW.end).map(|at| at - SLOW.end);
    let text = numbers([
        ("before", inventory(&both[0], Duration::ZERO..SLOW.start)),
        ("one-pool", inventory(&both[0], SLOW)),
        ("bulkheads", inventory(bulkheads, SLOW)),
        ("wait-max", format!("{:.2} s", wait_max.as_secs_f64())),
        (
            "well-after",
            well_after.map_or("never".to_owned(), |after| format!("{} s", after.as_secs())),
        ),
    ]);
    write_figure(directory, "bulkhead-slow.txt", &text)?;
    Ok(())
}

fn slow_chart(reports: &[Report; 2], seed: u64) -> String {
    let panel = |title: &str, target| {
        reports.iter().fold(Panel::new(title), |panel, report| {
            panel.line(report.name(), slow::good_per_second(report, target))
        })
    };
    let sentences: Vec<String> = reports
        .iter()
        .map(|report| {
            format!(
                "with {}, inventory has {:.1} good answers a second while payments are slow",
                report.name(),
                slow::goodput(report, Target::Inventory, SLOW)
            )
        })
        .collect();
    let description = format!(
        "Two panels over {} s of virtual time: good answers a second of inventory, which is well all the \
         time, and of payments, which are slow from {} s to {} s: {}. {}",
        LENGTH.as_secs(),
        SLOW.start.as_secs(),
        SLOW.end.as_secs(),
        sentences.join("; "),
        slow::parameters(seed),
    );
    Chart::new("bulkhead-slow", "A slow dependency and a healthy one beside it", LENGTH)
        .description(&description)
        .command(&format!("cargo xtask lab bulkhead --seed {seed}"))
        .band(SLOW.start, SLOW.end, "payments take 20 s")
        .panel(panel("inventory, good answers/s", Target::Inventory))
        .panel(panel("payments, good answers/s", Target::Payments))
        .svg()
}

fn knee(directory: &Path, seed: u64) -> anyhow::Result<()> {
    let mut lines = Vec::new();
    for (max_waiting, name) in knee::QUEUES {
        let mut line = Vec::new();
        for places in knee::SIZES {
            let measured =
                knee::run(knee::REQUESTS_PER_SECOND, places as usize, max_waiting, seed)?;
            line.push((f64::from(places), measured));
        }
        lines.push((name, line));
    }
    // The sizes begin at one place.
    let at = |line: usize, places: usize| &lines[line].1[places - 1].1;
    let percent = |line, places| format!("{:.1}", at(line, places).rejected_percent);
    let millis = |line, places| format!("{:.0}", at(line, places).wait_p99);

    let mut panels = [
        Panel::new("requests turned away, %"),
        Panel::new("wait for a place, 99th percentile, ms").log(),
    ];
    for (name, line) in &lines {
        let points = |value: fn(&knee::Measured) -> f64| {
            line.iter().map(move |(places, measured)| (*places, value(measured)))
        };
        panels[0] = panels[0].clone().line(name, points(|measured| measured.rejected_percent));
        panels[1] = panels[1].clone().line(name, points(|measured| measured.wait_p99));
    }
    let description = format!(
        "Two panels over the number of places, 1 to 30. Above, the share of requests that are turned away \
         falls in a nearly straight line until about 14 places and then bends towards zero: with 14 it is {} % if \
         nobody may wait, {} % if 5 may, with 18 {} % and {} %. Below, the 99th percentile of the wait for a \
         place if 500 may wait: {} ms with 13 places, {} ms with 18. {}",
        percent(0, 14),
        percent(1, 14),
        percent(0, 18),
        percent(1, 18),
        millis(2, 13),
        millis(2, 18),
        knee::parameters(seed),
    );
    let places = Duration::from_secs;
    let chart = Chart::new("bulkhead-knee", "The knee: what one more place is worth", places(30))
        .description(&description)
        .command(&format!("cargo xtask lab bulkhead --seed {seed}"))
        .across("places")
        .mark(places(14), "Little's law: 14")
        .mark(places(18), "at 80 %: 18");
    let [above, below] = panels;
    write_figure(directory, "bulkhead-knee.svg", &chart.panel(above).panel(below).svg())?;

    let text = numbers([
        ("none-14", percent(0, 14)),
        ("none-18", percent(0, 18)),
        ("five-14", percent(1, 14)),
        ("five-18", percent(1, 18)),
        ("wait-13", millis(2, 13)),
        ("wait-14", millis(2, 14)),
        ("wait-18", millis(2, 18)),
        ("active", format!("{:.1}", at(2, 30).active)),
    ]);
    write_figure(directory, "bulkhead-knee.txt", &text)?;
    write_figure(directory, "bulkhead-sizes.md", &knee::sizes(seed)?)?;
    Ok(())
}
