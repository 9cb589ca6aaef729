//! What an `exercise.toml` declares is there, and the untouched copies are current.

use std::collections::BTreeSet;
use std::fs;
use std::ops::RangeInclusive;
use std::path::Path;

use anyhow::Result;
use workbook::files::{self, Tree};
use workbook::{Exercise, Kind, PUBLISHED, Sources, Subject, Workbook, slashes};

use super::findings::Findings;
use super::starters;
use crate::cargo;
use crate::generated::{self, Mode};

const STEPS: RangeInclusive<usize> = 5..=7;
const STEPS_OF_A_DRAFT: RangeInclusive<usize> = 1..=7;
const EXPERIMENTS: RangeInclusive<usize> = 8..=8;
/// The lines around what the README lists.
const LIST: [&str; 2] = [
    "<!-- The exercises, from their exercise.toml: `cargo xtask check --bless` renews this. -->\n",
    "<!-- The end of the exercises. -->\n",
];

pub fn check(workbook: &Workbook, exercises: &[Exercise], mode: Mode) -> Result<Findings> {
    let mut found = Findings::default();
    for copy in workbook.copies()? {
        found.wrong(format!("exercises/{copy} has an exercise.toml, and Cargo.toml doesn't name it: add it to `members`, or move it away"));
    }
    let mut ids = BTreeSet::new();
    for exercise in exercises {
        let toml = format!("{}/exercise.toml", slashes(&exercise.path(Subject::Reader)));
        if !ids.insert(&exercise.id) {
            found.wrong(format!("{toml}: another exercise has the id `{}` too", exercise.id));
        }
        let unique: BTreeSet<_> = exercise.steps.iter().map(|step| &step.id).collect();
        if unique.len() < exercise.steps.len() {
            found.wrong(format!("{toml}: two steps have the same id"));
        }
        if exercise.summary.is_empty() {
            found.wrong(format!(
                "{toml}: say in `summary` what a reader builds, for the lists of exercises"
            ));
        }
        let (from, to) = match exercise.kind {
            Kind::Gameday => EXPERIMENTS,
            Kind::Spec if exercise.draft => STEPS_OF_A_DRAFT,
            Kind::Spec => STEPS,
        }
        .into_inner();
        if !(from..=to).contains(&exercise.steps.len()) {
            let steps = exercise.steps.len();
            found
                .wrong(format!("{toml}: {steps} steps; join or split them to have {from} to {to}"));
        }
        for step in &exercise.steps {
            if step.hints.iter().any(|hint| hint.trim().is_empty()) {
                found.wrong(format!("{toml}: step `{}` has an empty hint; write three", step.id));
            }
        }
        hints_leave_the_line(workbook, exercise, &toml, &mut found);
        if !exercise.names_its_source(&workbook.root)? {
            let folder = slashes(&exercise.path(Subject::Reader));
            found.wrong(format!("{folder}/Cargo.toml: give `path = \"src/lib.rs\"` in [lib], so that cargo starts without that file too"));
        }
        if exercise.kind == Kind::Spec {
            witness(workbook, exercise, &mut found);
            modules(workbook, exercise, &mut found)?;
        }
        pages(workbook, exercise, &toml, &mut found);
        untouched_copies(workbook, exercise, mode, &mut found)?;
    }
    readme(workbook, mode, &mut found)?;
    published(workbook, mode, &mut found)?;
    Ok(found)
}

/// A hint is the last push, and not the line of the solution: a code span of some length that stands there
/// to the letter, white space aside.
fn hints_leave_the_line(
    workbook: &Workbook,
    exercise: &Exercise,
    toml: &str,
    found: &mut Findings,
) {
    const SOME_LENGTH: usize = 36;
    let path = workbook.root.join(exercise.path(Subject::Solution)).join("src").join("lib.rs");
    let squeeze = |text: &str| text.split_whitespace().collect::<String>();
    let solution = squeeze(&fs::read_to_string(path).unwrap_or_default());
    for step in &exercise.steps {
        for span in step.hints.iter().flat_map(|hint| hint.split('`').skip(1).step_by(2)) {
            let squeezed = squeeze(span);
            if squeezed.len() >= SOME_LENGTH && solution.contains(&squeezed) {
                let id = &step.id;
                found.wrong(format!(
                    "{toml}: a hint of step `{id}` holds a line of the solution, `{span}`: say in words what it does"
                ));
            }
        }
    }
}

/// The README lists the exercises between two marks.
fn readme(workbook: &Workbook, mode: Mode, found: &mut Findings) -> Result<()> {
    let path = Path::new("README.md");
    let text = fs::read_to_string(workbook.root.join(path)).unwrap_or_default();
    let [begin, end] = LIST;
    let Some((before, rest)) = text.split_once(begin) else { return Ok(()) };
    let Some((_, after)) = rest.split_once(end) else {
        found.wrong(format!("README.md: `{}` must end its list of exercises", end.trim()));
        return Ok(());
    };
    let mut list = "| | Exercise | |\n|---|---|---|\n".to_owned();
    for exercise in workbook.exercises()?.iter().filter(|exercise| !exercise.draft) {
        let Exercise { id, title, chapter, summary, .. } = exercise;
        let number = exercise.number();
        list += &format!("| {number} | [{title}](book/src/{chapter}) `{id}` | {summary} |\n");
    }
    let wanted =
        Tree::from([(path.to_owned(), [before, begin, &list, end, after].concat().into_bytes())]);
    let renew = "run `cargo xtask check --bless`";
    let outcome = generated::hold(&workbook.root, &wanted, None, mode, renew)?;
    match mode {
        Mode::Verify => found.wrong.extend(outcome),
        Mode::Bless => found.told.extend(outcome),
    }
    Ok(())
}

