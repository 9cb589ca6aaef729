//! Goodput from half of the capacity to ten times as much.

use std::sync::Arc;
use std::time::Duration;

use lab_kit::chart::{Chart, Panel};
use lab_kit::{Knob, Needs, Runs, Scene, Shown, Table, Values, Whose};
use storm::{Load, Model, ServiceTime, StormError};

use crate::code::{Ask, Limit, Serve, Setting};
use crate::line;
use crate::reference;
#[cfg(feature = "yours")]
use crate::yours;

const SERVERS: u32 = 10;
const SERVICE: Duration = Duration::from_millis(20);
/// Of requests in a second.
pub const CAPACITY: f64 = 500.0;
const PATIENCE: Duration = Duration::from_millis(200);
const LENGTH: Duration = Duration::from_secs(20);
/// What is measured: when the queues have filled.
const FROM: Duration = Duration::from_secs(5);
pub const TIMES: [f64; 9] = [0.5, 0.8, 1.0, 1.2, 1.5, 2.0, 3.0, 5.0, 10.0];

pub const QUEUE: Knob = Knob::number("queue", "How many may wait?", 0..=5_000, 500, "requests");

pub const NO_LIMIT: &str = "no limit";
pub const FIRST: &str = "limit, first come";
pub const NEWEST: &str = "limit, newest first";
pub const AGE: &str = "limit and age";
pub const ADAPTIVE: &str = "adaptive and age";

/// With so many that may wait, and a seed.
type Policy = fn(usize, u64) -> Serve;

const POLICIES: &[(Whose, &str, Policy)] = &[
    (Whose::Naive, NO_LIMIT, |_, _| Arc::new(|_, work| work)),
    (Whose::Naive, FIRST, |queue, _| line::serve(SERVERS as usize, queue, false)),
    (Whose::Naive, NEWEST, |queue, _| line::serve(SERVERS as usize, queue, true)),
    #[cfg(feature = "yours")]
    (Whose::Yours, "limit and age, yours", |queue, seed| {
        (yours::parts::CODE.server)(by_age(queue, FIXED), seed).0
    }),
    (Whose::Reference, AGE, |queue, seed| {
        (reference::parts::CODE.server)(by_age(queue, FIXED), seed).0
    }),
    (Whose::Reference, ADAPTIVE, |queue, seed| {
        let gradient = Limit::Gradient(Duration::from_secs(30));
        (reference::parts::CODE.server)(by_age(queue, gradient), seed).0
    }),
];

const FIXED: Limit = Limit::Fixed(SERVERS as usize);

fn by_age(max_waiting: usize, limit: Limit) -> Setting {
    Setting {
        limit,
        max_waiting,
        target: Duration::from_millis(5),
        interval: Duration::from_millis(100),
        reserve: 0,
    }
}

pub static SCENE: Scene = Scene {
    name: "overload",
    about: "Goodput from half of the capacity to ten times as much",
    knobs: &[QUEUE],
    figures: &["load-shedding-overload"],
    needs: Some(Needs { step: 2, text: "The storm needs `acquire`, and the age of step 2." }),
    parameters,
    run: |values| {
        let runs = runs(values, &TIMES)?;
        Ok(Shown::new(&runs, table(&runs)).chart(chart(&runs, values)))
    },
};

/// Good answers a second, by the offered load in times of the capacity.
pub type Line = Vec<(f64, f64)>;

pub fn runs(values: &Values, times: &[f64]) -> anyhow::Result<Runs<Line>> {
    let queue = usize::try_from(values.number(&QUEUE)).expect("the knob has a range");
    Runs::of(values, POLICIES.iter().copied(), |name, policy| {
        let one = |times: &f64| Ok((*times, good(name, policy, *times, queue, values.seed())?));
        times.iter().map(one).collect::<Result<Line, StormError>>()
    })
}

