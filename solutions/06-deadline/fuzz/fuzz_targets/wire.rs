//! Any bytes are a deadline or an error, and what is read can be written and read again.
//!
//! The seeds are what a million runs seldom find by themselves: bytes in the form of a time of day.
//!
//! With cargo-fuzz and a nightly compiler: `cargo fuzz run wire fuzz/corpus fuzz/seeds`, in
//! `solutions/06-deadline`. On a stable one, from the folder `fuzz`, without the address sanitizer and with
//! a C++ compiler:
//!
//! ```console
//! mkdir -p corpus
//! RUSTFLAGS="-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table --cfg fuzzing" cargo run --release --target x86_64-unknown-linux-gnu -- -runs=1000000 corpus seeds
//! ```
#![no_main]

use std::time::{Duration, UNIX_EPOCH};

use deadline_solution::{
    format_grpc_timeout, format_x_deadline, parse_grpc_timeout, parse_x_deadline,
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|value: &[u8]| {
    if let Ok(time) = parse_grpc_timeout(value) {
        let again = parse_grpc_timeout(format_grpc_timeout(time).as_bytes());
        assert!(again.is_ok_and(|again| again <= time));
    }
    let now = UNIX_EPOCH + Duration::from_secs(1_705_314_600);
    if let Ok(time) = parse_x_deadline(value, now) {
        let again = parse_x_deadline(format_x_deadline(time, now).as_bytes(), now);
        assert!(again.is_ok_and(|again| again <= time));
    }
});
