//! The commands of the workbook: `cargo xtask verify`, `hint`, `lab`, `bench`, `reset`, `solution`,
//! `mistakes`, `escape`, `book`, and for maintainers `check`.
//!
//! Exit codes: 0 all is well; 1 something is unfinished (or `check` found something); 2 the command
//! could not do its work, with the reason on standard error.

#![allow(
    clippy::format_push_string,
    clippy::format_collect,
    reason = "reports are a page of text: plain `+= &format!` reads best"
)]

mod bench;
mod book;
mod cargo;
mod escape;
mod explain;
mod generated;
mod hint;
mod lab;
mod mistakes;
mod new;
mod output;
mod patch;
mod played;
mod process;
mod progress;
mod report;
mod reset;
mod self_check;
mod solution;
mod spec;
mod state;
mod taken_in;
mod trial;
mod verify;
mod view;
mod watch;
mod way_back;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

use workbook::Workbook;

#[derive(Parser)]
#[command(
    name = "cargo xtask",
    bin_name = "cargo xtask",
    about = "The commands of the workbook",
    disable_help_subcommand = true
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the checks of the exercises and say what to do next
    Verify(verify::Args),
    /// Show the next hint of a step: one level more at each call
    Hint(hint::Args),
    /// Run an exercise's lab: the naive client, yours and the reference under the same storm
    Lab(lab::Args),
    /// Measure what a pattern costs: yours, the reference, and published crates
    Bench(bench::Args),
    /// Bring an exercise's starter back, after a backup of your code
    Reset(reset::Args),
    /// Show the reference solution of an exercise
    Solution(solution::Args),
    /// Guess which check catches a wrong answer
    Mistakes(mistakes::Args),
    /// Make a passing answer wrong: does a check notice?
    Escape(escape::Args),
    /// Serve the book, with the verdicts on your code in its pages
    Book(book::Args),
    /// For contributors: begin a new exercise, as a draft that `check` accepts
    New(new::Args),
    /// For maintainers: check that starters, solutions, mistakes, figures and book hold together
    Check(self_check::Args),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let result = process::end_children_on_ctrl_c().and_then(|()| run(cli.command));
    match result.and_then(|done| output::all_written().map(|()| done)) {
        Ok(true) if output::was_cut_off() => ExitCode::from(2),
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            // `{:#}` prints the chain of causes on one line, and never a backtrace.
            output::err(&format!("{}: {error:#}", output::red("error")));
            ExitCode::from(2)
        }
    }
}

/// Whether all is well; an error is for what could not be done at all.
fn run(command: Command) -> Result<bool> {
    let workbook = Workbook::find()?;
    match command {
        Command::Verify(args) if args.watch => watch::run(&workbook, &args).map(|()| true),
        Command::Verify(args) => verify::run(&workbook, &args),
        Command::Hint(args) => hint::run(&workbook, &args),
        Command::Lab(args) => lab::run(&workbook, &args),
        Command::Bench(args) => bench::run(&workbook, &args),
        Command::Reset(args) => reset::run(&workbook, &args),
        Command::Solution(args) => solution::run(&workbook, &args),
        Command::Mistakes(args) => mistakes::run(&workbook, &args),
        Command::Escape(args) => escape::run(&workbook, &args),
        Command::Book(args) => book::run(&workbook, &args),
        Command::New(args) => new::run(&workbook, &args),
        Command::Check(args) => self_check::run(&workbook, &args),
    }
}
