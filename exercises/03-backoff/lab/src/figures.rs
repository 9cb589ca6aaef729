//! The figures and tables of the chapter, from the reference only.

use anyhow::Context as _;
use lab_kit::{Figures, Runs, Values, rounded, thousands};

use crate::contention::{self, Mean};
use crate::herd;
use crate::strategy::Strategy;

pub fn write(values: &Values, figures: &Figures) -> anyhow::Result<()> {
    contention(&values.scene(&contention::SCENE), figures)?;
    herd(&values.scene(&herd::SCENE), figures)
}

/// The runs of these strategies.
fn of<T, const N: usize>(runs: &Runs<T>, strategies: [Strategy; N]) -> anyhow::Result<[&T; N]> {
    let found = strategies.map(|strategy| runs.get(strategy.name()));
    found
        .iter()
        .copied()
        .collect::<Option<Vec<_>>>()
        .and_then(|all| all.try_into().ok())
        .context("a run of each")
}

fn contention(values: &Values, figures: &Figures) -> anyhow::Result<()> {
    let runs = contention::runs(values)?;
    let below = contention::parameters(values);
    figures.table("backoff-contention.md", &contention::table(&runs), &below)?;
    let strategies =
        [Strategy::NoBackoff, Strategy::Exponential, Strategy::Full, Strategy::Decorrelated];
    // In the middle: 100 clients.
    let [none, exponential, full, decorrelated] = of(&runs, strategies)?.map(|row| row[1]);
    let seconds = |mean: Mean| format!("{:.0}", mean.millis / 1_000.0);
    let numbers = [
        ("none-writes", rounded(none.writes)),
        ("none-seconds", seconds(none)),
        ("exponential-writes", rounded(exponential.writes)),
        ("exponential-seconds", seconds(exponential)),
        ("full-writes", rounded(full.writes)),
        ("full-seconds", seconds(full)),
        ("decorrelated-writes", rounded(decorrelated.writes)),
        ("decorrelated-seconds", seconds(decorrelated)),
        ("full-fewer-writes", format!("{:.0}", none.writes / full.writes)),
    ];
    Ok(figures.numbers("backoff-contention.txt", numbers)?)
}

fn herd(values: &Values, figures: &Figures) -> anyhow::Result<()> {
    let runs = herd::runs(values)?;
    figures.table("backoff-herd.md", &herd::table(&runs), &herd::parameters(values))?;
    figures.write("backoff-herd.svg", &herd::chart(&runs, values).svg())?;
    let strategies =
        [Strategy::Exponential, Strategy::Additive, Strategy::Full, Strategy::Decorrelated];
    let [plain, additive, full, decorrelated] = of(&runs, strategies)?;
    let numbers = [
        ("plain-peak", thousands(plain.peak())),
        ("additive-peak", thousands(additive.peak())),
        ("full-peak", thousands(full.peak())),
        ("full-first-peak", thousands(full.first_peak)),
        ("decorrelated-peak", thousands(decorrelated.peak())),
        ("decorrelated-first-peak", thousands(decorrelated.first_peak)),
    ];
    Ok(figures.numbers("backoff-herd.txt", numbers)?)
}
