//! `cargo xtask verify`: build the spec of each exercise, run every check, say what to do next.

use std::time::Duration;

use anyhow::{Result, anyhow};
use workbook::{
    Change, Exercise, Kind, Sources, Step, Subject, Workbook, files, slashes, way_back,
};

use crate::output;
use crate::played;
use crate::report::{CheckReport, ExerciseReport, Report, Status, StepReport, combine};
use crate::spec::{self, Limit, Ran};
use crate::state::State;
use crate::status;
use crate::taken_in;
use crate::view;

#[derive(clap::Args)]
pub struct Args {
    /// Exercises by id, folder or number; without one, all of them
    #[arg(value_name = "EXERCISE")]
    pub exercises: Vec<String>,
    /// Run the reference solutions instead of your code
    #[arg(long)]
    pub solutions: bool,
    /// Stay, and verify each of these exercises again when its source changes
    #[arg(long, conflicts_with_all = ["json", "solutions"])]
    pub watch: bool,
    /// Print one JSON document
    ///
    /// {"exercises":[{"id","title","status","notes":[…],"changed":[{"path","what"}],"errors":[…],"steps":[{"id","title","status",
    /// "checks":[{"name","status","message","millis","at"}]}]}],"summary":{"checks","passed","failed"}}
    ///
    /// A status is `passed`, `failed`, `not_started`, `timed_out`, `crashed`, `does_not_compile`, or of an exercise `changed`: all its
    /// checks pass, but a file that `changed` names is not as it was published. Notes are what a reader should know beside the
    /// checks. `errors` are rustc's. `at` is the place in the spec that spoke, or null. The summary counts the checks of what does
    /// not compile, too.
    #[arg(long)]
    pub json: bool,
    /// Seconds after which a check is ended; without it 10, and 1 after the first that had to be
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub time_limit: Option<u64>,
}

impl Args {
    fn subject(&self) -> Subject {
        if self.solutions { Subject::Solution } else { Subject::Reader }
    }

    fn limit(&self) -> Limit {
        self.time_limit.map_or(Limit::USUAL, |s| Limit::of_each(Duration::from_secs(s)))
    }
}

pub fn run(workbook: &Workbook, args: &Args) -> Result<bool> {
    Ok(once(workbook, args, &args.exercises)?.all_passed())
}

/// Verifies the exercises of these names (all, for none) and prints the report.
pub fn once(workbook: &Workbook, args: &Args, names: &[String]) -> Result<Report> {
    let subject = args.subject();
    for copy in workbook.copies()? {
        output::err(&format!(
            "note: exercises/{copy} is left out: it is not among those that Cargo.toml names"
        ));
    }
    let mut exercises = workbook.selected(names)?;
    if names.is_empty() {
        exercises.retain(|exercise| !exercise.draft);
    }
    if subject == Subject::Solution {
        exercises.retain(|exercise| exercise.kind == Kind::Spec);
    }
    let mut reports: Vec<ExerciseReport> = Vec::new();
    let mut anything_begun = false;
    for exercise in &exercises {
        let sources = Sources::read(&workbook.root, exercise)?;
        let begun = subject == Subject::Solution || sources.is_begun();
        // The starter of what is played works: nothing there fails until it is written.
        anything_begun |= begun || (exercise.kind == Kind::Gameday && exercises.len() == 1);
        let one_is_open = reports.iter().any(|report| report.status != Status::Passed);
        // The next exercise to begin is built, so that its first checks can be shown; the others need not be.
        let report = if exercise.kind == Kind::Gameday {
            played::report(workbook, exercise)?
        } else if !begun && one_is_open && names.is_empty() {
            unbuilt(exercise, &sources, Status::NotStarted)
        } else {
            verify(workbook, exercise, &sources, subject, args.limit())?
        };
        reports.push(report);
    }
    if subject == Subject::Reader {
        remember_current_step(workbook, &mut reports);
        if names.is_empty() {
            reports.extend(workbook.missing()?.into_iter().map(|change| gone(workbook, change)));
        }
    }
    let report = Report::new(reports);
    output::out(&if args.json {
        serde_json::to_string(&report)?
    } else {
        view::render(&exercises, &report, subject, !anything_begun)
    });
    Ok(report)
}

/// Builds and runs one exercise's spec. An error is for what is not about the code in it.
fn verify(
    workbook: &Workbook,
    exercise: &Exercise,
    sources: &Sources,
    subject: Subject,
    limit: Limit,
) -> Result<ExerciseReport> {
    let changes = exercise.changes(workbook, sources);
    let notes = changes.iter().map(|change| bring_back(workbook, change)).collect::<Vec<_>>();
    let judged = judge(workbook, exercise, sources, subject, limit);
    // A manifest that cargo can't read, say.
    let told = |error: anyhow::Error| anyhow!("{error:#}\n{}", notes.join("\n"));
    let mut report = judged.map_err(told)?;
    report.notes.splice(..0, notes);
    report.changed.extend(changes.into_iter().map(Into::into));
    // A maintainer tries a spec on its solution before it is published.
    let counts = subject == Subject::Reader;
    if counts && report.status == Status::Passed && !report.changed.is_empty() {
        report.status = Status::Changed;
    }
    Ok(report)
}

