//! A breaker to touch: call by call, and five seconds at a time.

use std::cell::{Cell, RefCell};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use circuit_breaker_solution::{CircuitBreaker, Config, Outcome, Permit, Rejected, State};
use lab_kit::{Play, Seen, Toy};
use tokio::runtime;
use tokio::time::{Instant, advance};

/// What time goes by in.
const TICK: Duration = Duration::from_secs(5);
/// So many calls may be out at once: two tell all there is to tell.
const OUT: usize = 2;
const WINDOW: usize = 5;

pub static TOY: Toy = Toy {
    name: "breaker",
    about: "A breaker, call by call",
    play: Play::Actions {
        of: &[
            ("succeed", "A call succeeds"),
            ("fail", "A call fails"),
            ("slow", "A call succeeds after 5 s"),
            ("begin", "Begin a call"),
            ("return", "The oldest call out succeeds"),
            ("break", "The oldest call out fails"),
            ("drop", "Drop the oldest call out"),
            ("wait", "+5 s"),
        ],
        example: &[
            "fail", "begin", "fail", "fail", "succeed", "wait", "wait", "return", "succeed",
            "succeed",
        ],
        seen,
    },
    sheet: None,
};

fn config() -> Config {
    Config {
        failure_threshold: 3,
        failure_rate_threshold: 0.6,
        min_calls: WINDOW,
        window_size: WINDOW,
        open_for: 2 * TICK,
        half_open_max_calls: 2,
        success_threshold: 2,
        probe_lease: 4 * TICK,
        slow_call_threshold: Some(Duration::from_secs(2)),
        ..Config::default()
    }
}

fn seen(actions: &[usize]) -> anyhow::Result<Seen> {
    let runtime =
        runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?;
    runtime.block_on(async {
        let changes = Arc::new(Mutex::new(Vec::new()));
        let told = Arc::clone(&changes);
        let breaker = CircuitBreaker::seeded(config(), 7)?.on_transition(move |change| {
            told.lock().unwrap_or_else(PoisonError::into_inner).push(change.to_string());
        });
        let played = Played {
            breaker: &breaker,
            out: RefCell::default(),
            results: RefCell::default(),
            admitted: Cell::new(Instant::now()),
        };
        let mut said =
            "Closed: every call is let through. It opens after 3 failures in a row, or when 3 of \
                        the last 5 calls failed; a call of 2 s or more is a failure."
                .to_owned();
        for action in actions {
            changes.lock().unwrap_or_else(PoisonError::into_inner).clear();
            said = played.act(*action).await;
            // Time takes effect when somebody looks.
            breaker.state();
            for change in changes.lock().unwrap_or_else(PoisonError::into_inner).iter() {
                played.results.borrow_mut().clear();
                said = format!("{said} {change}.");
            }
        }
        Ok(played.seen(&said))
    })
}

struct Played<'a> {
    breaker: &'a CircuitBreaker,
    /// Permits of calls that have not ended, with the era and the moment in which they began.
    out: RefCell<Vec<(Permit<'a>, u64, Instant)>>,
    /// The results that were believed since the last transition, as the window has them.
    results: RefCell<Vec<bool>>,
    /// When a call was let through last: the lease of probes begins there.
    admitted: Cell<Instant>,
}

