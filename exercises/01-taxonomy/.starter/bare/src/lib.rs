// Recognise a failure by what can be observed of it: a detector for each of the six classes.
//
// Nothing here reads a clock, a socket or a file. What was observed, and when, comes in as an
// argument, so that each detector says the same each time.

// This file is yours: here is the public API and what it promises, and nothing of its inside. Which
// fields, types and functions it needs is your design. Public names and signatures stay as they are:
// the spec in `tests/steps/` uses them.
// The tasks leave things unused: delete these lines when the last one is done.
#![allow(unused)]

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

mod config;
mod types;

pub use config::{ConfigError, HeartbeatConfig};
pub use types::{
    Asked, Class, Line, Liveness, Order, Service, Symptom, UnknownDependency, Vote, WorkDone, Wrong,
};

/// The class of failure that a symptom points to.
pub fn classify(symptom: Symptom) -> Class {
    todo!("step 1: classify")
}

/// Whether a request was carried out whose caller observed this.
pub fn work_done(symptom: Symptom) -> WorkDone {
    todo!("step 1: work_done")
}

/// Watches the heartbeats of one node.
///
/// A heartbeat is missed when a whole interval has passed without one: when *k* whole intervals have
/// passed since the last, *k* are missed.
#[derive(Debug, Clone)]
pub struct Heartbeats {}

impl Heartbeats {
    /// Watches from `now` on, as if a heartbeat had just come.
    ///
    /// # Errors
    /// When a field of `config` is out of its range.
    pub fn new(config: HeartbeatConfig, now: Instant) -> Result<Self, ConfigError> {
        todo!("step 2: new")
    }

    /// Notes a heartbeat that came at `now`. One that is noted after a later one changes nothing.
    pub fn beat(&mut self, now: Instant) {
        todo!("step 2: beat")
    }

    /// How many heartbeats in a row are missing at `now`, or [`u32::MAX`] if more are; 0 for a `now` before
    /// the last of them.
    pub fn missed(&self, now: Instant) -> u32 {
        todo!("step 2: missed")
    }

    /// What that says of the node. A heartbeat makes it alive again, whatever it was before.
    pub fn liveness(&self, now: Instant) -> Liveness {
        todo!("step 2: liveness")
    }
}

/// Messages that wait for their acknowledgement.
///
/// Each message is either acknowledged in time or reported as overdue, and that once, however often
/// somebody looks. In time is less than `patience` after it was sent. Once it is either, the same id is
/// a new message.
///
/// What nobody acknowledges is kept until `take_overdue` is called: call it now and then.
#[derive(Debug, Clone)]
pub struct Acknowledgements {}

impl Acknowledgements {
    /// Nothing was sent yet.
    pub fn new(patience: Duration) -> Self {
        todo!("step 3: new")
    }

    /// Notes that message `id` was sent at `now`. Until it is acknowledged in time or reported,
    /// sending it again changes nothing: its time runs from the first.
    pub fn sent(&mut self, id: u64, now: Instant) {
        todo!("step 3: sent")
    }

    /// Notes an acknowledgement of message `id`, and of no other, that came at `now`, and says whether
    /// the message waited for it and it came in time. One that came too late leaves the message to be
    /// reported.
    pub fn acknowledge(&mut self, id: u64, now: Instant) -> bool {
        todo!("step 3: acknowledge")
    }

    /// The messages whose time was over at `now`, in ascending order of their ids. They are forgotten
    /// then.
    pub fn take_overdue(&mut self, now: Instant) -> Vec<u64> {
        todo!("step 3: take_overdue")
    }
}

/// The latencies of the last `window`. Of a window of zero no sample is part, not even a new one.
#[derive(Debug, Clone)]
pub struct Latencies {}

impl Latencies {
    /// Nothing was recorded yet.
    pub fn new(window: Duration) -> Self {
        todo!("step 3: new")
    }

    /// Notes a latency at `now`, and lets go what has left the window: a sample leaves it when it is
    /// `window` old. The `now` of a call isn't before that of an earlier one: the caller sees to it.
    pub fn record(&mut self, latency: Duration, now: Instant) {
        todo!("step 3: record")
    }

    /// The 99th percentile of the samples in the window at `now`, by nearest rank: of *n* samples the
    /// one that is number ⌈0.99 *n*⌉ from the fastest, counted from 1. `None` for no samples. `now`
    /// isn't before that of the last `record`.
    pub fn p99(&self, now: Instant) -> Option<Duration> {
        todo!("step 3: p99")
    }

    /// How many samples are in memory.
    pub fn kept(&self) -> usize {
        todo!("step 3: kept")
    }
}

/// Checks that the body is the one whose SHA-256 its sender stated. [`hmac_sha256::Hash::hash`] gives the
/// SHA-256 of bytes; its crate is a dependency of this one.
///
/// # Errors
/// [`Symptom::Corrupted`] if it isn't.
pub fn check_digest(body: &[u8], stated: &[u8; 32]) -> Result<(), Symptom> {
    todo!("step 4: check_digest")
}

/// Checks that an order is the one that was asked for, not older than what was seen, and adds up.
///
/// # Errors
/// The first of these that doesn't hold, in this order.
pub fn check_meaning(order: &Order, asked: Asked) -> Result<(), Wrong> {
    todo!("step 4: check_meaning")
}

/// What the replicas of a service say, of which up to `faulty` may say anything.
///
/// There is one entry in `replies` for each replica, `None` for one that gave no answer. It takes
/// 3 × `faulty` + 1 replicas, and `faulty` + 1 equal answers: then an honest one is among them.
pub fn vote<T: Eq + Clone>(replies: &[Option<T>], faulty: usize) -> Vote<T> {
    todo!("step 5: vote")
}

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
    todo!("step 6: roots")
}
