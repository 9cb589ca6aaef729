//! Step 3: what travels with the request.

use std::fmt::Write as _;
use std::panic::catch_unwind;
use std::time::{Duration, UNIX_EPOCH};

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use deadline::{
    WireError, format_grpc_timeout, format_x_deadline, parse_grpc_timeout, parse_x_deadline,
    read_budget,
};

use super::{MILLISECOND, NANOSECOND, SECOND, headers, wall};

const MINUTE: Duration = Duration::from_secs(60);

#[test]
fn a_timeout_is_read_in_its_six_units() {
    let mut table = String::new();

    for value in
        ["2H", "3M", "15S", "250m", "40u", "7n", "99999999n", "99999999H", "00000005S", "0S"]
    {
        let read = parse_grpc_timeout(value.as_bytes()).map(|time| format!("{time:?}"));
        writeln!(table, "{value:<10} {}", read.unwrap_or_else(|error| error.to_string())).unwrap();
    }

    insta::assert_snapshot!(
        table,
        "capital letters for hours, minutes and seconds, small ones below; up to eight digits, and 99,999,999 \
         hours have more nanoseconds than 64 bits hold",
        @"
        2H         7200s
        3M         180s
        15S        15s
        250m       250ms
        40u        40µs
        7n         7ns
        99999999n  99.999999ms
        99999999H  359999996400s
        00000005S  5s
        0S         0ns
        "
    );
}

#[test]
fn nothing_else_is_a_timeout() {
    let malformed: [&[u8]; 20] = [
        b"",
        b"S",
        b"5",
        b"5 S",
        b" 5S",
        b"5S ",
        b"5S\0",
        b"+5S",
        b"-5S",
        b"5.5S",
        b"5e3m",
        b"0x5S",
        b"5s",
        b"5h",
        b"5SS",
        b"5ms",
        b"123456789n",
        b"000000005S",
        "٥S".as_bytes(),
        b"\xff\xfe5S",
    ];

    for value in malformed {
        assert_eq!(
            parse_grpc_timeout(value),
            Err(WireError::grpc_timeout(value)),
            "`{}` is no timeout: 1 to 8 digits, of those that ASCII has, and one of the six letters; no sign, no space",
            value.escape_ascii()
        );
    }
}

#[test]
fn a_timeout_is_written_in_the_finest_unit_that_fits() {
    let mut table = String::new();

    for time in [
        Duration::ZERO,
        NANOSECOND,
        1_500 * MILLISECOND,
        99_999_999 * NANOSECOND,
        100 * MILLISECOND,
        100 * MILLISECOND + 999 * NANOSECOND,
        30 * SECOND,
        100 * SECOND - NANOSECOND,
        27 * 60 * MINUTE + 999_999 * NANOSECOND,
        28 * 60 * MINUTE + 999 * MILLISECOND,
        Duration::from_secs(100_000_019),
        Duration::MAX,
    ] {
        writeln!(table, "{:<30} {}", format!("{time:?}"), format_grpc_timeout(time)).unwrap();
    }

    insta::assert_snapshot!(
        table,
        "eight digits of the finest unit, so that next to nothing is lost; and what is lost is the caller's: it is \
         rounded down, never up",
        @"
        0ns                            0n
        1ns                            1n
        1.5s                           1500000u
        99.999999ms                    99999999n
        100ms                          100000u
        100.000999ms                   100000u
        30s                            30000000u
        99.999999999s                  99999999u
        97200.000999999s               97200000m
        100800.999s                    100800S
        100000019s                     1666666M
        18446744073709551615.999999999s 99999999H
        "
    );
}

#[test]
fn nobody_is_given_more_time_than_there_is() {
    // Every length of a number, and within it a spread of digits: a fixed, plain generator.
    let mut bits = 7_u64;
    for round in 0..10_000 {
        bits = bits.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let time = Duration::from_nanos(bits >> (round % 60));
        let read =
            parse_grpc_timeout(format_grpc_timeout(time).as_bytes()).expect("it was written here");

        assert!(
            read <= time,
            "{time:?} became {read:?} on the way: a callee with more time than its caller"
        );
        assert!(
            time - read <= time / 100_000,
            "{time:?} became {read:?} on the way: there is a finer unit that fits in eight digits"
        );
    }
}