impl Played<'_> {
    async fn act(&self, action: usize) -> String {
        match action {
            0 => self.call(Outcome::Success, Duration::ZERO, "A call succeeds.").await,
            1 => self.call(Outcome::Failure, Duration::ZERO, "A call fails.").await,
            2 => {
                let said = "A call succeeds, after 5 s: too slow, so it counts as a failure.";
                self.call(Outcome::Success, TICK, said).await
            }
            3 => self.begin(),
            4 => self.end(Some(Outcome::Success), "succeeds"),
            5 => self.end(Some(Outcome::Failure), "fails"),
            6 => self.end(None, "is dropped"),
            _ => {
                advance(TICK).await;
                "Five seconds pass.".to_owned()
            }
        }
    }

    async fn call(&self, outcome: Outcome, takes: Duration, said: &str) -> String {
        match self.breaker.try_acquire() {
            Ok(permit) => {
                self.admitted.set(Instant::now());
                let era = self.breaker.snapshot().era;
                advance(takes).await;
                // Had the breaker changed meanwhile, this result would be late.
                if self.breaker.snapshot().era == era {
                    self.believe(outcome == Outcome::Success && takes.is_zero());
                }
                permit.record(outcome);
                said.to_owned()
            }
            Err(rejected) => refusal(rejected),
        }
    }

    fn begin(&self) -> String {
        if self.out.borrow().len() == OUT {
            return "Two calls are out already: end one of them first.".to_owned();
        }
        match self.breaker.try_acquire() {
            Ok(permit) => {
                self.admitted.set(Instant::now());
                let era = self.breaker.snapshot().era;
                self.out.borrow_mut().push((permit, era, Instant::now()));
                format!("A call is let through in era {era}, and takes its time.")
            }
            Err(rejected) => refusal(rejected),
        }
    }

    fn end(&self, outcome: Option<Outcome>, how: &str) -> String {
        if self.out.borrow().is_empty() {
            return "No call is out: begin one first.".to_owned();
        }
        let (permit, era, began) = self.out.borrow_mut().remove(0);
        let before = self.breaker.snapshot();
        let slow = began.elapsed() >= TICK;
        match outcome {
            Some(outcome) => permit.record(outcome),
            None => drop(permit),
        }
        let counts = self.breaker.snapshot().counts;
        if counts.late > before.counts.late {
            return format!(
                "A call of era {era} {how}. It is late: it saw the dependency before the last \
                 transition, and is not believed."
            );
        }
        if counts.ignored > before.counts.ignored {
            return format!("The call {how}, and says nothing about the dependency.");
        }
        let succeeded = counts.succeeded > before.counts.succeeded;
        self.believe(succeeded);
        let slowly = if slow && outcome != Some(Outcome::Failure) {
            ", too slow: it counts as a failure"
        } else {
            ""
        };
        format!("The call {how}{slowly}.")
    }

    fn believe(&self, succeeded: bool) {
        let mut results = self.results.borrow_mut();
        results.push(succeeded);
        if results.len() > WINDOW {
            results.remove(0);
        }
    }

    fn seen(&self, said: &str) -> Seen {
        let now = self.breaker.snapshot();
        let closed = now.state == State::Closed;
        let results: Vec<&str> = self
            .results
            .borrow()
            .iter()
            .map(|succeeded| if *succeeded { "✓" } else { "✗" })
            .collect();
        let marks = if results.is_empty() { "none".to_owned() } else { results.join(" ") };
        let or_dash = |shown: bool, text: String| if shown { text } else { "–".to_owned() };
        let out = self.out.borrow();
        let ages: Vec<u64> =
            out.iter().map(|(_, _, began)| began.elapsed().as_secs().min(20)).collect();
        let eras: Vec<String> = out.iter().map(|(_, era, _)| format!("one of era {era}")).collect();
        Seen::new(said)
            .fact("state", now.state.to_string())
            .fact("era", now.era.to_string())
            .fact("in a row", or_dash(closed, format!("{} of 3", now.failures_in_a_row)))
            .fact("window", or_dash(closed, marks.clone()))
            .fact(
                "probes out",
                or_dash(now.state == State::HalfOpen, format!("{} of 2", now.probes_out)),
            )
            .fact(
                "next probe",
                now.retry_after
                    .map_or_else(|| "–".to_owned(), |left| format!("in {} s", left.as_secs())),
            )
            .fact("calls out", if eras.is_empty() { "none".to_owned() } else { eras.join(", ") })
            // Half-open, the marks count the probes that succeeded; ages tell slow calls and the lease.
            .hidden(format!("{marks} {ages:?} {}", self.admitted.get().elapsed().as_secs().min(20)))
    }
}

fn refusal(rejected: Rejected) -> String {
    match rejected {
        Rejected::Open { retry_after } => {
            format!("Rejected at once: open, try again in {} s.", retry_after.as_secs())
        }
        Rejected::ProbesOut => "Rejected at once: as many probes are out as may be.".to_owned(),
        Rejected::ForcedOpen => "Rejected at once: forced open.".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use lab_kit::Refusal;

    fn played(actions: &str) -> serde_json::Value {
        match crate::LAB.answer(["lab", "--toy=breaker", "--json", &format!("--play={actions}")]) {
            Ok(text) => serde_json::from_str(&text).unwrap(),
            Err(Refusal::Usage(error)) => panic!("{error}"),
            Err(Refusal::Failed(error)) => panic!("{error:#}"),
        }
    }

    fn last(actions: &str) -> (String, String) {
        let seen = played(actions);
        let last = seen.as_array().unwrap().last().unwrap().clone();
        let facts = last["facts"].as_array().unwrap().iter();
        let facts = facts.map(|fact| format!("{}: {}", fact[0], fact[1]).replace('"', ""));
        (last["said"].as_str().unwrap().to_owned(), facts.collect::<Vec<_>>().join("; "))
    }

    #[test]
    fn a_late_result_is_told_from_one_that_counts() {
        let (said, facts) = last("begin,fail,fail,fail,return");
        assert!(said.contains("A call of era 0 succeeds. It is late"), "{said}");
        assert!(facts.starts_with("state: open; era: 1"), "{facts}");
    }

    #[test]
    fn the_window_is_that_of_the_breaker() {
        let (_, facts) = last("fail,succeed,fail,succeed");
        assert!(facts.contains("in a row: 0 of 3; window: ✗ ✓ ✗ ✓"), "{facts}");
        let (said, facts) = last("fail,succeed,fail,succeed,fail");
        assert!(said.contains("closed → open (3 of the last 5 calls failed)"), "{said}");
        assert!(facts.starts_with("state: open"), "{facts}");
        let (_, facts) = last("succeed,fail,succeed,succeed,fail,succeed,succeed");
        assert!(facts.contains("window: ✓ ✓ ✗ ✓ ✓"), "{facts}");
    }

    #[test]
    fn slow_calls_drops_and_probes_are_as_in_the_chapter() {
        assert!(last("slow").1.contains("in a row: 1 of 3; window: ✗"));
        assert!(last("begin,drop").0.contains("says nothing about the dependency"));
        assert!(
            last("begin,wait,drop").1.contains("in a row: 1 of 3"),
            "a slow silence is a failure"
        );
        let (said, facts) = last("fail,fail,fail,wait,wait,succeed,succeed");
        assert!(said.contains("half-open → closed (2 probes succeeded)"), "{said}");
        assert!(facts.starts_with("state: closed; era: 3"), "{facts}");
    }
}
