//! `cargo xtask grade`: many people's answers, judged by this checkout and none of their files but the answers.
//!
//! Cargo builds an exercise's starter once, and tells how it calls rustc. Each answer is then compiled by the
//! same calls in a folder of its own, and its checks run, all in processes that may do little
//! (`xtask/confine`). Equal answers are judged once; a verdict is kept, so that an interrupted run goes on.

mod confine;
mod reports;
mod submission;
mod trusted;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use serde::{Deserialize, Serialize};
use workbook::files::{self, Tree};
use workbook::{Exercise, Kind, Subject, Workbook};

use self::submission::Submission;
use self::trusted::{Built, Trusted};
use crate::output::{self, count};
use crate::spec::{Limit, Spec};
use crate::{progress::Progress, taken_in, verify};

pub use self::confine::{Confine, Limits};
pub use self::trusted::record;

#[derive(clap::Args)]
pub struct Args {
    /// Folders of people's workbooks; of each, only the sources of its exercises are taken
    #[arg(value_name = "DIR", required_unless_present = "matrix")]
    submissions: Vec<PathBuf>,
    /// Only these exercises, by id, folder or number
    #[arg(long, value_name = "EXERCISE", value_delimiter = ',')]
    exercise: Vec<String>,
    /// Where report.json, junit.xml, report.md and the verdicts so far go; without it target/xtask/graded
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Let the checks of exercises that open sockets reach this machine's network: for a machine that has none to reach.
    /// Without it they get a loopback of their own, or are not judged
    #[arg(long)]
    any_network: bool,
    /// Answers at a time; without it, one for each core
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    jobs: Option<u16>,
    /// Seconds after which a check is ended; without it 10, and 1 after the first that had to be
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=3600))]
    time_limit: Option<u64>,
    /// Memory of a check, in MiB of address space
    #[arg(long, value_name = "MIB", default_value_t = 1024)]
    memory: u64,
    /// Judge again what was judged before
    #[arg(long)]
    again: bool,
    /// Only every N-th submission, from the I-th on: for one of N machines
    #[arg(long, value_name = "I/N", value_parser = shard)]
    shard: Option<(usize, usize)>,
    /// Judge nothing; print the shards of N machines as the matrix of a GitHub workflow
    #[arg(long, value_name = "N", conflicts_with = "shard", value_parser = clap::value_parser!(u16).range(1..=256))]
    matrix: Option<u16>,
    /// A program that begins others with limits, in the place of xtask/confine
    #[arg(long, value_name = "PROGRAM")]
    confine: Option<PathBuf>,
}

fn shard(text: &str) -> Result<(usize, usize), String> {
    let parts = text.split_once('/').and_then(|(i, n)| Some((i.parse().ok()?, n.parse().ok()?)));
    parts.filter(|(i, n)| (1..=*n).contains(i)).ok_or_else(|| "I/N, with I from 1 to N".to_owned())
}

/// What became of an answer to an exercise.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Verdict {
    /// As of `verify --json`.
    pub status: String,
    pub passed: usize,
    /// How many checks the exercise has.
    pub of: usize,
    pub checks: Vec<Mark>,
    /// rustc's.
    pub errors: Vec<String>,
    pub notes: Vec<String>,
    pub seconds: f64,
}

/// What became of a check.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Mark {
    pub step: String,
    pub name: String,
    pub status: String,
    pub message: String,
    pub millis: u64,
}

/// What somebody handed in, and what it is worth.
#[derive(Serialize)]
pub struct Graded<'a> {
    #[serde(flatten)]
    pub submission: &'a Submission,
    pub exercises: BTreeMap<String, Verdict>,
}

/// An answer, whosever it is.
struct Answer<'a> {
    trusted: &'a Trusted,
    sources: Tree,
    key: String,
    /// The first of those who gave it.
    name: &'a str,
}

