//! How large? The same load on bulkheads of all sizes, with the reference.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bulkhead_solution::{Bulkhead, Config, Workload, size_for};
use storm::{Failure, Load, Model, Report, ServiceTime, StormError};
use tokio::time::Instant;

const LENGTH: Duration = Duration::from_secs(300);
const SERVICE: Duration = Duration::from_millis(50);
pub const REQUESTS_PER_SECOND: f64 = 280.0;
/// Calls that run at a time, on average, if none is turned away.
pub const RUNNING: f64 = 14.0;
pub const SIZES: std::ops::RangeInclusive<u32> = 1..=30;
/// How many may wait, in the three lines of the figure.
pub const QUEUES: [(usize, &str); 3] =
    [(0, "nobody may wait"), (5, "5 may wait"), (500, "500 may wait")];
const UTILISATION: f64 = 0.8;

/// What a bulkhead of one size did.
pub struct Measured {
    /// Of all requests.
    pub rejected_percent: f64,
    /// The wait for a place that 99 of 100 admitted requests did not exceed, in milliseconds.
    pub wait_p99: f64,
    /// Places taken, on average.
    pub active: f64,
}

pub fn run(
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
pub fn erlang_b(running: f64, places: usize) -> f64 {
    let blocked = (1..=places).fold(1.0, |blocked, places| {
        let offered = running * blocked;
        offered / (places as f64 + offered)
    });
    100.0 * blocked
}

/// Three loads, sized alike: at 80 %, and by the square root.
pub fn sizes(seed: u64) -> Result<String, StormError> {
    let mut table = String::from(
        "| requests/s | run at a time, *L* | places at 80 % | turned away, measured | by Erlang's formula | \
         *L* + 2√*L* places | turned away, by the formula |\n|---:|---:|---:|---:|---:|---:|---:|\n",
    );
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
        let _ = writeln!(
            table,
            "| {rate:.0} | {running:.0} | {places} | {measured:.2} % | {formula:.2} % | {by_root} | {then:.2} % |"
        );
    }
    Ok(table)
}

/// As text for a terminal.
pub fn table(seed: u64) -> Result<String, StormError> {
    let mut text = format!("{:<8}", "places");
    for (_, name) in QUEUES {
        let _ = write!(text, "{:>28}", format!("{name}: out, wait p99"));
    }
    text += "  then in use, mean";
    text.push('\n');
    for places in [10, 12, 13, 14, 15, 16, 18, 20, 24, 28] {
        let mut row = String::new();
        let mut active = 0.0;
        for (max_waiting, _) in QUEUES {
            let measured = run(REQUESTS_PER_SECOND, places, max_waiting, seed)?;
            let cell = format!("{:.1} %, {:.0} ms", measured.rejected_percent, measured.wait_p99);
            let _ = write!(row, "{cell:>28}");
            active = measured.active;
        }
        // Of the last queue, the longest.
        let _ = writeln!(text, "{places:<8}{row}{active:>19.1}");
    }
    Ok(text)
}

pub fn parameters(seed: u64) -> String {
    format!(
        "{REQUESTS_PER_SECOND} requests/s for {} s of virtual time, {} ms each on average (exponential): \
         {RUNNING} run at a time. Who may wait, may wait for 10 s. Seed {seed}.",
        LENGTH.as_secs(),
        SERVICE.as_millis(),
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
