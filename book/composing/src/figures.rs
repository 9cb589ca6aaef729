//! The tables, the numbers and the figure of the chapter.

use std::fmt::Write as _;
use std::path::Path;

use storm::chart::{Chart, Panel};
use storm::lab::{numbers, write_figure};
use storm::{StormError, thousands};

use crate::orders::{Column, DRAWN, QUESTIONS, Question};
use crate::outage::{self, DEPENDENCY, LENGTH, OUTAGE, Run};

pub fn write(directory: &Path, seed: u64) -> anyhow::Result<()> {
    for question in &QUESTIONS {
        let file = format!("composing-{}.md", question.name);
        let mut text = table(question, seed)?;
        if question.name == "all" {
            let _ = write!(text, "\n{}\n", outage::parameters(seed));
        }
        write_figure(directory, &file, &text)?;
    }
    let mut runs = Vec::new();
    for (label, order) in DRAWN {
        runs.push((label, outage::run(order, seed)?));
    }
    write_figure(directory, "composing.svg", &chart(&runs, seed))?;
    let names = ["alone", "retries", "blind", "all"];
    let calls = |run: &Run| thousands(run.calls_in_the_outage());
    let values = names.into_iter().zip(&runs).map(|(name, (_, run))| (name, calls(run)));
    let recovery =
        [("alone-recovery", runs[0].1.recovery()), ("all-recovery", runs[3].1.recovery())];
    write_figure(directory, "composing.txt", &numbers(values.chain(recovery)))?;
    Ok(())
}

/// A row for each order.
pub fn table(question: &Question, seed: u64) -> Result<String, StormError> {
    let headings = question.columns.iter().map(|column| column.heading());
    let headings = headings.collect::<Vec<_>>().join(" | ");
    let mut table = format!("| from the outermost | {headings} |\n|---|");
    table.push_str(&"---:|".repeat(question.columns.len()));
    table.push('\n');
    for order in question.orders {
        let run = outage::run(*order, seed)?;
        let cells = question.columns.iter().map(|column| run.cell(*column));
        let cells = cells.collect::<Vec<_>>().join(" | ");
        let _ = writeln!(table, "| {} | {cells} |", run.report.name());
    }
    Ok(table)
}

fn chart(runs: &[(&str, Run)], seed: u64) -> String {
    let panel = |panel: Panel, points: &dyn Fn(&Run) -> Vec<(f64, f64)>| {
        runs.iter().fold(panel, |panel, (label, run)| panel.line(label, points(run)))
    };
    let sentences = runs.iter().map(|(label, run)| {
        format!(
            "{label}: {} calls in the outage, {} requests answered in full, seconds until well again: {}",
            run.cell(Column::Calls),
            run.cell(Column::Full),
            run.recovery(),
        )
    });
    let description = format!(
        "Two panels over {} s of virtual time, with the dependency hanging from {} s to {} s. Above, the requests \
         that are answered in full; below, the calls that reach the dependency. {}. {}",
        LENGTH.as_secs(),
        OUTAGE.start.as_secs(),
        OUTAGE.end.as_secs(),
        sentences.collect::<Vec<_>>().join("; "),
        outage::parameters(seed),
    );
    Chart::new("composing", "The same outage, through the same layers in other orders", LENGTH)
        .description(&description)
        .command(&format!("cargo xtask lab composing --seed {seed}"))
        .band(OUTAGE.start, OUTAGE.end, "dependency hangs")
        .panel(panel(Panel::new("answered in full, requests/s"), &|run| {
            run.report.per_second(|second| second.counts.good as f64)
        }))
        .panel(panel(Panel::new("calls reaching the dependency, 1/s").log(), &|run| {
            run.report.calls_per_second(DEPENDENCY)
        }))
        .svg()
}