pub fn run(workbook: &Workbook, args: &Args) -> Result<bool> {
    if let Some(machines) = args.matrix {
        let shards: Vec<_> = (1..=machines).map(|i| format!("{i}/{machines}")).collect();
        output::out(&serde_json::json!({ "shard": shards }).to_string());
        return Ok(true);
    }
    let begun = Instant::now();
    let exercises = workbook.selected(&args.exercise)?;
    let (exercises, others): (Vec<_>, Vec<_>) =
        exercises.into_iter().partition(|exercise| exercise.kind == Kind::Spec && !exercise.draft);
    if let Some(other) = others.first().filter(|_| !args.exercise.is_empty()) {
        bail!("{} has no published spec to judge it by: leave it out", other.id);
    }
    let submissions = read(workbook, args, &exercises)?;
    let out = args.out.clone().unwrap_or_else(|| workbook.scratch_dir().join("graded"));
    let kept = out.join("verdicts");
    fs::create_dir_all(&kept).with_context(|| format!("cannot create {}", kept.display()))?;
    let confine = match &args.confine {
        // Others are begun elsewhere.
        Some(program) => Confine::by(std::path::absolute(program)?),
        None => Confine::build(workbook)?,
    };
    let offers = confine.offers()?;
    output::err(&format!("held to: {}", offers.join("; ")));

    let wanted = |exercise: &&Exercise| {
        submissions.iter().any(|it| it.sources.contains_key(&exercise.folder))
    };
    let trusted: Vec<_> = exercises
        .iter()
        .filter(wanted)
        .map(|exercise| {
            let network = Confine::network(exercise, &offers, args.any_network)?;
            Trusted::prepare(workbook, exercise, network)
        })
        .collect::<Result<_>>()?;
    let mut answers: BTreeMap<String, Answer> = BTreeMap::new();
    for (submission, trusted) in
        submissions.iter().flat_map(|it| trusted.iter().map(move |trusted| (it, trusted)))
    {
        let Some(own) = submission.sources.get(&trusted.exercise.folder) else { continue };
        let sources = trusted.with(own);
        let key = trusted.key(&sources, args.memory, args.time_limit);
        let name = submission.name.as_str();
        answers.entry(key.clone()).or_insert(Answer { trusted, sources, key, name });
    }
    let answers: Vec<_> = answers.into_values().collect();
    let work = Work { args, confine: &confine, workbook, kept: &kept, all: answers.len() };
    let verdicts = work.judge(&answers)?;

    let graded: Vec<_> = submissions
        .iter()
        .map(|submission| {
            let of = |trusted: &Trusted| {
                let own = submission.sources.get(&trusted.exercise.folder)?;
                let key = trusted.key(&trusted.with(own), args.memory, args.time_limit);
                Some((trusted.exercise.id.clone(), verdicts.get(&key)?.clone()))
            };
            Graded { submission, exercises: trusted.iter().filter_map(of).collect() }
        })
        .collect();
    let seconds = begun.elapsed().as_secs_f64();
    reports::write(&out, &graded, &offers, seconds)?;
    output::out(&format!(
        "{} judged in {seconds:.0} s ({} of {} different): {}",
        count(graded.len(), "submission"),
        count(answers.len(), "answer"),
        count(trusted.len(), "exercise"),
        out.join("report.md").display()
    ));
    Ok(graded.iter().all(Graded::has_passed))
}

impl Graded<'_> {
    /// Whether something was handed in, and all of it passes.
    pub fn has_passed(&self) -> bool {
        !self.exercises.is_empty() && self.exercises.values().all(|it| it.status == "passed")
    }
}

fn read(workbook: &Workbook, args: &Args, exercises: &[Exercise]) -> Result<Vec<Submission>> {
    let (first, step) = args.shard.map_or((0, 1), |(i, n)| (i - 1, n));
    let folders = args.submissions.iter().skip(first).step_by(step);
    let published = submission::published(workbook)?;
    let mut submissions: Vec<Submission> = Vec::new();
    for folder in folders {
        let mut it = Submission::read(workbook, exercises, &published, folder)?;
        if submissions.iter().any(|other| other.name == it.name) {
            it.name = folder.display().to_string();
        }
        submissions.push(it);
    }
    Ok(submissions)
}

struct Work<'a> {
    args: &'a Args,
    confine: &'a Confine,
    workbook: &'a Workbook,
    kept: &'a Path,
    all: usize,
}

