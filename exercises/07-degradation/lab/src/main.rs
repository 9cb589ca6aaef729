//! The lab of graceful degradation: a shop's product page through three storms, without a fallback,
//! with fallbacks, and with fallbacks and levels. In virtual time.

#![expect(clippy::duplicate_mod, reason = "shop.rs is compiled against two patterns")]

mod figures;
mod outage;
mod page;

/// One text for two patterns: `shop.rs` is compiled against yours, and against the reference.
#[path = "."]
mod yours {
    use degradation as pattern;
    #[path = "shop.rs"]
    pub mod shop;
}
#[path = "."]
mod reference {
    use degradation_solution as pattern;
    #[path = "shop.rs"]
    pub mod shop;
}

use std::time::Duration;

use clap::Parser;
use storm::StormError;
use storm::lab::Options;

use outage::Storm;
use page::Policy;

/// A product page through three storms: without fallbacks, with them, and with levels as well
#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    options: Options,
    /// How long it must have been better before the level goes one step up, in seconds
    #[arg(long, default_value_t = 10, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(0..=86_400))]
    dwell: u64,
}

fn main() -> anyhow::Result<()> {
    let Arguments { options: Options { seed, figures }, dwell } = Arguments::parse();
    let dwell = Duration::from_secs(dwell);
    if let Some(directory) = figures {
        return figures::write(&directory, dwell, seed);
    }
    for storm in [Storm::Apart, Storm::Together, Storm::Flapping] {
        println!("{}\n", outage::parameters(storm, dwell, seed));
        let (mut reports, mut missing) = (Vec::new(), Vec::new());
        for policy in [Policy::Naive, Policy::Fallback, Policy::Yours, Policy::Levels] {
            match outage::run(storm, policy, dwell, seed) {
                Ok(report) => reports.push(report),
                Err(StormError::ClientPanicked { name, message }) => {
                    missing.push(format!("\n{name}: not there yet: {message}\n"));
                }
                Err(error) => missing.push(format!("\n{error}\n")),
            }
        }
        println!("{}{}", outage::table(storm, &reports), missing.concat());
    }
    Ok(())
}
