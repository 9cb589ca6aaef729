//! The figure and the tables of the chapter, from runs with timeouts and with the reference.

use anyhow::Context as _;
use lab_kit::{Figures, Values, thousands};

use crate::audit;
use crate::storms::{
    SCENE, chart, description, good_late, good_while_slow, parameters, recovery, runs, table,
    wasted_percent, wasted_seconds,
};

pub fn write(values: &Values, figures: &Figures) -> anyhow::Result<()> {
    let values = &values.scene(&SCENE);
    let runs = runs(values)?;
    let [timeouts, deadline] = ["timeouts", "deadline"].map(|name| runs.get(name).context(name));
    let (timeouts, deadline) = (timeouts?, deadline?);
    figures.table("wasted-work.md", &table(&runs), &parameters(values))?;
    let chart = chart(&runs, values).description(&description(timeouts, deadline, values));
    figures.write("wasted-work.svg", &chart.svg())?;
    let numbers = [
        ("timeouts-seconds", wasted_seconds(timeouts)),
        ("timeouts-percent", wasted_percent(timeouts)),
        ("timeouts-recovery", recovery(timeouts)),
        ("timeouts-slow", thousands(good_while_slow(timeouts))),
        ("deadline-seconds", wasted_seconds(deadline)),
        ("deadline-percent", wasted_percent(deadline)),
        ("deadline-recovery", recovery(deadline)),
        ("deadline-slow", thousands(good_while_slow(deadline))),
        ("deadline-slow-late", thousands(good_late(deadline))),
        ("chain-mended", audit::mended(3).to_string()),
    ];
    figures.numbers("wasted-work.txt", numbers)?;
    Ok(figures.table("timeout-chain.md", &audit::table(), "")?)
}
