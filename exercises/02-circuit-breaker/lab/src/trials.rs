//! Trials: a situation for each step from the fourth on, in which a breaker without that step does worse.

use std::future::pending;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use lab_kit::chart::{Chart, Panel};
use lab_kit::{Comparison, Knob, Needs, Runs, Scene, Shown, Table, Trial, Values};
use storm::{
    Dependency, Failure, Load, Model, Outage, OutageKind, Report, ServiceTime, StormError,
};
use tokio::time::{Instant, sleep, timeout};

use crate::outage::states;
use crate::{Call, Fault, GUARDS, MakeGuard, Setting};

const LENGTH: Duration = Duration::from_secs(90);
const TROUBLE: Range<Duration> = Duration::from_secs(30)..Duration::from_secs(60);
const DEPENDENCY: &str = "payments";
const REQUESTS_PER_SECOND: f64 = 100.0;
const SERVERS: u32 = 20;
const SERVICE: Duration = Duration::from_millis(50);
/// How long a client waits for the replica that hangs.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long a caller waits for the call and its breaker.
const CALLER: Duration = Duration::from_millis(500);
const SECOND: Duration = Duration::from_secs(1);

/// What happens in a trial, and what is counted.
struct Situation {
    count: fn(&Report) -> u64,
    setting: Setting,
    /// What the dependency does with a call.
    call: fn(&Arc<World>) -> Call,
    /// Whether callers drop the call when they have waited long enough.
    callers_give_up: bool,
}

const TRIALS: [Trial<Situation>; 5] = [
    Trial {
        name: "half-failing",
        step: 4,
        question: "One of two replicas hangs for half a minute. How many callers wait for it in vain?",
        counted: "waited a second, and failed",
        situation: Situation {
            count: |report| report.counts().failed,
            setting: Setting { by_rate_alone: true, ..Setting::open_for(Duration::from_secs(5)) },
            call: |world| {
                let turn = world.calls.fetch_add(1, Relaxed);
                if world.in_trouble() && turn.is_multiple_of(2) {
                    return Box::pin(async {
                        sleep(PATIENCE).await;
                        Err(Fault::Failed)
                    });
                }
                world.well()
            },
            callers_give_up: false,
        },
    },
    Trial {
        name: "late",
        step: 5,
        question: "Calls of four bad seconds fail twelve seconds later. Who pays for it?",
        counted: "turned away from a dependency that is well",
        situation: Situation {
            count: |report| report.counts().shed,
            setting: Setting::open_for(SECOND),
            call: |world| {
                if (30..34).contains(&world.start.elapsed().as_secs()) {
                    return Box::pin(async {
                        sleep(Duration::from_secs(12)).await;
                        Err(Fault::Failed)
                    });
                }
                world.well()
            },
            callers_give_up: false,
        },
    },
    Trial {
        name: "hung-probes",
        step: 5,
        question: "For five seconds calls are never answered, probes neither. When is that over?",
        counted: "turned away",
        situation: Situation {
            count: |report| report.counts().shed,
            setting: Setting { probe_lease: Duration::from_secs(5), ..Setting::open_for(SECOND) },
            call: |world| match world.start.elapsed().as_secs() {
                30 => Box::pin(async { Err(Fault::Failed) }),
                31..36 => Box::pin(pending()),
                _ => world.well(),
            },
            callers_give_up: false,
        },
    },
    Trial {
        name: "cancelled",
        step: 6,
        question: "The dependency hangs, and callers drop their calls. How many calls does it still get?",
        counted: "calls reaching a dependency that hangs",
        situation: Situation {
            count: |report| {
                report.dependency(DEPENDENCY).map_or(0, |payments| payments.calls_between(TROUBLE))
            },
            setting: Setting {
                slow_after: Some(Duration::from_millis(300)),
                ..Setting::open_for(Duration::from_secs(5))
            },
            call: World::well,
            callers_give_up: true,
        },
    },
    Trial {
        name: "not-found",
        step: 6,
        question: "For half a minute all that is asked for is unknown: 404. Is the dependency unwell?",
        counted: "turned away from a dependency that is well",
        situation: Situation {
            count: |report| report.counts().shed,
            setting: Setting {
                ignores_not_found: true,
                ..Setting::open_for(Duration::from_secs(5))
            },
            call: |world| {
                let (well, in_trouble) = (world.well(), world.in_trouble());
                Box::pin(async move { if in_trouble { Err(Fault::NotFound) } else { well.await } })
            },
            callers_give_up: false,
        },
    },
];

const TRIAL: Knob = Knob::choice(
    "trial",
    "What does each step from the fourth on protect from?",
    &[
        ("all", "each trial, with the one number that tells"),
        (TRIALS[0].name, TRIALS[0].question),
        (TRIALS[1].name, TRIALS[1].question),
        (TRIALS[2].name, TRIALS[2].question),
        (TRIALS[3].name, TRIALS[3].question),
        (TRIALS[4].name, TRIALS[4].question),
    ],
);

