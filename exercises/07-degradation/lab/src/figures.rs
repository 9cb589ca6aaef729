//! The figure, the tables and the numbers of the chapter, with the reference.

use lab_kit::{Figures, Runs, Table, Values, thousands};
use storm::Report;

use crate::outage::{self, LEVELS, Storm};
use crate::scenes::{DWELL, SCENES};
use crate::show::{changes, chart, each_page, levels, p99, products, reached, recovery, table};

pub fn write(values: &Values, figures: &Figures) -> anyhow::Result<()> {
    for (storm, scene) in [Storm::Apart, Storm::Together, Storm::Flapping].into_iter().zip(SCENES) {
        let values = &values.scene(scene);
        let runs = outage::runs(storm, values)?;
        let (name, _) = storm.figure();
        let below = outage::parameters(storm, values);
        figures.table(&format!("{name}.md"), &table(storm, &runs), &below)?;
        figures.numbers(&format!("{name}.txt"), numbers(storm, &runs))?;
        if storm == Storm::Apart {
            figures.write(&format!("{name}.svg"), &chart(storm, &runs, values).svg())?;
        }
    }
    Ok(figures.table("degradation-dwell.md", &dwells(values)?, "")?)
}

/// What the dwell does, in each storm.
fn dwells(values: &Values) -> anyhow::Result<Table> {
    let mut table = Table::new([
        "dwell, s",
        "storm",
        "fresh parts of a page, of 6",
        "pages with a fresh product, %",
        "calls reaching what fails",
        "full again after, s",
        "changes of the level",
    ])
    .align("rl");
    let storms =
        [(Storm::Apart, "apart"), (Storm::Together, "together"), (Storm::Flapping, "flapping")];
    for (storm, name) in storms {
        for dwell in [0, 10, 30] {
            let report = outage::levels(storm, &values.with(&DWELL, dwell))?;
            table.row([
                dwell.to_string(),
                name.to_owned(),
                format!("{:.1}", each_page(storm, &report, "fresh parts")),
                products(storm, &report),
                thousands(reached(storm, &report)),
                recovery(storm, &report),
                changes(&report).to_string(),
            ]);
        }
    }
    Ok(table)
}

/// The numbers for the chapter's sentences.
fn numbers(storm: Storm, runs: &Runs<Report>) -> Vec<(String, String)> {
    let mut named = Vec::new();
    for (run, report) in runs.done() {
        let mut one = |name: &str, value| named.push((format!("{run}-{name}"), value));
        one("errors", thousands(report.counts().failed));
        one("fresh", format!("{:.1}", each_page(storm, report, "fresh parts")));
        one("products", products(storm, report));
        one("p99", p99(storm, report));
        one("calls", thousands(reached(storm, report)));
        one("recovery", recovery(storm, report));
    }
    let changes = runs.get(LEVELS).into_iter().flat_map(|report| levels(report).skip(1));
    let changes = changes.map(|(at, level)| format!("{level} at {} s", at.as_secs()));
    named.push(("steps".to_owned(), changes.collect::<Vec<_>>().join(", ")));
    named
}
