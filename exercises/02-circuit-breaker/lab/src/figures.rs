//! The figures and the table of the chapter, from runs without a breaker and with the reference.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use storm::chart::{Chart, Panel};
use storm::lab::{numbers, write_figure};
use storm::{Report, thousands};

use crate::guard::{LANE, Whose};
use crate::outage::{self, DEPENDENCY, LENGTH, OUTAGE};

pub fn write(directory: &Path, open_for: Duration, seed: u64) -> anyhow::Result<()> {
    let naive = outage::run(Whose::Naive, open_for, seed)?;
    let reference = outage::run(Whose::Reference, open_for, seed)?;
    let both = [&naive, &reference];
    let table = outage::table(both).markdown();
    write_figure(
        directory,
        "breaker-outage.md",
        &format!("{table}\n{}\n", outage::parameters(open_for, seed)),
    )?;
    write_figure(directory, "breaker-outage.svg", &outage_chart(both, open_for, seed))?;
    write_figure(directory, "breaker-states.svg", &states(&reference))?;
    let reached = |report| thousands(outage::reached(report, OUTAGE));
    let after = |report| {
        outage::recovery(report).map_or("never".into(), |after| after.as_secs().to_string())
    };
    let text = numbers([
        ("naive-calls", reached(&naive)),
        ("naive-recovery", after(&naive)),
        ("reference-calls", reached(&reference)),
        ("reference-recovery", after(&reference)),
    ]);
    write_figure(directory, "breaker-outage.txt", &text)?;
    Ok(())
}

fn outage_chart([naive, reference]: [&Report; 2], open_for: Duration, seed: u64) -> String {
    let panel = |title: &str, points: &dyn Fn(&Report) -> Vec<(f64, f64)>| {
        [naive, reference]
            .into_iter()
            .zip(["without a breaker", "with the reference"])
            .fold(Panel::new(title), |panel, (report, label)| panel.line(label, points(report)))
    };
    let states = reference.marks().iter().filter(|mark| mark.lane == LANE);
    let strip = Panel::states("state of the breaker", ["closed", "half-open", "open"])
        .steps("with the reference", states.map(|mark| (mark.at, mark.label.as_str())));
    let recovery = |report| match outage::recovery(report) {
        Some(after) => format!("{} s after it", after.as_secs()),
        None => "not in this run".to_owned(),
    };
    let description = format!(
        "Three panels over {} s of virtual time, with the dependency hanging from {} s to {} s. In \
         those {} s, {} calls reach the dependency without a breaker and {} with one. Without a breaker \
         all is well again {}: the dependency first works off the calls that nobody waits for any more. \
         With a breaker, {}. {}",
        LENGTH.as_secs(),
        OUTAGE.start.as_secs(),
        OUTAGE.end.as_secs(),
        (OUTAGE.end - OUTAGE.start).as_secs(),
        outage::reached(naive, OUTAGE),
        outage::reached(reference, OUTAGE),
        recovery(naive),
        recovery(reference),
        outage::parameters(open_for, seed),
    );
    Chart::new(
        "breaker-outage",
        "An outage of 30 seconds, without and with a circuit breaker",
        LENGTH,
    )
    .description(&description)
    .command(&format!("cargo xtask lab circuit-breaker --seed {seed}"))
    .band(OUTAGE.start, OUTAGE.end, "dependency hangs")
    .panel(panel("goodput, requests/s", &|report| {
        report.per_second(|second| second.counts.good as f64)
    }))
    .panel(panel("calls reaching the dependency, 1/s", &|report| {
        report.calls_per_second(DEPENDENCY)
    }))
    .panel(strip)
    .svg()
}

/// The state machine as the run went through it: an arrow for each kind of transition that happened,
/// with how often.
fn states(report: &Report) -> String {
    let states: Vec<&str> = report
        .marks()
        .iter()
        .filter(|mark| mark.lane == LANE)
        .map(|mark| mark.label.as_str())
        .collect();
    let mut taken: BTreeMap<(&str, &str), u32> = BTreeMap::new();
    for pair in states.windows(2) {
        *taken.entry((pair[0], pair[1])).or_default() += 1;
    }
    // Where each arrow goes (a path), where its label stands and how it is anchored, and its cause.
    let arrows = [
        (("closed", "open"), "M166 50 H393", (280, 40, "middle"), "too many failures"),
        (
            ("open", "half-open"),
            "M450 78 C450 150 400 195 338 205",
            (440, 172, "start"),
            "open time over",
        ),
        (
            ("half-open", "open"),
            "M290 182 C310 130 350 95 400 79",
            (312, 120, "end"),
            "a probe failed",
        ),
        (
            ("half-open", "closed"),
            "M222 205 C160 195 110 150 110 79",
            (14, 200, "start"),
            "probes succeeded",
        ),
    ];
    let mut svg = String::from(
        "<svg role=\"img\" viewBox=\"0 0 560 245\" aria-labelledby=\"breaker-states-title breaker-states-desc\" \
         data-command=\"cargo xtask lab circuit-breaker\">\n\
         <title id=\"breaker-states-title\">The states of the breaker in the run above</title>\n",
    );
    let sentences: Vec<String> = arrows
        .iter()
        .map(|((from, to), _, _, why)| {
            let times = taken.get(&(*from, *to)).copied().unwrap_or(0);
            format!("{from} to {to} ({why}): {times} times")
        })
        .collect();
    let _ = writeln!(svg, "<desc id=\"breaker-states-desc\">{}.</desc>", sentences.join("; "));
    svg.push_str(
        "<defs><marker id=\"breaker-states-head\" viewBox=\"0 0 10 10\" refX=\"9\" refY=\"5\" markerWidth=\"7\" \
         markerHeight=\"7\" orient=\"auto-start-reverse\"><path d=\"M0 0L10 5L0 10z\" fill=\"currentColor\"/></marker></defs>\n\
         <g font-family=\"sans-serif\" font-size=\"15\" text-anchor=\"middle\" fill=\"currentColor\">\n",
    );
    for (name, x, y) in [("closed", 110, 50), ("open", 450, 50), ("half-open", 280, 210)] {
        let _ = writeln!(
            svg,
            "<rect x=\"{}\" y=\"{}\" width=\"110\" height=\"54\" rx=\"10\" fill=\"none\" \
             stroke=\"var(--series-1, #0072b2)\" stroke-width=\"2\"/>\
             <text x=\"{x}\" y=\"{}\" font-weight=\"bold\">{name}</text>",
            x - 55,
            y - 27,
            y + 5,
        );
    }
    for (pair, path, (x, y, anchor), why) in arrows {
        let Some(times) = taken.get(&pair) else { continue };
        let _ = writeln!(
            svg,
            "<path d=\"{path}\" fill=\"none\" stroke=\"currentColor\" stroke-width=\"1.5\" \
             marker-end=\"url(#breaker-states-head)\"/>\
             <text x=\"{x}\" y=\"{y}\" font-size=\"14\" text-anchor=\"{anchor}\">{why} ×{times}</text>"
        );
    }
    svg.push_str("</g>\n</svg>\n");
    svg
}