fn good(
    name: &str,
    policy: Policy,
    times: f64,
    queue: usize,
    seed: u64,
) -> Result<f64, StormError> {
    let load = Load {
        rate_per_second: times * CAPACITY,
        length: LENGTH,
        good_within: PATIENCE,
        drain: Duration::ZERO,
        seed,
    };
    let model = Model::new(SERVERS, ServiceTime::Exponential { mean: SERVICE })
        .expect("the constants above make sense");
    let report = storm::run(name, &load, |scene| {
        let work = scene.dependency("work", &model);
        let serve = policy(queue, seed);
        move |_request| {
            let work = work.clone();
            serve(Ask::default(), Box::pin(async move { Ok(work.call().await?) }))
        }
    })?;
    Ok(report.counts_between(FROM..LENGTH).good as f64 / (LENGTH - FROM).as_secs_f64())
}

pub fn table(runs: &Runs<Line>) -> Table {
    let names = runs.done().map(|(name, _)| name.to_owned());
    let mut table = Table::new(["offered".to_owned()].into_iter().chain(names)).align("r");
    let loads: Vec<f64> = runs
        .done()
        .next()
        .map_or_else(Vec::new, |(_, line)| line.iter().map(|(times, _)| *times).collect());
    for (index, times) in loads.into_iter().enumerate() {
        let cells = runs.done().map(|(_, line)| format!("{:.0}", line[index].1));
        table.row([format!("{times}×")].into_iter().chain(cells));
    }
    table
}

pub fn chart(runs: &Runs<Line>, values: &Values) -> Chart {
    let sentences = runs.done().map(|(name, line)| {
        let at: Vec<_> =
            line.iter().map(|(times, good)| format!("{good:.0} at {times}×")).collect();
        format!("{name}: {}", at.join(", "))
    });
    let description = format!(
        "Lines over the offered load, in times of the capacity. Good answers a second. {}. {}",
        sentences.collect::<Vec<_>>().join("; "),
        parameters(values),
    );
    Chart::new("load-shedding-overload", "Goodput by the offered load", Duration::from_secs(10))
        .description(&description)
        .command(&values.command())
        .across("offered load, times the capacity")
        .panel(Panel::new("good answers, 1/s").lines(runs.done(), Clone::clone))
}

pub fn parameters(values: &Values) -> String {
    format!(
        "A server does {SERVERS} pieces of work at a time, {} ms each on average (exponential): about {CAPACITY} requests/s. \
         An answer is good within {} ms; the work of one that has come too late is done all the same. {} s of virtual time, of \
         which the last {} are counted. Up to {} may wait. A refusal costs the server nothing here. Seed {}.",
        SERVICE.as_millis(),
        PATIENCE.as_millis(),
        LENGTH.as_secs(),
        (LENGTH - FROM).as_secs(),
        values.show(&QUEUE),
        values.seed(),
    )
}

/// The share of the capacity that is left for work when a refusal costs a share of a request's work and so many times
/// the capacity is offered: each that is not served is refused.
pub fn left_after_refusals(times: f64, cost: f64) -> f64 {
    ((1.0 - cost * times) / (1.0 - cost)).max(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_take_what_they_cost() {
        for (times, cost) in [(1.0, 0.01), (10.0, 0.01), (5.0, 0.1)] {
            let served = left_after_refusals(times, cost);
            // What is served and what is refused take the whole capacity.
            let spent: f64 = served + cost * (times - served);
            assert!((spent - 1.0).abs() < 1e-9, "{times}, {cost}: {spent}");
        }
        assert!(left_after_refusals(10.0, 0.2) < 1e-9);
    }

    #[test]
    fn only_who_refuses_by_age_keeps_its_goodput() {
        let seed = crate::LAB.defaults().seed();
        let of = |name: &str, times| {
            let (_, _, policy) = POLICIES.iter().find(|policy| policy.1 == name).unwrap();
            good(name, *policy, times, 500, seed).unwrap() / CAPACITY
        };
        assert!(of(NO_LIMIT, 0.8) > 0.78 && of(NO_LIMIT, 2.0) < 0.02);
        assert!(of(FIRST, 2.0) < 0.02, "a queue of a second, for who waits a fifth of one");
        for times in [2.0, 10.0] {
            for name in [NEWEST, AGE, ADAPTIVE] {
                assert!(of(name, times) > 0.9, "{name} at {times}: {}", of(name, times));
            }
        }
    }
}
