//! The figures and tables of the chapter, from the reference only.

use std::path::Path;

use storm::chart::{Chart, Panel};
use storm::lab::{numbers, write_figure};
use storm::thousands;

use crate::contention::{self, Mean};
use crate::herd::{self, BIN, Herd, LENGTH};
use crate::report::{self, whole};
use crate::strategy::{Strategy, Whose};

pub fn write(directory: &Path, seed: u64) -> anyhow::Result<()> {
    let reference = [Whose::Reference];
    let with = |table: String, parameters: String| format!("{table}\n{parameters}\n");

    let table = with(report::contention(&reference, seed).text, contention::parameters(seed));
    write_figure(directory, "backoff-contention.md", &table)?;
    let at_100 = |strategy| contention::run(Whose::Reference, strategy, 100, seed);
    let [none, exponential, full, decorrelated] =
        [Strategy::NoBackoff, Strategy::Exponential, Strategy::Full, Strategy::Decorrelated]
            .map(at_100);
    let seconds = |mean: Mean| format!("{:.0}", mean.millis / 1_000.0);
    let text = numbers([
        ("none-writes", whole(none.writes)),
        ("none-seconds", seconds(none)),
        ("exponential-writes", whole(exponential.writes)),
        ("exponential-seconds", seconds(exponential)),
        ("full-writes", whole(full.writes)),
        ("full-seconds", seconds(full)),
        ("decorrelated-writes", whole(decorrelated.writes)),
        ("decorrelated-seconds", seconds(decorrelated)),
        ("full-fewer-writes", format!("{:.0}", none.writes / full.writes)),
    ]);
    write_figure(directory, "backoff-contention.txt", &text)?;

    let table = with(report::herd(&reference, seed).text, herd::parameters(seed));
    write_figure(directory, "backoff-herd.md", &table)?;
    let [plain, additive, full, decorrelated] =
        [Strategy::Exponential, Strategy::Additive, Strategy::Full, Strategy::Decorrelated]
            .map(|strategy| herd::run(Whose::Reference, strategy, seed));
    let text = numbers([
        ("plain-peak", thousands(plain.peak())),
        ("additive-peak", thousands(additive.peak())),
        ("full-peak", thousands(full.peak())),
        ("full-first-peak", thousands(full.first_peak)),
        ("decorrelated-peak", thousands(decorrelated.peak())),
        ("decorrelated-first-peak", thousands(decorrelated.first_peak)),
    ]);
    write_figure(directory, "backoff-herd.txt", &text)?;
    let lines =
        [("no jitter", &plain), ("full jitter", &full), ("decorrelated jitter", &decorrelated)];
    write_figure(directory, "backoff-herd.svg", &chart(&lines, seed))?;
    Ok(())
}

fn chart(lines: &[(&str, &Herd)], seed: u64) -> String {
    let peaks: Vec<String> = lines
        .iter()
        .map(|(label, herd)| format!("{} with {label}", thousands(herd.peak())))
        .collect();
    let description = format!(
        "Three histograms of the same {} s. Without jitter all clients come at 0.1, 0.3, 0.7 and 1.5 s, and \
         at no other time; with jitter they come all the time, a few at once. In the busiest 10 ms there are \
         {}. The scales differ. {}",
        LENGTH.as_secs(),
        peaks.join(", "),
        herd::parameters(seed),
    );
    lines
        .iter()
        .fold(
            Chart::new("backoff-herd", "Retries of 1,000 clients that failed together", LENGTH),
            |chart, (label, herd)| {
                let title =
                    format!("{label}: retries in 10 ms, at most {}", thousands(herd.peak()));
                chart.panel(Panel::new(&title).line(label, outline(herd)))
            },
        )
        .description(&description)
        .command(&format!("cargo xtask lab backoff --seed {seed}"))
        .svg()
}

/// The upper edge of the bars.
fn outline(herd: &Herd) -> Vec<(f64, f64)> {
    let edge = |index: usize| index as f64 * BIN.as_secs_f64();
    let bars = herd.arrivals.iter().enumerate();
    bars.flat_map(|(index, &count)| [(edge(index), count as f64), (edge(index + 1), count as f64)])
        .collect()
}
