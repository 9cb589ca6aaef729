//! The figures and the table of the chapter, from runs without a breaker and with the reference.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anyhow::Context as _;
use lab_kit::{Figures, Values, thousands, well_after};
use storm::Report;

use crate::outage::{self, OUTAGE};

pub fn write(values: &Values, figures: &Figures) -> anyhow::Result<()> {
    let values = &values.scene(&outage::SCENE);
    let runs = outage::runs(values)?;
    let [naive, reference] = ["naive", "reference"].map(|name| runs.get(name).context(name));
    let (naive, reference) = (naive?, reference?);
    figures.table("breaker-outage.md", &outage::table(&runs), &outage::parameters(values))?;
    figures.write("breaker-outage.svg", &outage::chart(&runs, values).svg())?;
    figures.write("breaker-states.svg", &states(reference))?;
    let reached = |report| thousands(outage::reached(report, OUTAGE));
    let numbers = [
        ("naive-calls", reached(naive)),
        ("naive-recovery", well_after(naive, OUTAGE.end)),
        ("reference-calls", reached(reference)),
        ("reference-recovery", well_after(reference, OUTAGE.end)),
    ];
    Ok(figures.numbers("breaker-outage.txt", numbers)?)
}

/// The state machine as the run went through it: an arrow for each kind of transition that happened,
/// with how often.
fn states(report: &Report) -> String {
    let states: Vec<&str> = outage::states(report).map(|(_, state)| state).collect();
    let mut taken: BTreeMap<(&str, &str), u32> = BTreeMap::new();
    for pair in states.windows(2) {
        *taken.entry((pair[0], pair[1])).or_default() += 1;
    }
    // Where each arrow goes (a path), where its label stands and how it is anchored, and its cause.
    let arrows = [
        (("closed", "open"), "M121 50 H354", (238, 40, "middle"), "too many failures"),
        (
            ("open", "half-open"),
            "M410 78 C410 150 370 195 304 205",
            (356, 208, "start"),
            "open time over",
        ),
        (
            ("half-open", "open"),
            "M250 182 C265 130 310 95 362 79",
            (262, 130, "end"),
            "a probe failed",
        ),
        (
            ("half-open", "closed"),
            "M184 205 C110 195 66 150 66 79",
            (4, 222, "start"),
            "probes succeeded",
        ),
    ];
    let mut svg = String::from(
        "<svg role=\"img\" viewBox=\"0 0 480 245\" aria-labelledby=\"breaker-states-title breaker-states-desc\" \
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
         <g font-family=\"sans-serif\" font-size=\"12\" text-anchor=\"middle\" fill=\"currentColor\">\n",
    );
    for (name, x, y) in [("closed", 66, 50), ("open", 410, 50), ("half-open", 244, 210)] {
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
             <text x=\"{x}\" y=\"{y}\" text-anchor=\"{anchor}\">{why} ×{times}</text>"
        );
    }
    svg.push_str("</g>\n</svg>\n");
    svg
}
