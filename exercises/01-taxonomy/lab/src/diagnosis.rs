//! From what was observed to a class, by the detectors of the exercise.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use flaky::observe::{Answer, Ending, Observation, Phase};

use super::subject::{
    Acknowledgements, Asked, HeartbeatConfig, Heartbeats, Latencies, Line, Liveness, Order,
    Service, Symptom, Vote, check_digest, check_meaning, classify, roots, vote, work_done,
};
use crate::observed::Diagnosis;
use crate::scene::{Evidence, LIMIT, ORDER, PATIENCE, Page};

pub fn diagnose(evidence: &Evidence) -> Diagnosis {
    let (symptom, because) = match of_replica(evidence) {
        Some((symptom, because)) => (Some(symptom), because),
        None => (None, "nothing".to_owned()),
    };
    // What the client knows of its payment. The receipt of a liar is none.
    let lies = symptom.filter(|it| [Symptom::Outvoted, Symptom::Implausible].contains(it));
    let payment = match of_exchanges(&[&evidence.payment]).or(lies) {
        Some(symptom) => format!("{:?}", work_done(symptom)).to_lowercase(),
        None => "yes".to_owned(),
    };
    let class = symptom.map(|symptom| format!("{:?}", classify(symptom)).to_lowercase());
    Diagnosis { class, because, payment }
}

/// The first that is found, from the plainest to what takes the most to see.
fn of_replica(evidence: &Evidence) -> Option<(Symptom, String)> {
    let exchanges = [&evidence.orders[0], &evidence.stocks[0]];
    if let Some(symptom) = of_exchanges(&exchanges) {
        return Some((symptom, words(symptom) + &heartbeats(&evidence.heartbeats)));
    }
    let implausible = meaning(&evidence.orders[0]);
    if outvoted(&evidence.orders) || outvoted(&evidence.stocks) {
        let also = if implausible.is_some() { ", and implausible" } else { "" };
        return Some((Symptom::Outvoted, format!("outvoted{also}")));
    }
    if let Some(wrong) = implausible {
        return Some((Symptom::Implausible, wrong));
    }
    cascade(&evidence.pages)
}

fn of_exchanges(exchanges: &[&Observation]) -> Option<Symptom> {
    let first =
        |find: fn(&Observation) -> Option<Symptom>| exchanges.iter().find_map(|seen| find(seen));
    first(on_the_wire)
        .or_else(|| unanswered(exchanges).then_some(Symptom::NoAnswer))
        .or_else(|| first(in_content))
        .or_else(|| is_late(exchanges.iter().map(|seen| seen.total)).then_some(Symptom::Late))
}

/// What needs no detector: the system's own word for it.
fn on_the_wire(seen: &Observation) -> Option<Symptom> {
    match seen.ending {
        Ending::ConnectRefused => Some(Symptom::Refused),
        Ending::ConnectTimedOut => Some(Symptom::NoConnection),
        Ending::Reset(_) => Some(Symptom::Reset),
        Ending::Closed(Phase::Head) => Some(Symptom::Closed),
        Ending::Closed(Phase::Body | Phase::After)
        | Ending::Malformed(_)
        | Ending::Complete { extra: 1.. } => Some(Symptom::Malformed),
        Ending::TimedOut(_) | Ending::Complete { extra: 0 } => None,
    }
}

/// Whether a request has no answer when its time is over.
fn unanswered(exchanges: &[&Observation]) -> bool {
    let began = Instant::now();
    let mut messages = Acknowledgements::new(PATIENCE);
    for (id, seen) in (0..).zip(exchanges) {
        messages.sent(id, began);
        if let Some(answered) = seen.body {
            messages.acknowledge(id, began + answered);
        }
    }
    !messages.take_overdue(began + PATIENCE).is_empty()
}

fn is_late(latencies: impl Iterator<Item = Duration>) -> bool {
    let now = Instant::now();
    let mut window = Latencies::new(Duration::from_secs(60));
    for latency in latencies {
        window.record(latency, now);
    }
    window.p99(now).is_some_and(|p99| p99 > LIMIT)
}