#[test]
fn an_absolute_deadline_is_a_time_of_day() {
    let microsecond = Duration::from_micros(1);
    let written = format_x_deadline(2 * SECOND + 345_999 * microsecond, wall());
    assert_eq!(
        written, "2024-01-15T10:30:02.345Z",
        "now and 2.345999 s, to the millisecond and rounded down"
    );
    assert_eq!(
        format_x_deadline(600 * microsecond, wall() + 600 * microsecond),
        "2024-01-15T10:30:00.001Z",
        "0.6 ms after 0.6 ms past half past ten: the moment is rounded, and not what it is made of"
    );

    let left = |value: &str, clock| parse_x_deadline(value.as_bytes(), clock);
    assert_eq!(left(&written, wall()), Ok(2_345 * MILLISECOND), "on a clock that says the same");
    assert_eq!(
        left("2024-01-15T10:30:01Z", wall() + 250 * MILLISECOND + NANOSECOND),
        Ok(750 * MILLISECOND - NANOSECOND),
        "what is left at `now`, to the nanosecond: clocks don't stand at whole seconds"
    );
    assert_eq!(left("2024-01-15T10:30:00.000000001Z", wall()), Ok(NANOSECOND), "nor do deadlines");
    for passed in ["2024-01-15T10:30:00.000Z", "2024-01-15T10:29:59.999Z", "1999-12-31T23:59:59Z"] {
        assert_eq!(
            left(passed, wall()),
            Ok(Duration::ZERO),
            "{passed} has passed at half past ten: a deadline all the same, with nothing left"
        );
    }
}

#[test]
fn no_value_and_no_clock_is_a_panic() {
    let now_is_1970 = format_x_deadline(SECOND, UNIX_EPOCH);
    assert_eq!(now_is_1970, "1970-01-01T00:00:01.000Z", "the first second that can be written");

    // Clocks that are wrong, and budgets without end. The first second after 9999:
    let after_9999 = UNIX_EPOCH + Duration::from_secs(253_402_300_800);
    let before_1970 = UNIX_EPOCH - SECOND;
    let write = |left, clock| {
        catch_unwind(|| format_x_deadline(left, clock)).unwrap_or_else(|_| "a panic".to_owned())
    };
    let writes = [
        write(Duration::ZERO, before_1970),
        write(2 * SECOND, before_1970),
        write(Duration::MAX, wall()),
        write(Duration::from_secs(253_402_300_800), UNIX_EPOCH),
        write(Duration::ZERO, after_9999),
    ];
    insta::assert_snapshot!(
        writes.join("\n"),
        "a clock may be wrong, and `Duration::MAX` is a way to say \"no limit\": a sum that no clock can hold is no panic, and \
         what lies beyond the calendar is cut to its first or last moment",
        @"
        1970-01-01T00:00:00.000Z
        1970-01-01T00:00:01.000Z
        9999-12-31T23:59:59.999Z
        9999-12-31T23:59:59.999Z
        9999-12-31T23:59:59.999Z
        "
    );
    for clock in [before_1970, after_9999] {
        let left = parse_x_deadline(now_is_1970.as_bytes(), clock);
        let expected = if clock < UNIX_EPOCH { 2 * SECOND } else { Duration::ZERO };
        assert_eq!(left, Ok(expected), "{now_is_1970} is read on a clock that is wrong as well");
    }
}

