//! `cargo xtask reset`: the starter comes back, and nothing the reader wrote is lost.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use workbook::files::{self, Tree};
use workbook::{Exercise, Sources, Subject, Workbook, slashes, way_back};

use crate::output;
use crate::state::State;

#[derive(clap::Args)]
pub struct Args {
    /// The exercise by id, folder or number
    exercise: String,
    /// The public API alone, without structure, for those who want to design it
    #[arg(long)]
    bare: bool,
}

pub fn run(workbook: &Workbook, args: &Args) -> Result<bool> {
    let exercise = workbook.exercise(&args.exercise)?;
    let folder = exercise.path(Subject::Reader);
    let shown = slashes(&folder.join("src"));
    let sources = Sources::read(&workbook.root, &exercise)?;
    let (name, starter, kept) = if args.bare {
        ("bare starter", &sources.bare, folder.join(".starter").join("bare"))
    } else {
        ("starter", &sources.starter, folder.join(".starter"))
    };
    if starter.is_empty() {
        let kept = slashes(&kept);
        bail!("{kept} is missing. To bring it back: {}", way_back(&workbook.root, &kept));
    }
    if files::same_text(&sources.source, starter) {
        output::out(&format!("{shown} is the {name} already: nothing to do."));
        return Ok(true);
    }
    let told = replace(workbook, &exercise, &sources, starter)?;
    begin_anew(workbook, &exercise.id, args.bare);
    let again = if args.bare { "now" } else { "again" };
    output::out(&format!("{told}{shown} is the {name} {again}."));
    Ok(true)
}

/// Puts `tree` in the place of the reader's code, after a backup of what either starter doesn't have.
/// Tells where the backup is.
pub fn replace(
    workbook: &Workbook,
    exercise: &Exercise,
    sources: &Sources,
    tree: &Tree,
) -> Result<String> {
    let folder = exercise.path(Subject::Reader).join("src");
    let (now, shown) = (&sources.source, slashes(&folder));
    let mut told = String::new();
    if !now.is_empty() && sources.is_begun() && !files::same_text(now, tree) {
        let backup = new_backup(workbook, &exercise.id)?;
        files::write_tree(&workbook.root.join(&backup), now)?;
        let backup = slashes(&backup);
        told += &format!(
            "Your code is kept in {backup}.\nTo get it back, copy the files in there to {shown} again.\n",
        );
    }
    told += &cut_link(workbook, &folder)?;
    for path in tree.keys() {
        told += &cut_link(workbook, &folder.join(path))?;
    }
    // Only what the backup holds is removed.
    let folder = workbook.root.join(folder);
    for path in now.keys().filter(|path| !tree.contains_key(*path)) {
        let path = folder.join(path);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(error).with_context(|| format!("cannot remove {}", path.display()));
            }
            _ => {}
        }
    }
    for path in tree.keys() {
        let path = folder.join(path);
        if path.is_dir() {
            bail!("{} is a folder: move it away, and reset again", path.display());
        }
    }
    files::write_tree(&folder, tree)?;
    Ok(told)
}

/// A link goes, and what it leads to stays as it is: a file of the reader's own, or the solution.
fn cut_link(workbook: &Workbook, path: &Path) -> Result<String> {
    let at = workbook.root.join(path);
    let Ok(leads_to) = fs::read_link(&at) else { return Ok(String::new()) };
    // Windows has links to folders of a kind of their own.
    fs::remove_file(&at)
        .or_else(|_| fs::remove_dir(&at))
        .with_context(|| format!("cannot remove {}", at.display()))?;
    Ok(format!("{} was a link to {}, which stays.\n", slashes(path), leads_to.display()))
}

/// The hints start over as well. A state that can't be saved is no reason to fail.
fn begin_anew(workbook: &Workbook, id: &str, bare: bool) {
    let mut state = State::load(workbook);
    state.current_step.remove(id);
    state.hints_shown.retain(|step, _| step.split('/').next() != Some(id));
    state.bare.remove(id);
    state.bare.extend(bare.then(|| id.to_owned()));
    let _ = state.save(workbook);
}

/// Creates the first free `.backups/<id>-<n>`. Creating it is the test whether it is free.
fn new_backup(workbook: &Workbook, id: &str) -> Result<PathBuf> {
    let backups = workbook.root.join(".backups");
    fs::create_dir_all(&backups).with_context(|| format!("cannot create {}", backups.display()))?;
    for n in 1_u32.. {
        let name = format!("{id}-{n}");
        match fs::create_dir(backups.join(&name)) {
            Ok(()) => return Ok(PathBuf::from(".backups").join(name).join("src")),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => {
                return Err(error)
                    .with_context(|| format!("cannot create {}", backups.join(&name).display()));
            }
        }
    }
    bail!("{} is full", backups.display())
}
