//! The breaker against a second, plainer one: whatever callers, time and operators do, in whatever
//! order, the two agree on every answer. The model keeps every result of an era in a list and counts
//! them again each time; it knows no permits, no streak and no ring.

use std::time::Duration;

use proptest::prelude::*;
use tokio::time::{Instant, advance};

// Of whatever breaker the test file that includes this has.
use crate::{CircuitBreaker, Config, Outcome, Permit, Rejected, State};

#[derive(Debug, Clone, Copy)]
enum Step {
    /// Somebody asks for a permit.
    Acquire,
    /// The call with this index (modulo those that run) ends; `None` drops its permit.
    End(usize, Option<Outcome>),
    /// Time passes.
    Wait(Duration),
    ForceOpen,
    Reset,
}

#[derive(Debug, Clone, Copy)]
enum Era {
    Closed,
    Open(Instant),
    HalfOpen(Instant),
    Forced,
}

struct Call {
    era: usize,
    started: Instant,
}

struct Model {
    config: Config,
    /// The kind of each era so far; the last is the present one.
    eras: Vec<Era>,
    /// What counted in the present era.
    results: Vec<Outcome>,
    running: Vec<Call>,
}

impl Model {
    fn present(&self) -> usize {
        self.eras.len() - 1
    }

    fn probes(&self) -> impl Iterator<Item = &Call> {
        self.running.iter().filter(|call| call.era == self.present())
    }

    fn begin(&mut self, era: Era) {
        self.eras.push(era);
        self.results.clear();
    }

    fn let_time_pass(&mut self, now: Instant) {
        match self.eras[self.present()] {
            Era::Open(since) if now >= since + self.config.open_for => {
                self.begin(Era::HalfOpen(now));
            }
            Era::HalfOpen(last)
                if self.probes().count() > 0 && now >= last + self.config.probe_lease =>
            {
                self.begin(Era::Open(now));
            }
            _ => {}
        }
    }

    fn acquire(&mut self, now: Instant) -> Result<(), Rejected> {
        let present = self.present();
        match self.eras[present] {
            Era::Open(since) => {
                return Err(Rejected::Open { retry_after: since + self.config.open_for - now });
            }
            Era::Forced => return Err(Rejected::ForcedOpen),
            Era::HalfOpen(_)
                if self.probes().count() == self.config.half_open_max_calls as usize =>
            {
                return Err(Rejected::ProbesOut);
            }
            Era::HalfOpen(_) => self.eras[present] = Era::HalfOpen(now),
            Era::Closed => {}
        }
        self.running.push(Call { era: present, started: now });
        Ok(())
    }

    fn end(&mut self, index: usize, outcome: Option<Outcome>, now: Instant) {
        let call = self.running.remove(index);
        if call.era != self.present() {
            return;
        }
        let slow = self.config.slow_call_threshold.is_some_and(|slow| now >= call.started + slow);
        match (outcome, slow) {
            (Some(Outcome::Failure), _) | (Some(Outcome::Success) | None, true) => {
                self.results.push(Outcome::Failure);
            }
            (Some(Outcome::Success), false) => self.results.push(Outcome::Success),
            (Some(Outcome::Ignored), _) | (None, false) => return,
        }
        let failures = |results: &[Outcome]| {
            results.iter().filter(|outcome| **outcome == Outcome::Failure).count()
        };
        let streak = self.results.iter().rev().take_while(|o| **o == Outcome::Failure).count();
        let window = &self.results[self.results.len().saturating_sub(self.config.window_size)..];
        let rate = failures(window) as f64 / window.len() as f64;
        match self.eras[self.present()] {
            Era::Closed
                if streak >= self.config.failure_threshold as usize
                    || window.len() >= self.config.min_calls
                        && rate >= self.config.failure_rate_threshold =>
            {
                self.begin(Era::Open(now));
            }
            Era::HalfOpen(_) if streak > 0 => self.begin(Era::Open(now)),
            Era::HalfOpen(_) if self.results.len() == self.config.success_threshold as usize => {
                self.begin(Era::Closed);
            }
            _ => {}
        }
    }

