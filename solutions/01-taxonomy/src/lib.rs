// Recognise a failure by what can be observed of it: a detector for each of the six classes.
//
// Nothing here reads a clock, a socket or a file. What was observed, and when, comes in as an
// argument, so that each detector says the same each time.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

mod config;
mod types;

pub use config::{ConfigError, HeartbeatConfig};
pub use types::{
    Asked, Class, Line, Liveness, Order, Service, Symptom, UnknownDependency, Vote, WorkDone, Wrong,
};

// ---------------------------------------------------------------------------------------------
// Step 1: what a symptom says

/// The class of failure that a symptom points to.
// ANCHOR: classify
pub fn classify(symptom: Symptom) -> Class {
    match symptom {
        Symptom::Refused | Symptom::Reset | Symptom::HeartbeatsMissed => Class::Crash,
        Symptom::NoConnection | Symptom::NoAnswer | Symptom::Closed => Class::Omission,
        Symptom::Late => Class::Timing,
        Symptom::ErrorStatus | Symptom::Corrupted | Symptom::Malformed | Symptom::Implausible => {
            Class::Response
        }
        Symptom::Outvoted => Class::Byzantine,
        Symptom::DependencyFails => Class::Cascade,
    }
}

/// Whether a request was carried out whose caller observed this.
pub fn work_done(symptom: Symptom) -> WorkDone {
    match symptom {
        // The request never left.
        Symptom::Refused | Symptom::NoConnection => WorkDone::No,
        Symptom::Late => WorkDone::Yes,
        Symptom::Reset
        | Symptom::HeartbeatsMissed
        | Symptom::NoAnswer
        | Symptom::Closed
        | Symptom::ErrorStatus
        | Symptom::Corrupted
        | Symptom::Malformed
        | Symptom::Implausible
        | Symptom::Outvoted
        | Symptom::DependencyFails => WorkDone::Unknown,
    }
}
// ANCHOR_END: classify

// ---------------------------------------------------------------------------------------------
// Step 2: crash

/// Watches the heartbeats of one node.
///
/// A heartbeat is missed when a whole interval has passed without one: when *k* whole intervals have
/// passed since the last, *k* are missed.
// ANCHOR: heartbeats
#[derive(Debug, Clone)]
pub struct Heartbeats {
    config: HeartbeatConfig,
    /// When the last heartbeat came; before the first, when the watch began.
    last: Instant,
}

impl Heartbeats {
    /// Watches from `now` on, as if a heartbeat had just come.
    ///
    /// # Errors
    /// When a field of `config` is out of its range.
    pub fn new(config: HeartbeatConfig, now: Instant) -> Result<Self, ConfigError> {
        config.validate()?;
        Ok(Self { config, last: now })
    }

    /// Notes a heartbeat that came at `now`. One that is noted after a later one changes nothing.
    pub fn beat(&mut self, now: Instant) {
        self.last = self.last.max(now);
    }

    /// How many heartbeats in a row are missing at `now`, or [`u32::MAX`] if more are; 0 for a `now` before
    /// the last of them.
    pub fn missed(&self, now: Instant) -> u32 {
        let silence = now.saturating_duration_since(self.last);
        let missed = silence.as_nanos() / self.config.interval.as_nanos();
        u32::try_from(missed).unwrap_or(u32::MAX)
    }

    /// What that says of the node. A heartbeat makes it alive again, whatever it was before.
    pub fn liveness(&self, now: Instant) -> Liveness {
        let missed = self.missed(now);
        if missed >= self.config.dead_after {
            Liveness::Dead
        } else if missed >= self.config.suspect_after {
            Liveness::Suspect
        } else {
            Liveness::Alive
        }
    }
}
// ANCHOR_END: heartbeats

// ---------------------------------------------------------------------------------------------
// Step 3: omission and timing

/// Messages that wait for their acknowledgement.
///
/// Each message is either acknowledged in time or reported as overdue, and that once, however often
/// somebody looks. In time is less than `patience` after it was sent. Once it is either, the same id is
/// a new message.
///
/// What nobody acknowledges is kept until `take_overdue` is called: call it now and then.
// ANCHOR: acknowledgements
#[derive(Debug, Clone)]
pub struct Acknowledgements {
    patience: Duration,
    /// When each message was sent.
    waiting: BTreeMap<u64, Instant>,
}

