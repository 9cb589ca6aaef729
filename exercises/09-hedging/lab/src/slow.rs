//! Three instances of a service, one of which becomes slow.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use lab_kit::chart::{Chart, Panel};
use lab_kit::{Comparison, Knob, Needs, Runs, Scene, Shown, Table, Values, Whose};
use storm::{Load, Model, Outage, OutageKind, Report, ServiceTime, StormError};

use crate::code::{Answer, Code, Delay, Hedging, Sends, Setting};
use crate::reference;
#[cfg(feature = "yours")]
use crate::yours;

const LENGTH: Duration = Duration::from_secs(60);
pub const SLOW: Range<Duration> = Duration::from_secs(20)..Duration::from_secs(40);
/// An answer is good for so long: twice what nearly all calls take.
const GOOD: Duration = Duration::from_millis(100);
const RATE: f64 = 300.0;
const INSTANCES: usize = 3;
const SERVERS: usize = 40;
const SERVICE: ServiceTime =
    ServiceTime::LogNormal { median: Duration::from_millis(10), p99: Duration::from_millis(40) };
const FIXED: Delay = Delay::Fixed(Duration::from_millis(40));

const SLOWER_BY: Knob = Knob::number(
    "instance-slower",
    "How slow must one instance get before hedging pays?",
    1..=30,
    20,
    "times as long",
);

pub static SCENE: Scene = Scene {
    name: "slow-instance",
    about: "Three instances, one of which is slow for twenty seconds",
    knobs: &[SLOWER_BY],
    figures: &["hedging-slow"],
    needs: Some(Needs { step: 5, text: "The scene needs hedges to other instances (step 5)." }),
    parameters,
    run: |values| {
        let runs = runs(values)?;
        Ok(Shown::new(&runs, table(&runs)).chart(chart(&runs, values)))
    },
};

pub const ONCE: &str = "sent once";
pub const PERCENTILE: &str = "late by percentile";
pub const AFTER_FIXED: &str = "late after 40 ms";
pub const PAID: &str = "… at most 10 %";

const fn setting(delay: Delay, budget: Option<(u32, u32)>) -> Setting {
    Setting { delay, budget, instances: (INSTANCES, SERVERS) }
}

/// Nobody waits for so long: each request is sent once, and the instances take turns all the same.
const NEVER_LATE: Setting = setting(Delay::Fixed(Duration::MAX), None);
const BY_PERCENTILE: Setting = setting(Delay::Percentile(95), None);

const CONTESTANTS: &[(Whose, &str, (Code, Setting))] = &[
    (Whose::Reference, ONCE, (reference::hedger::CODE, NEVER_LATE)),
    #[cfg(feature = "yours")]
    (Whose::Yours, "yours, by percentile", (yours::hedger::CODE, BY_PERCENTILE)),
    (Whose::Reference, PERCENTILE, (reference::hedger::CODE, BY_PERCENTILE)),
    (Whose::Reference, AFTER_FIXED, (reference::hedger::CODE, setting(FIXED, None))),
    (Whose::Reference, PAID, (reference::hedger::CODE, setting(FIXED, Some((10, 10))))),
];

pub fn runs(values: &Values) -> anyhow::Result<Runs<Report>> {
    Runs::of(values, CONTESTANTS.iter().copied(), |name, (code, setting)| {
        one(name, code, setting, values)
    })
}

