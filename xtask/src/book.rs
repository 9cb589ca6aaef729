//! `cargo xtask book`: serves the book on loopback, or writes it into files, around the figures in the repository.
//! `--figures` draws those, records the runs and toys that a page without a server chooses among, and compiles every lab
//! for it, so a reader's first click on a page does without; that all of it is of the code is `check`'s business.

use std::env;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use workbook::{Workbook, files};

use crate::cargo::{self, Metadata, Role};
use crate::generated::{self, Mode};
use crate::output;
use crate::played;

#[derive(clap::Args)]
pub struct Args {
    /// Open the book in the browser, at a page if you name one (`circuit-breaker/trip`)
    #[arg(long, value_name = "PAGE", num_args = 0..=1, default_missing_value = "")]
    open: Option<String>,
    /// Write the pages into book/book instead of serving them, as for hosting
    #[arg(long = "static")]
    files: bool,
    /// Where to serve it, on 127.0.0.1 [default: 3000; 0 takes any free port]
    #[arg(long, value_name = "PORT", conflicts_with = "files")]
    port: Option<u16>,
    /// Draw the figures in the repository again, from runs of the solutions: after a change to a lab
    #[arg(long, conflicts_with_all = ["open", "files", "port"])]
    figures: bool,
}

pub fn run(workbook: &Workbook, args: &Args) -> Result<bool> {
    if args.figures {
        for line in figures(workbook, Mode::Bless)?.not_current {
            output::err(&line);
        }
        return Ok(true);
    }
    let mut all = ["run", "--package", "book-builder", "--"].map(str::to_owned).to_vec();
    if args.files {
        all.push("build".to_owned());
    } else {
        let xtask = env::current_exe().context("cannot tell where this program is")?;
        let xtask =
            xtask.to_str().with_context(|| format!("{} is not Unicode", xtask.display()))?;
        all.extend(["serve".to_owned(), format!("--xtask={xtask}")]);
        all.push(format!("--gameday={}", played::page(workbook).display()));
        all.extend(args.port.map(|port| format!("--port={port}")));
    }
    all.extend(args.open.as_ref().map(|page| format!("--open={page}")));
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    cargo::must_stream(workbook, &all, "the book").map(|()| true)
}

/// What became of the figures and tables in the book.
pub struct Drawn {
    pub files: usize,
    /// Those in the book that were not as the programs draw them.
    pub not_current: Vec<String>,
}

/// Has every program that draws figures draw them, and holds those in the book to the result.
pub fn figures(workbook: &Workbook, mode: Mode) -> Result<Drawn> {
    let fresh = workbook.scratch_dir().join("figures");
    if fresh.exists() {
        fs::remove_dir_all(&fresh).with_context(|| format!("cannot empty {}", fresh.display()))?;
    }
    let shown =
        fresh.to_str().with_context(|| format!("{} is not valid Unicode", fresh.display()))?;
    let metadata = Metadata::load(workbook)?;
    for package in metadata.with_role(Role::Figures) {
        let name = &package.name;
        output::err(&format!("figures of {name}"));
        // Without the reader's code, which may not compile.
        let program = ["run", "--release", "--package", name, "--no-default-features"];
        let args = [&program[..], &["--", "--figures", shown]].concat();
        cargo::must_stream(workbook, &args, &format!("{name}, which draws figures,"))?;
    }
    let folder = Path::new("book").join("src").join("figures");
    let wanted = generated::below(&folder, &files::read_tree(&fresh)?);
    let renew = "run `cargo xtask book --figures`";
    let not_current = generated::hold(&workbook.root, &wanted, Some(&folder), mode, renew)?;
    Ok(Drawn { files: wanted.len(), not_current })
}
