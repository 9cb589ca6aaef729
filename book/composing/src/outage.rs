//! The storm: one call in a hundred fails by bad luck all the time, and for half a minute all hang.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use lab_kit::{thousands, well_after};
use storm::{Failure, Load, Model, Outage, OutageKind, Report, ServiceTime, StormError};

use crate::orders::{Column, Order, TRY_TIMEOUT};
use crate::stack::{Answer, DEADLINE, Fault, MAX_ATTEMPTS, OPEN_FOR, Stack};

pub const LENGTH: Duration = Duration::from_secs(180);
pub const OUTAGE: Range<Duration> = Duration::from_secs(60)..Duration::from_secs(90);
pub const DEPENDENCY: &str = "payments";
const REQUESTS_PER_SECOND: f64 = 280.0;
const SERVERS: u32 = 20;
const SERVICE: Duration = Duration::from_millis(50);

/// What one order came to.
pub struct Run {
    pub report: Report,
    /// How often the breaker turned a call away.
    pub rejections: u64,
}

/// Runs the storm through the layers of `order`.
pub fn run(order: Order, seed: u64) -> Result<Run, StormError> {
    run_by(order, seed, |stack, id| async move { stack.request(id).await })
}

/// Runs the storm through what `request` makes of the layers of `order`.
pub fn run_by<F>(
    order: Order,
    seed: u64,
    request: impl Fn(Arc<Stack>, u64) -> F,
) -> Result<Run, StormError>
where
    F: Future<Output = Result<Answer, Fault>> + Send + 'static,
{
    let load = Load {
        rate_per_second: REQUESTS_PER_SECOND,
        length: LENGTH,
        good_within: DEADLINE,
        seed,
        ..Load::default()
    };
    let hang = Outage { from: OUTAGE.start, to: OUTAGE.end, kind: OutageKind::Hang };
    let model = Model::new(SERVERS, ServiceTime::Exponential { mean: SERVICE })
        .and_then(|model| model.with_outage(hang))
        .expect("the constants above make sense");
    let mut kept = None;
    let report = storm::run(&order.name(), &load, |scene| {
        let stack = Arc::new(Stack::new(order, seed, scene.dependency(DEPENDENCY, &model)));
        kept = Some(Arc::clone(&stack));
        move |asked| {
            let answer = request(Arc::clone(&stack), asked.id);
            async move {
                match answer.await {
                    Ok(Answer::Full) => Ok(()),
                    // storm has no word for it: the user got something, and not what was asked for.
                    Ok(Answer::Fallback) => Err(Failure::Shed),
                    Err(_) => Err(Failure::Failed),
                }
            }
        }
    })?;
    Ok(Run { report, rejections: kept.map_or(0, |stack| stack.rejections()) })
}

impl Run {
    /// One cell of a table.
    pub fn cell(&self, column: Column) -> String {
        let counts = self.report.counts();
        let seconds = |time: Option<Duration>| {
            time.map_or("–".to_owned(), |time| format!("{:.1}", time.as_secs_f64()))
        };
        match column {
            Column::Calls => thousands(self.calls_in_the_outage()),
            Column::Full => thousands(counts.good),
            Column::Fallbacks => thousands(counts.shed),
            Column::Errors => thousands(counts.failed + counts.late + counts.unfinished),
            Column::Lost => {
                let before = self.report.counts_between(Duration::ZERO..OUTAGE.start);
                let lost = before.offered - before.good;
                format!("{:.2} %", 100.0 * lost as f64 / before.offered as f64)
            }
            Column::Rejections => thousands(self.rejections),
            Column::Wait => seconds(self.report.waits().max()),
            Column::Recovery => self.recovery(),
        }
    }

    pub fn calls_in_the_outage(&self) -> u64 {
        self.report.dependency(DEPENDENCY).map_or(0, |payments| payments.calls_between(OUTAGE))
    }

    /// Seconds from the end of the outage until nearly all requests were answered in full again.
    pub fn recovery(&self) -> String {
        well_after(&self.report, OUTAGE.end)
    }
}

pub fn parameters(seed: u64) -> String {
    format!(
        "{REQUESTS_PER_SECOND} requests/s for {} s of virtual time. The dependency serves {SERVERS} calls at a \
         time, {} ms each on average, and hangs from {} s to {} s. If a row says nothing else, one call in a \
         hundred is refused by bad luck, all the time, and the bulkhead has 30 permits. Timeout {} s a try, deadline \
         {} s, {MAX_ATTEMPTS} attempts with full jitter, a budget of 10 % of the successes, breaker open for {} s. \
         Seed {seed}.",
        LENGTH.as_secs(),
        SERVICE.as_millis(),
        OUTAGE.start.as_secs(),
        OUTAGE.end.as_secs(),
        TRY_TIMEOUT.as_secs(),
        DEADLINE.as_secs(),
        OPEN_FOR.as_secs(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::orders::{QUESTIONS, Question};

    fn calls(name: &str, order: &str, seed: u64) -> u64 {
        let named = |question: &&Question| question.name == name;
        let question = QUESTIONS.iter().find(named).expect("a question of that name");
        let order = question.orders.iter().find(|candidate| candidate.name() == order);
        run(*order.expect("an order of that name"), seed).unwrap().calls_in_the_outage()
    }

    /// The book shows the runs of seed 7; what it concludes from them must not be their luck.
    #[test]
    fn what_the_chapter_concludes_holds_for_other_seeds() {
        for seed in [1, 2] {
            let calls = |question, order| calls(question, order, seed);
            let alone = calls("all", "timeout");
            let in_order =
                calls("all", "fallback › deadline › retry › breaker › bulkhead › timeout");
            assert!(in_order * 100 < alone, "all in order: {in_order} of {alone} calls");

            let inside = calls("breaker", "deadline › retry › breaker › timeout (no budget)");
            let outside = calls("breaker", "deadline › breaker › retry › timeout (no budget)");
            assert!(inside * 10 < alone, "breaker inside the retry: {inside} of {alone} calls");
            assert!(outside > alone, "a deadline blinds a breaker outside the retry: {outside}");

            let blind = calls("blind", "deadline › retry › breaker");
            assert!(blind > alone * 9 / 10, "without a timeout inside: {blind} of {alone} calls");

            let innermost = calls("fallback", "deadline › retry › breaker › fallback › timeout");
            assert!(innermost > alone * 9 / 10, "fallback innermost: {innermost} of {alone} calls");
        }
    }

    /// With bad luck some requests fail early by chance, and the breaker hears of those.
    #[test]
    fn a_breaker_outside_hears_of_failures_only_if_the_tries_fit_into_the_deadline() {
        let rejections = |note: &str| {
            let breaker = QUESTIONS.iter().find(|question| question.name == "breaker").unwrap();
            let order = format!("deadline › breaker › retry › timeout ({note})");
            let order = breaker.orders.iter().find(|candidate| candidate.name() == order).unwrap();
            run(Order { bad_luck: 0.0, ..*order }, 7).unwrap().rejections
        };
        assert_eq!(rejections("no budget"), 0, "tries of a second are dropped at the deadline");
        assert!(rejections("no budget, tries of 550 ms") > 0, "three of these are not");
    }
}
