//! Draws the pictures of the book that explain, and come from no run: what calls what, and in which order.

mod drawing;
mod scenes;

use std::path::PathBuf;

use clap::Parser;
use lab_kit::Figures;

/// The pictures of the book that come from no run
#[derive(Parser)]
struct Arguments {
    /// The directory to write them into
    #[arg(long, value_name = "DIR")]
    figures: PathBuf,
}

fn main() -> anyhow::Result<()> {
    let figures = Figures::new(Arguments::parse().figures);
    for drawing in scenes::all() {
        figures.write(&format!("{}.svg", drawing.name), &drawing.svg())?;
    }
    Ok(())
}
