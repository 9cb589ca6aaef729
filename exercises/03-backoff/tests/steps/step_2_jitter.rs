//! Step 2: chance spreads the delays, within exact bounds, at the cap as well.

use std::collections::BTreeSet;
use std::time::Duration;

use backoff::{Backoff, Config, Jitter};

use super::{MS, SECOND, backoff, jittered, plain, rng};

/// The delay before retry number `retry` of each of so many operations.
fn draws(backoff: Backoff, retry: usize, operations: usize) -> Vec<Duration> {
    let mut rng = rng();
    (0..operations).map(|_| backoff.delays(&mut rng).nth(retry).unwrap()).collect()
}

/// 10,000 draws must fill the range from `low` to `high` evenly: a tenth of them in each tenth of it.
/// By chance alone a tenth holds 1,000 ± 30 of them (one standard deviation); 150 is five of these.
#[track_caller]
fn assert_fills(draws: &[Duration], low: Duration, high: Duration) {
    let (min, max) = (*draws.iter().min().unwrap(), *draws.iter().max().unwrap());
    assert!(
        low <= min && max <= high,
        "every delay must lie between {low:?} and {high:?}, but there are delays from {min:?} to {max:?}"
    );
    let mut tenths = [0_i32; 10];
    for draw in draws {
        let place = (*draw - low).as_nanos() * 10 / (high - low).as_nanos();
        tenths[usize::try_from(place).unwrap().min(9)] += 1;
    }
    assert!(
        tenths.iter().all(|count| (count - 1_000).abs() <= 150),
        "each tenth of {low:?} to {high:?} should get about 1,000 of 10,000 delays, but they got {tenths:?}"
    );
}

/// What is drawn past the cap and then cut to it is the cap itself, for everybody; a range
/// that ends there has 50 million other delays.
#[track_caller]
fn assert_not_cut(draws: &[Duration], cap: Duration) {
    let cut = draws.iter().filter(|delay| **delay == cap).count();
    assert!(
        cut <= 1,
        "{cut} of {} delays are exactly the cap: bound the range, don't cut the draw",
        draws.len()
    );
}

#[test]
fn without_jitter_each_operation_waits_the_same() {
    let delays: Vec<Duration> = plain().delays(rng()).take(4).collect();

    assert_eq!(
        delays,
        [100 * MS, 200 * MS, 400 * MS, 800 * MS],
        "Jitter::None is the bare exponential"
    );
    let thrice = Config { base: 70 * MS, factor: 3, jitter: Jitter::None, ..Config::default() };
    assert_eq!(
        backoff(thrice).delays(rng()).take(4).collect::<Vec<_>>(),
        [70 * MS, 210 * MS, 630 * MS, 1_890 * MS],
        "and not every base is 100 ms, nor every factor 2"
    );
}

#[test]
fn additive_jitter_is_on_top_of_the_exponential_delay() {
    let backoff = jittered(Jitter::Additive(100 * MS));

    assert_fills(&draws(backoff, 0, 10_000), 100 * MS, 200 * MS);
    assert_fills(&draws(backoff, 4, 10_000), 1_600 * MS, 1_700 * MS);

    let jitter = Jitter::Additive(35 * MS);
    let narrow = super::backoff(Config { base: 70 * MS, factor: 3, jitter, ..Config::default() });
    assert_fills(&draws(narrow, 2, 10_000), 630 * MS, 665 * MS);
}

#[test]
fn full_jitter_is_anything_up_to_the_exponential_delay() {
    let backoff = jittered(Jitter::Full);

    assert_fills(&draws(backoff, 0, 10_000), Duration::ZERO, 100 * MS);
    assert_fills(&draws(backoff, 4, 10_000), Duration::ZERO, 1_600 * MS);

    let (base, factor, jitter) = (70 * MS, 3, Jitter::Full);
    let thrice = super::backoff(Config { base, factor, jitter, ..Config::default() });
    assert_fills(&draws(thrice, 2, 10_000), Duration::ZERO, 630 * MS);
}

/// Where the first delay of an operation lies in its range says nothing about the second: each of
/// 4 × 4 fields holds 625 ± 24.2 of 10,000 operations (one standard deviation), and 121 is five of these.
#[test]
fn each_delay_of_an_operation_is_drawn_by_itself() {
    for (jitter, first, second) in [
        (Jitter::Full, 0..100, 0..200),
        (Jitter::Equal, 50..100, 100..200),
        (Jitter::Additive(100 * MS), 100..200, 200..300),
    ] {
        let (backoff, mut rng) = (jittered(jitter), rng());
        let mut fields = [[0_i32; 4]; 4];
        for _ in 0..10_000 {
            let mut delays = backoff.delays(&mut rng);
            let mut quarter = |range: &std::ops::Range<u32>| {
                let (low, high) = (range.start * MS, range.end * MS);
                let above = delays.next().unwrap().saturating_sub(low);
                usize::try_from(above.as_nanos() * 4 / (high - low).as_nanos()).unwrap().min(3)
            };
            fields[quarter(&first)][quarter(&second)] += 1;
        }

        assert!(
            fields.as_flattened().iter().all(|count| (count - 625).abs() <= 121),
            "{jitter:?}: the first two delays of 10,000 operations, by the quarters of their ranges, \
             should be 625 in each field: one random share for the whole operation keeps those \
             together who meet once. {fields:?}"
        );
    }
}

