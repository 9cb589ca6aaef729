//! The lab of the retry budget: how retries multiply with the depth of a system, and which of them
//! let it recover from an outage. In virtual time.

mod amplification;
mod figures;
mod policy;
mod recovery;

use clap::Parser;
use storm::lab::Options;
use storm::{Report, StormError};

use policy::Policy;

/// Retries by depth, and recovery after an outage, with and without a budget
#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    options: Options,
    /// Requests a second in the storm of the outage; the dependency serves 300
    #[arg(long, default_value_t = 280, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=300))]
    rate: u16,
}

fn main() -> anyhow::Result<()> {
    let Arguments { options: Options { seed, figures }, rate } = Arguments::parse();
    if let Some(directory) = figures {
        return figures::write(&directory, f64::from(rate), seed);
    }
    println!("{}\n", amplification::parameters());
    print!("{}", amplification::table(&Policy::WITH_YOURS, seed));

    println!("\n{}\n", recovery::parameters(f64::from(rate), seed));
    let runs = recovery::POLICIES
        .into_iter()
        .chain([Policy::YourSuccesses])
        .map(|policy| recovery::run(policy, f64::from(rate), seed));
    let (reports, missing) = ended(runs);
    print!("{}{missing}", recovery::table(&reports));
    Ok(())
}

/// The runs that came to their end, and a word on those that did not.
fn ended(runs: impl Iterator<Item = Result<Report, StormError>>) -> (Vec<Report>, String) {
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
