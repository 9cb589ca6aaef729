//! Step 1: the delays grow by a factor up to a cap, without an error however long it goes on.

use std::time::Duration;

use backoff::{Config, Jitter};

use super::{MS, SECOND, backoff, plain};

#[test]
fn the_first_retry_waits_the_base() {
    let first = plain().exponential(0);

    assert_eq!(
        first,
        100 * MS,
        "retries are counted from 0, and base × factor⁰ is the base: a count that begins at 1 doubles \
         every delay"
    );
}

#[test]
fn each_delay_is_the_one_before_times_the_factor_up_to_the_cap() {
    let backoff = plain();

    let delays: Vec<String> =
        (0..11).map(|retry| format!("retry {retry}: {:?}", backoff.exponential(retry))).collect();

    insta::assert_snapshot!(
        delays.join("\n"),
        "base × factorʳᵉᵗʳʸ: the base is a length of time, and it is the factor that is raised to a power",
        @"
        retry 0: 100ms
        retry 1: 200ms
        retry 2: 400ms
        retry 3: 800ms
        retry 4: 1.6s
        retry 5: 3.2s
        retry 6: 6.4s
        retry 7: 12.8s
        retry 8: 25.6s
        retry 9: 30s
        retry 10: 30s
        "
    );
}

#[test]
fn the_factor_may_be_three_or_one() {
    let of = |factor| backoff(Config { factor, jitter: Jitter::None, ..Config::default() });

    assert_eq!(of(3).exponential(4), 8_100 * MS, "100 ms × 3⁴: not every factor is 2");
    assert_eq!(of(1).exponential(4), 100 * MS, "with a factor of 1 the delays don't grow");
}

#[test]
fn the_cap_is_exact_and_may_be_the_base() {
    let (base, cap) = (Duration::from_nanos(777), Duration::new(1, 234_567_891));
    let of = |base, cap| backoff(Config { base, factor: 2, cap, jitter: Jitter::None });

    assert_eq!(
        of(base, cap).exponential(40),
        cap,
        "777 ns × 2⁴⁰ is past the cap, so it is the cap"
    );
    assert_eq!(
        of(cap, cap).exponential(0),
        cap,
        "a base that is the cap is the delay from the first"
    );
    assert_eq!(of(cap, cap).exponential(5), cap, "and stays it");
}

#[test]
fn at_retry_10_000_it_is_still_the_cap() {
    for retry in [57, 64, 90, 128, 10_000, u32::MAX] {
        assert_eq!(
            plain().exponential(retry),
            30 * SECOND,
            "retry {retry}: 2¹⁰⁰⁰⁰ fits in no integer: multiply and raise with saturation, never by wrapping"
        );
    }
}

#[test]
fn it_is_exact_to_the_nanosecond() {
    let base = Duration::from_nanos(123_456_789);
    let backoff = backoff(Config { base, factor: 7, cap: Duration::MAX, jitter: Jitter::None });

    assert_eq!(
        backoff.exponential(20),
        Duration::new(9_850_896_984_136_096, 11_324_789),
        "123,456,789 ns × 7²⁰ takes 84 bits: a float keeps the first 53 of them, and a u64 has only 64"
    );
}

#[test]
fn the_largest_durations_do_not_overflow() {
    let backoff =
        |base| backoff(Config { base, factor: u32::MAX, cap: Duration::MAX, jitter: Jitter::None });

    assert_eq!(
        backoff(Duration::from_nanos(1)).exponential(2),
        Duration::from_nanos(u64::MAX - 2 * u64::from(u32::MAX)),
        "(2³² − 1)² is 2⁶⁴ − 2·(2³² − 1) − 1 nanoseconds"
    );
    let doubled = super::backoff(Config {
        base: Duration::from_nanos(1),
        factor: 2,
        cap: Duration::MAX,
        jitter: Jitter::None,
    });
    assert_eq!(
        [64, 93, 94].map(|retry| doubled.exponential(retry)),
        [Duration::from_nanos_u128(1 << 64), Duration::from_nanos_u128(1 << 93), Duration::MAX],
        "2⁶⁴ nanoseconds and 2⁹³ fit in a Duration, and 2⁹⁴ don't: a power that is cut off at 63 bits stops \
         growing at 292 years"
    );
    assert_eq!(backoff(SECOND).exponential(3), Duration::MAX, "a cap of Duration::MAX is a cap");
    assert_eq!(backoff(Duration::MAX).exponential(0), Duration::MAX, "and may be the base, too");
}
