//! Four classes of requests, and not enough for all.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use lab_kit::{Knob, Needs, Runs, Scene, Shown, Table, Values, Whose};
use storm::{Load, Model, ServiceTime, StormError};
use tokio::time::Instant;

use crate::code::{Ask, Limit, Setting};
use crate::reference;
#[cfg(feature = "yours")]
use crate::yours;

const SERVERS: u32 = 10;
const SERVICE: Duration = Duration::from_millis(20);
const CAPACITY: f64 = 500.0;
const LENGTH: Duration = Duration::from_secs(30);
const PATIENCE: Duration = Duration::from_millis(200);
/// Of ten requests, by class: the highest first.
const OF_TEN: [usize; 10] = [0, 1, 1, 1, 1, 2, 2, 3, 3, 3];
const NAMES: [&str; 4] = ["critical-plus", "critical", "sheddable-plus", "sheddable"];

const OFFERED: Knob = Knob::number(
    "offered",
    "How much is offered, in percent of the capacity?",
    50..=1_000,
    200,
    "%",
)
.step(10);

const SETTING: Setting = Setting {
    limit: Limit::Fixed(SERVERS as usize),
    max_waiting: 100,
    target: Duration::from_millis(5),
    interval: Duration::from_millis(100),
    reserve: 1,
};

type Contestant = (Whose, &'static str, crate::code::Code, bool);

const CONTESTANTS: &[Contestant] = &[
    (Whose::Naive, "one class", reference::parts::CODE, false),
    #[cfg(feature = "yours")]
    (Whose::Yours, "four classes, yours", yours::parts::CODE, true),
    (Whose::Reference, "four classes", reference::parts::CODE, true),
];

pub static SCENE: Scene = Scene {
    name: "classes",
    about: "Four classes of requests, and not enough for all",
    knobs: &[OFFERED],
    figures: &[],
    needs: Some(Needs { step: 3, text: "The storm needs the priorities of step 3." }),
    parameters,
    run: |values| {
        let runs = runs(values)?;
        Ok(Shown::new(&runs, table(&runs)))
    },
};

/// Of each class: how many came, and how many had a good answer.
pub type Classes = [(u64, u64); 4];

pub fn runs(values: &Values) -> anyhow::Result<Runs<Classes>> {
    let times = values.number(&OFFERED) as f64 / 100.0;
    let contestants =
        CONTESTANTS.iter().map(|(whose, name, code, classes)| (*whose, *name, (*code, *classes)));
    Runs::of(values, contestants, |name, (code, classes)| {
        one(name, code, classes, times, values.seed())
    })
}

fn one(
    name: &str,
    code: crate::code::Code,
    classes: bool,
    times: f64,
    seed: u64,
) -> Result<Classes, StormError> {
    let load = Load {
        rate_per_second: times * CAPACITY,
        length: LENGTH,
        good_within: PATIENCE,
        seed,
        ..Load::default()
    };
    let model = Model::new(SERVERS, ServiceTime::Exponential { mean: SERVICE })
        .expect("the constants above make sense");
    let counts = Arc::new(Mutex::new([(0, 0); 4]));
    let its = Arc::clone(&counts);
    storm::run(name, &load, |scene| {
        let work = scene.dependency("work", &model);
        let setting = if classes { SETTING } else { Setting { reserve: 0, ..SETTING } };
        let (serve, _) = (code.server)(setting, seed);
        move |request| {
            let class = OF_TEN[usize::try_from(request.id % 10).expect("below ten")];
            let ask = Ask { class: if classes { class } else { 1 }, deadline: None };
            let (work, counts) = (work.clone(), Arc::clone(&its));
            let served = serve(ask, Box::pin(async move { Ok(work.call().await?) }));
            async move {
                let begun = Instant::now();
                let result = served.await;
                let good = result.is_ok() && begun.elapsed() <= PATIENCE;
                let mut counts = counts.lock().unwrap_or_else(PoisonError::into_inner);
                counts[class].0 += 1;
                counts[class].1 += u64::from(good);
                result
            }
        }
    })?;
    let counts = *counts.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(counts)
}

pub fn percent((came, good): (u64, u64)) -> String {
    format!("{:.1} %", 100.0 * good as f64 / came as f64)
}

pub fn table(runs: &Runs<Classes>) -> Table {
    let names = runs.done().map(|(name, _)| format!("{name}: good"));
    let heads = ["class".to_owned(), "of ten".to_owned()];
    let mut table = Table::new(heads.into_iter().chain(names)).align("lr");
    for (class, name) in NAMES.into_iter().enumerate() {
        let of_ten = OF_TEN.into_iter().filter(|its| *its == class).count();
        let cells = runs.done().map(|(_, classes)| percent(classes[class]));
        table.row([name.to_owned(), of_ten.to_string()].into_iter().chain(cells));
    }
    table
}

pub fn parameters(values: &Values) -> String {
    format!(
        "A server of {CAPACITY} requests/s is offered {} of that for {} s of virtual time. {SERVERS} run at a time, one of these \
         places is the reserve of the highest class, 100 may wait. An answer is good within {} ms. Seed {}.",
        values.show(&OFFERED),
        LENGTH.as_secs(),
        PATIENCE.as_millis(),
        values.seed(),
    )
}
