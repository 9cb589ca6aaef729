//! `cargo xtask solution`: the reference, as text or as a difference to the reader's code.

use std::path::Path;

use anyhow::{Result, bail};
use workbook::{Sources, Subject, Workbook, files, slashes};

use crate::output::{self, bold};
use crate::patch;

#[derive(clap::Args)]
pub struct Args {
    /// The exercise by id, folder or number
    exercise: String,
    /// Show what to change in your code to get there
    #[arg(long)]
    diff: bool,
}

pub fn run(workbook: &Workbook, args: &Args) -> Result<bool> {
    let exercise = workbook.exercise(&args.exercise)?;
    let [yours, reference] = [Subject::Reader, Subject::Solution]
        .map(|subject| exercise.path(subject).join("src").join("lib.rs"));
    let Ok(solution) = files::read(&workbook.root.join(&reference)) else {
        bail!("the exercise `{}` has no solution: {} is missing", exercise.id, slashes(&reference));
    };
    let solution = lossy(&solution);
    let Sources { source: reader, starter, .. } = Sources::read(&workbook.root, &exercise)?;
    let mut text = String::new();
    if args.diff {
        let reader = reader.get(Path::new("lib.rs")).map(|text| lossy(text)).unwrap_or_default();
        if reader == solution {
            text += "Your code is the reference, to the letter.\n";
        } else {
            text += &format!("{}\n", bold(format!("--- {}", slashes(&yours))));
            text += &format!("{}\n", bold(format!("+++ {}", slashes(&reference))));
            text += &patch::coloured(&patch::between(&reader, &solution));
        }
    } else {
        text += &format!("{}\n", bold(format!("// {}", slashes(&reference))));
        text += &solution;
    }
    // The crate's root, and what it finds of the given files beside it, say nothing new.
    let folder = exercise.path(Subject::Solution).join("src");
    let beside = files::read_sources(&workbook.root.join(&folder))?.into_keys();
    let beyond = beside.filter(|path| path != Path::new("root.rs") && !starter.contains_key(path));
    for path in beyond {
        text += &format!("\nBeyond the exercise: {}", slashes(&folder.join(path)));
    }
    output::out(&text);
    Ok(true)
}

/// The text without the marks by which the book includes parts of it.
fn lossy(content: &[u8]) -> String {
    let text = String::from_utf8_lossy(&files::fold_crlf(content)).into_owned();
    let is_mark = |line: &&str| line.trim_start().starts_with("// ANCHOR");
    text.split_inclusive('\n').filter(|line| !is_mark(line)).collect()
}
