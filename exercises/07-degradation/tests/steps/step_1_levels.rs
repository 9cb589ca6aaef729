//! Step 1: from the health of the dependencies to a level.

use std::fmt::Write as _;
use std::time::Duration;

use degradation::{DependencyHealth, LIMITS, Level, Limit, assess};

use super::{MILLISECOND, NANOSECOND, without_panic};

const WELL: DependencyHealth =
    DependencyHealth { healthy: true, error_rate: 0.0, p99: Duration::from_millis(20) };

/// So many dependencies like `one`, and well ones up to `total`.
fn some(count: usize, one: DependencyHealth, total: usize) -> Vec<DependencyHealth> {
    let mut health = vec![WELL; total];
    health[..count].fill(one);
    health
}

fn error_rates(rates: &[f64]) -> Vec<DependencyHealth> {
    rates.iter().map(|&error_rate| DependencyHealth { error_rate, ..WELL }).collect()
}

fn p99s(p99s: &[Duration]) -> Vec<DependencyHealth> {
    p99s.iter().map(|&p99| DependencyHealth { p99, ..WELL }).collect()
}

#[test]
fn unhealthy_dependencies_are_counted() {
    let mut table = String::new();

    for count in 0..=6 {
        let health = some(count, DependencyHealth { healthy: false, ..WELL }, 10);
        writeln!(table, "{count} unhealthy: {}", assess(&health, &LIMITS)).unwrap();
    }

    insta::assert_snapshot!(
        table,
        "up to two are degraded, up to four minimal",
        @"
        0 unhealthy: normal
        1 unhealthy: degraded
        2 unhealthy: degraded
        3 unhealthy: minimal
        4 unhealthy: minimal
        5 unhealthy: emergency
        6 unhealthy: emergency
        "
    );
}

#[test]
fn an_error_rate_must_be_below_its_limit() {
    let mut table = String::new();

    for rates in [
        [0.009, 0.009],
        [0.0, 0.0199],
        [0.01, 0.01],
        [0.0, 0.0999],
        [0.05, 0.05],
        [0.1, 0.2],
        [0.2, 0.2],
        [0.3, 0.2],
    ] {
        writeln!(table, "{rates:?}: {}", assess(&error_rates(&rates), &LIMITS)).unwrap();
    }

    insta::assert_snapshot!(
        table,
        "it is the mean of all dependencies that counts, and a mean of exactly 1 % is not below 1 %",
        @"
        [0.009, 0.009]: normal
        [0.0, 0.0199]: normal
        [0.01, 0.01]: degraded
        [0.0, 0.0999]: degraded
        [0.05, 0.05]: minimal
        [0.1, 0.2]: minimal
        [0.2, 0.2]: emergency
        [0.3, 0.2]: emergency
        "
    );
}

#[test]
fn ten_times_one_per_cent_is_not_below_one_per_cent() {
    let mut table = String::new();

    for (count, rate) in [(10, 0.01), (10, 0.05), (7, 0.2)] {
        let level = assess(&error_rates(&vec![rate; count]), &LIMITS);
        writeln!(table, "{count} times {rate}: {level}").unwrap();
    }
    let mut a_billionth_less = error_rates(&[0.01; 10]);
    a_billionth_less[9].error_rate = 0.009_999_999;
    let below = assess(&a_billionth_less, &LIMITS);
    let rounded = assess(&error_rates(&[0.0157, 0.0043]), &LIMITS);

    insta::assert_snapshot!(
        table,
        "each mean is exactly at a limit, of 0.01, 0.05 and 0.2, and so not below it. A sum of floats isn't \
         exact: ten times 0.01 comes to 0.09999999999999999; whole billionths add up exactly",
        @"
        10 times 0.01: degraded
        10 times 0.05: minimal
        7 times 0.2: emergency
        "
    );
    assert_eq!(
        below,
        Level::Normal,
        "nine times 0.01 and once a billionth less: the sum is below ten limits. Each rate counts to the \
         billionth, and the mean is not rounded"
    );
    assert_eq!(
        rounded,
        Level::Degraded,
        "0.0157 and 0.0043 have a mean of 0.01. 0.0157 × 1e9 is a float a little below 15,700,000: round to \
         the nearest billionth, don't cut off"
    );
}

#[test]
fn a_long_wait_is_degraded_and_no_worse() {
    let mut table = String::new();
    let quarter = Duration::from_micros(250);
    let why = "normal needs a mean p99 below 100 ms, in which a quarter of a millisecond counts too, and a \
               dependency with a p99 of 0 as any other; the other levels don't ask. And two long times have \
               a sum that no Duration holds, which must not panic";

    for p99 in [
        [99 * MILLISECOND, 100 * MILLISECOND],
        [100 * MILLISECOND - quarter, 100 * MILLISECOND],
        [100 * MILLISECOND - quarter, 100 * MILLISECOND + quarter],
        [150 * MILLISECOND, Duration::ZERO],
        [30 * MILLISECOND, 30_000 * MILLISECOND],
        [Duration::MAX, Duration::MAX],
    ] {
        let level = without_panic(why, || assess(&p99s(&p99), &LIMITS));
        writeln!(table, "{p99:?}: {level}").unwrap();
    }

    insta::assert_snapshot!(
        table,
        why,
        @"
        [99ms, 100ms]: normal
        [99.75ms, 100ms]: normal
        [99.75ms, 100.25ms]: degraded
        [150ms, 0ns]: normal
        [30ms, 30s]: degraded
        [18446744073709551615.999999999s, 18446744073709551615.999999999s]: degraded
        "
    );
}