impl Acknowledgements {
    /// Nothing was sent yet.
    pub fn new(patience: Duration) -> Self {
        Self { patience, waiting: BTreeMap::new() }
    }

    /// Notes that message `id` was sent at `now`. Until it is acknowledged in time or reported,
    /// sending it again changes nothing: its time runs from the first.
    pub fn sent(&mut self, id: u64, now: Instant) {
        self.waiting.entry(id).or_insert(now);
    }

    /// Notes an acknowledgement of message `id`, and of no other, that came at `now`, and says whether
    /// the message waited for it and it came in time. One that came too late leaves the message to be
    /// reported.
    pub fn acknowledge(&mut self, id: u64, now: Instant) -> bool {
        let in_time = self.waiting.get(&id).is_some_and(|sent| !self.is_over(*sent, now));
        if in_time {
            self.waiting.remove(&id);
        }
        in_time
    }

    /// The messages whose time was over at `now`, in ascending order of their ids. They are forgotten
    /// then.
    pub fn take_overdue(&mut self, now: Instant) -> Vec<u64> {
        let over = |sent: Instant| self.is_over(sent, now);
        let overdue: Vec<_> =
            self.waiting.iter().filter(|(_, sent)| over(**sent)).map(|(id, _)| *id).collect();
        for id in &overdue {
            self.waiting.remove(id);
        }
        overdue
    }

    fn is_over(&self, sent: Instant, now: Instant) -> bool {
        now.saturating_duration_since(sent) >= self.patience
    }
}
// ANCHOR_END: acknowledgements

/// The latencies of the last `window`. Of a window of zero no sample is part, not even a new one.
// ANCHOR: latencies
#[derive(Debug, Clone)]
pub struct Latencies {
    window: Duration,
    /// When each was recorded, and what it was, in the order of the calls.
    samples: VecDeque<(Instant, Duration)>,
}

impl Latencies {
    /// Nothing was recorded yet.
    pub fn new(window: Duration) -> Self {
        Self { window, samples: VecDeque::new() }
    }

    /// Notes a latency at `now`, and lets go what has left the window: a sample leaves it when it is
    /// `window` old. The `now` of a call isn't before that of an earlier one: the caller sees to it.
    pub fn record(&mut self, latency: Duration, now: Instant) {
        self.samples.push_back((now, latency));
        while self.samples.front().is_some_and(|(at, _)| !self.counts(*at, now)) {
            self.samples.pop_front();
        }
    }

    /// The 99th percentile of the samples in the window at `now`, by nearest rank: of *n* samples the
    /// one that is number ⌈0.99 *n*⌉ from the fastest, counted from 1. `None` for no samples. `now`
    /// isn't before that of the last `record`.
    pub fn p99(&self, now: Instant) -> Option<Duration> {
        let in_window = self.samples.iter().filter(|(at, _)| self.counts(*at, now));
        let mut latencies: Vec<_> = in_window.map(|(_, latency)| *latency).collect();
        latencies.sort_unstable();
        let rank = (latencies.len() * 99).div_ceil(100);
        latencies.get(rank.checked_sub(1)?).copied()
    }

    /// How many samples are in memory.
    pub fn kept(&self) -> usize {
        self.samples.len()
    }

    fn counts(&self, at: Instant, now: Instant) -> bool {
        now.saturating_duration_since(at) < self.window
    }
}
// ANCHOR_END: latencies

// ---------------------------------------------------------------------------------------------
// Step 4: response

/// Checks that the body is the one whose SHA-256 its sender stated. [`hmac_sha256::Hash::hash`] gives the
/// SHA-256 of bytes; its crate is a dependency of this one.
///
/// # Errors
/// [`Symptom::Corrupted`] if it isn't.
// ANCHOR: response
pub fn check_digest(body: &[u8], stated: &[u8; 32]) -> Result<(), Symptom> {
    if hmac_sha256::Hash::hash(body) == *stated { Ok(()) } else { Err(Symptom::Corrupted) }
}

