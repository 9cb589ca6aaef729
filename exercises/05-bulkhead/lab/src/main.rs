//! The lab of the bulkhead: a dependency that slows down beside a healthy one, with one pool for both
//! and with a bulkhead for each; and what one more place is worth. In virtual time by default, over real
//! sockets with `--live`.

mod figures;
mod knee;
mod live;
mod pools;
mod slow;

use std::time::Duration;

use clap::Parser;
use storm::lab::Options;
use storm::{Report, StormError};

use pools::Whose;

const ON_WAITS: &str = "A rejection is a short wait: read the rows \"wait\" together with those that count rejections.";

/// How long a caller waits for a place.
const MAX_WAIT: Duration = Duration::from_secs(1);

/// A slow dependency beside a healthy one, with one pool and with two bulkheads, under one seed
#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    options: Options,
    /// Real HTTP requests to the flaky server on loopback, in real time
    #[arg(long, conflicts_with = "figures")]
    live: bool,
}

fn main() -> anyhow::Result<()> {
    let Arguments { options: Options { seed, figures }, live } = Arguments::parse();
    if let Some(directory) = figures {
        return figures::write(&directory, seed);
    }
    if live {
        println!("{}\n", live::parameters(seed));
        let (reports, missing) = ended(live::run(seed)?);
        println!("{}{missing}\n{ON_WAITS}", live::table(&reports));
        return Ok(());
    }
    println!("{}\n", slow::parameters(seed));
    let (reports, missing) = ended(Whose::ALL.map(|whose| slow::run(whose, seed)));
    println!("{}{missing}\n{ON_WAITS}", slow::table(&reports));
    println!("\n{}\n", knee::parameters(seed));
    print!("{}", knee::table(seed)?);
    println!("\n{}", knee::sizes(seed)?);
    Ok(())
}

/// The runs that came to their end, and a word on those that did not.
fn ended(runs: impl IntoIterator<Item = Result<Report, StormError>>) -> (Vec<Report>, String) {
    let (mut reports, mut missing) = (Vec::new(), Vec::new());
    for run in runs {
        match run {
            Ok(report) => reports.push(report),
            Err(StormError::ClientPanicked { name, message }) => missing.push(format!(
                "\n{name}: not there yet: {message}\nThe storm needs `call` (step 3).\n"
            )),
            Err(error) => missing.push(format!("\n{error}\n")),
        }
    }
    (reports, missing.concat())
}
