//! The tables, the numbers and the figure of the chapter.

use lab_kit::{Figures, Runs, Values, Whose, thousands};

use crate::orders::{DRAWN, QUESTIONS};
use crate::outage::{self, Run};
use crate::scenes::{chart, runs, table};

pub fn write(values: &Values, figures: &Figures) -> anyhow::Result<()> {
    for question in &QUESTIONS {
        let below = match question.name {
            "all" => outage::parameters(values.seed()),
            _ => String::new(),
        };
        let table = table(question, &runs(question, values)?);
        figures.table(&format!("composing-{}.md", question.name), &table, &below)?;
    }
    let orders = DRAWN.map(|(label, order)| (Whose::Reference, label, order));
    let drawn = Runs::of(values, orders, |_, order| outage::run(order, values.seed()))?;
    figures.write("composing.svg", &chart(&drawn, values).svg())?;

    let all: Vec<&Run> = drawn.done().map(|(_, run)| run).collect();
    let calls = |run: &Run| thousands(run.calls_in_the_outage());
    let names = ["alone", "retries", "blind", "all"];
    let calls = names.into_iter().zip(&all).map(|(name, run)| (name, calls(run)));
    let recovery = [("alone-recovery", all[0]), ("all-recovery", all[3])];
    let recovery = recovery.map(|(name, run)| (name, run.recovery()));
    Ok(figures.numbers("composing.txt", calls.chain(recovery))?)
}
