//! The lab of the circuit breaker: the same outage met without a breaker, with yours, and with the
//! reference. In virtual time by default, over real sockets with `--live`.

mod figures;
mod guard;
mod live;
mod outage;

use std::time::Duration;

use clap::Parser;
use storm::lab::Options;
use storm::{Report, StormError};

use guard::Whose;

/// An outage without a breaker, with yours, and with the reference, under one seed
#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    options: Options,
    /// Real HTTP requests to the flaky server on loopback, in real time
    #[arg(long, conflicts_with = "figures")]
    live: bool,
    /// The open time of the breakers, in seconds [default: 5, with --live 1]
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=86_400))]
    open_for: Option<u64>,
}

fn main() -> anyhow::Result<()> {
    let Arguments { options: Options { seed, figures }, live, open_for } = Arguments::parse();
    let open_for = Duration::from_secs(open_for.unwrap_or(if live { 1 } else { 5 }));
    if let Some(directory) = figures {
        return figures::write(&directory, open_for, seed);
    }
    if live {
        println!("{}\n", live::parameters(open_for, seed));
        let (runs, sent) = live::run(open_for, seed)?;
        let (reports, missing) = ended(runs);
        print!("{}{missing}", live::table(&reports, &sent));
    } else {
        println!("{}\n", outage::parameters(open_for, seed));
        let runs = Whose::ALL.map(|whose| outage::run(whose, open_for, seed));
        let (reports, missing) = ended(runs.into());
        print!("{}{missing}", outage::table(&reports));
    }
    Ok(())
}

/// The runs that came to their end, and a word on those that did not.
fn ended(runs: Vec<Result<Report, StormError>>) -> (Vec<Report>, String) {
    let (mut reports, mut missing) = (Vec::new(), Vec::new());
    for run in runs {
        match run {
            Ok(report) => reports.push(report),
            Err(StormError::ClientPanicked { name, message }) => missing.push(format!(
                "\n{name}: not there yet: {message}\n\
                 The storm needs `call` (step 2), and shows most once the breaker probes (step 3).\n"
            )),
            Err(error) => missing.push(format!("\n{error}\n")),
        }
    }
    (reports, missing.concat())
}