/// Checks that an order is the one that was asked for, not older than what was seen, and adds up.
///
/// # Errors
/// The first of these that doesn't hold, in this order.
pub fn check_meaning(order: &Order, asked: Asked) -> Result<(), Wrong> {
    if order.id != asked.id {
        return Err(Wrong::OtherOrder { asked: asked.id, got: order.id });
    }
    if order.version < asked.seen_version {
        return Err(Wrong::OldVersion { seen: asked.seen_version, got: order.version });
    }
    // The numbers come from outside: wide enough that no answer overflows them.
    let cost = |line: &Line| u128::from(line.quantity) * u128::from(line.price_cents);
    let sum = order.lines.iter().map(cost).sum();
    if u128::from(order.total_cents) != sum {
        return Err(Wrong::Total { stated: order.total_cents, sum });
    }
    Ok(())
}
// ANCHOR_END: response

// ---------------------------------------------------------------------------------------------
// Step 5: Byzantine

/// What the replicas of a service say, of which up to `faulty` may say anything.
///
/// There is one entry in `replies` for each replica, `None` for one that gave no answer. It takes
/// 3 × `faulty` + 1 replicas, and `faulty` + 1 equal answers: then an honest one is among them.
// ANCHOR: vote
pub fn vote<T: Eq + Clone>(replies: &[Option<T>], faulty: usize) -> Vote<T> {
    let needed = faulty.saturating_mul(3).saturating_add(1);
    if replies.len() < needed {
        return Vote::TooFewReplicas { needed };
    }
    let is_backed =
        |answer: &&T| replies.iter().flatten().filter(|other| other == answer).count() > faulty;
    let mut backed = replies.iter().flatten().filter(is_backed);
    let Some(answer) = backed.next() else { return Vote::Undecided };
    if backed.any(|other| other != answer) {
        // If no more than `faulty` lie, an honest one stands behind each, and they have not agreed.
        return Vote::Undecided;
    }
    let dissents = |reply: &Option<T>| reply.as_ref().is_some_and(|reply| reply != answer);
    let dissenting = replies.iter().enumerate().filter(|(_, reply)| dissents(reply));
    Vote::Decided {
        answer: answer.clone(),
        dissenting: dissenting.map(|(replica, _)| replica).collect(),
    }
}
// ANCHOR_END: vote

// ---------------------------------------------------------------------------------------------
// Step 6: cascade

/// Where a failure began: the unhealthy services without an unhealthy dependency, each a group of its
/// own. Unhealthy services that depend on each other in a circle are one group, if none of
/// them depends on an unhealthy one outside of it. One that depends on itself is a circle of one.
///
/// The names of a group are in ascending order, and so are the groups, by their first name.
///
/// # Errors
/// When a service depends on a name that is not in `services`: the first in ascending order of the
/// services, and of each the first in its list.
// ANCHOR: roots
pub fn roots<'a>(
    services: &BTreeMap<&'a str, Service<'a>>,
) -> Result<Vec<Vec<&'a str>>, UnknownDependency> {
    for (service, Service { depends_on, .. }) in services {
        if let Some(unknown) = depends_on.iter().find(|name| !services.contains_key(*name)) {
            let (service, dependency) = ((*service).to_owned(), (*unknown).to_owned());
            return Err(UnknownDependency { service, dependency });
        }
    }
    let unhealthy = services.keys().filter(|name| !services[*name].healthy);
    let mut roots = Vec::new();
    for name in unhealthy {
        let group = failing_beneath(services, name);
        // Every member of a root finds the whole group. It is listed once, for the first.
        if group.first() != Some(name) {
            continue;
        }
        // Whatever a root depends on depends on it in turn.
        if group.iter().all(|other| failing_beneath(services, other).contains(name)) {
            roots.push(group.into_iter().collect());
        }
    }
    Ok(roots)
}

/// `name`, which is unhealthy, and every unhealthy service that it depends on, by way of unhealthy
/// ones.
fn failing_beneath<'a>(
    services: &BTreeMap<&'a str, Service<'a>>,
    name: &'a str,
) -> BTreeSet<&'a str> {
    let mut found = BTreeSet::new();
    let mut to_visit = vec![name];
    while let Some(name) = to_visit.pop() {
        // What was found before is not visited again, so that a circle ends.
        if !services[name].healthy && found.insert(name) {
            to_visit.extend(services[name].depends_on);
        }
    }
    found
}
// ANCHOR_END: roots
