//! Step 2: heartbeats that stop coming, and what they don't tell.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use taxonomy::{ConfigError, HeartbeatConfig, Heartbeats, Liveness};

use super::{at, ms, seconds, without_panic};

/// A heartbeat each second; suspect after 2 that are missed, dead after 5.
fn watch() -> Heartbeats {
    watch_every(ms(1000))
}

fn watch_every(interval: Duration) -> Heartbeats {
    let config = HeartbeatConfig { interval, ..HeartbeatConfig::default() };
    Heartbeats::new(config, at(0)).expect("this configuration is valid")
}

/// What is said at each of these moments, in milliseconds, of a node that is silent.
fn diary(node: &Heartbeats, moments: impl IntoIterator<Item = u64>) -> String {
    moments.into_iter().fold(String::new(), |mut text, millis| {
        let (missed, liveness) = (node.missed(at(millis)), node.liveness(at(millis)));
        writeln!(text, "{:<8} {missed} missed  {liveness:?}", seconds(millis)).unwrap();
        text
    })
}

#[test]
fn a_node_that_beats_is_alive() {
    let mut node = watch();

    for second in 1..=100 {
        node.beat(at(1000 * second));
        assert_eq!(
            node.liveness(at(1000 * second)),
            Liveness::Alive,
            "second {second}: a heartbeat has just come"
        );
    }

    assert_eq!(node.missed(at(100_999)), 0, "and the next one isn't due yet");
}

#[test]
fn a_silent_node_becomes_suspect_and_then_dead() {
    let node = watch();

    insta::assert_snapshot!(
        diary(&node, [999, 1000, 1999, 2000, 4999, 5000, 60_000]),
        "a heartbeat is missed when its whole interval has passed, at that moment and not after it; \
         one that is a little late is no reason for alarm, so it takes 2 for a suspicion and 5 for a \
         verdict",
        @"
        0.999s   0 missed  Alive
        1.000s   1 missed  Alive
        1.999s   1 missed  Alive
        2.000s   2 missed  Suspect
        4.999s   4 missed  Suspect
        5.000s   5 missed  Dead
        60.000s  60 missed  Dead
        "
    );
}

#[test]
fn the_thresholds_are_those_of_the_configuration() {
    let every = |interval| HeartbeatConfig { interval, suspect_after: 1, dead_after: 4 };
    let node = Heartbeats::new(every(ms(1000)), at(0)).expect("this configuration is valid");

    insta::assert_snapshot!(
        diary(&node, [999, 1000, 3999, 4000]),
        "this one is suspect after 1 that is missed, and dead after 4: 2 and 5 are only the defaults",
        @"
        0.999s   0 missed  Alive
        1.000s   1 missed  Suspect
        3.999s   3 missed  Suspect
        4.000s   4 missed  Dead
        "
    );
    assert_eq!(
        Heartbeats::new(every(ms(0)), at(0)).err(),
        Some(ConfigError::Interval),
        "and a configuration that makes no sense is refused, before it divides by zero"
    );
}

#[test]
fn a_heartbeat_starts_the_count_over() {
    let mut node = watch();

    for round in 0..10 {
        let begins = 4000 * round;
        node.beat(at(begins));
        assert_eq!(
            node.missed(at(begins + 3000)),
            3,
            "round {round}: three are missing since the last heartbeat. Those that were missed \
             before it don't count: the node has shown that it is there"
        );
    }

    let mut node = watch();
    node.beat(at(700));
    assert_eq!(
        (node.missed(at(1699)), node.missed(at(1700))),
        (0, 1),
        "a heartbeat that comes before it is due starts the count over as well: the next is due a whole \
         interval later"
    );
}

#[test]
fn a_slow_node_looks_dead_and_is_alive_again() {
    let mut node = watch();
    node.beat(at(1000));

    // It stops for 6 s to collect garbage. Nothing has crashed.
    let mut text = diary(&node, [1000, 3000, 6000, 7200]);
    node.beat(at(7200));
    text += &diary(&node, [7200, 8000]);

    insta::assert_snapshot!(
        text,
        "silence is all that can be seen of a crash, and a pause is silent too. The first heartbeat \
         after it takes the verdict back, so don't remember `Dead`: work it out from the time",
        @"
        1.000s   0 missed  Alive
        3.000s   2 missed  Suspect
        6.000s   5 missed  Dead
        7.200s   6 missed  Dead
        7.200s   0 missed  Alive
        8.000s   0 missed  Alive
        "
    );
}

#[test]
fn looking_is_not_missing() {
    let node = watch();

    for _ in 0..1000 {
        node.liveness(at(1500));
    }

    assert_eq!(
        node.missed(at(1500)),
        1,
        "1.5 s of silence are one missed heartbeat, however often somebody asks"
    );
}

#[test]
fn intervals_are_counted_in_parts_of_a_second_and_of_a_millisecond() {
    let missed =
        |interval: Duration, silence: Duration| watch_every(interval).missed(at(0) + silence);

    assert_eq!(missed(ms(1500), ms(2999)), 1, "2.999 s are not two intervals of 1.5 s");
    assert_eq!(missed(ms(1500), ms(3000)), 2, "3 s are, but not if 1.5 s were cut to 1 s");
    assert_eq!(
        missed(Duration::from_micros(500), ms(1)),
        2,
        "1 ms holds two intervals of half a millisecond, which is 0 in whole milliseconds"
    );
    assert_eq!(
        missed(Duration::from_nanos(1), ms(60_000)),
        u32::MAX,
        "more than fit into a u32 are as many as fit: nothing wraps round to a few"
    );
    for count in 1..=100 {
        let whole = ms(100) * count;
        assert_eq!(
            (missed(ms(100), whole - Duration::from_nanos(1)), missed(ms(100), whole)),
            (count - 1, count),
            "{count} intervals of 100 ms: in floating point 0.3 / 0.1 is less than 3"
        );
    }
    let why =
        "no interval is too long: count what is missing, for `interval * dead_after` overflows";
    let endless = without_panic(why, || watch_every(Duration::MAX).liveness(at(60_000)));
    assert_eq!(endless, Liveness::Alive, "{why}");
}

#[test]
fn an_older_heartbeat_does_not_turn_time_back() {
    let mut node = watch();

    node.beat(at(5000));
    node.beat(at(3000));

    let missed = |now: Instant| node.missed(now);
    assert_eq!(
        missed(at(5999)),
        0,
        "the heartbeats of two connections are noted in any order: the latest one counts"
    );
    assert_eq!(missed(at(2000)), 0, "and before the last heartbeat nothing is missing after it");
    assert_eq!(node.liveness(at(2000)), Liveness::Alive, "so that the node is alive");

    let config = HeartbeatConfig { interval: ms(1000), ..HeartbeatConfig::default() };
    let mut node = Heartbeats::new(config, at(3000)).expect("this configuration is valid");
    node.beat(at(1000));
    assert_eq!(
        node.missed(at(3999)),
        0,
        "the watch began at 3 s, as if a heartbeat had come then: one of 1 s is older than that"
    );
}
