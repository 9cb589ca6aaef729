//! `cargo xtask solution`: the reference, as text or as a difference to the reader's code.

use std::path::Path;

use anyhow::{Result, bail};
use workbook::{Sources, Subject, Workbook, files, slashes};

use crate::output::{self, bold, green, red};

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
    let reader_folder = exercise.path(Subject::Reader).join("src");
    let solution_folder = exercise.path(Subject::Solution).join("src");
    let mut solution = files::read_tree(&workbook.root.join(&solution_folder))?;
    if solution.is_empty() {
        bail!("the exercise `{}` has no solution in {}", exercise.id, slashes(&solution_folder));
    }
    // What the exercise has no file for goes beyond it: a chapter of its own leads there.
    let Sources { source: reader, starter, .. } = Sources::read(&workbook.root, &exercise)?;
    let beyond: Vec<_> = solution.extract_if(.., |path, _| !starter.contains_key(path)).collect();
    let mut text = String::new();
    if args.diff {
        // Files of the exercise alone are given ones, which the solution takes from there.
        for (path, reference) in &solution {
            let yours = reader.get(path).map(|text| lossy(text)).unwrap_or_default();
            let reference = lossy(reference);
            if yours != reference {
                let path_in = |folder: &Path| slashes(&folder.join(path));
                text += &format!("{}\n", bold(format!("--- {}", path_in(&reader_folder))));
                text += &format!("{}\n", bold(format!("+++ {}", path_in(&solution_folder))));
                text += &hunks(&yours, &reference);
            }
        }
        if text.is_empty() {
            text += "Your code is the reference, to the letter.";
        }
    } else {
        for (path, content) in &solution {
            let path = slashes(&solution_folder.join(path));
            text += &format!("{}\n", bold(format!("// {path}")));
            text += &lossy(content);
        }
    }
    for (path, _) in beyond {
        let path = slashes(&solution_folder.join(path));
        text += &format!("\nBeyond the exercise: {path}");
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

/// A unified diff without its file names.
fn hunks(from: &str, to: &str) -> String {
    let patch = diffy::create_patch(from, to).to_string();
    let lines = patch.lines().skip(2).map(|line| match line.bytes().next() {
        Some(b'-') => red(line) + "\n",
        Some(b'+') => green(line) + "\n",
        _ => line.to_owned() + "\n",
    });
    lines.collect()
}
