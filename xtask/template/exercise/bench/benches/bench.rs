//! What it costs to ask for a place.

use std::hint::black_box;
use std::process::ExitCode;

const ADMITTED: &str = "admitted";

fn main() -> ExitCode {
    stopwatch::main("__ID__", |table| {
        table.column(ADMITTED);
        table.yours().case(ADMITTED, || || || __CRATE__::admits(black_box(1), black_box(3)));
        let reference = || || || __CRATE___solution::admits(black_box(1), black_box(3));
        table.reference("reference").case(ADMITTED, reference);
        table.floors(ADMITTED);
    })
}
