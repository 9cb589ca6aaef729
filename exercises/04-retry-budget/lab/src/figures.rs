//! The figures and tables of the chapter, from runs without a budget and with the reference.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use storm::Report;
use storm::chart::{Chart, Panel};
use storm::lab::{numbers, write_figure};

use crate::amplification;
use crate::policy::Policy;
use crate::recovery::{self, DEPENDENCY, LENGTH, OUTAGE, POLICIES};

const UNBOUNDED: &str = "var(--series-2, #d55e00)";
const BUDGET: &str = "var(--series-1, #0072b2)";
const DEPTH_POLICIES: [Policy; 3] = [Policy::None, Policy::Requests, Policy::Unbounded];

pub fn write(directory: &Path, rate: f64, seed: u64) -> anyhow::Result<()> {
    amplification(directory, seed)?;
    recovery(directory, rate, seed)
}

fn amplification(directory: &Path, seed: u64) -> anyhow::Result<()> {
    let mut rows = Vec::new();
    for depth in amplification::DEPTHS {
        let mut row = [0.0; 3];
        for (cell, policy) in row.iter_mut().zip(DEPTH_POLICIES) {
            *cell = amplification::run(policy, depth, seed)?;
        }
        rows.push((depth, row));
    }

    let mut table = String::from("| layers |");
    for policy in DEPTH_POLICIES {
        let _ = write!(table, " {} |", policy.name());
    }
    table.push_str("\n|---:|---:|---:|---:|\n");
    for (depth, row) in &rows {
        let cells = row.map(|calls| format!(" {} |", amplification::number(calls))).concat();
        let _ = writeln!(table, "| {depth} |{cells}");
    }
    let _ = write!(table, "\n{}\n", amplification::parameters());
    write_figure(directory, "amplification.md", &table)?;
    write_figure(directory, "amplification.svg", &bars(&rows))?;

    let (_, [_, budget, unbounded]) = rows[rows.len() - 1];
    let text = numbers([
        ("unbounded", amplification::number(unbounded)),
        ("budget", amplification::number(budget)),
    ]);
    write_figure(directory, "amplification.txt", &text)?;
    Ok(())
}

/// Two bars for each depth, on a logarithmic scale that begins at one call a request.
fn bars(calls: &[(usize, [f64; 3])]) -> String {
    const LEFT: f64 = 52.0;
    const BOTTOM: f64 = 250.0;
    const DECADE: f64 = 80.0;
    const BAR: f64 = 34.0;
    let y = |calls: f64| BOTTOM - DECADE * calls.log10();

    let sentences: Vec<String> = calls
        .iter()
        .map(|(depth, [_, budget, unbounded])| {
            let (budget, unbounded) =
                (amplification::number(*budget), amplification::number(*unbounded));
            format!("{depth} layers: {unbounded} without a limit, {budget} with budgets")
        })
        .collect();
    let mut svg = format!(
        "<svg role=\"img\" viewBox=\"0 0 480 300\" aria-labelledby=\"amplification-title amplification-desc\" \
         data-command=\"cargo xtask lab retry-budget\">\n\
         <title id=\"amplification-title\">Calls for one request, by depth</title>\n\
         <desc id=\"amplification-desc\">Bars on a logarithmic scale. {}. {}</desc>\n\
         <g font-family=\"sans-serif\" font-size=\"12\" text-anchor=\"middle\" fill=\"currentColor\">\n",
        sentences.join("; "),
        amplification::parameters(),
    );
    for (x, dashes, fill, label) in [
        (0.0, "5 2", "none", "three tries at each layer"),
        (210.0, "none", BUDGET, "with budgets of 10 %"),
    ] {
        let _ = writeln!(
            svg,
            "<rect x=\"{}\" y=\"3\" width=\"18\" height=\"12\" fill=\"{fill}\" stroke=\"{}\" \
             stroke-width=\"2\" stroke-dasharray=\"{dashes}\"/><text x=\"{}\" y=\"13\" text-anchor=\"start\">{label}</text>",
            x + 2.0,
            if fill == "none" { UNBOUNDED } else { BUDGET },
            x + 28.0,
        );
    }
    svg.push_str(
        "<text x=\"0\" y=\"38\" text-anchor=\"start\" font-weight=\"bold\">calls for each request</text>\n",
    );
    // The bars carry their numbers: one line is enough, and none goes through them.
    let _ = writeln!(
        svg,
        "<line x1=\"{LEFT}\" x2=\"468\" y1=\"{BOTTOM}\" y2=\"{BOTTOM}\" \
         stroke=\"var(--figure-grid, rgb(128 128 128 / 0.35))\"/>"
    );
    for tick in [1.0, 10.0, 100.0] {
        let _ = writeln!(
            svg,
            "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>",
            LEFT - 6.0,
            y(tick) + 4.0,
            amplification::number(tick),
        );
    }
    let mut x = LEFT + 6.0;
    for (depth, [_, budget, unbounded]) in calls {
        for (calls, stroke, fill, dashes) in
            [(*unbounded, UNBOUNDED, "none", "5 2"), (*budget, BUDGET, BUDGET, "none")]
        {
            let _ = writeln!(
                svg,
                "<rect x=\"{}\" y=\"{:.1}\" width=\"{}\" height=\"{:.1}\" fill=\"{fill}\" stroke=\"{stroke}\" \
                 stroke-width=\"2\" stroke-dasharray=\"{dashes}\"/><text x=\"{}\" y=\"{:.1}\">{}</text>",
                x + 2.0,
                y(calls),
                BAR - 4.0,
                BOTTOM - y(calls),
                x + BAR / 2.0,
                y(calls) - 5.0,
                amplification::number(calls),
            );
            x += BAR;
        }
        let _ = writeln!(svg, "<text x=\"{}\" y=\"{}\">{depth}</text>", x - BAR, BOTTOM + 17.0);
        x += 14.0;
    }
    let _ =
        writeln!(svg, "<text x=\"260\" y=\"{}\">layers above the dependency</text>", BOTTOM + 40.0);
    svg.push_str("</g>\n</svg>\n");
    svg
}