#[test]
fn without_dependencies_all_is_normal() {
    assert_eq!(
        assess(&[], &LIMITS),
        Level::Normal,
        "what there isn't can't fail. In the original, the mean of nothing is 0/0, which is below no \
         limit: a service that has heard of no dependency yet begins in an emergency"
    );
}

#[test]
fn of_two_signals_the_worse_counts() {
    let lying = |error_rate| DependencyHealth { error_rate, ..WELL };
    let mut table = String::new();

    for error_rate in [0.49, 0.5, 1.0] {
        let level = assess(&some(3, lying(error_rate), 100), &LIMITS);
        writeln!(table, "3 of 100 healthy, with an error rate of {error_rate}: {level}").unwrap();
    }
    let level = assess(&some(1, DependencyHealth { healthy: false, ..WELL }, 100), &LIMITS);
    writeln!(table, "1 of 100 unhealthy, without an error: {level}").unwrap();
    let down = DependencyHealth { healthy: false, error_rate: 1.0, ..WELL };
    for (count, of) in [(2, 100), (1, 10)] {
        let level = assess(&some(count, down, of), &LIMITS);
        writeln!(table, "{count} of {of} unhealthy, with an error rate of 1: {level}").unwrap();
    }
    let slow = DependencyHealth { healthy: false, p99: 30_000 * MILLISECOND, ..WELL };
    let limits = [Limit { unhealthy: 1, error_rate: 0.01, p99: Some(100 * MILLISECOND) }; 3];
    let level = assess(&some(1, slow, 100), &limits);
    writeln!(table, "1 of 100 unhealthy and slow, with a limit of 1 and 100 ms: {level}").unwrap();

    insta::assert_snapshot!(
        table,
        "a health check that says yes while half of the calls fail is not asking what callers ask: from \
         UNHEALTHY_FROM on such a dependency is unhealthy, and three of them are more than degraded \
         puts up with. To be unhealthy is one figure of three: it adds nothing to the error rate and the \
         p99 of a dependency, and takes neither out of its mean",
        @"
        3 of 100 healthy, with an error rate of 0.49: degraded
        3 of 100 healthy, with an error rate of 0.5: minimal
        3 of 100 healthy, with an error rate of 1: minimal
        1 of 100 unhealthy, without an error: degraded
        2 of 100 unhealthy, with an error rate of 1: degraded
        1 of 10 unhealthy, with an error rate of 1: minimal
        1 of 100 unhealthy and slow, with a limit of 1 and 100 ms: emergency
        "
    );
}

#[test]
fn a_broken_meter_counts_as_the_worst() {
    let mut table = String::new();

    for error_rate in [f64::NAN, -0.5, f64::NEG_INFINITY, 1.5, f64::INFINITY, -0.0] {
        let broken = DependencyHealth { error_rate, ..WELL };
        let level = |count, of| assess(&some(count, broken, of), &LIMITS);
        let levels = (level(1, 10), level(3, 100));
        writeln!(table, "{error_rate:?}: {} and {}", levels.0, levels.1).unwrap();
    }

    insta::assert_snapshot!(
        table,
        "a rate that can't be is taken for 1: one of ten makes a mean of 0.1, and three of a hundred are \
         three unhealthy ones. Taken for 0, a meter that breaks in an outage would hide it; taken as it \
         is, minus a half would cancel the errors of others",
        @"
        NaN: minimal and minimal
        -0.5: minimal and minimal
        -inf: minimal and minimal
        1.5: minimal and minimal
        inf: minimal and minimal
        -0.0: normal and normal
        "
    );
}

#[test]
fn the_limits_are_those_that_are_given() {
    let narrow = Limit { unhealthy: 1, error_rate: 0.5, p99: Some(MILLISECOND) };
    let wide = Limit { p99: Some(50 * MILLISECOND), ..narrow };
    let limits = [narrow, wide, Limit { unhealthy: 7, ..wide }];
    let unhealthy = DependencyHealth { healthy: false, ..WELL };
    let slow = DependencyHealth { p99: 60 * MILLISECOND, ..WELL };

    let levels = [some(1, unhealthy, 9), some(7, unhealthy, 9), some(9, slow, 9)]
        .map(|health| assess(&health, &limits));

    assert_eq!(
        levels,
        [Level::Degraded, Level::Minimal, Level::Emergency],
        "LIMITS is a default; any level may have a limit for the p99"
    );

    let limit = |error_rate| [Limit { unhealthy: 2, error_rate, p99: None }; 3];
    let (close, exact) = (limit(0.0157), limit(1.0));
    assert_eq!(
        [0.015_699_999, 0.0157].map(|rate| assess(&error_rates(&[rate; 2]), &close)),
        [Level::Normal, Level::Emergency],
        "a mean a billionth below a limit of 0.0157 is below it: a limit is rounded to the nearest \
         billionth as each rate is"
    );
    assert_eq!(
        [0.999_999_999, 1.0].map(|rate| assess(&error_rates(&[rate; 2]), &exact)),
        [Level::Normal, Level::Emergency],
        "a limit of 1 is a limit: a mean of 1 is not below it"
    );

    let at = Duration::from_nanos(250_001);
    let limits = [Limit { p99: Some(at), ..narrow }; 3];
    assert_eq!(
        [at - NANOSECOND, at].map(|p99| assess(&p99s(&[p99]), &limits)),
        [Level::Normal, Level::Emergency],
        "250,000 ns are below a limit of 250,001 ns, and 250,001 ns aren't: a p99 counts to the nanosecond"
    );
    let limits = [Limit { p99: Some(Duration::MAX), ..narrow }; 3];
    let why = "three times the greatest limit is more than a Duration holds, which panics; it is not more than \
               a u128 of nanoseconds holds";
    assert_eq!(without_panic(why, || assess(&[WELL; 3], &limits)), Level::Normal, "{why}");
}
