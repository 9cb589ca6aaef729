//! Wrong answers: each patch against the solution must be caught by the check that it names.

use std::path::{Path, PathBuf};
use std::thread;

use anyhow::{Context as _, Result, bail, ensure};
use diffy::patch_set::{FileOperation, ParseOptions, PatchSet};
use workbook::files::{self, Tree};
use workbook::{Exercise, Mistake, Subject, Workbook};

use super::findings::Findings;
use crate::cargo::{self, Build};
use crate::output::count;
use crate::progress::Progress;
use crate::report::{CheckReport, Status};
use crate::spec::{Limit, Spec};

/// Mistakes in work at a time, for each core: cargo's start is paid once for all of them.
const SIDE_BY_SIDE: usize = 2;
/// A mistake in what all depends on makes nearly all checks speak.
const OTHERS_NAMED: usize = 3;

/// Each mistake is put into a copy of the solution's package, a few at a time. The copies share what else
/// is built, and each rebuilds only what the next mistake changes in it.
pub fn check(scratch: &Workbook, exercise: &Exercise) -> Result<Findings> {
    let mut found = Findings::default();
    let solution = files::read_tree(&scratch.root.join(exercise.path(Subject::Solution)))?;
    let mut to_catch = Vec::new();
    let mistakes = exercise.mistakes(&scratch.root)?;
    found.tell(format!("{}: {}", exercise.id, count(mistakes.len(), "mistake")));
    for (file, mistake) in mistakes {
        let name = format!("{}/mistakes/{file}", exercise.folder);
        match mistake.and_then(|mistake| Ok((apply(&solution, &mistake.diff)?, mistake))) {
            Ok((changed, mistake)) => to_catch.push(Attempt { name, changed, mistake }),
            Err(error) => found.wrong(format!("{name}: {error:#}")),
        }
    }
    let progress = Progress::new(&exercise.id, to_catch.len(), "mistake");
    let side_by_side = SIDE_BY_SIDE * thread::available_parallelism().map_or(2, usize::from);
    let copies: Vec<_> =
        (1..=side_by_side.min(to_catch.len())).map(|n| Copy::of(exercise, n)).collect();
    for attempts in to_catch.chunks(side_by_side) {
        for (copy, attempt) in copies.iter().zip(attempts) {
            copy.write(scratch, exercise, &solution, &attempt.changed)?;
        }
        let packages: Vec<_> =
            copies.iter().take(attempts.len()).map(|copy| copy.package.as_str()).collect();
        let builds = cargo::build_specs(scratch, &packages)?;
        for ((copy, attempt), build) in copies.iter().zip(attempts).zip(builds) {
            if let Err(error) = catch(scratch, exercise, copy, attempt, build) {
                let error = format!("{error:#}").replace(&copy.folder, &exercise.folder);
                found.wrong(format!("{}: {error}", attempt.name));
            }
            progress.step();
        }
    }
    Ok(found)
}

/// A mistake on its way to be caught.
struct Attempt {
    name: String,
    /// By path below the solution's folder.
    changed: Tree,
    mistake: Mistake,
}

/// A copy of the solution's package, beside it in the scratch copy of the workbook.
struct Copy {
    package: String,
    /// Its name below `solutions`.
    folder: String,
}

impl Copy {
    fn of(exercise: &Exercise, number: usize) -> Self {
        Self {
            package: format!("{}-{number}", exercise.package(Subject::Solution)),
            folder: format!("{}-{number}", exercise.folder),
        }
    }

    fn write(
        &self,
        scratch: &Workbook,
        exercise: &Exercise,
        solution: &Tree,
        changed: &Tree,
    ) -> Result<()> {
        let folder = scratch.root.join("solutions").join(&self.folder);
        for (path, content) in solution {
            let content = changed.get(path).unwrap_or(content);
            if path == Path::new("Cargo.toml") {
                files::write(&folder.join(path), self.manifest(exercise, content).as_bytes())?;
            } else {
                files::write(&folder.join(path), content)?;
            }
        }
        Ok(())
    }

