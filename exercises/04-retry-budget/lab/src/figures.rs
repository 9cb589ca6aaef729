//! The figures and tables of the chapter, from runs without a budget and with the reference.

use std::fmt::Write as _;

use anyhow::Context as _;
use lab_kit::{Figures, Values, well_after};

use crate::policy::{NO_RETRIES, REQUESTS, SUCCESSES, UNBOUNDED};
use crate::recovery::OUTAGE;
use crate::{amplification, recovery};

const UNBOUNDED_COLOUR: &str = "var(--series-2, #d55e00)";
const BUDGET: &str = "var(--series-1, #0072b2)";

pub fn write(values: &Values, figures: &Figures) -> anyhow::Result<()> {
    amplification(&values.scene(&amplification::SCENE), figures)?;
    recovery(&values.scene(&recovery::SCENE), figures)
}

fn amplification(values: &Values, figures: &Figures) -> anyhow::Result<()> {
    let runs = amplification::runs(values)?;
    let below = amplification::parameters(values);
    figures.table("amplification.md", &amplification::table(&runs), &below)?;
    let [budget, unbounded] =
        [REQUESTS, UNBOUNDED].map(|policy| runs.get(policy.name).context(policy.name));
    let rows: Vec<_> = budget?
        .iter()
        .zip(unbounded?)
        .map(|((depth, budget), (_, unbounded))| (*depth, *budget, *unbounded))
        .collect();
    figures.write("amplification.svg", &bars(&rows, values))?;

    let (_, budget, unbounded) = rows[rows.len() - 1];
    let numbers = [("unbounded", unbounded), ("budget", budget)];
    let numbers = numbers.map(|(name, calls)| (name, amplification::number(calls)));
    Ok(figures.numbers("amplification.txt", numbers)?)
}

/// Two bars for each depth, on a logarithmic scale that begins at one call a request.
fn bars(calls: &[(usize, f64, f64)], values: &Values) -> String {
    const LEFT: f64 = 52.0;
    const BOTTOM: f64 = 250.0;
    const DECADE: f64 = 80.0;
    const BAR: f64 = 34.0;
    let y = |calls: f64| BOTTOM - DECADE * calls.log10();

    let sentences: Vec<String> = calls
        .iter()
        .map(|(depth, budget, unbounded)| {
            let (budget, unbounded) =
                (amplification::number(*budget), amplification::number(*unbounded));
            format!("{depth} layers: {unbounded} without a limit, {budget} with budgets")
        })
        .collect();
    let mut svg = format!(
        "<svg role=\"img\" viewBox=\"0 0 480 300\" aria-labelledby=\"amplification-title amplification-desc\" \
         data-command=\"{}\">\n\
         <title id=\"amplification-title\">Calls for one request, by depth</title>\n\
         <desc id=\"amplification-desc\">Bars on a logarithmic scale. {}. {}</desc>\n\
         <g font-family=\"sans-serif\" font-size=\"12\" text-anchor=\"middle\" fill=\"currentColor\">\n",
        values.command(),
        sentences.join("; "),
        amplification::parameters(values),
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
            if fill == "none" { UNBOUNDED_COLOUR } else { BUDGET },
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
    for (depth, budget, unbounded) in calls {
        for (calls, stroke, fill, dashes) in
            [(*unbounded, UNBOUNDED_COLOUR, "none", "5 2"), (*budget, BUDGET, BUDGET, "none")]
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

fn recovery(values: &Values, figures: &Figures) -> anyhow::Result<()> {
    let runs = recovery::runs(values)?;
    figures.table("recovery.md", &recovery::table(&runs), &recovery::parameters(values))?;
    figures.write("recovery.svg", &recovery::chart(&runs, values).svg())?;
    let names = [
        ("none", NO_RETRIES),
        ("unbounded", UNBOUNDED),
        ("requests", REQUESTS),
        ("successes", SUCCESSES),
    ];
    let seconds = names
        .into_iter()
        .filter_map(|(name, policy)| Some((name, well_after(runs.get(policy.name)?, OUTAGE.end))));
    Ok(figures.numbers("recovery.txt", seconds)?)
}
