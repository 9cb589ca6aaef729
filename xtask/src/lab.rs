//! `cargo xtask lab`: the lab of an exercise or of a chapter without one, in release mode, with its
//! arguments passed on.

use anyhow::{Result, bail};

use crate::cargo;
use crate::workbook::{Subject, Workbook};

/// The chapter that has a lab and no exercise: `book/composing`.
const COMPOSING: &str = "composing";

#[derive(clap::Args)]
pub struct Args {
    /// The exercise by id, folder or number, or `composing`
    exercise: String,
    /// What the lab takes: --seed N, --live …
    #[arg(value_name = "ARGS", trailing_var_arg = true, allow_hyphen_values = true)]
    args: Vec<String>,
}

pub fn run(workbook: &Workbook, args: &Args) -> Result<bool> {
    let name = if args.exercise == COMPOSING {
        args.exercise.clone()
    } else {
        let exercise = workbook.exercise(&args.exercise)?;
        if !workbook.root.join(exercise.path(Subject::Reader)).join("lab").is_dir() {
            bail!("the exercise `{}` has no lab", exercise.id);
        }
        exercise.id
    };
    let package = format!("{name}-lab");
    let mut all = vec!["run", "--release", "--package", &package, "--"];
    all.extend(args.args.iter().map(String::as_str));
    cargo::must_stream(workbook, &all, &format!("the lab of {name}")).map(|()| true)
}