pub static SCENE: Scene = Scene {
    name: "trials",
    about: "Situations that steps 4 to 6 are for; the numbers count what is bad",
    knobs: &[TRIAL],
    figures: &[],
    needs: Some(Needs {
        step: 3,
        text: "The trials need a breaker that probes (step 3); the last needs `call_classified` (step 6).",
    }),
    parameters,
    run: |values| {
        let chosen = values.choice(&TRIAL);
        match TRIALS.iter().find(|trial| trial.name == chosen) {
            Some(trial) => {
                let runs = runs(trial, values)?;
                Ok(Shown::new(&runs, table(trial, &runs)).chart(chart(trial, &runs, values)))
            }
            None => Trial::all(&TRIALS, values, GUARDS, |trial, name, guard| {
                let report = one(&trial.situation, name, guard, values)?;
                Ok((trial.situation.count)(&report))
            }),
        }
    },
};

/// What the calls of one trial share.
struct World {
    start: Instant,
    payments: Dependency,
    calls: AtomicU64,
}

impl World {
    fn in_trouble(&self) -> bool {
        TROUBLE.contains(&self.start.elapsed())
    }

    /// The dependency answers when it has done the work.
    fn well(self: &Arc<Self>) -> Call {
        let payments = self.payments.clone();
        Box::pin(async move { payments.call().await.map_err(|_| Fault::Failed) })
    }
}

fn runs(trial: &Trial<Situation>, values: &Values) -> anyhow::Result<Runs<Report>> {
    Runs::of(values, GUARDS.iter().copied(), |name, guard| {
        one(&trial.situation, name, guard, values)
    })
}

fn one(
    situation: &Situation,
    name: &str,
    guard: MakeGuard,
    values: &Values,
) -> Result<Report, StormError> {
    let load = Load {
        rate_per_second: REQUESTS_PER_SECOND,
        length: LENGTH,
        seed: values.seed(),
        ..Load::default()
    };
    let mut model = Model::new(SERVERS, ServiceTime::Exponential { mean: SERVICE });
    if situation.callers_give_up {
        let hang = Outage { from: TROUBLE.start, to: TROUBLE.end, kind: OutageKind::Hang };
        model = model.and_then(|model| model.with_outage(hang));
    }
    let model = model.expect("the constants above make sense");
    storm::run(name, &load, |scene| {
        let payments = scene.dependency(DEPENDENCY, &model);
        let calls = AtomicU64::new(0);
        let world = Arc::new(World { start: Instant::now(), payments, calls });
        let guard = guard(situation.setting, values.seed(), &scene.timeline());
        let (call, gives_up) = (situation.call, situation.callers_give_up);
        move |_request| {
            let world = Arc::clone(&world);
            // The call begins when it is let through.
            let request = guard(Box::pin(async move { call(&world).await }));
            async move {
                let limit = if gives_up { CALLER } else { LENGTH };
                timeout(limit, request).await.unwrap_or(Err(Failure::Failed))
            }
        }
    })
}

fn table(trial: &Trial<Situation>, runs: &Runs<Report>) -> Table {
    Comparison::new(runs.done())
        .counts(trial.counted, trial.situation.count)
        .outcomes()
        .waits()
        .table()
}

fn chart(trial: &Trial<Situation>, runs: &Runs<Report>, values: &Values) -> Chart {
    let strip = Panel::states("state of the breaker", ["closed", "half-open", "open"]);
    let with_states = runs.done().filter(|(_, report)| states(report).next().is_some());
    let strip = with_states.fold(strip, |strip, (name, report)| strip.steps(name, states(report)));
    Chart::new("breaker-trial", trial.name, LENGTH)
        .command(&values.command())
        .band(TROUBLE.start, TROUBLE.end, "trouble")
        .panel(
            Panel::new("goodput, requests/s")
                .lines(runs.done(), |report| report.per_second(|second| second.counts.good as f64)),
        )
        .panel(strip)
}

fn parameters(values: &Values) -> String {
    let chosen = values.choice(&TRIAL);
    format!(
        "{REQUESTS_PER_SECOND} requests/s for {} s of virtual time; the trouble begins at {} s. Trial: {chosen}. \
         Seed {}.",
        LENGTH.as_secs(),
        TROUBLE.start.as_secs(),
        values.seed(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_knob_names_every_trial() {
        let lab_kit::Range::Choice { of } = TRIAL.values else { panic!("names") };
        let names = TRIALS.iter().map(|trial| (trial.name, trial.question));
        assert_eq!(of[1..], names.collect::<Vec<_>>());
    }

    /// The reference is up to every trial; without the step that a trial is for, it would be as bad as it can be.
    #[test]
    fn the_reference_is_up_to_each_trial() {
        let values = crate::LAB.defaults().scene(&SCENE);
        let (_, name, guard) = GUARDS.last().unwrap();
        let bounds = [300, 250, 800, 400, 0];
        for (trial, most) in TRIALS.iter().zip(bounds) {
            let count =
                (trial.situation.count)(&one(&trial.situation, name, *guard, &values).unwrap());
            assert!(count <= most, "{}: {count} {}", trial.name, trial.counted);
        }
    }
}
