//! right: the roots are found by Tarjan's algorithm in one pass, and the vote keeps a tally

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

#[derive(Debug, Clone)]
pub struct Heartbeats {
    config: HeartbeatConfig,
    last: Instant,
}

impl Heartbeats {
    pub fn new(config: HeartbeatConfig, now: Instant) -> Result<Self, ConfigError> {
        config.validate()?;
        Ok(Self { config, last: now })
    }

    pub fn beat(&mut self, now: Instant) {
        self.last = self.last.max(now);
    }

    pub fn missed(&self, now: Instant) -> u32 {
        // A `now` before the last beat saturates to zero.
        let silent = now.saturating_duration_since(self.last).as_nanos();
        // `new` has seen to it that the interval isn't zero.
        let missed = silent / self.config.interval.as_nanos();
        u32::try_from(missed).unwrap_or(u32::MAX)
    }

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

#[derive(Debug, Clone)]
pub struct Acknowledgements {
    patience: Duration,
    waiting: BTreeMap<u64, Instant>,
}

impl Acknowledgements {
    pub fn new(patience: Duration) -> Self {
        Self { patience, waiting: BTreeMap::new() }
    }

    pub fn sent(&mut self, id: u64, now: Instant) {
        self.waiting.entry(id).or_insert(now);
    }

    pub fn acknowledge(&mut self, id: u64, now: Instant) -> bool {
        let Some(&sent) = self.waiting.get(&id) else { return false };
        let in_time = age(sent, now) < self.patience;
        if in_time {
            self.waiting.remove(&id);
        }
        in_time
    }

    pub fn take_overdue(&mut self, now: Instant) -> Vec<u64> {
        let patience = self.patience;
        self.waiting
            .extract_if(.., |_, sent| age(*sent, now) >= patience)
            .map(|(id, _)| id)
            .collect()
    }
}

fn age(then: Instant, now: Instant) -> Duration {
    now.saturating_duration_since(then)
}

#[derive(Debug, Clone)]
pub struct Latencies {
    window: Duration,
    samples: VecDeque<(Instant, Duration)>,
}

impl Latencies {
    pub fn new(window: Duration) -> Self {
        Self { window, samples: VecDeque::new() }
    }

    pub fn record(&mut self, latency: Duration, now: Instant) {
        self.samples.push_back((now, latency));
        while self.samples.pop_front_if(|(at, _)| age(*at, now) >= self.window).is_some() {}
    }

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

    pub fn kept(&self) -> usize {
        self.samples.len()
    }
}

// ---------------------------------------------------------------------------------------------
// Step 4: response

pub fn check_digest(body: &[u8], stated: &[u8; 32]) -> Result<(), Symptom> {
    if hmac_sha256::Hash::hash(body) == *stated { Ok(()) } else { Err(Symptom::Corrupted) }
}

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

struct Circles<'s, 'a> {
    services: &'s BTreeMap<&'a str, Service<'a>>,
    visited: BTreeMap<&'a str, Visit>,
    open: Vec<&'a str>,
    roots: Vec<Vec<&'a str>>,
}

#[derive(Clone, Copy)]
struct Visit {
    index: usize,
    lowest: usize,
    open: bool,
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
