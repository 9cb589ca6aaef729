//! `cargo xtask lab`: the lab of an exercise or of a chapter without one, in release mode, with its
//! arguments passed on.

use anyhow::Result;
use workbook::Workbook;

use crate::cargo::{self, Metadata, Role};

#[derive(clap::Args)]
pub struct Args {
    /// The exercise by id, folder or number, or `composing`
    exercise: String,
    /// What the lab takes: --seed N, --live …
    #[arg(value_name = "ARGS", trailing_var_arg = true, allow_hyphen_values = true)]
    args: Vec<String>,
}

pub fn run(workbook: &Workbook, args: &Args) -> Result<bool> {
    let metadata = Metadata::load(workbook)?;
    let lab = metadata.of(workbook, Role::Lab, &args.exercise)?;
    let mut all = vec!["run", "--release", "--package", &lab.name, "--"];
    all.extend(args.args.iter().map(String::as_str));
    cargo::must_stream(workbook, &all, &format!("the lab of {}", lab.of())).map(|()| true)
}
