//! right: written from the page and the starter alone; roots are found in one search for strongly connected components (Tarjan)

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
pub fn classify(symptom: Symptom) -> Class {
    use Symptom as S;
    match symptom {
        S::Refused | S::Reset | S::HeartbeatsMissed => Class::Crash,
        S::NoConnection | S::NoAnswer | S::Closed => Class::Omission,
        S::Late => Class::Timing,
        S::ErrorStatus | S::Corrupted | S::Malformed | S::Implausible => Class::Response,
        S::Outvoted => Class::Byzantine,
        S::DependencyFails => Class::Cascade,
    }
}

/// Whether a request was carried out whose caller observed this.
pub fn work_done(symptom: Symptom) -> WorkDone {
    use Symptom as S;
    match symptom {
        S::Refused | S::NoConnection => WorkDone::No,
        S::Late => WorkDone::Yes,
        S::Reset
        | S::HeartbeatsMissed
        | S::NoAnswer
        | S::Closed
        | S::ErrorStatus
        | S::Corrupted
        | S::Malformed
        | S::Implausible
        | S::Outvoted
        | S::DependencyFails => WorkDone::Unknown,
    }
}

// ---------------------------------------------------------------------------------------------
// Step 2: crash

/// Watches the heartbeats of one node.
///
/// A heartbeat is missed when a whole interval has passed without one: when *k* whole intervals have
/// passed since the last, *k* are missed.
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

    /// How many heartbeats in a row are missing at `now`; 0 for a `now` before the last of them.
    pub fn missed(&self, now: Instant) -> u32 {
        // A `now` before the last beat saturates to zero.
        let silent = now.saturating_duration_since(self.last).as_nanos();
        // `new` has seen to it that the interval isn't zero.
        let missed = silent / self.config.interval.as_nanos();
        u32::try_from(missed).unwrap_or(u32::MAX)
    }

    /// What that says of the node. A heartbeat makes it alive again, whatever it was before.
    pub fn liveness(&self, now: Instant) -> Liveness {
        match self.missed(now) {
            n if n >= self.config.dead_after => Liveness::Dead,
            n if n >= self.config.suspect_after => Liveness::Suspect,
            _ => Liveness::Alive,
        }
    }
}

// ---------------------------------------------------------------------------------------------
// Step 3: omission and timing

/// Messages that wait for their acknowledgement.
///
/// Each message is either acknowledged in time or reported as overdue, and that once, however often
/// somebody looks. In time is less than `patience` after it was sent. Once it is either, the same id is
/// a new message.
///
/// What nobody acknowledges is kept until `take_overdue` is called: call it now and then.
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
        let Some(&sent) = self.waiting.get(&id) else { return false };
        let in_time = age(sent, now) < self.patience;
        if in_time {
            self.waiting.remove(&id);
        }
        in_time
    }

    /// The messages whose time was over at `now`, in ascending order of their ids. They are forgotten
    /// then.
    pub fn take_overdue(&mut self, now: Instant) -> Vec<u64> {
        let patience = self.patience;
        self.waiting
            .extract_if(.., |_, sent| age(*sent, now) >= patience)
            .map(|(id, _)| id)
            .collect()
    }
}

/// How much time has passed from `then` to `now`; zero if `now` is the earlier of the two.
fn age(then: Instant, now: Instant) -> Duration {
    now.saturating_duration_since(then)
}

/// The latencies of the last `window`. Of a window of zero no sample is part, not even a new one.
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
        while self.samples.pop_front_if(|(at, _)| age(*at, now) >= self.window).is_some() {}
    }

    /// The 99th percentile of the samples in the window at `now`, by nearest rank: of *n* samples the
    /// one that is number ⌈0.99 *n*⌉ from the fastest, counted from 1. `None` for no samples. `now`
    /// isn't before that of the last `record`.
    pub fn p99(&self, now: Instant) -> Option<Duration> {
        let mut window: Vec<Duration> = self
            .samples
            .iter()
            .filter(|(at, _)| age(*at, now) < self.window)
            .map(|(_, latency)| *latency)
            .collect();
        if window.is_empty() {
            return None;
        }
        let rank = (window.len() * 99).div_ceil(100);
        let (_, p99, _) = window.select_nth_unstable(rank - 1);
        Some(*p99)
    }

    /// How many samples are in memory.
    pub fn kept(&self) -> usize {
        self.samples.len()
    }
}

// ---------------------------------------------------------------------------------------------
// Step 4: response

