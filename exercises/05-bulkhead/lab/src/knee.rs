//! How large? The same load on bulkheads of all sizes, with the reference.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bulkhead_solution::{Bulkhead, Config, Workload, size_for};
use lab_kit::chart::{Chart, Panel};
use lab_kit::{Runs, Scene, Shown, Table, Values, Whose, rounded};
use storm::{Failure, Load, Model, Report, ServiceTime, StormError};
use tokio::time::Instant;

const LENGTH: Duration = Duration::from_secs(300);
const SERVICE: Duration = Duration::from_millis(50);
const REQUESTS_PER_SECOND: f64 = 280.0;
/// Calls that run at a time, on average, if none is turned away.
const RUNNING: f64 = 14.0;
/// The sizes of the figure: from 1 place to so many.
pub const MOST: u32 = 30;
/// How many may wait, in the three lines of the figure.
const QUEUES: [(usize, &str); 3] =
    [(0, "nobody may wait"), (5, "5 may wait"), (500, "500 may wait")];
const UTILISATION: f64 = 0.8;

/// The sizes of the table for a terminal.
const SHOWN: [u32; 10] = [10, 12, 13, 14, 15, 16, 18, 20, 24, 28];

pub static SCENE: Scene = Scene {
    name: "knee",
    about: "What one more place is worth, with the reference",
    knobs: &[],
    figures: &["bulkhead-knee", "bulkhead-sizes"],
    needs: None,
    parameters,
    run: |values| {
        let runs = runs(values, &SHOWN)?;
        let shown = Shown::new(&runs, table(&runs)).chart(chart(&runs, values));
        Ok(shown.table(sizes(values.seed())?))
    },
};

/// One line of the figure: what each number of places did.
pub type Line = Vec<(u32, Measured)>;

/// What a bulkhead of one size did.
#[derive(Clone, Copy, Debug)]
pub struct Measured {
    /// Of all requests.
    pub rejected_percent: f64,
    /// The wait for a place that 99 of 100 admitted requests did not exceed, in milliseconds.
    pub wait_p99: f64,
    /// Places taken, on average.
    pub active: f64,
}

fn run(
    rate_per_second: f64,
    places: usize,
    max_waiting: usize,
    seed: u64,
) -> Result<Measured, StormError> {
    let load = Load { rate_per_second, length: LENGTH, seed, ..Load::default() };
    // So many servers that the bulkhead alone decides who waits.
    let model = Model::new(10_000, ServiceTime::Exponential { mean: SERVICE })
        .expect("the constants above make sense");
    let waits = Arc::new(Mutex::new(Vec::new()));
    let report = storm::run("sized", &load, |scene| {
        let dependency = scene.dependency("dependency", &model);
        let config =
            Config { max_concurrent: places, max_waiting, max_wait: Duration::from_secs(10) };
        let bulkhead = Bulkhead::new(config).expect("valid");
        let observed = bulkhead.clone();
        scene.gauge("active", move || observed.snapshot().active as f64);
        let waits = Arc::clone(&waits);
        move |_request| {
            let (bulkhead, dependency, waits) =
                (bulkhead.clone(), dependency.clone(), Arc::clone(&waits));
            async move {
                let begun = Instant::now();
                let admitted = bulkhead.call(|| {
                    waits.lock().unwrap_or_else(PoisonError::into_inner).push(begun.elapsed());
                    dependency.call()
                });
                Ok(admitted.await.map_err(|_| Failure::Shed)??)
            }
        }
    })?;
    let mut waits = std::mem::take(&mut *waits.lock().unwrap_or_else(PoisonError::into_inner));
    waits.sort_unstable();
    let p99 = waits.get(waits.len() * 99 / 100).copied().unwrap_or_default();
    Ok(Measured {
        rejected_percent: 100.0 * report.counts().shed as f64 / report.counts().offered as f64,
        wait_p99: p99.as_secs_f64() * 1_000.0,
        active: average_active(&report),
    })
}

fn average_active(report: &Report) -> f64 {
    let seen: Vec<f64> = report
        .gauge("active")
        .into_iter()
        // Without the first moment, when nobody has come, and the drain.
        .filter(|(second, _)| (1.0..LENGTH.as_secs_f64()).contains(second))
        .map(|(_, active)| active)
        .collect();
    seen.iter().sum::<f64>() / seen.len() as f64
}

/// The share that is turned away, in percent, when nobody may wait: the formula of Agner Krarup Erlang, 1917.
fn erlang_b(running: f64, places: usize) -> f64 {
    let blocked = (1..=places).fold(1.0, |blocked, places| {
        let offered = running * blocked;
        offered / (places as f64 + offered)
    });
    100.0 * blocked
}