    /// Another package, the same library.
    fn manifest(&self, exercise: &Exercise, original: &[u8]) -> String {
        let package = exercise.package(Subject::Solution);
        let library = package.replace('-', "_");
        let manifest = String::from_utf8_lossy(original).replacen(
            &format!("name = \"{package}\""),
            &format!("name = \"{}\"", self.package),
            1,
        );
        match manifest.replacen("[lib]", &format!("[lib]\nname = \"{library}\""), 1) {
            named if named != manifest => named,
            _ => format!("{manifest}\n[lib]\nname = \"{library}\"\n"),
        }
    }
}

/// Runs the check that is to catch the mistake; if it does not, the others, to say which of them do.
fn catch(
    scratch: &Workbook,
    exercise: &Exercise,
    copy: &Copy,
    attempt: &Attempt,
    build: Build,
) -> Result<()> {
    let executable = match build {
        Build::Ready { executable, .. } => executable,
        Build::Broken(errors) => bail!("it does not compile:\n{}", errors.join("\n")),
    };
    let folder = Path::new("solutions").join(&copy.folder);
    let spec = Spec { workbook: scratch, executable, folder };
    let mistake = &attempt.mistake;
    let caught_by = format!("{}::{}", exercise.step(mistake.step)?.module(), mistake.check);
    let (named, others): (Vec<_>, Vec<_>) =
        spec.list()?.into_iter().partition(|test| test.ends_with(&format!("steps::{caught_by}")));
    let spoke = spec.run(&named, Limit::USUAL, &Progress::hidden())?;
    let spoke = spoke.first().with_context(|| format!("the spec has no `{caught_by}`"))?;
    if spoke.status == Status::Failed && spoke.by_assertion {
        return Ok(());
    }
    let others = spec.run(&others, Limit::USUAL, &Progress::hidden())?;
    let others = also(&others);
    match spoke.status {
        Status::Passed => bail!(
            "`{caught_by}` passes with this mistake in place: sharpen the check, or name the one that catches it{others}"
        ),
        _ => bail!(
            "`{caught_by}` fails with this mistake in place, but not by its assertion; have the check assert what the mistake breaks:\n{}{others}",
            spoke.message
        ),
    }
}

/// The checks that spoke, the first few by name.
fn also(others: &[CheckReport]) -> String {
    let spoke: Vec<_> = others.iter().filter(|check| check.status != Status::Passed).collect();
    let line = |check: &&CheckReport| format!("\n  also       {}::{}", check.module, check.name);
    let mut text: String = spoke.iter().take(OTHERS_NAMED).map(line).collect();
    if spoke.len() > OTHERS_NAMED {
        text += &format!("\n  and {}", count(spoke.len() - OTHERS_NAMED, "more check"));
    }
    text
}

/// The files that the diff changes, by path below the solution's folder.
fn apply(solution: &Tree, diff: &str) -> Result<Tree> {
    let mut changed = Tree::new();
    for file in PatchSet::parse(diff, ParseOptions::unidiff()) {
        let file = file.context("the diff is malformed")?;
        let FileOperation::Modify { modified, .. } = file.operation().strip_prefix(1) else {
            bail!(
                "the diff may change files (a/src/lib.rs to b/src/lib.rs), not create or delete them"
            );
        };
        ensure!(
            modified.starts_with("src/"),
            "the diff changes `{modified}`, which is not below src/"
        );
        let path: PathBuf = modified.split('/').collect();
        let original = solution
            .get(&path)
            .with_context(|| format!("the solution has no file `{modified}`"))?;
        let original = String::from_utf8(files::fold_crlf(original))
            .context("the solution's source is not UTF-8")?;
        let text = file.patch().as_text().context("the diff is not of a text")?;
        let text = diffy::apply(&original, text)
            .context("write the patch anew against the solution, to which it does not apply")?;
        changed.insert(path, text.into_bytes());
    }
    ensure!(!changed.is_empty(), "there is no diff after the line `---`");
    Ok(changed)
}