impl Work<'_> {
    /// The verdicts by the answers' keys.
    fn judge(&self, answers: &[Answer<'_>]) -> Result<BTreeMap<String, Verdict>> {
        let next = AtomicUsize::new(0);
        let verdicts = Mutex::new(BTreeMap::new());
        let cores = thread::available_parallelism().map_or(2, usize::from);
        let jobs = self.args.jobs.map_or(cores, usize::from);
        let work = |job: usize| -> Result<()> {
            while let Some(answer) = answers.get(next.fetch_add(1, Ordering::Relaxed)) {
                let verdict = self
                    .verdict(answer, job)
                    .with_context(|| format!("{}, {}", answer.name, answer.trusted.exercise.id))?;
                let mut all = verdicts.lock().unwrap_or_else(PoisonError::into_inner);
                all.insert(answer.key.clone(), verdict);
            }
            Ok(())
        };
        thread::scope(|scope| {
            let jobs: Vec<_> = (0..jobs).map(|job| scope.spawn(move || work(job))).collect();
            jobs.into_iter().try_for_each(|job| match job.join() {
                Ok(done) => done,
                Err(_) => bail!("a job of the grader panicked"),
            })
        })?;
        Ok(verdicts.into_inner().unwrap_or_else(PoisonError::into_inner))
    }

    fn verdict(&self, answer: &Answer<'_>, job: usize) -> Result<Verdict> {
        let file = self.kept.join(format!("{}.json", answer.key));
        let before = fs::read(&file).ok().filter(|_| !self.args.again);
        let before = before.and_then(|text| serde_json::from_slice::<Verdict>(&text).ok());
        let (verdict, how) = if let Some(verdict) = before {
            (verdict, "judged before".to_owned())
        } else {
            let verdict = self.judge_one(answer, job)?;
            // Whole or not at all.
            let half = file.with_extension(format!("{job}"));
            files::write(&half, &serde_json::to_vec(&verdict)?)?;
            fs::rename(&half, &file).with_context(|| format!("cannot write {}", file.display()))?;
            let how = format!("{:.1} s", verdict.seconds);
            (verdict, how)
        };
        let Verdict { status, passed, of, .. } = &verdict;
        let (name, id) = (answer.name, &answer.trusted.exercise.id);
        let done = DONE.fetch_add(1, Ordering::Relaxed) + 1;
        output::err(&format!(
            "[{done} of {}] {name}, {id}: {status}, {passed} of {of} checks, {how}",
            self.all
        ));
        Ok(verdict)
    }

    fn judge_one(&self, answer: &Answer<'_>, job: usize) -> Result<Verdict> {
        let begun = Instant::now();
        let trusted = answer.trusted;
        let mut verdict = if files::same_text(&answer.sources, &trusted.sources.starter) {
            trusted.verdict("not_started", Vec::new())
        } else {
            let folder = self.workbook.scratch_dir().join("grade").join(format!("job-{job}"));
            let at = folder.join(&trusted.exercise.folder);
            match trusted.build(self.confine, &at, &answer.sources)? {
                Built::Broken(errors) => trusted.verdict("does_not_compile", errors),
                Built::Ready { executable, dep_info } => {
                    self.run(trusted, &at, answer, executable, &dep_info)?
                }
            }
        };
        verdict.seconds = begun.elapsed().as_secs_f64();
        Ok(verdict)
    }

    fn run(
        &self,
        trusted: &Trusted,
        at: &Path,
        answer: &Answer<'_>,
        executable: PathBuf,
        dep_info: &Path,
    ) -> Result<Verdict> {
        let exercise = &trusted.exercise;
        let at = Workbook::at(at);
        let limits = Limits::of_a_check(&at.root, &executable, self.args.memory, trusted.network);
        let folder = exercise.path(Subject::Reader);
        let spec = Spec::new(&at, executable, folder).confined(self.confine, limits);
        let limit =
            self.args.time_limit.map_or(Limit::USUAL, |s| Limit::of_each(Duration::from_secs(s)));
        let tests = trusted.tests();
        let checks = spec.run(&tests, limit, &Progress::hidden())?;
        let sources = trusted.sources.with_source(answer.sources.clone());
        let unwritten = |step: &workbook::Step| sources.is_unwritten(step);
        let report = verify::assemble(exercise, &sources, unwritten, checks);
        let mut verdict = trusted.of_report(&report);
        // Where the system does not keep files out of sight, rustc still says what it took in.
        for change in taken_in::from_elsewhere(&at, exercise, dep_info) {
            "changed".clone_into(&mut verdict.status);
            verdict.notes.push(format!("{} {}", change.path, change.what));
        }
        Ok(verdict)
    }
}

static DONE: AtomicUsize = AtomicUsize::new(0);
