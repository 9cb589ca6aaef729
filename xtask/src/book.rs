//! `cargo xtask book`: the book, around the figures in the repository; with `--figures`, around new
//! ones from a run of the solutions. Drawing compiles every lab, so a reader's first click on a page
//! does without; that the figures are those of the code is `check`'s business.

use std::path::Path;

use anyhow::{Context as _, Result};

use crate::cargo::{self, Metadata};
use crate::output;
use crate::workbook::Workbook;

#[derive(clap::Args)]
pub struct Args {
    /// Open the book in the browser, at a page if you name one (`circuit-breaker#trip`)
    #[arg(long, value_name = "PAGE#ANCHOR", num_args = 0..=1, default_missing_value = "")]
    open: Option<String>,
    /// Serve the book on this machine and rebuild it when a file changes
    #[arg(long, conflicts_with = "open")]
    serve: bool,
    /// Where to serve it, on 127.0.0.1
    #[arg(long, value_name = "PORT", requires = "serve")]
    port: Option<u16>,
    /// Draw the figures anew first, from a run of the solutions: after a change to a lab
    #[arg(long)]
    figures: bool,
}

pub fn run(workbook: &Workbook, args: &Args) -> Result<bool> {
    if args.figures {
        draw_figures(workbook, &workbook.root.join("book").join("src").join("figures"))?;
    }
    let mut all = vec!["run", "--package", "book-builder", "--"];
    let port = args.port.map(|port| port.to_string());
    match &args.open {
        _ if args.serve => {
            all.push("serve");
            all.extend(port.iter().flat_map(|port| ["--port", port.as_str()]));
        }
        None => all.push("build"),
        Some(page) if page.is_empty() => all.extend(["build", "--open"]),
        Some(page) => all.extend(["build", "--open", page]),
    }
    cargo::must_stream(workbook, &all, "the book").map(|()| true)
}

/// Has every program that draws figures write them into `folder`.
pub fn draw_figures(workbook: &Workbook, folder: &Path) -> Result<()> {
    let folder =
        folder.to_str().with_context(|| format!("{} is not valid Unicode", folder.display()))?;
    for (package, binary) in drawing_binaries(workbook)? {
        output::err(&format!("figures of {binary}"));
        let args = [
            "run",
            "--release",
            "--package",
            &package,
            "--bin",
            &binary,
            "--",
            "--figures",
            folder,
        ];
        cargo::must_stream(workbook, &args, &format!("{binary}, which draws figures,"))?;
    }
    Ok(())
}

/// Package and binary of each lab, of storm's cascade and of the tables of costs, as far as they exist.
fn drawing_binaries(workbook: &Workbook) -> Result<Vec<(String, String)>> {
    let metadata = Metadata::load(workbook)?;
    let mut found = Vec::new();
    for package in metadata.packages {
        for target in package
            .targets
            .into_iter()
            .filter(|target| target.kind.iter().any(|kind| kind == "bin"))
        {
            let is_lab = package.name.ends_with("-lab") && target.name == package.name;
            if is_lab || ["cascade", "costs"].contains(&target.name.as_str()) {
                found.push((package.name.clone(), target.name));
            }
        }
    }
    found.sort();
    Ok(found)
}
