//! The tables, the numbers and the figure of the chapter.

use lab_kit::{Figures, Values, thousands};

use crate::orders::QUESTIONS;
use crate::outage::{self, Run};
use crate::scenes::{FIGURE, chart, drawn, runs, table};

pub fn write(values: &Values, figures: &Figures) -> anyhow::Result<()> {
    for question in &QUESTIONS {
        let below = match question.name {
            "all" => outage::parameters(values.seed()),
            _ => String::new(),
        };
        let table = table(question, &runs(question, values)?);
        figures.table(&format!("composing-{}.md", question.name), &table, &below)?;
    }
    let weather = &values.scene(&FIGURE);
    let drawn = drawn(weather)?;
    figures.write("composing.svg", &chart(&drawn, weather).svg())?;

    let all: Vec<&Run> = drawn.done().map(|(_, run)| run).collect();
    let calls = |run: &Run| thousands(run.calls_in_the_outage());
    let names = ["alone", "retries", "blind", "all"];
    let calls = names.into_iter().zip(&all).map(|(name, run)| (name, calls(run)));
    let recovery = [("alone-recovery", all[0]), ("all-recovery", all[3])];
    let recovery = recovery.map(|(name, run)| (name, run.recovery()));
    Ok(figures.numbers("composing.txt", calls.chain(recovery))?)
}
