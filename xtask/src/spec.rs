//! A compiled spec: its checks run each in a process of its own.

use std::collections::hash_map::RandomState;
use std::fs;
use std::hash::{BuildHasher as _, Hasher as _};
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use workbook::{Exercise, Subject, Workbook};

use crate::cargo::{self, Build};
use crate::explain::{Home, Verdict, explain, panicked_in_std};
use crate::grade::{Confine, Limits};
use crate::process::{self, End};
use crate::progress::Progress;
use crate::report::{CheckReport, Status};
use crate::turn::Turn;

/// How long a check may take before it is ended.
#[derive(Debug, Clone, Copy)]
pub struct Limit {
    pub each: Duration,
    /// For those after the first that had to be ended.
    pub after_one_was_ended: Duration,
}

impl Limit {
    /// Less after the first: otherwise a loop in a function that all checks use would cost minutes.
    pub const USUAL: Self =
        Self { each: Duration::from_secs(10), after_one_was_ended: Duration::from_secs(1) };

    /// The same for all: what somebody asked for.
    pub const fn of_each(each: Duration) -> Self {
        Self { each, after_one_was_ended: each }
    }
}

/// Listing runs none of the reader's code.
const LIMIT_OF_LISTING: Duration = Duration::from_secs(30);

/// The end of a build and a run.
pub enum Ran {
    Checks {
        checks: Vec<CheckReport>,
        /// rustc's.
        warnings: Vec<String>,
        dep_info: Option<PathBuf>,
    },
    DoesNotCompile(Vec<String>),
}

/// Builds an exercise's spec and runs every check. An error is for what is not about the code in it.
pub fn build_and_run(
    workbook: &Workbook,
    exercise: &Exercise,
    subject: Subject,
    limit: Limit,
) -> Result<Ran> {
    let package = exercise.package(subject);
    let turn = Turn::wait(workbook);
    let (executable, warnings, dep_info) = match cargo::build_spec(workbook, &package)? {
        Build::Ready { executable, warnings, dep_info } => (executable, warnings, dep_info),
        Build::Broken(errors) => return Ok(Ran::DoesNotCompile(errors)),
    };
    let program = turn.take(&executable)?;
    let spec = Spec::new(workbook, program.path.clone(), exercise.path(subject));
    let tests = spec.list()?;
    let progress = Progress::new(&package, tests.len(), "check");
    Ok(Ran::Checks { checks: spec.run(&tests, limit, &progress)?, warnings, dep_info })
}

/// A compiled spec.
pub struct Spec<'a> {
    workbook: &'a Workbook,
    executable: PathBuf,
    /// The package's folder, relative to the root: tests expect to run there.
    folder: PathBuf,
    /// Whether its checks have a witness (`fixtures/witness`), without whom a pass is none.
    has_witness: bool,
    confined: Option<(&'a Confine, Limits)>,
}

impl<'a> Spec<'a> {
    pub fn new(workbook: &'a Workbook, executable: PathBuf, folder: PathBuf) -> Self {
        let text = fs::read_to_string(workbook.root.join(&folder).join("tests").join("spec.rs"));
        let has_witness = text.is_ok_and(|text| text.contains("extern crate witness"));
        Self { workbook, executable, folder, has_witness, confined: None }
    }

    /// Each check in a process that may do little.
    pub fn confined(self, confine: &'a Confine, limits: Limits) -> Self {
        Self { confined: Some((confine, limits)), ..self }
    }

    /// The names of all tests.
    pub fn list(&self) -> Result<Vec<String>> {
        let mut command = self.command();
        command.args(["--list", "--format", "terse"]);
        let outcome = process::run(command, LIMIT_OF_LISTING).with_context(|| self.cannot_run())?;
        if !matches!(outcome.end, End::Exited(status) if status.success()) {
            bail!(
                "{} does not list its tests: {}",
                self.executable.display(),
                outcome.stderr.trim()
            );
        }
        Ok(outcome
            .stdout
            .lines()
            .filter_map(|line| line.strip_suffix(": test"))
            .map(str::to_owned)
            .collect())
    }