fn one(name: &str, code: Code, setting: Setting, values: &Values) -> Result<Report, StormError> {
    let seed = values.seed();
    let load =
        Load { rate_per_second: RATE, length: LENGTH, good_within: GOOD, seed, ..Load::default() };
    let servers = u32::try_from(SERVERS).expect("a few");
    let model = Model::new(servers, SERVICE).expect("the constants above make sense");
    let kind = OutageKind::Slow(values.number(&SLOWER_BY) as f64);
    let slow = Outage { from: SLOW.start, to: SLOW.end, kind };
    let slow = model.clone().with_outage(slow).expect("the constants above make sense");
    storm::run(name, &load, |scene| {
        let instances = [&model, &slow, &model];
        let instances: Vec<_> = instances
            .into_iter()
            .enumerate()
            .map(|(number, model)| scene.dependency(&format!("instance {number}"), model))
            .collect();
        let hedging: Arc<dyn Hedging> = (code.hedging)(setting);
        let sends: Sends = Arc::new(move |instance| -> Answer {
            let instance = instances[instance].clone();
            Box::pin(async move { Ok(instance.call().await?) })
        });
        move |_request| Arc::clone(&hedging).call_among(true, Arc::clone(&sends))
    })
}

/// In the slow time, in percent of what was offered.
pub fn good_while_slow(report: &Report) -> f64 {
    let counts = report.counts_of(SLOW);
    100.0 * counts.good as f64 / counts.offered as f64
}

/// The requests in the slow time beyond one a call, in percent.
pub fn more_requests(report: &Report) -> f64 {
    let sent: u64 = report.dependencies().iter().map(|it| it.calls_between(SLOW)).sum();
    100.0 * sent as f64 / report.counts_between(SLOW).offered as f64 - 100.0
}

pub fn table(runs: &Runs<Report>) -> Table {
    Comparison::new(runs.done())
        .row("slow time: good (within 100 ms), %", |run| format!("{:.1}", good_while_slow(run)))
        .row("slow time: more requests, %", |run| format!("{:.1}", more_requests(run)))
        .row("all the time: good, %", |run| {
            format!("{:.1}", 100.0 * run.counts().good as f64 / run.counts().offered as f64)
        })
        .table()
}

pub fn chart(runs: &Runs<Report>, values: &Values) -> Chart {
    let slow = format!("instance 1 is {} times slower", values.number(&SLOWER_BY));
    let all = |run: &Report| {
        let of = |number| run.calls_per_second(&format!("instance {number}"));
        of(0).into_iter().zip(of(1)).zip(of(2)).map(|((a, b), c)| (a.0, a.1 + b.1 + c.1)).collect()
    };
    Chart::new("hedging-slow", "One slow instance of three", LENGTH)
        .command(&values.command())
        .band(SLOW.start, SLOW.end, &slow)
        .panel(
            Panel::new("good within 100 ms, requests/s")
                .lines(runs.done(), |run| run.per_second(|second| second.counts.good as f64)),
        )
        .panel(Panel::new("requests to all instances, 1/s").lines(runs.done(), all))
}

pub fn parameters(values: &Values) -> String {
    format!(
        "{RATE} requests/s for {} s of virtual time, good within {} ms. {INSTANCES} instances take turns, each of which works on \
         {SERVERS} calls at a time: half of them within 10 ms, 99 of 100 within 40 ms (log-normal); instance 1 takes {} from {} s to \
         {} s. A call is late after the 95th percentile, or after 40 ms. Seed {}.",
        LENGTH.as_secs(),
        GOOD.as_millis(),
        values.show(&SLOWER_BY),
        SLOW.start.as_secs(),
        SLOW.end.as_secs(),
        values.seed(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_third_of_all_calls_meets_is_no_tail() {
        let values = crate::LAB.defaults().scene(&SCENE);
        let runs = runs(&values).unwrap();
        let [once, percentile, fixed, paid] = [ONCE, PERCENTILE, AFTER_FIXED, PAID].map(|name| {
            (good_while_slow(runs.get(name).unwrap()), more_requests(runs.get(name).unwrap()))
        });
        assert!((60.0..75.0).contains(&once.0) && once.1.abs() < 1.0, "{once:?}");
        assert!(percentile.0 < once.0 + 10.0 && percentile.1 > 10.0, "{percentile:?}");
        assert!(fixed.0 > 95.0 && fixed.1 > 30.0, "{fixed:?}");
        assert!(paid.0 < 85.0 && paid.1 < 11.0, "{paid:?}");
    }
}
