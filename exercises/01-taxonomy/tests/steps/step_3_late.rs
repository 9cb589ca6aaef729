//! Step 3: what doesn't come within its time, and how long what comes takes.

use std::fmt::Write as _;
use std::time::Duration;

use taxonomy::{Acknowledgements, Latencies};

use super::{at, ms, without_panic};

#[test]
fn a_message_that_is_acknowledged_in_time_is_not_overdue() {
    let mut messages = Acknowledgements::new(ms(1000));

    messages.sent(7, at(0));

    assert!(messages.acknowledge(7, at(999)), "it waited, and 999 ms are less than 1 s");
    assert_eq!(messages.take_overdue(at(5000)), [0_u64; 0], "it was acknowledged: nothing is open");
    assert!(
        !messages.acknowledge(7, at(999)),
        "a second acknowledgement is one that nobody awaits"
    );
    assert!(!messages.acknowledge(8, at(999)), "nor one of a message that was never sent");
    messages.sent(7, at(6000));
    assert_eq!(
        messages.take_overdue(at(7000)),
        [7],
        "what is sent under the same id after its acknowledgement is a new message"
    );
}

#[test]
fn a_message_without_an_acknowledgement_is_reported_once() {
    let mut messages = Acknowledgements::new(ms(1000));
    for (id, millis) in [(3, 0), (2, 100), (4, 500), (1, 900)] {
        messages.sent(id, at(millis));
    }

    assert_eq!(messages.take_overdue(at(999)), [0_u64; 0], "none of them has waited for 1 s yet");
    assert_eq!(messages.take_overdue(at(1000)), [3], "a whole second after it was sent, not later");
    assert_eq!(
        messages.take_overdue(at(5000)),
        [1, 2, 4],
        "3 was reported before, and one loss is one report; the others come in ascending order of \
         their ids, not in that of their sending"
    );
    assert_eq!(messages.take_overdue(at(9000)), [0_u64; 0], "and then all of them are forgotten");
}

#[test]
fn an_acknowledgement_that_comes_too_late_changes_nothing() {
    let mut messages = Acknowledgements::new(ms(1000));
    messages.sent(7, at(0));
    messages.sent(8, at(0));

    assert!(!messages.acknowledge(7, at(1000)), "1 s is not less than 1 s: too late");

    assert_eq!(
        messages.take_overdue(at(1000)),
        [7, 8],
        "whether 7 is overdue must not depend on who asked first. It is in time or reported"
    );
    assert!(!messages.acknowledge(8, at(1001)), "and what was given up is not waited for");
}

#[test]
fn a_message_that_is_sent_again_keeps_its_time() {
    let mut messages = Acknowledgements::new(ms(1000));

    for millis in [0, 400, 800] {
        messages.sent(7, at(millis));
    }

    assert_eq!(
        messages.take_overdue(at(1000)),
        [7],
        "a caller that sends it again every 400 ms would never learn that nobody answers"
    );
    messages.sent(7, at(1200));
    assert!(messages.acknowledge(7, at(1300)), "after the report the same id is a new message");

    messages.sent(7, at(2000));
    messages.sent(7, at(3000));
    assert!(
        !messages.acknowledge(7, at(3100)),
        "until the report it is the old one, also when its time is over already"
    );
    assert_eq!(messages.take_overdue(at(3100)), [7], "it is in time or reported, and it was late");

    messages.sent(0, at(4000));
    assert!(!messages.acknowledge(0, at(5000)), "too late");
    messages.sent(0, at(5100));
    assert!(
        !messages.acknowledge(0, at(5200)),
        "nor does an acknowledgement that came too late make a new message of it: it is still to be reported"
    );
    assert_eq!(
        [messages.take_overdue(at(5200)), messages.take_overdue(at(9000))],
        [vec![0], vec![]],
        "and it is reported once"
    );
}

#[test]
fn what_happens_to_one_message_changes_no_other() {
    let mut messages = Acknowledgements::new(ms(1000));
    messages.sent(1, at(0));
    messages.sent(2, at(900));
    messages.sent(3, at(5000));

    assert!(messages.acknowledge(3, at(5001)), "3 is in time");

    assert_eq!(
        messages.take_overdue(at(5002)),
        [1, 2],
        "each message has an acknowledgement of its own: that of 3 says nothing of those that were \
         sent before it, as it would in TCP, and to look at 3 is not to report the others"
    );
}