/// The three lines, for these numbers of places.
pub fn runs(values: &Values, sizes: &[u32]) -> anyhow::Result<Runs<Line>> {
    let queues = QUEUES.map(|(max_waiting, name)| (Whose::Reference, name, max_waiting));
    Runs::of(values, queues, |_, max_waiting| {
        let measured = sizes.iter().map(|&places| {
            let size = places as usize;
            Ok((places, run(REQUESTS_PER_SECOND, size, max_waiting, values.seed())?))
        });
        measured.collect::<Result<Line, StormError>>()
    })
}

/// Three loads, sized alike: at 80 %, and by the square root.
pub fn sizes(seed: u64) -> Result<Table, StormError> {
    let mut table = Table::new([
        "requests/s",
        "run at a time, *L*",
        "places at 80 %",
        "turned away, measured",
        "by Erlang's formula",
        "*L* + 2√*L* places",
        "turned away, by the formula",
    ])
    .align("r");
    for rate in [40.0, REQUESTS_PER_SECOND, 2_800.0] {
        let running = rate * SERVICE.as_secs_f64();
        let workload =
            Workload { arrivals_per_second: rate, service_time: SERVICE, utilisation: UTILISATION };
        let places = size_for(workload).expect("valid");
        let measured = run(rate, places, 0, seed)?.rejected_percent;
        let formula = erlang_b(running, places);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "positive, small"
        )]
        let by_root = (running + 2.0 * running.sqrt()).ceil() as usize;
        let then = erlang_b(running, by_root);
        table.row([
            rounded(rate),
            format!("{running:.0}"),
            places.to_string(),
            format!("{measured:.2} %"),
            format!("{formula:.2} %"),
            by_root.to_string(),
            format!("{then:.2} %"),
        ]);
    }
    Ok(table)
}

fn table(runs: &Runs<Line>) -> Table {
    let heads = runs.done().map(|(name, _)| format!("{name}: out, wait p99"));
    let all = [vec!["places".to_owned()], heads.collect(), vec!["then in use, mean".to_owned()]];
    let mut table = Table::new(all.concat());
    for (index, places) in SHOWN.iter().enumerate() {
        let measured = runs.done().map(|(_, line)| line[index].1);
        let cells = measured.clone().map(|measured| {
            format!("{:.1} %, {:.0} ms", measured.rejected_percent, measured.wait_p99)
        });
        // Of the last queue, the longest.
        let active = measured.last().map(|measured| format!("{:.1}", measured.active));
        table.row([places.to_string()].into_iter().chain(cells).chain(active));
    }
    table
}

pub fn chart(runs: &Runs<Line>, values: &Values) -> Chart {
    let panel = |panel: Panel, value: fn(&Measured) -> f64| {
        panel.lines(runs.done(), |line| {
            line.iter().map(|(places, measured)| (f64::from(*places), value(measured))).collect()
        })
    };
    let places = Duration::from_secs;
    Chart::new("bulkhead-knee", "The knee: what one more place is worth", places(30))
        .command(&values.command())
        .across("places")
        .mark(places(14), "Little's law: 14")
        .mark(places(18), "at 80 %: 18")
        .panel(panel(Panel::new("requests turned away, %"), |it| it.rejected_percent))
        .panel(panel(Panel::new("wait for a place, 99th percentile, ms").log(), |it| it.wait_p99))
}

pub fn parameters(values: &Values) -> String {
    format!(
        "{REQUESTS_PER_SECOND} requests/s for {} s of virtual time, {} ms each on average (exponential): \
         {RUNNING} run at a time. Who may wait, may wait for 10 s. Seed {}.",
        LENGTH.as_secs(),
        SERVICE.as_millis(),
        values.seed(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_queue_as_many_are_turned_away_as_erlang_says() {
        for places in [14, 18] {
            let measured = run(REQUESTS_PER_SECOND, places, 0, 7).unwrap().rejected_percent;
            let formula = erlang_b(RUNNING, places);
            // Rejections come in bunches, so their variance is a few times that of a coin; measured times
            // are whole milliseconds, rounded up by half of one on average: about 1 % more load.
            let requests = REQUESTS_PER_SECOND * LENGTH.as_secs_f64();
            let share = formula / 100.0;
            let error = 100.0 * (share * (1.0 - share) / requests).sqrt() * 3.0;
            assert!(
                (measured - formula).abs() < 4.0 * error + 0.02 * formula,
                "{places} places: measured {measured:.2} %, by the formula {formula:.2} %"
            );
        }
    }

    #[test]
    fn littles_law_holds() {
        let active = run(REQUESTS_PER_SECOND, 30, 500, 7).unwrap().active;
        // 299 looks at a Poisson number of mean 14, a second apart: a standard error of 0.22. Four of them.
        assert!((active - RUNNING).abs() < 0.88, "{active} places in use on average");
    }
}
