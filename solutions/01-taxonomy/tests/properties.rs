//! What the detectors promise, for any input.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use proptest::prelude::*;
use taxonomy_solution::{Acknowledgements, Latencies, Service, Vote, roots, vote};

const PATIENCE: u64 = 100;

#[derive(Debug, Clone, Copy)]
enum Event {
    Sent(u64),
    Acknowledged(u64),
    Looked,
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        (0..6_u64).prop_map(Event::Sent),
        (0..6_u64).prop_map(Event::Acknowledged),
        Just(Event::Looked),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// The ids are sent once each, so that what becomes of a message is what becomes of its id.
    #[test]
    fn each_message_is_acknowledged_in_time_or_reported_and_that_once(
        events in prop::collection::vec((0..60_u64, event()), 0..60),
    ) {
        let beginning = Instant::now();
        let mut messages = Acknowledgements::new(Duration::from_millis(PATIENCE));
        let (mut millis, mut sent) = (0, BTreeMap::new());
        let mut ended: BTreeMap<u64, Vec<&str>> = BTreeMap::new();
        for (after, event) in events.into_iter().chain([(PATIENCE, Event::Looked)]) {
            millis += after;
            let now = beginning + Duration::from_millis(millis);
            match event {
                Event::Sent(id) if !sent.contains_key(&id) => {
                    sent.insert(id, millis);
                    messages.sent(id, now);
                }
                Event::Sent(_) => {}
                Event::Acknowledged(id) => {
                    if messages.acknowledge(id, now) {
                        prop_assert!(millis - sent[&id] < PATIENCE);
                        ended.entry(id).or_default().push("acknowledged");
                    }
                }
                Event::Looked => {
                    for id in messages.take_overdue(now) {
                        prop_assert!(millis - sent[&id] >= PATIENCE);
                        ended.entry(id).or_default().push("reported");
                    }
                }
            }
        }
        prop_assert!(ended.values().all(|ends| ends.len() == 1), "{ended:?}");
        prop_assert_eq!(ended.keys().collect::<Vec<_>>(), sent.keys().collect::<Vec<_>>());
    }

    /// The other definition: the smallest that at least 99 % of the samples don't exceed.
    #[test]
    fn the_99th_percentile_is_not_exceeded_by_99_of_100(
        samples in prop::collection::vec(0..500_u64, 1..400),
    ) {
        let now = Instant::now();
        let mut latencies = Latencies::new(Duration::from_secs(1));
        for sample in &samples {
            latencies.record(Duration::from_millis(*sample), now);
        }
        let within = |limit: u64| samples.iter().filter(|sample| **sample <= limit).count();
        let least = samples.iter().filter(|limit| within(**limit) * 100 >= samples.len() * 99).min();

        prop_assert_eq!(latencies.p99(now), least.map(|least| Duration::from_millis(*least)));
    }

    /// Up to f replicas say anything or nothing, and up to f others are too slow: what the honest ones
    /// say is decided.
    #[test]
    fn with_f_liars_and_f_slow_replicas_the_honest_answer_is_decided(
        lies in prop::collection::vec(prop::option::of(0..3_u8), 0..5),
        slow in 0..5_usize,
        turn in any::<prop::sample::Index>(),
    ) {
        let faulty = lies.len();
        let honest = 2 * faulty + 1;
        let mut replies = lies;
        replies.extend((0..honest).map(|replica| (replica >= slow.min(faulty)).then_some(0)));
        let places = replies.len();
        replies.rotate_left(turn.index(places));

        let Vote::Decided { answer, dissenting } = vote(&replies, faulty) else {
            return Err(TestCaseError::fail(format!("{replies:?}")));
        };
        prop_assert_eq!(answer, 0);
        let others = (0..places).filter(|place| replies[*place].is_some_and(|said| said != 0));
        prop_assert_eq!(dissenting, others.collect::<Vec<_>>());
    }

    /// Also where the honest replicas differ: no coalition of f decides anything by itself.
    #[test]
    fn what_is_decided_was_said_by_an_honest_replica(
        lies in prop::collection::vec(prop::option::of(0..3_u8), 0..5),
        honest in prop::collection::vec(prop::option::of(0..3_u8), 11),
    ) {
        let faulty = lies.len();
        let honest = &honest[..=2 * faulty];
        let replies: Vec<_> = lies.iter().chain(honest).copied().collect();

        if let Vote::Decided { answer, .. } = vote(&replies, faulty) {
            prop_assert!(honest.contains(&Some(answer)));
        }
    }

    /// Against the definition by reachability, which a matrix has of all pairs.
    #[test]
    fn the_roots_are_the_groups_beneath_which_nothing_is_unhealthy(
        healthy in prop::collection::vec(any::<bool>(), 7),
        edges in prop::collection::vec((0..7_usize, 0..7_usize), 0..20),
    ) {
        const NAMES: [&str; 7] = ["a", "b", "c", "d", "e", "f", "g"];
        let depends_on: Vec<Vec<&str>> = (0..7)
            .map(|from| edges.iter().filter(|edge| edge.0 == from).map(|edge| NAMES[edge.1]).collect())
            .collect();
        let services: BTreeMap<_, _> = (0..7)
            .map(|node| (NAMES[node], Service { healthy: healthy[node], depends_on: &depends_on[node] }))
            .collect();

        let mut reaches = [[false; 7]; 7];
        for node in 0..7 {
            reaches[node][node] = !healthy[node];
        }
        for (from, to) in edges {
            reaches[from][to] |= !healthy[from] && !healthy[to];
        }
        for middle in 0..7 {
            for from in 0..7 {
                for to in 0..7 {
                    reaches[from][to] |= reaches[from][middle] && reaches[middle][to];
                }
            }
        }
        let group = |node: usize| (0..7).filter(move |to| reaches[node][*to]);
        let expected: BTreeSet<Vec<&str>> = (0..7)
            .filter(|node| !healthy[*node] && group(*node).all(|to| reaches[to][*node]))
            .map(|node| group(node).map(|to| NAMES[to]).collect())
            .collect();

        prop_assert_eq!(roots(&services), Ok(expected.into_iter().collect()));
    }
}
