//! `cargo xtask lab __ID__`: a dependency that hangs for ten seconds, met without a limit, with yours, and with the
//! reference, in virtual time.

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use lab_kit::{Comparison, Knob, Lab, Needs, Runs, Scene, Shown, Table, Values, Whose};
use storm::{
    Dependency, Failure, Load, Model, Outage, OutageKind, Report, ServiceTime, StormError,
};
use tokio::time::timeout;

/// Whether another call may begin: of so many that run, against a limit.
type Admits = fn(usize, usize) -> bool;

const SUBJECTS: &[(Whose, &str, Admits)] = &[
    (Whose::Naive, "naive", |_, _| true),
    #[cfg(feature = "yours")]
    (Whose::Yours, "yours", __CRATE__::admits),
    (Whose::Reference, "reference", __CRATE___solution::admits),
];

const LENGTH: Duration = Duration::from_secs(60);
const HANGS_FROM: Duration = Duration::from_secs(20);
const HANGS_TO: Duration = Duration::from_secs(30);
const PATIENCE: Duration = Duration::from_secs(1);
const REQUESTS_PER_SECOND: f64 = 280.0;
const SERVERS: u32 = 20;
const SERVICE: Duration = Duration::from_millis(50);

const LIMIT: Knob = Knob::number("limit", "How many calls run at a time?", 1..=1000, 40, "calls");

static LAB: Lab = Lab {
    name: "__ID__",
    about: "An outage met without a limit, with yours, and with the reference, under one seed",
    scenes: &[&OUTAGE],
    figures: None,
    toys: &[],
};

static OUTAGE: Scene = Scene {
    name: "outage",
    about: "A dependency that hangs for ten seconds",
    knobs: &[LIMIT],
    figures: &[],
    needs: Some(Needs { step: 1, text: "The storm needs `admits` (step 1)." }),
    parameters,
    run: |values| {
        let mut runs = Runs::new(values);
        for (whose, name, admits) in SUBJECTS {
            runs.run(*whose, name, || one(name, *admits, values))?;
        }
        Ok(Shown::new(&runs, table(&runs)))
    },
};

fn main() -> ExitCode {
    lab_kit::main(&LAB)
}

fn parameters(values: &Values) -> String {
    format!(
        "{REQUESTS_PER_SECOND} requests/s for {} s of virtual time; a client gives up after {} s. The dependency \
         serves {SERVERS} calls at a time, {} ms each on average, and hangs from {} s to {} s. The limit is {}. \
         Seed {}.",
        LENGTH.as_secs(),
        PATIENCE.as_secs(),
        SERVICE.as_millis(),
        HANGS_FROM.as_secs(),
        HANGS_TO.as_secs(),
        values.show(&LIMIT),
        values.seed(),
    )
}

fn one(name: &str, admits: Admits, values: &Values) -> Result<Report, StormError> {
    let load = Load {
        rate_per_second: REQUESTS_PER_SECOND,
        length: LENGTH,
        good_within: PATIENCE,
        seed: values.seed(),
        ..Load::default()
    };
    let hang = Outage { from: HANGS_FROM, to: HANGS_TO, kind: OutageKind::Hang };
    let model = Model::new(SERVERS, ServiceTime::Exponential { mean: SERVICE })
        .and_then(|model| model.with_outage(hang))
        .expect("the constants above make sense");
    let limit = usize::try_from(values.number(&LIMIT)).expect("the knob has a range");
    storm::run(name, &load, |scene| {
        let dependency = scene.dependency("dependency", &model);
        let running = Arc::new(AtomicUsize::new(0));
        move |_request| call(dependency.clone(), Arc::clone(&running), admits, limit)
    })
}

async fn call(
    dependency: Dependency,
    running: Arc<AtomicUsize>,
    admits: Admits,
    limit: usize,
) -> Result<(), Failure> {
    if !admits(running.load(Ordering::Relaxed), limit) {
        return Err(Failure::Shed);
    }
    running.fetch_add(1, Ordering::Relaxed);
    let outcome = timeout(PATIENCE, dependency.call()).await;
    running.fetch_sub(1, Ordering::Relaxed);
    match outcome {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) | Err(_) => Err(Failure::Failed),
    }
}

fn table(runs: &Runs<Report>) -> Table {
    Comparison::new(runs.done())
        .outcomes()
        .waits()
        .well_after("recovered after the outage, s", HANGS_TO)
        .table()
}