/// Checks that the body is the one whose SHA-256 its sender stated.
///
/// # Errors
/// [`Symptom::Corrupted`] if it isn't.
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
    // Each product is less than 2^64, so it takes more than 2^64 lines to overflow a u128.
    let sum: u128 = order
        .lines
        .iter()
        .map(|line| u128::from(line.quantity) * u128::from(line.price_cents))
        .sum();
    if sum != u128::from(order.total_cents) {
        return Err(Wrong::Total { stated: order.total_cents, sum });
    }
    Ok(())
}

// ---------------------------------------------------------------------------------------------
// Step 5: Byzantine

/// What the replicas of a service say, of which up to `faulty` may say anything.
///
/// There is one entry in `replies` for each replica, `None` for one that gave no answer. It takes
/// 3 × `faulty` + 1 replicas, and `faulty` + 1 equal answers: then an honest one is among them.
pub fn vote<T: Eq + Clone>(replies: &[Option<T>], faulty: usize) -> Vote<T> {
    let needed = faulty.saturating_mul(3).saturating_add(1);
    if replies.len() < needed {
        return Vote::TooFewReplicas { needed };
    }

    let mut tally: Vec<(&T, usize)> = Vec::new();
    for answer in replies.iter().flatten() {
        match tally.iter_mut().find(|(candidate, _)| *candidate == answer) {
            Some((_, votes)) => *votes += 1,
            None => tally.push((answer, 1)),
        }
    }
    // More than `faulty`: at least one honest replica says so.
    tally.retain(|(_, votes)| *votes > faulty);
    let [(answer, _)] = tally[..] else { return Vote::Undecided };

    let dissenting = replies
        .iter()
        .enumerate()
        .filter(|(_, reply)| reply.as_ref().is_some_and(|reply| reply != answer))
        .map(|(place, _)| place)
        .collect();
    Vote::Decided { answer: answer.clone(), dissenting }
}

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
pub fn roots<'a>(
    services: &BTreeMap<&'a str, Service<'a>>,
) -> Result<Vec<Vec<&'a str>>, UnknownDependency> {
    for (&service, facts) in services {
        if let Some(&dependency) = facts.depends_on.iter().find(|name| !services.contains_key(*name))
        {
            let (service, dependency) = (service.to_owned(), dependency.to_owned());
            return Err(UnknownDependency { service, dependency });
        }
    }

    let mut search = Circles { services, visited: BTreeMap::new(), open: Vec::new(), roots: vec![] };
    for (&name, service) in services {
        if !service.healthy && !search.visited.contains_key(name) {
            search.visit(name);
        }
    }
    search.roots.sort_unstable();
    Ok(search.roots)
}

/// Tarjan's search for strongly connected components, among the unhealthy services only. A component
/// from which nothing leads to another one is a root.
struct Circles<'s, 'a> {
    services: &'s BTreeMap<&'a str, Service<'a>>,
    visited: BTreeMap<&'a str, Visit>,
    /// Visited, and not in a finished component yet.
    open: Vec<&'a str>,
    roots: Vec<Vec<&'a str>>,
}

#[derive(Clone, Copy)]
struct Visit {
    /// The place in the order of the visits.
    index: usize,
    /// The lowest index of an open service that can be reached from here.
    lowest: usize,
    open: bool,
    /// Whether this, or something beneath it in the same component, leads to a finished component.
    leads_out: bool,
}

impl<'a> Circles<'_, 'a> {
    fn visit(&mut self, name: &'a str) -> Visit {
        let index = self.visited.len();
        let mut here = Visit { index, lowest: index, open: true, leads_out: false };
        self.visited.insert(name, here);
        self.open.push(name);

        for &next in self.services[name].depends_on {
            if self.services[next].healthy {
                continue;
            }
            let seen = self.visited.get(next).copied();
            let there = seen.unwrap_or_else(|| self.visit(next));
            if there.open {
                here.lowest = here.lowest.min(there.lowest);
                here.leads_out |= there.leads_out;
            } else {
                here.leads_out = true;
            }
        }

        if here.lowest == index {
            here.open = false;
            let first = self.open.iter().position(|open| *open == name).expect("it was pushed");
            let mut group = self.open.split_off(first);
            for member in &group {
                self.visited.get_mut(member).expect("it was visited").open = false;
            }
            if !here.leads_out {
                group.sort_unstable();
                self.roots.push(group);
            }
        } else {
            self.visited.insert(name, here);
        }
        here
    }
}
