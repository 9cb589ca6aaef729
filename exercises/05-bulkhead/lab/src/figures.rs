//! The figures and tables of the chapter, from one pool and from two bulkheads of the reference.

use std::time::Duration;

use anyhow::Context as _;
use lab_kit::{Figures, Values, rounded, well_after};

use crate::slow::{self, SLOW, goodput};
use crate::{Target, knee};

pub fn write(values: &Values, figures: &Figures) -> anyhow::Result<()> {
    slow(&values.scene(&slow::SCENE), figures)?;
    knee(&values.scene(&knee::SCENE), figures)
}

fn slow(values: &Values, figures: &Figures) -> anyhow::Result<()> {
    let runs = slow::runs(values)?;
    figures.table("bulkhead-slow.md", &slow::table(&runs), &slow::parameters(values))?;
    figures.write("bulkhead-slow.svg", &slow::chart(&runs, values).svg())?;
    let [pool, bulkheads] = ["one pool", "two bulkheads"].map(|name| runs.get(name).context(name));
    let (pool, bulkheads) = (pool?, bulkheads?);
    let inventory = |report, window| format!("{:.0}", goodput(report, Target::Inventory, window));
    let wait_max = bulkheads.waits().max().unwrap_or_default();
    let numbers = [
        ("before", inventory(pool, Duration::ZERO..SLOW.start)),
        ("one-pool", inventory(pool, SLOW)),
        ("bulkheads", inventory(bulkheads, SLOW)),
        ("wait-max", format!("{:.2} s", wait_max.as_secs_f64())),
        ("well-after", format!("{} s", well_after(bulkheads, SLOW.end))),
    ];
    Ok(figures.numbers("bulkhead-slow.txt", numbers)?)
}

fn knee(values: &Values, figures: &Figures) -> anyhow::Result<()> {
    let sizes: Vec<u32> = (1..=knee::MOST).collect();
    let runs = knee::runs(values, &sizes)?;
    let lines: Vec<_> = runs.done().map(|(_, line)| line).collect();
    let at = |line: usize, places: usize| &lines[line][places - 1].1;
    let percent = |line, places| format!("{:.1}", at(line, places).rejected_percent);
    let millis = |line, places| rounded(at(line, places).wait_p99);
    let description = format!(
        "Two panels over the number of places, 1 to 30. Above, the share of requests that are turned away \
         falls in a nearly straight line until about 14 places and then bends towards zero: with 14 it is {} % if \
         nobody may wait, {} % if 5 may, with 18 {} % and {} %. Below, the 99th percentile of the wait for a \
         place if 500 may wait: {} ms with 13 places, {} ms with 18. {}",
        percent(0, 14),
        percent(1, 14),
        percent(0, 18),
        percent(1, 18),
        millis(2, 13),
        millis(2, 18),
        knee::parameters(values),
    );
    let chart = knee::chart(&runs, values).description(&description);
    figures.write("bulkhead-knee.svg", &chart.svg())?;
    let numbers = [
        ("none-14", percent(0, 14)),
        ("none-18", percent(0, 18)),
        ("five-14", percent(1, 14)),
        ("five-18", percent(1, 18)),
        ("wait-13", millis(2, 13)),
        ("wait-14", millis(2, 14)),
        ("wait-18", millis(2, 18)),
        ("active", format!("{:.1}", at(2, 30).active)),
    ];
    figures.numbers("bulkhead-knee.txt", numbers)?;
    Ok(figures.table("bulkhead-sizes.md", &knee::sizes(values.seed())?, "")?)
}
