//! The report for people: a line an exercise, then the one step to work on.

use workbook::{Exercise, Kind, Subject, slashes};

use crate::output::{bold, count, green, indent, red, wrap, yellow};
use crate::report::{CheckReport, ExerciseReport, Report, Status, StepReport};

/// A whole report on a clone as it came has no more lines than this.
const LINES: usize = 25;
/// More passed checks of a step than this are counted.
const PASSED_SHOWN: usize = 3;
/// Further failing checks of a step are counted: they tend to follow from the first ones.
const OPEN_SHOWN: usize = 3;

/// `exercises` are those of the report, in the same order.
pub fn render(
    exercises: &[Exercise],
    report: &Report,
    subject: Subject,
    fresh_clone: bool,
) -> String {
    let mut text = String::new();
    let all = || exercises.iter().zip(&report.exercises);
    let width = exercises.iter().map(|exercise| exercise.id.len()).max().unwrap_or_default();
    for (exercise, found) in all() {
        let (number, id) = (exercise.number(), &exercise.id);
        let draft = if exercise.draft { ", a draft" } else { "" };
        text += &format!(" {number} {id:width$}   {}{draft}\n", standing(found));
        for note in &found.notes {
            text += &indent(note, 4);
        }
    }
    // Those that were published and are there no more.
    for found in &report.exercises[exercises.len()..] {
        text += &format!(" {}   {}\n", found.title, red("is gone"));
        text.extend(found.notes.iter().map(|note| indent(note, 4)));
    }
    text.push('\n');
    if report.all_passed() {
        text += &all_passed(exercises, report, subject);
        return text;
    }
    let Some((exercise, found)) = all().find(|(_, found)| found.status != Status::Passed) else {
        return text;
    };
    if fresh_clone {
        let source = bold(slashes(&exercise.source()));
        text += &format!(
            " Every check fails until you write its code: that is the starting point.\n \
             Open {source}, replace the todo!() of step 1,\n \
             and run `cargo xtask verify` again.\n\n"
        );
    }
    let last_passed = all().take_while(|(_, found)| found.status == Status::Passed).last();
    if let Some((last, _)) = last_passed
        && found.status == Status::NotStarted
    {
        let id = bold(&last.id);
        text += &format!(" {id} is done. See it work, and compare:\n{}\n", afterwards(last));
    }
    let room = LINES.saturating_sub(text.lines().count());
    text += &next_step(exercise, found, subject, room);
    text
}

fn standing(found: &ExerciseReport) -> String {
    let passed = found.steps.iter().filter(|step| step.status == Status::Passed).count();
    let of = format!("{passed} of {} steps", found.steps.len());
    match found.status {
        Status::Passed => green(format!("{of}, passed")),
        Status::NotStarted => "not started".to_owned(),
        Status::DoesNotCompile => red("does not compile"),
        Status::Changed => {
            red(format!("{of}, but not with the files that were published: no pass"))
        }
        Status::Failed | Status::TimedOut | Status::Crashed => of,
    }
}

fn next_step(exercise: &Exercise, found: &ExerciseReport, subject: Subject, room: usize) -> String {
    let again = format!("cargo xtask verify {}", exercise.id);
    let call = match found.status {
        Status::DoesNotCompile => Some("mend"),
        Status::Changed => Some("bring back"),
        _ => None,
    };
    if let Some(call) = call {
        return format!(" {} {call} what is named above, then {again}\n", bold("next:"));
    }
    let index = found.first_open_step().unwrap_or_default();
    let (step, declared) = (&found.steps[index], &exercise.steps[index]);
    let source = exercise.path(subject).join("src").join("lib.rs");
    let heading = format!("next: step {}, {}", index + 1, step.id);
    let source = slashes(&source);
    // To the line of the task: the `todo!` that a check came to, or else the comment.
    let to_do = step.checks.iter().find(|check| check.status == Status::NotStarted);
    let todo_at = to_do.and_then(|check| check.todo_at.as_ref());
    let todo_at = todo_at.filter(|place| place.starts_with(&source));
    let place = todo_at.or(step.task_at.as_ref()).unwrap_or(&source);
    let mut text = format!(
        " {}{:pad$} {}\n",
        bold(&heading),
        "",
        place,
        pad = 34_usize.saturating_sub(heading.len())
    );
    // The heading, the two lines below the checks, and the count of those left out.
    text += &checks(step, room.saturating_sub(4));
    if subject == Subject::Reader {
        text += &format!("   read    cargo xtask book --open {}\n", exercise.page(Some(declared)));
        text += &format!("   hint    cargo xtask hint {} {}\n", exercise.id, index + 1);
    }
    text
}

/// The checks of a step: those passed, then the first others with their messages. The first is shown
/// in full, the next as long as they fit into `room` lines.
fn checks(step: &StepReport, room: usize) -> String {
    if step.checks.is_empty() {
        return "   the checks of this step are gone from tests/steps\n".to_owned();
    }
    let is_passed = |check: &&CheckReport| check.status == Status::Passed;
    let (passed, open): (Vec<_>, Vec<_>) = step.checks.iter().partition(is_passed);
    let mut text = String::new();
    if passed.len() > PASSED_SHOWN {
        text += &format!("   {}  {}\n", green("passed"), count(passed.len(), "check"));
    } else {
        text.extend(passed.iter().map(|check| format!("   {}  {}\n", green("passed"), check.name)));
    }
    let mut shown = 0;
    for check in open.iter().take(OPEN_SHOWN) {
        let mark = match check.status {
            Status::NotStarted => yellow("to do "),
            _ => red("FAILED"),
        };
        // The checks of one `todo!` name the same task: once is enough.
        let again = shown > 0 && check.message == open[shown - 1].message;
        let message = match check.status {
            Status::NotStarted if again => String::new(),
            _ if again => "as above".to_owned(),
            _ => wrap(&check.message, 11),
        };
        let mut next = format!("   {mark}  {}\n{}", check.name, indent(&message, 11));
        if let Some(at) = &check.at {
            next += &indent(&format!("in {at}"), 11);
        }
        if shown > 0 && text.lines().count() + next.lines().count() > room {
            break;
        }
        text += &next;
        shown += 1;
    }
    if shown < open.len() {
        text += &format!("   and {} in this step\n", count(open.len() - shown, "more check"));
    }
    text
}

fn all_passed(exercises: &[Exercise], report: &Report, subject: Subject) -> String {
    let checks = count(report.summary.checks, "check");
    if subject == Subject::Solution {
        let solutions = count(exercises.len(), "solution");
        return format!(" {}\n", green(format!("All passed: {checks} on {solutions}.")));
    }
    let next: String = exercises.iter().map(afterwards).collect();
    format!(" {} What comes next:\n{next}", green(format!("All passed: {checks}.")))
}

/// What to do with an exercise that is done.
fn afterwards(exercise: &Exercise) -> String {
    let (id, page) = (&exercise.id, exercise.page(None));
    if exercise.kind == Kind::Gameday {
        return format!(
            "   play     cargo xtask gameday\n   compare  cargo xtask solution {id} --diff\n   read     cargo xtask book --open {page}\n"
        );
    }
    format!(
        "   lab      cargo xtask lab {id}\n   compare  cargo xtask solution {id} --diff\n   play     cargo xtask mistakes {id}\n   read     cargo xtask book --open {page}\n"
    )
}