#[test]
fn a_wrong_clock_breaks_the_absolute_header_and_not_the_relative_one() {
    let absolute = format_x_deadline(2 * SECOND, wall());
    let relative = format_grpc_timeout(2 * SECOND);
    let mut table = String::from("clock of the callee   x-deadline   grpc-timeout\n");

    for (what, clock) in [
        ("5 min behind", wall() - 5 * MINUTE),
        ("in step", wall()),
        ("5 min ahead", wall() + 5 * MINUTE),
    ] {
        let x_deadline = parse_x_deadline(absolute.as_bytes(), clock).unwrap();
        let grpc_timeout = parse_grpc_timeout(relative.as_bytes()).unwrap();
        writeln!(table, "{what:<21} {:<12} {grpc_timeout:?}", format!("{x_deadline:?}")).unwrap();
    }

    insta::assert_snapshot!(
        table,
        "a call with 2 s left. Where the clock is behind, the callee works for minutes for somebody who has gone; \
         where it is ahead, it does nothing for anybody. How much time is left needs no clock on the wall",
        @"
        clock of the callee   x-deadline   grpc-timeout
        5 min behind          302s         2s
        in step               2s           2s
        5 min ahead           0ns          2s
        "
    );
}

#[test]
fn the_relative_header_decides() {
    let read = |headers| read_budget(&headers, wall());
    let (in_a_minute, passed) = ("2024-01-15T10:31:00Z", "2024-01-15T10:25:00Z");

    assert_eq!(read(headers([])), Ok(None), "nothing is said");
    assert_eq!(
        read(headers([("x-deadline", in_a_minute)])),
        Ok(Some(MINUTE)),
        "the only one there is"
    );
    assert_eq!(
        read(headers([("x-deadline", passed)])),
        Ok(Some(Duration::ZERO)),
        "one that has passed is a deadline, and no time; it is not a header that is missing"
    );
    for (relative, time) in [("2S", 2 * SECOND), ("2H", 120 * MINUTE), ("0n", Duration::ZERO)] {
        for absolute in [in_a_minute, passed, "soon"] {
            assert_eq!(
                read(headers([("grpc-timeout", relative), ("x-deadline", absolute)])),
                Ok(Some(time)),
                "grpc-timeout is {relative} and x-deadline {absolute}, by the sender's clock: grpc-timeout decides, \
                 be it longer, shorter or nothing"
            );
        }
    }
    for (name, first, time) in
        [("grpc-timeout", "2S", 2 * SECOND), ("x-deadline", in_a_minute, MINUTE)]
    {
        for second in ["soon", "1S", passed] {
            assert_eq!(
                read(headers([(name, first), (name, second)])),
                Ok(Some(time)),
                "{name} is there twice, {first} and {second}: the first counts"
            );
        }
    }
}

#[test]
fn a_header_that_decides_and_cannot_be_read_is_an_error() {
    let long = [b'9'; 300];
    let malformed: [&[u8]; 9] = [
        b"",
        b"soon",
        b"1705314600",
        b"2024-01-15T10:31:00+00:00",
        b"2024-13-15T10:31:00Z",
        // What an unset time of Go looks like.
        b"0001-01-01T00:00:00Z",
        b"\xff5S",
        b"2024-01-15T10:31:00.\xff\xffZ",
        &long,
    ];

    for value in malformed {
        let shown = value.escape_ascii();
        let field = |name| {
            let value = HeaderValue::from_bytes(value).expect("HTTP lets it through");
            (HeaderName::from_static(name), value)
        };
        assert_eq!(
            read_budget(&HeaderMap::from_iter([field("x-deadline")]), wall()),
            Err(WireError::x_deadline(value)),
            "x-deadline is `{shown}`: it is there, and its sender believes that it has set a deadline"
        );
        let in_a_minute = HeaderValue::from_static("2024-01-15T10:31:00Z");
        let both = [field("grpc-timeout"), (HeaderName::from_static("x-deadline"), in_a_minute)];
        assert_eq!(
            read_budget(&HeaderMap::from_iter(both), wall()),
            Err(WireError::grpc_timeout(value)),
            "grpc-timeout is `{shown}`, beside an x-deadline that could be read: an error in what decides is not \
             made good by what doesn't"
        );
    }
}