#[test]
fn equal_jitter_keeps_half_and_draws_the_other_half() {
    let backoff = jittered(Jitter::Equal);

    assert_fills(&draws(backoff, 0, 10_000), 50 * MS, 100 * MS);
    assert_fills(&draws(backoff, 4, 10_000), 800 * MS, 1_600 * MS);

    let (base, factor, jitter) = (70 * MS, 3, Jitter::Equal);
    let thrice = super::backoff(Config { base, factor, jitter, ..Config::default() });
    assert_fills(&draws(thrice, 2, 10_000), 315 * MS, 630 * MS);
}

#[test]
fn decorrelated_jitter_is_drawn_from_the_base_to_three_times_the_delay_before() {
    let (base, jitter) = (70 * MS, Jitter::Decorrelated);
    let by_five = super::backoff(Config { base, factor: 5, jitter, ..Config::default() });
    assert_fills(&draws(by_five, 0, 10_000), 70 * MS, 210 * MS);
    let low_cap = super::backoff(Config { base, cap: 150 * MS, jitter, ..Config::default() });
    assert_fills(&draws(low_cap, 0, 10_000), 70 * MS, 150 * MS);

    let backoff = jittered(Jitter::Decorrelated);
    assert_fills(&draws(backoff, 0, 10_000), 100 * MS, 300 * MS);

    let delays: Vec<Duration> = backoff.delays(rng()).take(10_000).collect();
    assert_not_cut(&delays, 30 * SECOND);

    // Where each delay lies in its own range, from 0 to a second.
    let mut before = 100 * MS;
    let mut places = Vec::new();
    for delay in delays {
        let high = (3 * before).min(30 * SECOND);
        assert!(
            (100 * MS..=high).contains(&delay),
            "after {before:?} comes a delay from 100ms to {high:?}, not {delay:?}"
        );
        places.push((delay - 100 * MS).div_duration_f64(high - 100 * MS));
        before = delay;
    }
    let places: Vec<Duration> = places.into_iter().map(Duration::from_secs_f64).collect();
    assert_fills(&places, Duration::ZERO, SECOND);
}

#[test]
fn delays_are_still_spread_at_the_cap_and_never_past_it() {
    // 100 ms × 2¹² would be 409.6 s.
    let at_cap = |jitter| {
        let draws = draws(jittered(jitter), 12, 10_000);
        assert_not_cut(&draws, 30 * SECOND);
        draws
    };
    assert_fills(&at_cap(Jitter::Additive(100 * MS)), 29_900 * MS, 30 * SECOND);
    assert_fills(&at_cap(Jitter::Full), Duration::ZERO, 30 * SECOND);
    assert_fills(&at_cap(Jitter::Equal), 15 * SECOND, 30 * SECOND);

    // Here the exponential delay is 25.6 s, and half of the jitter is past the cap: the range moves down.
    let (cap, jitter) = (25_650 * MS, Jitter::Additive(100 * MS));
    let near_cap = backoff(Config { cap, jitter, ..Config::default() });
    let draws = draws(near_cap, 8, 10_000);
    assert_not_cut(&draws, cap);
    assert_fills(&draws, 25_550 * MS, cap);

    let (base, cap) = (Duration::MAX / 2, Duration::MAX);
    for jitter in [Jitter::Additive(cap), Jitter::Full, Jitter::Equal, Jitter::Decorrelated] {
        let delays = backoff(Config { base, factor: 2, cap, jitter }).delays(rng());
        let count = delays.take(1_000).count();
        assert_eq!(count, 1_000, "{jitter:?}: no sum and no product may overflow");
    }
}

#[test]
fn the_smallest_ranges_have_both_their_ends() {
    let nanos = Duration::from_nanos;
    for (base, cap, jitter, expected) in [
        (2, 9, Jitter::Full, 0..=2),
        (4, 9, Jitter::Equal, 2..=4),
        (4, 9, Jitter::Additive(nanos(1)), 4..=5),
        (4, 4, Jitter::Additive(nanos(1)), 3..=4),
        (1, 9, Jitter::Decorrelated, 1..=3),
        (4, 4, Jitter::Decorrelated, 4..=4),
    ] {
        let (base, cap) = (nanos(base), nanos(cap));
        let drawn = draws(backoff(Config { base, factor: 1, cap, jitter }), 0, 1_000);

        assert_eq!(
            BTreeSet::from_iter(drawn),
            expected.clone().map(nanos).collect(),
            "{jitter:?}: 1,000 delays from {expected:?} nanoseconds. Each of them is drawn, the first and \
             the last too, and nothing else"
        );
    }
}

#[test]
fn the_delays_never_end_and_never_begin_again() {
    let late = plain().delays(rng()).nth(1 << 16);

    assert_eq!(
        late,
        Some(30 * SECOND),
        "the delay of retry 65,536 is the cap, as that of retry 9 is: a number of retries in a few bits \
         begins again, with 100 ms, against a server that has been down for weeks"
    );
}

#[test]
fn five_thousand_delays_are_nearly_all_distinct() {
    for jitter in [Jitter::Additive(100 * MS), Jitter::Full, Jitter::Equal, Jitter::Decorrelated] {
        for retry in [0, 12] {
            let draws = draws(jittered(jitter), retry, 5_000);
            assert_not_cut(&draws, 30 * SECOND);
            let distinct: BTreeSet<_> = draws.into_iter().collect();

            // The narrowest range, 50 ms, has 50 million nanoseconds: 5,000 draws share one in some
            // quarter of all runs, and three are shared hardly ever.
            assert!(
                distinct.len() >= 4_998,
                "{jitter:?}, retry {retry}: jitter in whole seconds or milliseconds brings clients \
                 together again, here to {} moments",
                distinct.len()
            );
        }
    }
}
