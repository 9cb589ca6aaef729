// The calendar of `x-deadline`. Given: nothing to write here.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Reads a time in UTC as RFC 3339 has it: `2024-01-15T10:30:00Z`, with or without a fraction of the second.
/// `T` and `Z` are capital letters, and the year is 1970 or later. A second 60, as leap seconds have it, is
/// read as 59. `None` for all other bytes.
pub fn read(value: &[u8]) -> Option<SystemTime> {
    let (_, zone) = value.split_at_checked("2024-01-15T10:30:00".len())?;
    // humantime reads other things there as well: `+00:00`, `ZabcZ`, `.1+12:3Z`.
    let is_utc = match zone {
        [b'Z'] => true,
        [b'.', digits @ .., b'Z'] => !digits.is_empty() && digits.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    let text = str::from_utf8(value).ok().filter(|_| is_utc)?;
    humantime::parse_rfc3339(text).ok()
}

/// Writes a time in UTC as RFC 3339 has it, to the millisecond and rounded down. What lies before 1970 or
/// after [`last`] is written as the first or last moment of that span.
pub fn write(at: SystemTime) -> String {
    humantime::format_rfc3339_millis(at.clamp(UNIX_EPOCH, last())).to_string()
}

/// 9999-12-31T23:59:59.999Z, the last moment that can be written.
pub fn last() -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(253_402_300_799_999)
}
