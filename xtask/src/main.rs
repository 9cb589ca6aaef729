//! The commands of the workbook: `cargo xtask verify`, `hint`, `lab`, `bench`, `gameday`, `reset`, `solution`,
//! `mistakes`, `escape`, `book`, and for maintainers `check`. Without a command: where the reader stands.
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
mod children;
mod escape;
mod explain;
mod gameday;
mod generated;
mod grade;
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
mod status;
mod taken_in;
mod trial;
mod turn;
mod verify;
mod view;
mod watch;

use std::io::stdin;
use std::process::ExitCode;
use std::thread;

use anyhow::Result;
use clap::{Parser, Subcommand};

use workbook::Workbook;

#[derive(Parser)]
#[command(
    name = "cargo xtask",
    bin_name = "cargo xtask",
    about = "The commands of the workbook; without one, where you stand",
    disable_help_subcommand = true
)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Run the checks of the exercises and say what to do next
    ///
    /// Without a name all exercises up to the first that is not begun are compiled and run; one after that says "not started".
    ///
    /// Exit codes: 0 all checks passed; 1 something is unfinished or doesn't compile; 2 verify could not do its work, with the
    /// reason on standard error.
    Verify(verify::Args),
    /// Show the next hint of a step: one level more at each call
    Hint(hint::Args),
    /// Run an exercise's lab: the naive client, yours and the reference under the same storm
    Lab(lab::Args),
    /// Measure what a pattern costs: yours, the reference, and published crates
    Bench(bench::Args),
    /// Play eight experiments with your shop: real processes, real sockets, real faults
    Gameday(gameday::Args),
    /// Bring an exercise's starter back, after a backup of your code
    ///
    /// What counts as your code are the Rust files below src/. They are kept in .backups/, which no command empties. Cargo.toml and
    /// other files stay as they are; a changed spec is brought back by git, and `verify` says how.
    Reset(reset::Args),
    /// Show the reference solution of an exercise
    Solution(solution::Args),
    /// Guess which check catches a wrong answer
    Mistakes(mistakes::Args),
    /// Make a passing answer wrong: does a check notice?
    Escape(escape::Args),
    /// Serve the book, with the verdicts on your code in its pages
    Book(book::Args),
    /// For teachers: judge many people's answers, in processes that may do little
    Grade(grade::Args),
    /// For contributors: begin a new exercise, as a draft that `check` accepts
    New(new::Args),
    /// For maintainers: check that starters, solutions, mistakes, figures and book hold together
    Check(self_check::Args),
    /// Ends what a killed command leaves behind
    #[command(hide = true)]
    Keeper,
}

fn main() -> ExitCode {
    if let Some(code) = grade::record() {
        return code;
    }
    let result = match Cli::parse().command {
        Some(Command::Keeper) => {
            children::keeper(stdin().lock());
            Ok(true)
        }
        command => children::share_our_fate().and_then(|()| run(command)),
    };
    while children::is_ending() {
        // What failed did so because this program was ended, and that is all to say.
        thread::park();
    }
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
fn run(command: Option<Command>) -> Result<bool> {
    let workbook = Workbook::find()?;
    let Some(command) = command else { return status::run(&workbook) };
    match command {
        Command::Keeper => Ok(true),
        Command::Verify(args) if args.watch => watch::run(&workbook, &args).map(|()| true),
        Command::Verify(args) => verify::run(&workbook, &args),
        Command::Hint(args) => hint::run(&workbook, &args),
        Command::Lab(args) => lab::run(&workbook, &args),
        Command::Bench(args) => bench::run(&workbook, &args),
        Command::Gameday(args) => gameday::run(&workbook, &args),
        Command::Reset(args) => reset::run(&workbook, &args),
        Command::Solution(args) => solution::run(&workbook, &args),
        Command::Mistakes(args) => mistakes::run(&workbook, &args),
        Command::Escape(args) => escape::run(&workbook, &args),
        Command::Book(args) => book::run(&workbook, &args),
        Command::Grade(args) => grade::run(&workbook, &args),
        Command::New(args) => new::run(&workbook, &args),
        Command::Check(args) => self_check::run(&workbook, &args),
    }
}
