//! The lab of backoff: clients that contend for one row, and a herd that fails together, with your
//! delays and with the reference's.

mod contention;
mod figures;
mod herd;
mod live;
mod occ;
mod report;
mod strategy;
mod table;

use clap::Parser;
use storm::lab::Options;

use report::Report;
use strategy::Whose;

/// Contending clients and a herd, with each kind of jitter, under one seed
#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    options: Options,
    /// Real HTTP payments to the flaky server on loopback: who pays twice?
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
        print!("{}", live::run(seed)?);
        return Ok(());
    }
    let both = [Whose::Reference, Whose::Yours];
    show(&contention::parameters(seed), &report::contention(&both, seed));
    println!();
    show(&herd::parameters(seed), &report::herd(&both, seed));
    Ok(())
}

fn show(parameters: &str, Report { text, missing }: &Report) {
    println!("{parameters}\n\n{text}");
    if let Some(line) = missing {
        println!("{line}");
    }
}
