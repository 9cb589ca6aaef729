//! `cargo xtask lab`: an exercise's lab, in release mode, with its arguments passed on.

use anyhow::{Result, bail};

use crate::cargo;
use crate::workbook::{Subject, Workbook};

#[derive(clap::Args)]
pub struct Args {
    /// The exercise by id, folder or number
    exercise: String,
    /// What the lab takes: --seed N, --live …
    #[arg(value_name = "ARGS", trailing_var_arg = true, allow_hyphen_values = true)]
    args: Vec<String>,
}

pub fn run(workbook: &Workbook, args: &Args) -> Result<bool> {
    let exercise = workbook.exercise(&args.exercise)?;
    if !workbook.root.join(exercise.path(Subject::Reader)).join("lab").is_dir() {
        bail!("the exercise `{}` has no lab", exercise.id);
    }
    let package = format!("{}-lab", exercise.id);
    let mut all = vec!["run", "--release", "--package", &package, "--"];
    all.extend(args.args.iter().map(String::as_str));
    cargo::stream(workbook, &all)
}
