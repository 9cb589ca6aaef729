//! `cargo xtask escape`: the reader has made a passing answer wrong. If no check notices, the difference
//! becomes a mistake file, ready for a header and for the check that is missing.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use workbook::files::{self, Tree};
use workbook::{Change, Exercise, Kind, Sources, Subject, Workbook, slashes};

use crate::output::{self, bold, count, green, indent, red, wrap};
use crate::patch;
use crate::report::{CheckReport, Status};
use crate::reset;
use crate::spec::{self, Limit, Ran};

/// The checks that caught it, shown with their messages.
const SHOWN: usize = 3;
/// More lines than this are another design rather than one mistake.
const MANY_LINES: usize = 60;

#[derive(clap::Args)]
pub struct Args {
    /// The exercise by id, folder or number
    exercise: String,
    /// Put the reference solution in the place of your code, after a backup, to begin from
    #[arg(long)]
    start: bool,
}

pub fn run(workbook: &Workbook, args: &Args) -> Result<bool> {
    let exercise = workbook.exercise(&args.exercise)?;
    let id = &exercise.id;
    if exercise.kind == Kind::Gameday {
        bail!("`{id}` has no checks to escape from: play it, with cargo xtask gameday");
    }
    let sources = Sources::read(&workbook.root, &exercise)?;
    let solution = workbook.root.join(exercise.path(Subject::Solution)).join("src").join("lib.rs");
    let solution = files::read_text(&solution)?;
    let shown = slashes(&exercise.source());
    if args.start {
        let mut tree = sources.starter.clone();
        tree.insert("lib.rs".into(), solution.into_bytes());
        let told = reset::replace(workbook, &exercise, &sources, &tree)?;
        output::out(&format!(
            "{told}{shown} is the reference solution. Make it wrong, then: cargo xtask escape {id}"
        ));
        return Ok(true);
    }
    let yours = lib_alone(workbook, &exercise, &sources)?;
    if yours == solution {
        bail!("{shown} is the reference solution: make it wrong first");
    }
    let checks = match spec::build_and_run(workbook, &exercise, Subject::Reader, Limit::USUAL)? {
        Ran::Checks { checks, .. } => checks,
        Ran::DoesNotCompile(errors) => {
            output::out(&format!(" {}\n\n{}", red("It does not compile:"), errors.join("\n")));
            return Ok(false);
        }
    };
    let caught: Vec<_> = checks.iter().filter(|check| check.status != Status::Passed).collect();
    if !caught.is_empty() {
        output::out(&was_caught(&exercise, &caught));
        return Ok(false);
    }
    let diff = patch::between(&solution, &yours);
    let file = keep(workbook, id, &diff)?;
    output::out(&escaped(&exercise, &file, patch::changed_lines(&diff)));
    Ok(true)
}

/// The reader's lib.rs, if nothing else of the exercise was changed: a mistake is a diff of this file, and
/// escapes the spec as it was published.
fn lib_alone(workbook: &Workbook, exercise: &Exercise, sources: &Sources) -> Result<String> {
    let id = &exercise.id;
    if !sources.is_begun() {
        bail!(
            "`{id}` has its starter: solve it first, or begin from the reference by `cargo xtask escape {id} --start`"
        );
    }
    if let Some(Change { path, what }) = exercise.changes(workbook, sources).into_iter().next() {
        bail!("{path} {what}: only from the spec as it was published there is an escape");
    }
    let folder = exercise.path(Subject::Reader).join("src");
    let others = |tree: &Tree| -> Tree {
        let others = tree.iter().filter(|(path, _)| path.as_path() != Path::new("lib.rs"));
        others.map(|(path, content)| (path.clone(), content.clone())).collect()
    };
    let (now, given) = (others(&sources.source), others(&sources.starter));
    if !files::same_text(&now, &given) {
        let differs = now.iter().find(|(path, content)| given.get(*path) != Some(content));
        let path = differs.map_or_else(|| given.keys().next(), |(path, _)| Some(path));
        let path = slashes(&folder.join(path.map_or(Path::new(""), PathBuf::as_path)));
        bail!("{path} is not as it was given: a wrong answer is all in lib.rs");
    }
    let lib = sources.source.get(Path::new("lib.rs")).context("src/lib.rs is missing")?;
    String::from_utf8(files::fold_crlf(lib)).context("src/lib.rs is not UTF-8")
}

fn was_caught(exercise: &Exercise, caught: &[&CheckReport]) -> String {
    let mut text = format!(" {} by {}:\n", red("Caught"), count(caught.len(), "check"));
    for check in caught.iter().take(SHOWN) {
        let step = exercise.steps.iter().find(|step| step.module() == check.module);
        let number = step.map_or(0, |step| step.number);
        text += &format!("   step {number}  {}\n", check.name);
        text += &indent(&wrap(&check.message, 11), 11);
    }
    if caught.len() > SHOWN {
        text += &format!("   and {}\n", count(caught.len() - SHOWN, "more check"));
    }
    text
}

/// Writes the diff with a blank header to the first free `.escapes/<id>-<n>.patch`.
fn keep(workbook: &Workbook, id: &str, diff: &str) -> Result<String> {
    let folder = workbook.root.join(".escapes");
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    for n in 1_u32.. {
        let name = format!("{id}-{n}.patch");
        let Ok(mut file) = fs::File::create_new(folder.join(&name)) else { continue };
        let text = format!("title: \nwhy: \nwhere: \ncaught-by: \n---\n{diff}");
        file.write_all(text.as_bytes()).with_context(|| format!("cannot write {name}"))?;
        return Ok(format!(".escapes/{name}"));
    }
    bail!("{} is full", folder.display())
}

fn escaped(exercise: &Exercise, file: &str, changed: usize) -> String {
    let (id, folder) = (&exercise.id, &exercise.folder);
    let hang = |text: &str, by| indent(&wrap(text, by), by);
    let mut text = format!(
        " {}{}",
        green("Escaped: "),
        hang(&format!("No check of {id} notices. What you changed is in {}.", bold(file)), 10)
            .trim_start()
    );
    if changed > MANY_LINES {
        text += &hang(
            &format!(
                "It differs from the reference in {changed} lines. Make the same mistake in the reference, so that others can see it: cargo xtask escape {id} --start"
            ),
            1,
        );
    }
    text.push('\n');
    text += &hang("If it breaks a sentence of the contract, it is worth a pull request:", 1);
    let ways = [
        "fill in the header: what is wrong, why one does it, where it happened, which check catches it",
        &format!("move the file to solutions/{folder}/mistakes/"),
        &format!("write that check in exercises/{folder}/tests/steps/"),
        &format!("cargo xtask check --only mistakes {id}"),
    ];
    for (way, n) in ways.iter().zip(1..) {
        text += &format!("   {n}  {}", hang(way, 6).trim_start());
    }
    text += &hang(
        &format!(
            "If it is right after all, and another design: solutions/{folder}/right/ keeps those."
        ),
        1,
    );
    text
}
