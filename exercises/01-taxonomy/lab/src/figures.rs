//! The tables and the figure of the chapter, by the reference.

use lab_kit::{Figures, Table, Values};

use crate::observed::{self, observe_all, yes_or_no};
use crate::{cascade, kinds, reference};

pub fn write(values: &Values, figures: &Figures) -> anyhow::Result<()> {
    kinds(values, figures)?;
    cascade(&values.scene(&cascade::SCENE), figures)
}

fn kinds(values: &Values, figures: &Figures) -> anyhow::Result<()> {
    let cases = observe_all(values.seed())?;
    let heads = ["Injected", "The client finds", "Paid?", "Ledger"];
    let mut table = Table::new(heads).align("llll");
    let mut doubtful = Vec::new();
    for (fault, evidence) in &cases {
        let seen = reference::diagnosis::diagnose(evidence);
        if seen.payment == "unknown" {
            doubtful.push(evidence.charged);
        }
        table.row([
            format!("`{}`{}", fault.name(), kinds::detail(fault)),
            format!("{}: {}", seen.class(), seen.because),
            seen.payment,
            yes_or_no(evidence.charged).to_owned(),
        ]);
    }
    figures.table("taxonomy-kinds.md", &table, &observed::setting())?;
    let paid = doubtful.iter().filter(|charged| **charged).count();
    let numbers = [("kinds", cases.len()), ("unknown", doubtful.len()), ("unknown-paid", paid)];
    let numbers = numbers.map(|(name, number)| (name, number.to_string()));
    Ok(figures.numbers("taxonomy-kinds.txt", numbers)?)
}

fn cascade(values: &Values, figures: &Figures) -> anyhow::Result<()> {
    let runs = cascade::runs(values)?;
    figures.table("cascade.md", &cascade::table(&runs), &cascade::parameters(values))?;
    figures.write("cascade.svg", &cascade::chart(&runs, values).svg())?;
    let recovered = |(_, report)| match cascade::recovered(report) {
        Some(at) => format!("{} s after the database", at.as_secs() - 20),
        None => "it has not recovered in this run, nor, as things stand, ever".to_owned(),
    };
    let numbers = ["without", "with"].into_iter().zip(runs.done().map(recovered));
    Ok(figures.numbers("cascade.txt", numbers)?)
}
