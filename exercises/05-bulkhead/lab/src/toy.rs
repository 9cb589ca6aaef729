//! Little's law, with the reader's own numbers.

use std::time::Duration;

use bulkhead_solution::{Workload, size_for};
use lab_kit::{Knob, Play, Seen, Toy, Values, rounded, thousands};

const RATE: Knob = Knob::number(
    "calls",
    "How many calls begin in a second, at the busiest time?",
    1..=1_000_000,
    280,
    "a second",
)
.at(&[1, 5, 10, 50, 100, 280, 500, 1_000, 5_000, 20_000, 100_000]);
const TAKES: Knob =
    Knob::number("takes", "How long does a call take, on average?", 1..=3_600_000, 50, "ms")
        .at(&[1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 5_000, 30_000]);
const IN_USE: Knob =
    Knob::number("in-use", "What share of the places may be taken, on average?", 1..=100, 80, "%")
        .at(&[50, 60, 70, 80, 90, 100]);

pub static TOY: Toy = Toy {
    name: "places",
    about: "How many places your dependency needs",
    play: Play::Numbers { knobs: &[RATE, TAKES, IN_USE], seen },
    sheet: Some("isolation"),
};

fn seen(values: &Values) -> anyhow::Result<Seen> {
    let rate = values.number(&RATE);
    let takes = Duration::from_millis(values.number(&TAKES));
    let workload = |percent: u64| Workload {
        arrivals_per_second: rate as f64,
        service_time: takes,
        utilisation: percent as f64 / 100.0,
    };
    let in_use = values.number(&IN_USE);
    let places = thousands(size_for(workload(in_use))? as u64);
    let running = rate as f64 * takes.as_secs_f64();
    let running = if running < 10.0 { format!("{running:.2}") } else { rounded(running) };
    let said = format!(
        "{} calls a second of {} ms each: {running} run at a time on average. With {in_use} % in use that is {places} places.",
        thousands(rate),
        thousands(values.number(&TAKES)),
    );
    Ok(Seen::new(said).fact("run at a time", running).fact("places", places))
}