fn in_content(seen: &Observation) -> Option<Symptom> {
    let answer = seen.answer.as_ref()?;
    if (400..600).contains(&answer.status) {
        return Some(Symptom::ErrorStatus);
    }
    let corrupted =
        stated_digest(answer).and_then(|stated| check_digest(&answer.body, &stated).err());
    let is_json = answer.header("content-type") == Some("application/json");
    corrupted.or_else(|| (!is_json || answer.json().is_none()).then_some(Symptom::Malformed))
}

/// From `sha-256=:…:` (RFC 9530).
fn stated_digest(answer: &Answer) -> Option<[u8; 32]> {
    let text = answer.header("content-digest")?.strip_prefix("sha-256=:")?.strip_suffix(':')?;
    BASE64_STANDARD.decode(text).ok()?.try_into().ok()
}

fn meaning(seen: &Observation) -> Option<String> {
    let json = seen.answer.as_ref()?.json()?;
    let number = |value: &serde_json::Value| value.as_u64().unwrap_or(0);
    let small = |value: &serde_json::Value| u32::try_from(number(value)).unwrap_or(u32::MAX);
    let lines = json["lines"].as_array().into_iter().flatten();
    let order = Order {
        id: number(&json["order"]),
        version: 0,
        lines: lines
            .map(|line| Line {
                quantity: small(&line["quantity"]),
                price_cents: small(&line["price"]),
            })
            .collect(),
        total_cents: number(&json["total"]),
    };
    let asked = Asked { id: ORDER, seen_version: 0 };
    check_meaning(&order, asked).err().map(|wrong| wrong.to_string())
}

/// Whether the others agree on something else than the first says.
fn outvoted(replies: &[Observation]) -> bool {
    let said = |seen: &Observation| Some(seen.answer.as_ref()?.body.clone());
    let replies: Vec<_> = replies.iter().map(said).collect();
    match vote(&replies, (replies.len() - 1) / 3) {
        Vote::Decided { dissenting, .. } => dissenting.contains(&0),
        Vote::Undecided | Vote::TooFewReplicas { .. } => false,
    }
}

/// The times are nominal: a busy machine is no dead one.
fn heartbeats(came: &[bool]) -> String {
    let config = HeartbeatConfig::default();
    let began = Instant::now();
    let Ok(mut node) = Heartbeats::new(config, began) else { return String::new() };
    let mut now = began;
    for came in came {
        now += config.interval;
        if *came {
            node.beat(now);
        }
    }
    match node.liveness(now) {
        Liveness::Alive => String::new(),
        Liveness::Suspect => "; heartbeats missing".to_owned(),
        Liveness::Dead => "; no heartbeats".to_owned(),
    }
}

/// A page fails because of what it depends on.
fn cascade(pages: &[Page]) -> Option<(Symptom, String)> {
    let shop = !is_late(pages.iter().map(|page| page.shop.total));
    let search = !is_late(pages.iter().map(|page| page.search.total));
    let page = !is_late(pages.iter().map(Page::took));
    let services = BTreeMap::from([
        ("page", Service { healthy: page, depends_on: &["shop", "search"] }),
        ("search", Service { healthy: search, depends_on: &[] }),
        ("shop", Service { healthy: shop, depends_on: &[] }),
    ]);
    let roots = roots(&services).ok()?;
    let root = roots.iter().flatten().find(|root| **root != "page")?;
    (!page).then(|| (Symptom::DependencyFails, format!("pages are late; it began at the {root}")))
}

/// "`NoAnswer`" as "no answer".
fn words(symptom: Symptom) -> String {
    let mut text = String::new();
    for letter in format!("{symptom:?}").chars() {
        if letter.is_uppercase() && !text.is_empty() {
            text.push(' ');
        }
        text.extend(letter.to_lowercase());
    }
    text
}
