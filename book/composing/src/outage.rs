//! The storm: one call in a hundred fails by bad luck all the time, and for half a minute all hang.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use lab_kit::{thousands, well_after};
use storm::{Failure, Load, Model, Outage, OutageKind, Report, ServiceTime, StormError};

use crate::orders::{Column, Order, TRY_TIMEOUT, Trouble};
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
    /// How often the dependency did.
    pub refused: u64,
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
        good_within: order.good_within,
        seed,
        ..Load::default()
    };
    let kind = match order.trouble {
        Trouble::Hangs => OutageKind::Hang,
        Trouble::IsSlow => OutageKind::Slow(3.0),
    };
    let outage = Outage { from: OUTAGE.start, to: OUTAGE.end, kind };
    let model = Model::new(SERVERS, ServiceTime::Exponential { mean: SERVICE })
        .and_then(|model| model.with_outage(outage))
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
    let (rejections, refused) =
        kept.map_or((0, 0), |stack| (stack.rejections(), stack.refused.load(Relaxed)));
    Ok(Run { report, rejections, refused })
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
            Column::Before => thousands(self.calls_between(Duration::ZERO..OUTAGE.start)),
            Column::Meanwhile => thousands(self.report.counts_between(OUTAGE).good),
            Column::Refused => thousands(self.refused),
        }
    }

    pub fn calls_in_the_outage(&self) -> u64 {
        self.calls_between(OUTAGE)
    }

    fn calls_between(&self, window: Range<Duration>) -> u64 {
        self.report.dependency(DEPENDENCY).map_or(0, |payments| payments.calls_between(window))
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

    /// Of a dependency that says no to what is too much.
    #[test]
    fn who_may_hear_a_refusal_holds_for_another_seed() {
        let orders = QUESTIONS.iter().find(|question| question.name == "shed").unwrap().orders;
        let runs = |index: usize| run(orders[index], 1).unwrap();
        let answered = |run: &Run| run.report.counts_between(OUTAGE).good;
        let [queue, shed, opened, ignored] = [0, 1, 2, 3].map(|index| answered(&runs(index)));
        assert!(queue * 10 < shed, "without a shedder {queue}, with one {shed}");
        assert!(opened * 4 < shed, "a breaker that counts refusals lets {opened} of {shed}");
        assert!(ignored * 100 > shed * 95, "one that ignores them, {ignored} of {shed}");
        let [none, outside, inside] = [5, 6, 7].map(|index| runs(index).refused);
        assert!(outside * 10 > none * 9, "a throttle around the retries: {outside} of {none}");
        assert!(inside * 2 < none, "a throttle inside of them: {inside} of {none}");
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