fn recovery(directory: &Path, rate: f64, seed: u64) -> anyhow::Result<()> {
    let mut reports = Vec::new();
    for policy in POLICIES {
        reports.push(recovery::run(policy, rate, seed)?);
    }
    let parameters = recovery::parameters(rate, seed);
    let table = recovery::table(&reports).markdown();
    write_figure(directory, "recovery.md", &format!("{table}\n{parameters}\n"))?;
    write_figure(directory, "recovery.svg", &storm_chart(&reports, rate, seed))?;
    let names = ["none", "unbounded", "requests", "successes"];
    let text =
        numbers(names.into_iter().zip(&reports).map(|(name, run)| (name, recovery::seconds(run))));
    write_figure(directory, "recovery.txt", &text)?;
    Ok(())
}

fn storm_chart(reports: &[Report], rate: f64, seed: u64) -> String {
    let panel = |panel: Panel, points: &dyn Fn(&Report) -> Vec<(f64, f64)>| {
        reports.iter().fold(panel, |panel, report| panel.line(report.name(), points(report)))
    };
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
    let sentences: Vec<String> = reports
        .iter()
        .map(|report| format!("{}: {}", report.name(), recovery::seconds(report)))
        .collect();
    let description = format!(
        "Two panels over {} s of virtual time, with the dependency hanging from {} s to {} s. Above, the \
         goodput: it falls to nothing in the outage, and some runs do not get it back. Below, the calls that \
         wait at the dependency. Seconds until all is well again after the outage: {}. {}",
        LENGTH.as_secs(),
        OUTAGE.start.as_secs(),
        OUTAGE.end.as_secs(),
        sentences.join("; "),
        recovery::parameters(rate, seed),
    );
    Chart::new("recovery", "Ten seconds of outage, and what retries make of it", LENGTH)
        .description(&description)
        .command(&format!("cargo xtask lab retry-budget --rate {rate} --seed {seed}"))
        .band(OUTAGE.start, OUTAGE.end, "dependency hangs")
        .panel(panel(Panel::new("goodput, requests/s"), &|report| {
            report.per_second(|second| second.counts.good as f64)
        }))
        .panel(panel(Panel::new("calls waiting at the dependency").log(), &waiting))
        .svg()
}