#[test]
fn the_99th_percentile_is_taken_by_nearest_rank() {
    let mut table = String::new();

    for count in [1, 2, 99, 100, 101, 200, 1000] {
        let mut latencies = Latencies::new(ms(60_000));
        // 1 ms, 2 ms, 3 ms … so that the nth fastest takes n milliseconds; the slow ones come first.
        for millis in (1..=count).rev() {
            latencies.record(ms(millis), at(0));
        }
        let p99 = latencies.p99(at(0)).map_or("none".to_owned(), |p99| p99.as_millis().to_string());
        writeln!(table, "of {count:>4} samples  {p99:>4}").unwrap();
    }

    insta::assert_snapshot!(
        table,
        "the rank is 0.99 n, rounded up and counted from 1: of fewer than 100 samples it is the \
         slowest, of 100 the second slowest. An index counts from 0, and is one less than the rank",
        @"
        of    1 samples     1
        of    2 samples     2
        of   99 samples    99
        of  100 samples    99
        of  101 samples   100
        of  200 samples   198
        of 1000 samples   990
        "
    );

    let mut latencies = Latencies::new(ms(60_000));
    for nanos in (0..100).rev() {
        latencies.record(Duration::from_nanos(nanos), at(0));
    }
    assert_eq!(
        latencies.p99(at(0)),
        Some(Duration::from_nanos(98)),
        "100 samples, of 0 to 99 ns: 0 is a latency too, and none of them is cut to a larger unit"
    );

    let mut latencies = Latencies::new(ms(60_000));
    for request in 0..100 {
        latencies.record(if request % 50 == 7 { ms(3000) } else { ms(10) }, at(request));
    }
    assert_eq!(
        latencies.p99(at(100)),
        Some(ms(3000)),
        "two of 100 callers waited for 3 s. Their mean, 70 ms, is a latency that nobody had"
    );
}

#[test]
fn only_the_window_counts() {
    let mut latencies = Latencies::new(ms(10_000));
    latencies.record(ms(3000), at(0));
    latencies.record(ms(20), at(5000));

    assert_eq!(latencies.p99(at(9999)), Some(ms(3000)), "both are younger than 10 s");
    assert_eq!(
        latencies.p99(at(10_000)),
        Some(ms(20)),
        "the slow one is 10 s old and has left, also if nothing was recorded since"
    );
    assert_eq!(
        latencies.p99(at(15_000)),
        None,
        "a window without requests has no latency. 0 ms would say that all is well"
    );

    let mut nothing = Latencies::new(ms(0));
    nothing.record(ms(20), at(0));
    assert_eq!(nothing.p99(at(0)), None, "no sample is younger than 0 s, not even a new one");
}

#[test]
fn patience_and_a_window_may_be_of_any_length() {
    let why = "a patience of Duration::MAX is no timeout: compare how long the message has waited, for \
               `sent + patience` panics";
    let (overdue, in_time) = without_panic(why, || {
        let mut messages = Acknowledgements::new(Duration::MAX);
        messages.sent(7, at(0));
        (messages.take_overdue(at(5000)), messages.acknowledge(7, at(5000)))
    });
    assert_eq!((overdue, in_time), (vec![], true), "{why}");

    let why = "a window of Duration::MAX is all of the past: compare how old a sample is, for `now - window` \
               panics where the clock can't go back so far, and whether it can depends on the platform";
    let p99 = without_panic(why, || {
        let mut latencies = Latencies::new(Duration::MAX);
        latencies.record(ms(20), at(0));
        latencies.record(ms(10), at(5000));
        latencies.p99(at(5000))
    });
    assert_eq!(p99, Some(ms(20)), "{why}");

    // Neither is a whole number of microseconds. An f64 of seconds holds the first, and not the second.
    for length in [Duration::from_nanos(1_500_250), Duration::new(1_000_000_000, 1)] {
        let over = at(0) + length;
        let just_before = over - Duration::from_nanos(1);
        let mut messages = Acknowledgements::new(length);
        let mut latencies = Latencies::new(length);
        messages.sent(7, at(0));
        messages.sent(8, at(0));
        latencies.record(ms(20), at(0));
        latencies.record(ms(10), just_before);

        assert_eq!(
            (messages.take_overdue(just_before), messages.acknowledge(7, just_before)),
            (vec![], true),
            "a nanosecond less than a patience of {length:?} is less: nothing is cut to a larger unit or rounded"
        );
        assert_eq!(
            (messages.acknowledge(8, over), messages.take_overdue(over)),
            (false, vec![8]),
            "after a patience of {length:?}, to the nanosecond, it is too late"
        );
        assert_eq!(
            (latencies.p99(just_before), latencies.p99(over)),
            (Some(ms(20)), Some(ms(10))),
            "the slower sample is part of a window of {length:?} until it is exactly so old, and not a \
             nanosecond less or more"
        );
    }

    let mut messages = Acknowledgements::new(ms(0));
    messages.sent(7, at(0));
    assert!(!messages.acknowledge(7, at(0)), "no time is less than none");
    assert_eq!(messages.take_overdue(at(0)), [7], "so each message is overdue at once");
}

#[test]
fn what_has_left_the_window_is_not_kept() {
    let mut latencies = Latencies::new(ms(5000));

    for millis in 0..10_000 {
        latencies.record(Duration::from_micros(millis), at(millis));
    }

    assert_eq!(
        latencies.kept(),
        5000,
        "one each millisecond for 10 s, of which the last 5 s count, however many they are: what is \
         never dropped is a leak in the one part that has to stay up when others fail"
    );
    latencies.record(ms(20), at(60_000));
    assert_eq!(
        latencies.kept(),
        1,
        "after a minute without a request all of the old ones go at once"
    );
}