/// What the spec says, whether or not it is the one that was published.
fn judge(
    workbook: &Workbook,
    exercise: &Exercise,
    sources: &Sources,
    subject: Subject,
    limit: Limit,
) -> Result<ExerciseReport> {
    let folder = exercise.path(subject);
    let source = folder.join("src").join("lib.rs");
    let broken = |note| {
        let report = unbuilt(exercise, sources, Status::DoesNotCompile);
        ExerciseReport { notes: vec![note], ..report }
    };
    if !workbook.root.join(&source).is_file() {
        let what = match workbook.root.join(&source) {
            at if at.is_symlink() => "is a link that leads nowhere",
            at if at.is_dir() => "is a folder",
            _ => "is missing",
        };
        let (source, id) = (slashes(&source), &exercise.id);
        return Ok(broken(format!(
            "{source} {what}. To bring the starter back: cargo xtask reset {id}"
        )));
    }
    let spec = folder.join("tests").join("spec.rs");
    if !workbook.root.join(&spec).is_file() {
        let missing = Change::new(slashes(&spec), "is missing");
        return Ok(if exercise.changes(workbook, sources).contains(&missing) {
            unbuilt(exercise, sources, Status::DoesNotCompile)
        } else {
            broken(bring_back(workbook, &missing))
        });
    }
    let (checks, dep_info) = match spec::build_and_run(workbook, exercise, subject, limit)? {
        Ran::Checks { checks, dep_info, .. } => (checks, dep_info),
        Ran::DoesNotCompile(errors) => {
            let report = broken(compile_errors(&errors));
            return Ok(ExerciseReport { errors, ..report });
        }
    };
    let unwritten = |step: &Step| subject == Subject::Reader && sources.is_unwritten(step);
    let mut report = assemble(exercise, sources, unwritten, checks);
    if report.status == Status::NotStarted && (subject == Subject::Solution || sources.is_begun()) {
        report.status = Status::Failed;
    }
    let text = files::read_text(&workbook.root.join(&source))?;
    for (step, number) in report.steps.iter_mut().zip(1..) {
        let task = format!("// step {number}:");
        let line = text.lines().position(|line| line.trim_start().starts_with(&task));
        step.task_at = line.map(|line| format!("{}:{}", slashes(&source), line + 1));
    }
    if let Some(dep_info) = dep_info.filter(|_| subject == Subject::Reader) {
        for change in taken_in::from_elsewhere(workbook, exercise, &dep_info) {
            let source = slashes(&folder.join("src"));
            report.notes.push(format!(
                "{} is compiled in. What counts is what is written in {source}",
                change.path
            ));
            report.changed.push(change.into());
        }
    }
    Ok(report)
}

fn bring_back(workbook: &Workbook, Change { path, what }: &Change) -> String {
    match *what {
        "was added" => format!("{path} {what}. Take it away: cargo runs it with the exercise"),
        _ => format!("{path} {what}. To bring it back: {}", way_back(&workbook.root, path)),
    }
}

/// An exercise that was published and has no declaration any more.
fn gone(workbook: &Workbook, change: Change) -> ExerciseReport {
    let folder = change.path.split('/').nth(1).unwrap_or_default();
    ExerciseReport {
        id: folder.trim_start_matches(|c: char| c.is_ascii_digit() || c == '-').to_owned(),
        title: folder.to_owned(),
        status: Status::Changed,
        notes: vec![bring_back(workbook, &change)],
        changed: vec![change.into()],
        errors: Vec::new(),
        steps: Vec::new(),
    }
}

/// A check that comes to the task of a later step is not waiting for that step: something in its own
/// lets the code get there.
fn tell_a_later_task(check: &mut CheckReport, step: usize) {
    if check.waits_for_later_than(step) {
        check.status = Status::Failed;
        check.message = format!(
            "your code came to \"{}\", where this check should not lead: see what it does in step {step}",
            check.message
        );
    }
}

/// A step for which nothing is written yet is to do, whatever its checks meet. Where it is not the check that
/// speaks, something from an earlier step fails on the way, and that is told.
fn tell_an_earlier_step(check: &mut CheckReport) {
    if !matches!(check.status, Status::Passed | Status::NotStarted) {
        check.status = Status::NotStarted;
        check.message = if check.by_assertion {
            "nothing is written for this step yet".to_owned()
        } else {
            format!("what you wrote for an earlier step fails on the way: {}", check.message)
        };
    }
}

