//! `cargo xtask bench`: what a pattern costs: yours, the reference, and published crates, in a table.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use anyhow::{Context as _, Result, bail};
use workbook::Workbook;

use crate::cargo::{self, Metadata, Package, Role};
use crate::children;
use crate::output;

#[derive(clap::Args)]
pub struct Args {
    /// The exercise by id, folder or number, or `storm`; all benches if none is named
    exercise: Option<String>,
    /// A first look, in less than a minute a pattern
    #[arg(long)]
    quick: bool,
    /// Keep the runs as those that the book shows; `cargo xtask book --figures` then draws their tables
    #[arg(long, conflicts_with = "quick")]
    save: bool,
}

pub fn run(workbook: &Workbook, args: &Args) -> Result<bool> {
    let metadata = Metadata::load(workbook)?;
    let benches: Vec<_> = match &args.exercise {
        None => metadata.with_role(Role::Bench).collect(),
        Some(name) => vec![metadata.of(workbook, Role::Bench, name)?],
    };
    for bench in benches {
        measure(workbook, bench, args)?;
    }
    Ok(true)
}

/// What criterion says of each of its turns, and has no setting to leave unsaid.
const OF_CRITERION: [&str; 2] = ["Benchmarking ", "Gnuplot not found"];

/// Criterion's standard output is left out as well, so the table comes in a file.
fn measure(workbook: &Workbook, package: &Package, args: &Args) -> Result<()> {
    let name = package.target("bench");
    let name = name.with_context(|| format!("the package `{}` has no bench", package.name))?;
    let table = workbook.scratch_dir().join(format!("bench-{name}.txt"));
    fs::create_dir_all(workbook.scratch_dir()).context("cannot make a folder for the table")?;
    let bench = |flag: &str| {
        let mut command = cargo::cargo(workbook);
        command.args(["bench", flag, "--package", &package.name, "--bench", name]);
        command.stdout(Stdio::null());
        command
    };

    // By itself, so that cargo's progress shows as it is.
    let not_measured =
        || format!("the bench of {name} did not run to its end: the reason is above");
    if !children::status(&mut bench("--no-run")).context("cannot start cargo")?.success() {
        bail!(not_measured());
    }
    let mut command = bench("--quiet");
    command.args(["--", "--table"]).arg(&table);
    command.args(args.quick.then_some("--quick")).args(args.save.then_some("--save"));
    command.stderr(Stdio::piped());
    let (mut child, _kept) = children::start(&mut command).context("cannot start cargo")?;
    let lines = BufReader::new(child.stderr.take().context("cannot read what the bench says")?);
    for line in lines.lines() {
        let line = line.context("cannot read what the bench says")?;
        if !OF_CRITERION.iter().any(|start| line.starts_with(start)) {
            output::err(&line);
        }
    }
    if !child.wait().context("cannot wait for the bench")?.success() {
        bail!(not_measured());
    }

    let text = fs::read_to_string(&table)
        .with_context(|| format!("the bench of {name} left no table in {}", table.display()))?;
    output::out(&format!("\n{text}"));
    Ok(())
}