/// `xtask/published.sum` is that of the exercises' `spec.sum`s. Written after those.
fn published(workbook: &Workbook, mode: Mode, found: &mut Findings) -> Result<()> {
    let sum = Tree::from([(PUBLISHED.into(), workbook.published_sum()?.into_bytes())]);
    let renew = "run `cargo xtask check --bless`";
    let outcome = generated::hold(&workbook.root, &sum, None, mode, renew)?;
    match mode {
        Mode::Verify => found.wrong.extend(outcome),
        Mode::Bless => found.told.extend(outcome),
    }
    Ok(())
}

/// A pass of a check without a witness is worth what the code under it says.
fn witness(workbook: &Workbook, exercise: &Exercise, found: &mut Findings) {
    for subject in [Subject::Reader, Subject::Solution] {
        let spec = exercise.path(subject).join("tests").join("spec.rs");
        let text = fs::read_to_string(workbook.root.join(&spec)).unwrap_or_default();
        if !text.contains("extern crate witness;") {
            found.wrong(format!(
                "{}: its checks have no witness; give it `#[macro_use] extern crate witness;`, and `extern crate witness_tokio as tokio;` where a check is a `#[tokio::test]`",
                slashes(&spec)
            ));
        }
    }
}

/// Each step has its module in the spec, and each such module its step.
fn modules(workbook: &Workbook, exercise: &Exercise, found: &mut Findings) -> Result<()> {
    let folder = exercise.path(Subject::Reader).join("tests").join("steps");
    let declared: BTreeSet<_> =
        exercise.steps.iter().map(|step| format!("{}.rs", step.module())).collect();
    let present: BTreeSet<_> = files::read_sources(&workbook.root.join(&folder))?
        .keys()
        .map(|path| slashes(path))
        .filter(|name| name.starts_with("step_"))
        .collect();
    let folder = slashes(&folder);
    for name in declared.difference(&present) {
        found.wrong(format!("{folder}/{name} is missing: exercise.toml declares its step"));
    }
    for name in present.difference(&declared) {
        found.wrong(format!(
            "{folder}/{name} belongs to no step of exercise.toml: declare it or rename it"
        ));
    }
    Ok(())
}

/// The pages of an exercise: the opening, one for each step, the lab, and what holds in production.
fn pages(workbook: &Workbook, exercise: &Exercise, toml: &str, found: &mut Findings) {
    let source = workbook.root.join("book").join("src");
    let contents = fs::read_to_string(source.join("SUMMARY.md")).unwrap_or_default();
    let opening = exercise.page(None);
    let steps = exercise.steps.iter().map(|step| exercise.page(Some(step)));
    let others = [opening.clone(), format!("{opening}/lab"), format!("{opening}/production")];
    for page in others.into_iter().chain(steps) {
        let file = format!("{page}.md");
        if !source.join(&file).is_file() {
            found.wrong(format!("{toml}: there is no book/src/{file}"));
        } else if !contents.contains(&format!("]({file})")) {
            found.wrong(format!("{toml}: book/src/SUMMARY.md has no line with ({file})"));
        }
    }
}

/// `.starter` holds what readers get: the sources and the sums of the spec.
fn untouched_copies(
    workbook: &Workbook,
    exercise: &Exercise,
    mode: Mode,
    found: &mut Findings,
) -> Result<()> {
    let starter = exercise.path(Subject::Reader).join(".starter");
    let sources = Sources::read(&workbook.root, exercise)?;
    if files::same_text(&sources.source, &sources.bare) {
        let id = &exercise.id;
        found.wrong(format!("{id} has its bare starter: `cargo xtask reset {id}` brings the guided one, from which the other is derived"));
        return Ok(());
    }
    // A solved exercise is begun as well, and no reader should get its answers.
    if mode == Mode::Bless && !sources.starter.is_empty() && sources.is_begun() {
        let begins = starters::begins(workbook, exercise, &exercise.id)?.wrong;
        if !begins.is_empty() {
            let shown = slashes(&exercise.path(Subject::Reader).join("src"));
            found.wrong(format!(
                "{shown} does not become the starter, because it is none:\n{}",
                begins.join("\n")
            ));
            return Ok(());
        }
    }
    let copies = generated::below(&starter.join("src"), &sources.source);
    let renew = format!(
        "it is a copy of the exercise's; `cargo xtask reset {}` if you solved the exercise, `cargo xtask check --bless` if you changed the starter",
        exercise.id
    );
    let sum = Tree::from([(
        starter.join("spec.sum"),
        exercise.sum(&workbook.root, &sources).into_bytes(),
    )]);
    let root = &workbook.root;
    let mut outcome = generated::hold(root, &copies, Some(&starter.join("src")), mode, &renew)?;
    outcome.extend(generated::hold(root, &sum, None, mode, "run `cargo xtask check --bless`")?);
    // Derived from the guided starter as it is now; what is played has a service for its starter, and no other.
    if exercise.kind == Kind::Spec && root.join("xtask").join("bare").is_dir() {
        let folder = slashes(&exercise.path(Subject::Reader));
        let bare =
            cargo::text(workbook, &["run", "--quiet", "--package", "bare-starter", "--", &folder])?;
        let to = starter.join("bare").join("src");
        let bare = Tree::from([(to.join("lib.rs"), bare.into_bytes())]);
        let renew = "run `cargo xtask check --bless`";
        outcome.extend(generated::hold(root, &bare, Some(&to), mode, renew)?);
    }
    match mode {
        Mode::Verify => found.wrong.extend(outcome),
        Mode::Bless => found.told.extend(outcome),
    }
    Ok(())
}
