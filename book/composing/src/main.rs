//! The lab of the chapter on composing: the same layers in several orders, through the same outage,
//! in virtual time.

mod figures;
#[cfg(test)]
mod in_order;
mod orders;
mod outage;
mod stack;

use clap::Parser;
use storm::lab::Options;

/// The patterns in several orders, through one outage
#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    options: Options,
}

fn main() -> anyhow::Result<()> {
    let Arguments { options: Options { seed, figures } } = Arguments::parse();
    if let Some(directory) = figures {
        return figures::write(&directory, seed);
    }
    println!("{}", outage::parameters(seed));
    for question in &orders::QUESTIONS {
        let setting = if question.setting.is_empty() { "as above" } else { question.setting };
        print!("\n{}: {setting}\n\n{}", question.name, figures::table(question, seed)?);
    }
    Ok(())
}
