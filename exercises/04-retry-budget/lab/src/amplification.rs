//! Services in a row, each of which makes up to three tries, and a dependency at the end that is down.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use lab_kit::chart::{Chart, Panel};
use lab_kit::{Runs, Scene, Shown, Table, Values, thousands};
use storm::{Dependency, Load, Model, Outage, OutageKind, ServiceTime, StormError};

use crate::NEEDS;
#[cfg(feature = "yours")]
use crate::policy::YOUR_REQUESTS;
use crate::policy::{Guard, NO_RETRIES, Policy, REQUESTS, Try, UNBOUNDED};

const POLICIES: &[Policy] = &[
    NO_RETRIES,
    #[cfg(feature = "yours")]
    YOUR_REQUESTS,
    REQUESTS,
    UNBOUNDED,
];
const DEPTHS: RangeInclusive<usize> = 1..=5;
const REQUESTS_PER_SECOND: f64 = 100.0;
const LENGTH: Duration = Duration::from_secs(20);
/// Three tries are one and two retries.
const MAX_RETRIES: u32 = 2;

pub static SCENE: Scene = Scene {
    name: "amplification",
    about: "How retries multiply with the depth of a system",
    knobs: &[],
    figures: &["amplification"],
    needs: Some(NEEDS),
    parameters,
    run: |values| {
        let runs = runs(values)?;
        Ok(Shown::new(&runs, table(&runs)).chart(chart(&runs, values)))
    },
};

/// Calls that reach the dependency for each request of a user, by depth.
pub type ByDepth = Vec<(usize, f64)>;

pub fn runs(values: &Values) -> anyhow::Result<Runs<ByDepth>> {
    let policies = POLICIES.iter().map(|policy| (policy.whose, policy.name, policy));
    Runs::of(values, policies, |_, policy| {
        let by_depth = DEPTHS.map(|depth| Ok((depth, one(policy, depth, values.seed())?)));
        by_depth.collect::<Result<_, StormError>>()
    })
}

/// Calls that reach the dependency for each request of a user, behind so many layers.
fn one(policy: &Policy, depth: usize, seed: u64) -> Result<f64, StormError> {
    let load =
        Load { rate_per_second: REQUESTS_PER_SECOND, length: LENGTH, seed, ..Load::default() };
    let down = Outage { from: Duration::ZERO, to: 2 * LENGTH, kind: OutageKind::Refuse };
    let model = Model::new(1, ServiceTime::Constant(Duration::from_millis(1)))
        .and_then(|model| model.with_outage(down))
        .expect("the constants above make sense");
    let report = storm::run(policy.name, &load, |scene| {
        let dependency = scene.dependency("database", &model);
        let layers: Vec<Guard> = (0..depth).map(|_| (policy.guard)()).collect();
        move |_request| call(&layers, &dependency)
    })?;
    let calls = report.dependency("database").map_or(0, storm::DependencyReport::calls);
    Ok(calls as f64 / report.counts().offered as f64)
}

/// What the first of these layers makes of one call.
fn call(layers: &[Guard], dependency: &Dependency) -> Try {
    let dependency = dependency.clone();
    match layers {
        [] => Box::pin(async move { Ok(dependency.call().await?) }),
        [first, below @ ..] => {
            let below = below.to_vec();
            first(MAX_RETRIES, Arc::new(move || call(&below, &dependency)))
        }
    }
}

/// A row for each depth, a column for each policy.
pub fn table(runs: &Runs<ByDepth>) -> Table {
    let names = runs.done().map(|(name, _)| name);
    let mut table = Table::new(["layers"].into_iter().chain(names)).align("r");
    for (index, depth) in DEPTHS.enumerate() {
        let cells = runs.done().map(|(_, by_depth)| number(by_depth[index].1));
        table.row([depth.to_string()].into_iter().chain(cells));
    }
    table
}

fn chart(runs: &Runs<ByDepth>, values: &Values) -> Chart {
    let calls = Panel::new("calls for each request").log();
    let points =
        |calls: &ByDepth| calls.iter().map(|(depth, calls)| (*depth as f64, *calls)).collect();
    Chart::new("amplification", "Calls for one request, by depth", Duration::from_secs(6))
        .command(&values.command())
        .across("layers above the dependency")
        .panel(calls.lines(runs.done(), points))
}

pub fn number(calls: f64) -> String {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a whole count")]
    if calls.fract() == 0.0 { thousands(calls as u64) } else { format!("{calls:.2}") }
}

pub fn parameters(_: &Values) -> String {
    format!(
        "Calls that reach a dependency for each request of a user, behind 1 to 5 layers that make up to \
         {} tries each. {REQUESTS_PER_SECOND} requests/s for {} s of virtual time; every call fails. \
         Each layer has a budget of its own, without a floor.",
        MAX_RETRIES + 1,
        LENGTH.as_secs(),
    )
}
