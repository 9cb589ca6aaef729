//! Builds, serves and checks the book with mdBook as a library, so that a reader has nothing to install.

mod breaks;
mod check;
#[cfg(test)]
mod coverage;
mod directive;
mod excerpt;
mod live;
mod open;
mod preprocess;
mod render;
#[cfg(test)]
mod scratch;
mod units;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::{Parser, Subcommand};

/// Builds, serves and checks the book.
#[derive(Parser)]
struct Arguments {
    /// The folder of the workbook; by default the one this program was compiled in
    #[arg(long, global = true, value_name = "DIR")]
    root: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Builds the book into book/book
    Build {
        /// Open it in the browser, at a page such as `circuit-breaker/probe` if one is given
        #[arg(long, value_name = "PAGE", num_args = 0..=1, default_missing_value = "")]
        open: Option<String>,
    },
    /// Serves the book on 127.0.0.1, with the verdicts on the reader's code in its pages
    Serve {
        /// 0 takes any free port
        #[arg(long, default_value_t = 3000)]
        port: u16,
        /// Open it in the browser, at a page such as `circuit-breaker/probe` if one is given
        #[arg(long, value_name = "PAGE", num_args = 0..=1, default_missing_value = "")]
        open: Option<String>,
        /// The program of `cargo xtask`, to verify and to build labs with
        #[arg(long, value_name = "FILE")]
        xtask: Option<PathBuf>,
        /// The report of the last play, which may come later
        #[arg(long, value_name = "FILE")]
        gameday: Option<PathBuf>,
    },
    /// Builds the book into a temporary folder and checks links, anchors, figures and headings
    Check,
}

fn main() -> ExitCode {
    match run(Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> Result<()> {
    let root = match arguments.root {
        Some(root) => root,
        None => Path::new(env!("CARGO_MANIFEST_DIR"))
            .ancestors()
            .nth(2)
            .context("this crate stands in book/builder")?
            .to_owned(),
    };
    let root = std::path::absolute(root)?;
    match arguments.command {
        Command::Build { open } => build(&root, open.as_deref()),
        Command::Serve { port, open, xtask, gameday } => {
            live::serve(&live::Options { root, xtask, gameday, port, open })
        }
        Command::Check => check(&root),
    }
}

fn build(root: &Path, open: Option<&str>) -> Result<()> {
    let out = root.join("book").join("book");
    let rendered = render::render(root, &out, false)?;
    for warning in &rendered.warnings {
        eprintln!("warning: {warning}");
    }
    println!("built {}", out.join("index.html").display());
    if let Some(target) = open {
        let file = open::entry(&out, target)?;
        opener::open_browser(&file)
            .with_context(|| format!("no browser opened: open {} yourself", file.display()))?;
    }
    Ok(())
}

fn check(root: &Path) -> Result<()> {
    let report = check::check(root)?;
    let check::Report { pages, figures, links, external, .. } = report;
    if !report.findings.is_empty() {
        let count = report.findings.len();
        bail!("the book has findings: {count}\n{}", report.findings.join("\n"));
    }
    println!(
        "the book is sound: {pages} chapters, {figures} figures, {links} links; {external} external links, not fetched"
    );
    Ok(())
}