/// Sorts the checks into their steps. Of a step that is `unwritten` nothing can have failed.
pub fn assemble(
    exercise: &Exercise,
    sources: &Sources,
    unwritten: impl Fn(&Step) -> bool,
    mut checks: Vec<CheckReport>,
) -> ExerciseReport {
    let mut notes = Vec::new();
    let mut steps = Vec::new();
    for step in &exercise.steps {
        let module = step.module();
        let mut of_step: Vec<_> = checks.extract_if(.., |check| check.module == module).collect();
        for check in &mut of_step {
            if unwritten(step) {
                tell_an_earlier_step(check);
            } else {
                tell_a_later_task(check, step.number);
            }
        }
        say_where(exercise, step, &sources.spec_of(step), &mut of_step);
        let order = sources.checks(step);
        of_step.sort_by_key(|check| order.iter().position(|name| *name == check.name));
        let status = combine(of_step.iter().map(|check| check.status));
        steps.push(StepReport { status, checks: of_step, ..empty_step(step) });
    }
    for check in checks {
        notes.push(format!(
            "the check {}::{} belongs to no step of {}/exercise.toml and does not count",
            check.module,
            check.name,
            slashes(&exercise.path(Subject::Reader)),
        ));
    }
    let status = match combine(steps.iter().map(|step| step.status)) {
        status @ (Status::Passed | Status::NotStarted) => status,
        _ => Status::Failed,
    };
    ExerciseReport { status, notes, steps, ..empty(exercise) }
}

/// A failing check that no line of the spec speaks for is found by its own.
fn say_where(exercise: &Exercise, step: &Step, spec: &str, checks: &mut [CheckReport]) {
    let steps = exercise.path(Subject::Reader).join("tests").join("steps");
    let path = steps.join(step.module() + ".rs");
    for check in checks {
        let has_failed = !matches!(check.status, Status::Passed | Status::NotStarted);
        if has_failed && check.at.is_none() {
            let name = format!("fn {}(", check.name);
            let line = spec.lines().position(|line| line.contains(&name));
            check.at = line.map(|line| format!("{}:{}", slashes(&path), line + 1));
        }
    }
}

/// The report of an exercise whose checks were not run: they are known by the spec's text.
fn unbuilt(exercise: &Exercise, sources: &Sources, status: Status) -> ExerciseReport {
    let step = |step: &Step| {
        let check = |name| CheckReport::not_run(step.module(), name, status);
        let checks = sources.checks(step).into_iter().map(check).collect();
        StepReport { status, checks, ..empty_step(step) }
    };
    let steps = exercise.steps.iter().map(step).collect();
    ExerciseReport { status, steps, ..empty(exercise) }
}

fn empty(exercise: &Exercise) -> ExerciseReport {
    ExerciseReport {
        id: exercise.id.clone(),
        title: exercise.title.clone(),
        status: Status::NotStarted,
        notes: Vec::new(),
        changed: Vec::new(),
        errors: Vec::new(),
        steps: Vec::new(),
    }
}

fn empty_step(step: &Step) -> StepReport {
    StepReport {
        id: step.id.clone(),
        title: step.title.clone(),
        status: Status::NotStarted,
        checks: Vec::new(),
        task_at: None,
    }
}

/// The first errors in full: the others often follow from them.
fn compile_errors(errors: &[String]) -> String {
    const SHOWN: usize = 2;
    let mut text: String =
        errors.iter().take(SHOWN).map(|error| format!("{}\n\n", error.trim_end())).collect();
    if errors.len() > SHOWN {
        text += &format!("and {} more", output::count(errors.len() - SHOWN, "error"));
    }
    text.trim_end().to_owned()
}

/// `hint` begins where the reader stands, and one who falls back is told. If it can't be noted,
/// nothing else suffers.
fn remember_current_step(workbook: &Workbook, reports: &mut [ExerciseReport]) {
    let mut state = State::load(workbook);
    for exercise in reports {
        status::remember(&mut state, exercise);
        // Of code that does not compile nothing is known.
        if exercise.status == Status::DoesNotCompile {
            continue;
        }
        let Some(step) = exercise.first_open_step() else { continue };
        let before =
            state.current_step.insert(exercise.id.clone(), exercise.steps[step].id.clone());
        let before = before.and_then(|id| exercise.steps.iter().position(|step| step.id == id));
        if before.is_some_and(|before| step < before) {
            let (number, id) = (step + 1, &exercise.steps[step].id);
            exercise
                .notes
                .push(format!("step {number}, {id}, passed before: your last change broke it"));
        }
    }
    if let Err(error) = state.save(workbook) {
        output::err(&format!("note: the step you are at could not be saved for `hint`: {error:#}"));
    }
}