    fn state(&self) -> State {
        match self.eras[self.present()] {
            Era::Closed => State::Closed,
            Era::Open(_) => State::Open,
            Era::HalfOpen(_) => State::HalfOpen,
            Era::Forced => State::ForcedOpen,
        }
    }
}

fn run(config: &Config, steps: Vec<Step>) -> Result<(), TestCaseError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let breaker = CircuitBreaker::new(config.clone()).expect("a valid configuration");
        let (config, eras) = (config.clone(), vec![Era::Closed]);
        let mut model = Model { config, eras, results: Vec::new(), running: Vec::new() };
        let mut permits: Vec<Permit> = Vec::new();
        for step in steps {
            let now = Instant::now();
            model.let_time_pass(now);
            match step {
                Step::Acquire => {
                    let (real, expected) = (breaker.try_acquire(), model.acquire(now));
                    prop_assert_eq!(real.as_ref().map(|_| ()).map_err(|why| *why), expected);
                    permits.extend(real);
                }
                Step::End(index, outcome) if !permits.is_empty() => {
                    let index = index % permits.len();
                    let permit = permits.remove(index);
                    match outcome {
                        Some(outcome) => permit.record(outcome),
                        None => drop(permit),
                    }
                    model.end(index, outcome, now);
                }
                Step::End(..) => {}
                Step::Wait(time) => advance(time).await,
                Step::ForceOpen => {
                    breaker.force_open();
                    model.begin(Era::Forced);
                }
                Step::Reset => {
                    breaker.reset();
                    model.begin(Era::Closed);
                }
            }
            model.let_time_pass(Instant::now());
            let snapshot = breaker.snapshot();
            prop_assert_eq!(snapshot.state, model.state(), "after {:?}", step);
            prop_assert_eq!(snapshot.era, model.present() as u64, "after {:?}", step);
            let counts = snapshot.counts;
            let ended = counts.succeeded + counts.failed + counts.ignored + counts.late;
            prop_assert_eq!(counts.admitted, ended + permits.len() as u64, "after {:?}", step);
        }
        Ok(())
    })
}

fn outcome() -> impl Strategy<Value = Option<Outcome>> {
    prop_oneof![
        4 => Just(Some(Outcome::Failure)),
        4 => Just(Some(Outcome::Success)),
        1 => Just(Some(Outcome::Ignored)),
        1 => Just(None),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        40 => Just(Step::Acquire),
        40 => (any::<usize>(), outcome()).prop_map(|(index, outcome)| Step::End(index, outcome)),
        12 => (0..=8_u64).prop_map(|s| Step::Wait(Duration::from_secs(s))),
        1 => Just(Step::ForceOpen),
        1 => Just(Step::Reset),
    ]
}

fn config() -> impl Strategy<Value = Config> {
    let counts = (1..=4_u32, 1..=4_u32, 1..=3_u32, 1..=6_usize, 1..=6_usize);
    let times = (1..=6_u64, 1..=6_u64, proptest::option::of(1..=6_u64));
    (counts, times, prop::sample::select(vec![0.25, 0.5, 2.0 / 3.0, 1.0])).prop_map(
        |((failures, probes, successes, calls, more), (open, lease, slow), rate)| Config {
            failure_threshold: failures,
            failure_rate_threshold: rate,
            window_size: calls + more,
            min_calls: calls,
            open_for: Duration::from_secs(open),
            open_jitter: 0.0,
            half_open_max_calls: probes,
            success_threshold: successes,
            probe_lease: Duration::from_secs(lease),
            slow_call_threshold: slow.map(Duration::from_secs),
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn it_does_what_the_plain_model_does(
        config in config(),
        steps in prop::collection::vec(step(), 0..120),
    ) {
        run(&config, steps)?;
    }
}
