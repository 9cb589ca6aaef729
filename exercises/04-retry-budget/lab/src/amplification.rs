//! Services in a row, each of which makes up to three tries, and a dependency at the end that is down.

use std::fmt::Write as _;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use storm::{
    Dependency, Failure, Load, Model, Outage, OutageKind, ServiceTime, StormError, thousands,
};

use crate::policy::{Guard, Policy};

pub const DEPTHS: std::ops::RangeInclusive<usize> = 1..=5;
const REQUESTS_PER_SECOND: f64 = 100.0;
const LENGTH: Duration = Duration::from_secs(20);
/// Three tries are one and two retries.
const MAX_RETRIES: u32 = 2;

/// Calls that reach the dependency for each request of a user, behind so many layers.
pub fn run(policy: Policy, depth: usize, seed: u64) -> Result<f64, StormError> {
    let load =
        Load { rate_per_second: REQUESTS_PER_SECOND, length: LENGTH, seed, ..Load::default() };
    let down = Outage { from: Duration::ZERO, to: 2 * LENGTH, kind: OutageKind::Refuse };
    let model = Model::new(1, ServiceTime::Constant(Duration::from_millis(1)))
        .and_then(|model| model.with_outage(down))
        .expect("the constants above make sense");
    let report = storm::run(policy.name(), &load, |scene| {
        let dependency = scene.dependency("database", &model);
        let layers: Arc<[Guard]> = (0..depth).map(|_| policy.guard()).collect();
        move |_request| {
            let (layers, dependency) = (Arc::clone(&layers), dependency.clone());
            async move { call(&layers, &dependency).await }
        }
    })?;
    let calls = report.dependency("database").map_or(0, storm::DependencyReport::calls);
    Ok(calls as f64 / report.counts().offered as f64)
}

/// What the first of these layers makes of one call.
fn call<'a>(
    layers: &'a [Guard],
    dependency: &'a Dependency,
) -> Pin<Box<dyn Future<Output = Result<(), Failure>> + Send + 'a>> {
    Box::pin(async move {
        match layers {
            [] => Ok(dependency.call().await?),
            [first, below @ ..] => first.call(MAX_RETRIES, || call(below, dependency)).await,
        }
    })
}

/// A row for each depth, a column for each policy, as text for a terminal.
pub fn table(policies: &[Policy], seed: u64) -> String {
    let mut text = format!("{:<8}", "layers");
    for policy in policies {
        let _ = write!(text, "{:>20}", policy.name());
    }
    text.push('\n');
    let mut missing = String::new();
    for depth in DEPTHS {
        let _ = write!(text, "{depth:<8}");
        for policy in policies {
            let cell = match run(*policy, depth, seed) {
                Ok(calls) => number(calls),
                Err(StormError::ClientPanicked { name, message }) => {
                    missing = format!("\n{name}: not there yet: {message}\n");
                    "-".to_owned()
                }
                Err(error) => error.to_string(),
            };
            let _ = write!(text, "{cell:>20}");
        }
        text.push('\n');
    }
    text + &missing
}

pub fn number(calls: f64) -> String {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a whole count")]
    if calls.fract() == 0.0 { thousands(calls as u64) } else { format!("{calls:.2}") }
}

pub fn parameters() -> String {
    format!(
        "Calls that reach a dependency for each request of a user, behind 1 to 5 layers that make up to \
         {} tries each. {REQUESTS_PER_SECOND} requests/s for {} s of virtual time; every call fails. \
         Each layer has a budget of its own, without a floor.",
        MAX_RETRIES + 1,
        LENGTH.as_secs(),
    )
}
