//! Requests that are seen travelling: to a breaker, through it or not, and back.

use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use circuit_breaker_solution::{CallError, CircuitBreaker, Config, Transition};
use lab_kit::{Event, Play, Seen, Toy};
use storm::{Failure, Load, Model, Outage, OutageKind, ServiceTime};
use tokio::time::Instant;

use crate::outage::{PATIENCE, charge};

const SEED: u64 = 7;
/// Few enough to be told apart.
const REQUESTS_PER_SECOND: f64 = 3.0;
const LENGTH: Duration = Duration::from_secs(24);
const SERVERS: u32 = 20;
const SERVICE: Duration = Duration::from_millis(300);
const HANGS_FROM: Duration = Duration::from_secs(5);
const HANGS_TO: Duration = Duration::from_secs(14);
const OPEN_FOR: Duration = Duration::from_secs(5);

const CLIENT: usize = 0;
const BREAKER: usize = 1;
const DEPENDENCY: usize = 2;

pub static TOY: Toy = Toy {
    name: "travel",
    about: "Three requests a second, through a breaker that is open for 5 s; the dependency hangs from 5 s to 14 s",
    play: Play::Journey {
        places: &["client", "breaker", "dependency"],
        marks: &[("✓", "answered"), ("✗", "given up"), ("⊘", "rejected")],
        turns: "The breaker's next change ›",
        run,
    },
    sheet: None,
};

fn run() -> anyhow::Result<Vec<Event>> {
    let load = Load {
        rate_per_second: REQUESTS_PER_SECOND,
        length: LENGTH,
        good_within: PATIENCE,
        seed: SEED,
        ..Load::default()
    };
    let hang = Outage { from: HANGS_FROM, to: HANGS_TO, kind: OutageKind::Hang };
    let model =
        Model::new(SERVERS, ServiceTime::Exponential { mean: SERVICE })?.with_outage(hang)?;
    let config = Config { open_for: OPEN_FOR, ..Config::default() };
    let diary = Arc::new(Mutex::new(Diary::new()));
    storm::run("travel", &load, |scene| {
        let payments = scene.dependency("payments", &model);
        let listener = Arc::clone(&diary);
        let breaker = CircuitBreaker::seeded(config, SEED).expect("valid");
        let breaker =
            Arc::new(breaker.on_transition(move |change| lock(&listener).changes(change)));
        let (diary, start) = (Arc::clone(&diary), Instant::now());
        move |request| {
            let (payments, breaker, diary) =
                (payments.clone(), Arc::clone(&breaker), Arc::clone(&diary));
            let way = Way { diary, start, request: request.id, sent: Instant::now() };
            async move {
                way.sent();
                let call = || {
                    way.let_through();
                    charge(payments)
                };
                let result = breaker.call(call).await;
                match result {
                    Ok(()) => way.answered(),
                    Err(CallError::Operation(_)) => way.given_up(),
                    Err(CallError::Rejected(rejected)) => way.rejected(&rejected.to_string()),
                }
                result.map_err(|_| Failure::Failed)
            }
        }
    })?;
    Ok(mem::take(&mut lock(&diary).events))
}

fn lock(diary: &Mutex<Diary>) -> MutexGuard<'_, Diary> {
    diary.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What has happened so far.
struct Diary {
    events: Vec<Event>,
    state: String,
    /// Since the newest event.
    changes: Vec<String>,
    waiting: u32,
    answered: u32,
    given_up: u32,
    rejected: u32,
}

impl Diary {
    fn new() -> Self {
        Self {
            events: Vec::new(),
            state: "closed".to_owned(),
            changes: Vec::new(),
            waiting: 0,
            answered: 0,
            given_up: 0,
            rejected: 0,
        }
    }

    fn changes(&mut self, change: &Transition) {
        self.state = change.to.to_string();
        self.changes.push(change.to_string());
    }

    fn note(&mut self, at: Duration, request: u64, place: usize, mark: &'static str, said: &str) {
        let changes = mem::take(&mut self.changes);
        let said = changes.iter().fold(said.to_owned(), |said, change| format!("{said} {change}."));
        let seen = Seen::new(said)
            .fact("time", format!("{:.1} s", at.as_secs_f64()))
            .fact("breaker", &self.state)
            .fact("waited for", self.waiting.to_string())
            .fact("answered", self.answered.to_string())
            .fact("given up", self.given_up.to_string())
            .fact("rejected", self.rejected.to_string());
        let event = Event::new(at, request, place, seen).turns(!changes.is_empty());
        self.events.push(if mark.is_empty() { event } else { event.ends(mark) });
    }
}

/// The way of one request.
struct Way {
    diary: Arc<Mutex<Diary>>,
    start: Instant,
    request: u64,
    sent: Instant,
}

impl Way {
    fn note(&self, place: usize, mark: &'static str, said: &str, count: impl FnOnce(&mut Diary)) {
        let mut diary = lock(&self.diary);
        count(&mut diary);
        let said = format!("Request {} {said}.", self.request);
        diary.note(self.start.elapsed(), self.request, place, mark, &said);
    }

    fn sent(&self) {
        self.note(CLIENT, "", "is sent", |_| ());
    }

    fn let_through(&self) {
        let probes = lock(&self.diary).state == "half-open";
        let said = if probes { "is let through, as a probe" } else { "is let through" };
        self.note(DEPENDENCY, "", said, |diary| diary.waiting += 1);
    }

    fn answered(&self) {
        let said = format!("is answered after {} ms", self.sent.elapsed().as_millis());
        self.note(CLIENT, "✓", &said, |diary| {
            diary.waiting -= 1;
            diary.answered += 1;
        });
    }

    fn given_up(&self) {
        let said = format!("is given up: no answer in {} s", PATIENCE.as_secs());
        self.note(CLIENT, "✗", &said, |diary| {
            diary.waiting -= 1;
            diary.given_up += 1;
        });
    }

    fn rejected(&self, why: &str) {
        self.note(BREAKER, "⊘", &format!("is rejected at once: {why}"), |diary| {
            diary.rejected += 1;
        });
    }
}

#[cfg(test)]
mod tests {
    use lab_kit::Refusal;

    fn told(flag: &str) -> String {
        match crate::LAB.answer(["lab", "--toy=travel", flag]) {
            Ok(text) => text,
            Err(Refusal::Usage(error)) => panic!("{error}"),
            Err(Refusal::Failed(error)) => panic!("{error:#}"),
        }
    }

    #[test]
    fn each_request_comes_to_one_end_and_the_breaker_goes_through_its_states() {
        let events: serde_json::Value = serde_json::from_str(&told("--json")).unwrap();
        let said: Vec<_> = events
            .as_array()
            .unwrap()
            .iter()
            .map(|event| event["said"].as_str().unwrap())
            .collect();
        let count = |what: &str| said.iter().filter(|said| said.contains(what)).count();
        let [sent, through, answered, given_up, rejected] =
            ["is sent", "is let through", "is answered", "is given up", "is rejected"].map(count);
        assert_eq!(sent, answered + given_up + rejected);
        assert_eq!(through, answered + given_up);
        assert_eq!(count("closed → open (5 failures in a row)"), 1);
        assert_eq!(count("half-open → closed"), 1);
        assert!(count("as a probe") >= 4, "a round that fails and one that succeeds: {said:#?}");
    }
}
