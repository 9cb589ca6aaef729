//! `bare-starter exercises/NN-name` prints the bare starter of an exercise, derived from its guided one
//! (`.starter/src/lib.rs`), so that its docs are written once.

mod derive;
mod steps;

use std::path::PathBuf;
use std::process::ExitCode;
use std::{env, fs};

use anyhow::{Context as _, Result};

use crate::steps::Steps;

fn main() -> ExitCode {
    match run() {
        Ok(text) => {
            print!("{text}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<String> {
    let folder = env::args_os().nth(1).map(PathBuf::from);
    let folder = folder.context("name the folder of an exercise, such as exercises/03-backoff")?;
    let source = folder.join(".starter").join("src").join("lib.rs");
    let text = fs::read_to_string(&source)
        .with_context(|| format!("cannot read {}", source.display()))?
        .replace("\r\n", "\n");
    let steps = Steps::read(&folder.join("tests").join("steps"))?;
    derive::bare(&text, &steps).with_context(|| format!("in {}", source.display()))
}
