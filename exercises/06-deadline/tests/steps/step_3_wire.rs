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
    let written = format_x_deadline(2 * SECOND + 345_999 * 1_000 * NANOSECOND, wall());
    assert_eq!(
        written, "2024-01-15T10:30:02.345Z",
        "now and 2.345999 s, to the millisecond and rounded down"
    );

    let left = |value: &str| parse_x_deadline(value.as_bytes(), wall());
    assert_eq!(left(&written), Ok(2_345 * MILLISECOND), "read on a clock that says the same");
    assert_eq!(left("2024-01-15T10:30:00.000Z"), Ok(Duration::ZERO), "now is too late");
    assert_eq!(left("2024-01-15T10:30:01Z"), Ok(SECOND), "a fraction is no must");
    let microsecond = Duration::from_micros(1);
    assert_eq!(left("2024-01-15T10:30:00.000001Z"), Ok(microsecond), "microseconds may be sent");
    assert_eq!(left("2024-01-15T10:30:00.000000001Z"), Ok(NANOSECOND), "and nanoseconds");
    assert_eq!(left("1999-12-31T23:59:59Z"), Ok(Duration::ZERO), "long ago is 0 as well");
    assert_eq!(
        left("2024-01-15T10:30:60Z"),
        Ok(59 * SECOND),
        "a leap second is valid, and is read as the one before it: a second too early harms nobody"
    );
}

#[test]
fn nothing_else_is_an_absolute_deadline() {
    let malformed: [&[u8]; 32] = [
        b"",
        b"now",
        b"5S",
        b"1705314600",
        b"2024-01-15",
        b"2024-01-15 10:31:00Z",
        b"2024-01-15T10:31:00",
        b"2024-01-15T10:31:00+00:00",
        b"2024-01-15T10:31:00+02:00",
        b"2024-01-15T10:31:00.1+00:00",
        b"2024-01-15T10:31:00.1+12:3Z",
        b"2024-01-15T10:31:00ZZ",
        b"2024-01-15T10:31:00ZabcZ",
        b"2024-01-15T10:31:00Z-02:Z",
        b"2024-01-15T10:31:00Z+2:00Z",
        b"2024-01-15T10:31:00.Z",
        b"2024-01-15T10:31:00.1ZZ",
        b"2024-01-15T10:31:00.1",
        b"2024-01-15T10:31:00.-1Z",
        b"2024-01-15T10:31:00,5Z",
        b"2024-01-15t10:31:00Z",
        b"2024-01-15T10:31:00z",
        b"2024-13-15T10:31:00Z",
        b"2024-02-30T10:31:00Z",
        b"2024-01-15T24:00:00Z",
        b"2024-01-15T10:31:61Z",
        b"2024-01-15T10:31:00Z ",
        b" 2024-01-15T10:31:00Z",
        b"2024-01-15T10:31:00.\xff\xffZ",
        b"\xff024-01-15T10:31:00Z",
        b"1969-12-31T23:59:59Z",
        // What an unset time of Go looks like.
        b"0001-01-01T00:00:00Z",
    ];

    for value in malformed {
        assert_eq!(
            parse_x_deadline(value, wall()),
            Err(WireError::x_deadline(value)),
            "`{}` is no deadline: a date from 1970 on and a time of it, in UTC; behind the seconds a Z, or a point, \
             digits and a Z, and nothing else",
            value.escape_ascii()
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
        "RFC 3339 ends with the year 9999, and the crate that writes it begins in 1970: times beyond are cut to that",
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
    let in_a_minute = "2024-01-15T10:31:00Z";

    assert_eq!(read(headers([])), Ok(None), "nothing is said");
    assert_eq!(
        read(headers([("x-deadline", in_a_minute)])),
        Ok(Some(MINUTE)),
        "the only one there is"
    );
    assert_eq!(
        read(headers([("x-deadline", "2024-01-15T10:25:00Z")])),
        Ok(Some(Duration::ZERO)),
        "one that has passed is a deadline, and no time; it is not a header that is missing"
    );
    assert_eq!(
        read(headers([("grpc-timeout", "2S"), ("x-deadline", in_a_minute)])),
        Ok(Some(2 * SECOND)),
        "grpc-timeout decides"
    );
    assert_eq!(
        read(headers([("grpc-timeout", "2S"), ("x-deadline", "2024-01-15T10:25:00Z")])),
        Ok(Some(2 * SECOND)),
        "also where x-deadline has passed, by one of two clocks: the smaller of the two would be 0"
    );
    assert_eq!(
        read(headers([("grpc-timeout", "2S"), ("x-deadline", "soon")])),
        Ok(Some(2 * SECOND)),
        "x-deadline isn't read then"
    );
    assert_eq!(
        read(headers([("grpc-timeout", "soon"), ("x-deadline", in_a_minute)])),
        Err(WireError::grpc_timeout(b"soon")),
        "a header that decides and can't be read is an error: its sender believes that it has set a deadline"
    );
    assert_eq!(
        read(headers([("x-deadline", "soon")])),
        Err(WireError::x_deadline(b"soon")),
        "this one too"
    );
    let opaque = |name: &'static str, value: &[u8]| {
        let value = HeaderValue::from_bytes(value).unwrap();
        read(HeaderMap::from_iter([(HeaderName::from_static(name), value)]))
    };
    assert_eq!(
        opaque("grpc-timeout", b"\xff5S"),
        Err(WireError::grpc_timeout(b"\xff5S")),
        "a header of bytes that are no text is there, and can't be read"
    );
    assert_eq!(
        opaque("x-deadline", b"\xffnow"),
        Err(WireError::x_deadline(b"\xffnow")),
        "and so is this one"
    );
    assert_eq!(
        read(headers([("grpc-timeout", "2S"), ("grpc-timeout", "soon")])),
        Ok(Some(2 * SECOND)),
        "of two headers of one name the first counts"
    );
}