    /// Runs the tests, side by side, and reports them in the same order.
    pub fn run(
        &self,
        tests: &[String],
        limit: Limit,
        progress: &Progress,
    ) -> Result<Vec<CheckReport>> {
        let next = AtomicUsize::new(0);
        let one_timed_out = AtomicBool::new(false);
        let done = Mutex::new(Vec::with_capacity(tests.len()));
        let work = || {
            while let Some(index) =
                Some(next.fetch_add(1, Ordering::Relaxed)).filter(|i| *i < tests.len())
            {
                let shortened = one_timed_out.load(Ordering::Relaxed);
                let limit = if shortened { limit.after_one_was_ended } else { limit.each };
                let check = self.run_one(&tests[index], limit);
                if matches!(&check, Ok(check) if check.status == Status::TimedOut) {
                    one_timed_out.store(true, Ordering::Relaxed);
                }
                done.lock().unwrap_or_else(PoisonError::into_inner).push((index, check));
                progress.step();
            }
        };
        thread::scope(|scope| {
            for _ in 0..thread::available_parallelism().map_or(2, usize::from) {
                scope.spawn(work);
            }
        });
        let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
        done.sort_by_key(|(index, _)| *index);
        done.into_iter().map(|(_, check)| check).collect()
    }

    fn run_one(&self, test: &str, limit: Duration) -> Result<CheckReport> {
        let word = self.has_witness.then(new_word);
        let word = word.as_deref();
        let run = |backtrace: &str, limit: Duration| {
            let mut command = self.command();
            if word.is_some() {
                command.env("WITNESS", "1");
            }
            command.args(["--exact", test, "--nocapture", "--test-threads=1", "--include-ignored"]);
            command.env("RUST_BACKTRACE", backtrace);
            process::run_with_input(command, limit, word).with_context(|| self.cannot_run())
        };
        let home = Home { root: &self.workbook.root, folder: &self.folder };
        let outcome = run("0", limit)?;
        let mut verdict = explain(&outcome, self.has_witness, limit, home);
        // Backtraces take their time, so only whom it helps gets one, and enough. The first verdict stands: a
        // second run that ends otherwise tells of a race, not of a check that passes.
        if panicked_in_std(&outcome, home) {
            let patience = limit.max(Limit::USUAL.each);
            let located = explain(&run("1", patience)?, self.has_witness, patience, home);
            if located.status == verdict.status {
                verdict = located;
            }
        }
        let Verdict { status, message, by_assertion, todo_at, at } = verdict;
        let (module, name) = match test.rsplit_once("::") {
            Some((path, name)) => (path.strip_prefix("steps::").unwrap_or(path), name),
            None => ("", test),
        };
        Ok(CheckReport {
            module: module.to_owned(),
            name: name.to_owned(),
            status,
            message,
            millis: outcome.took.as_millis(),
            at,
            by_assertion,
            todo_at,
        })
    }

    fn command(&self) -> Command {
        let folder = self.workbook.root.join(&self.folder);
        let mut command = match &self.confined {
            Some((confine, limits)) => confine.command(limits, &self.executable),
            None => Command::new(&self.executable),
        };
        command.current_dir(&folder).env("CARGO_MANIFEST_DIR", &folder);
        command.env("NO_COLOR", "1").env_remove("CLICOLOR_FORCE");
        // Libtest reads these too.
        command
            .env_remove("RUST_TEST_NOCAPTURE")
            .env_remove("RUST_TEST_SHUFFLE")
            .env_remove("RUST_TEST_TIME_UNIT");
        cargo::insta_environment(&mut command, self.workbook);
        command
    }

    fn cannot_run(&self) -> String {
        format!("cannot run {}", self.executable.display())
    }
}

/// A line that no check can guess: from the keys that the system gives std's hash maps.
fn new_word() -> String {
    let [a, b] = [0, 1].map(|_| RandomState::new().build_hasher().finish());
    format!("witness {a:016x}{b:016x}\n")
}
