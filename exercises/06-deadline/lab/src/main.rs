//! The lab of deadlines: a chain of five services whose database is slow for ten seconds, in virtual
//! time, with timeouts of its own at each link and with one deadline that travels along.

mod audit;
mod figures;
mod services;
mod storms;

use clap::Parser;
use storm::lab::Options;
use storm::{Report, StormError};

use storms::Waiting;

/// Work done for users who have gone, with timeouts at each link and with a deadline that travels
#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    options: Options,
    /// Requests a second; the database serves 800
    #[arg(long, default_value_t = 500, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=800))]
    rate: u16,
}

fn main() -> anyhow::Result<()> {
    let Arguments { options: Options { seed, figures }, rate } = Arguments::parse();
    let rate = f64::from(rate);
    if let Some(directory) = figures {
        return figures::write(&directory, rate, seed);
    }
    println!("{}\n", storms::parameters(rate, seed));
    let runs = [Waiting::Timeouts, Waiting::Yours, Waiting::Reference]
        .map(|waiting| storms::run(waiting, rate, seed));
    let (reports, missing) = ended(runs);
    print!("{}{missing}", storms::table(&reports));
    println!("\n{}", audit::text());
    Ok(())
}

/// The runs that came to their end, and a word on those that did not.
fn ended(runs: impl IntoIterator<Item = Result<Report, StormError>>) -> (Vec<Report>, String) {
    let (mut reports, mut missing) = (Vec::new(), Vec::new());
    for run in runs {
        match run {
            Ok(report) => reports.push(report),
            Err(StormError::ClientPanicked { name, message }) => {
                missing.push(format!("\n{name}: not there yet: {message}\n"));
            }
            Err(error) => missing.push(format!("\n{error}\n")),
        }
    }
    (reports, missing.concat())
}
