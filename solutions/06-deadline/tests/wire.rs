//! Any bytes are a deadline or a clear error, and what is written is read as no more.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use deadline_solution::{
    WireError, format_grpc_timeout, format_x_deadline, parse_grpc_timeout, parse_x_deadline,
};
use proptest::prelude::*;
use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};

const MILLION: u32 = 1_000_000;

fn wall() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_705_314_600)
}

/// The form of an `x-deadline`, by a template. Not every date of that form is one.
fn is_time_of_day(value: &[u8]) -> bool {
    let (template, zone) = (b"0000-00-00T00:00:00", value.get(19..).unwrap_or_default());
    let fits =
        |(byte, like): (&u8, &u8)| if *like == b'0' { byte.is_ascii_digit() } else { byte == like };
    let zone = zone.strip_suffix(b"Z");
    let fraction =
        zone.and_then(|zone| zone.strip_prefix(b".").or(zone.is_empty().then_some(b"0")));
    value.iter().zip(template).all(fits)
        && fraction
            .is_some_and(|digits| !digits.is_empty() && digits.iter().all(u8::is_ascii_digit))
}

/// Both readers, and what must be true of whatever they say.
fn read(value: &[u8]) -> [bool; 2] {
    let relative = parse_grpc_timeout(value);
    // The grammar, said once more, and from the other end.
    let is_timeout = (2..=9).contains(&value.len())
        && b"HMSmun".contains(&value[value.len() - 1])
        && value[..value.len() - 1].iter().all(|byte| b"0123456789".contains(byte));
    assert_eq!(relative.is_ok(), is_timeout, "`{}`", value.escape_ascii());
    if let Err(error) = &relative {
        assert!(error.to_string().is_ascii() || value.len() > 40, "{error}");
    }
    let absolute = parse_x_deadline(value, wall());
    assert!(absolute.is_err() || is_time_of_day(value), "`{}`", value.escape_ascii());
    [relative.is_ok(), absolute.is_ok()]
}

#[test]
fn a_million_random_inputs_are_read_without_a_panic() {
    // 400,000 of raw bytes, 300,000 near a timeout, 300,000 near a time of day.
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(7);
    let mut bytes = [0; 48];
    let mut were_read = [0_u32; 2];
    for round in 0..MILLION {
        let value = match round % 10 {
            0..4 => {
                let length = rng.random_range(0..bytes.len());
                rng.fill(&mut bytes[..length]);
                &bytes[..length]
            }
            4..7 => {
                let length = rng.random_range(1..12);
                for byte in &mut bytes[..length] {
                    *byte = b"0123456789"[rng.random_range(0..10)];
                }
                bytes[length - 1] = b"HMSmunsh +-"[rng.random_range(0..11)];
                &bytes[..length]
            }
            _ => {
                let template = b"2024-01-15T10:30:00.123456789Z";
                let length = template.len();
                bytes[..length].copy_from_slice(template);
                for _ in 0..rng.random_range(0..4) {
                    bytes[rng.random_range(0..length)] =
                        b"0123456789-+:.TZ\xff"[rng.random_range(0..17)];
                }
                let length = length - rng.random_range(0..2) * rng.random_range(0..12);
                // A `Z` at the end, and one behind the seconds: each sets a reader off.
                for (at, often) in [(length - 1, 2), (19, 8)] {
                    if rng.random_range(0..often) == 0 {
                        bytes[at] = b'Z';
                    }
                }
                &bytes[..length]
            }
        };
        let read = read(value);
        were_read[0] += u32::from(read[0]);
        were_read[1] += u32::from(read[1]);
    }
    assert!(were_read.iter().all(|count| (10_000..MILLION / 2).contains(count)), "{were_read:?}");
}

#[test]
fn a_time_of_day_is_read_in_utc() {
    let left = |value: &str| parse_x_deadline(value.as_bytes(), wall());

    assert_eq!(left("2024-01-15T10:30:01Z"), Ok(Duration::from_secs(1)), "a fraction is no must");
    assert_eq!(left("2024-01-15T10:30:00.000001Z"), Ok(Duration::from_micros(1)));
    assert_eq!(
        left("2024-01-15T10:30:60Z"),
        Ok(Duration::from_secs(59)),
        "a leap second is valid, and is read as the one before it: a second too early harms nobody"
    );
    assert_eq!(left("9999-12-31T23:59:59.999Z").map(|_| ()), Ok(()), "what is written at the end");
}

#[test]
fn nothing_else_is_a_time_of_day() {
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
        b"0001-01-01T00:00:00Z",
    ];

    for value in malformed {
        let read = parse_x_deadline(value, wall());
        assert_eq!(read, Err(WireError::x_deadline(value)), "`{}`", value.escape_ascii());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_is_read_as_no_more(seconds in 0..=u64::MAX, nanoseconds in 0..1_000_000_000_u32, shift in 0..64) {
        let time = Duration::new(seconds >> shift, nanoseconds);
        let read = parse_grpc_timeout(format_grpc_timeout(time).as_bytes()).unwrap();
        prop_assert!(read <= time);
        prop_assert!(time - read <= time / 100_000 || time > Duration::from_secs(99_999_999 * 3_600));
    }

    #[test]
    fn a_time_of_day_comes_back_to_the_millisecond(left in 0..100_000_000_000_u64, clock in -1_000_000_000_000_i64..1_000_000_000_000) {
        let left = Duration::from_nanos(left);
        let off = Duration::from_millis(clock.unsigned_abs());
        let now = if clock < 0 { wall() - off } else { wall() + off };
        let read = parse_x_deadline(format_x_deadline(left, now).as_bytes(), now).unwrap();
        prop_assert!(read <= left && left - read < Duration::from_millis(1), "{:?} {:?}", left, read);
    }

    #[test]
    fn an_error_shows_what_was_sent_and_no_more_than_forty_bytes(value in prop::collection::vec(any::<u8>(), 0..200)) {
        let shown = WireError::grpc_timeout(&value).to_string();
        prop_assert!(shown.len() < 40 * 4 + 100, "{}", shown);
        prop_assert!(!shown.contains(|c: char| c.is_control()), "{:?}", shown);
    }
}
