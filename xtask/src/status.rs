//! `cargo xtask` alone: where the reader stands, and the commands that fit now. From what `verify` noted and
//! from the files: nothing is built or run.

use std::fs;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Result;
use workbook::{Exercise, Sources, Step, Subject, Workbook};

use crate::output::{self, bold, count, green, red, wrap};
use crate::report::{ExerciseReport, Status};
use crate::state::{Last, State};

/// Words in a minute: of prose on a screen, by a reader who thinks along.
const READING: usize = 200;

/// An exercise and what is known of it.
struct Known {
    exercise: Exercise,
    begun: bool,
    last: Option<Last>,
    /// When the reader's code was changed last.
    changed: Option<SystemTime>,
}

/// Notes how a verify of an exercise ended; nothing, if it was not run for want of a beginning.
pub fn remember(state: &mut State, found: &ExerciseReport) {
    let checks = || found.steps.iter().flat_map(|step| &step.checks);
    if found.status == Status::NotStarted {
        state.last.remove(&found.id);
        return;
    }
    let failed = |status| !matches!(status, Status::Passed | Status::NotStarted);
    let red = checks().find(|check| failed(check.status));
    let red = red.map(|check| {
        let says = check.message.lines().next().unwrap_or_default();
        (check.name.clone(), says.to_owned())
    });
    let last = Last {
        at: seconds(SystemTime::now()),
        millis: checks().map(|check| u64::try_from(check.millis).unwrap_or(u64::MAX)).sum(),
        status: found.status,
        steps_passed: found.steps.iter().filter(|step| step.status == Status::Passed).count(),
        red,
    };
    state.last.insert(found.id.clone(), last);
}

pub fn run(workbook: &Workbook) -> Result<bool> {
    let state = State::load(workbook);
    let mut all = Vec::new();
    for exercise in workbook.exercises()?.into_iter().filter(|it| !it.draft) {
        let begun = Sources::read(&workbook.root, &exercise)?.is_begun();
        let changed = changed(workbook, &exercise);
        let last = state.last.get(&exercise.id).cloned().filter(|_| begun);
        all.push(Known { exercise, begun, last, changed });
    }
    output::out(&told(workbook, &all));
    Ok(true)
}

fn told(workbook: &Workbook, all: &[Known]) -> String {
    let is_passed = |it: &&Known| it.is_passed();
    let passed = all.iter().filter(is_passed).count();
    let begun = all.iter().filter(|it| it.begun && !it.is_passed()).count();
    let mut text = line(
        "exercises",
        &match begun {
            0 => format!("{passed} of {} passed", all.len()),
            _ => format!("{passed} of {} passed, {begun} begun", all.len()),
        },
    );
    // The first that is begun and open, or else the first that is not begun.
    let open = all.iter().filter(|it| !it.is_passed());
    let Some(now) = open.clone().find(|it| it.begun).or_else(|| open.clone().next()) else {
        text += &line("step", &green("all of them"));
        text += &line("last red", "none");
        text += &line("next", "composing the patterns, and wrong answers to find");
        let wrong = all.iter().map(|it| mistakes(workbook, &it.exercise)).sum();
        text += &line("left", &format!("{} to guess", count(wrong, "wrong answer")));
        let first = all.first().map_or("", |it| it.exercise.id.as_str());
        text.push('\n');
        text += &commands(&[
            ("cargo xtask lab composing", "the patterns together, in one outage"),
            (&format!("cargo xtask mistakes {first}"), "guess which check catches a wrong answer"),
            ("cargo xtask book --open checklist", "what to ask of a service of yours"),
        ]);
        return text;
    };
    let Exercise { id, steps, .. } = &now.exercise;
    let done = now.last.as_ref().map_or(0, |last| last.steps_passed);
    let step = &steps[done.min(steps.len() - 1)];
    let stands = match &now.last {
        None if now.begun => "begun, and not verified yet".to_owned(),
        None => "not begun".to_owned(),
        Some(last) if last.status == Status::DoesNotCompile => red("does not compile"),
        Some(_) => format!("{done} of {} passed", count(steps.len(), "step")),
    };
    text += &line("step", &format!("{} {}: {stands}", now.exercise.number(), bold(id)));
    text += &line("last red", &last_red(now));
    text += &line("next", &format!("step {}, {}", step.number, step.title));
    text += &line("time", &time(workbook, now, step));
    text.push('\n');

    let verify = format!("cargo xtask verify {id}");
    let hint = format!("cargo xtask hint {id} {}", step.number);
    let book = format!("cargo xtask book --open {}", now.exercise.page(Some(step)));
    let before = all.iter().take_while(|it| it.exercise.folder < now.exercise.folder);
    let before = before.filter(is_passed).last();
    let (lab, compare) = before.map_or_else(Default::default, |it| {
        let id = &it.exercise.id;
        (format!("cargo xtask lab {id}"), format!("cargo xtask solution {id} --diff"))
    });
    text += &commands(&match (&now.last, before) {
        (None, Some(_)) if !now.begun => [
            (&*lab, "see what you have finished at work"),
            (&*compare, "and compare it with the reference"),
            (&*book, "read on"),
        ],
        (None, _) => [
            (&*book, "read what the step is about"),
            (&*verify, "its checks, and the file to open"),
            ("cargo xtask verify --watch", "the same on every save"),
        ],
        (Some(_), _) => [
            (&*verify, "its checks"),
            (&*hint, "a hint; each call gives a stronger one"),
            (&*book, "read the step again"),
        ],
    });
    text
}

fn last_red(now: &Known) -> String {
    let Some(last) = &now.last else { return "none".to_owned() };
    let ago = ago(seconds(SystemTime::now()).saturating_sub(last.at));
    let since = match now.changed {
        Some(changed) if seconds(changed) > last.at => "; the code has changed since",
        _ => "",
    };
    match &last.red {
        Some((check, says)) => format!("{check}, {ago}{since}\n{says}"),
        None if last.status == Status::DoesNotCompile => format!("the compiler, {ago}{since}"),
        None => format!("none, {ago}{since}"),
    }
}

/// What can be told of the time a step takes: its page is read, and its checks run.
fn time(workbook: &Workbook, now: &Known, step: &Step) -> String {
    let page = format!("{}.md", now.exercise.page(Some(step)));
    let page = workbook.root.join("book").join("src").join(page);
    let page = fs::read_to_string(page).unwrap_or_default();
    let mut told = Vec::new();
    if !page.is_empty() {
        let minutes = page.split_whitespace().count().div_ceil(READING);
        told.push(format!("{} to read the step", count(minutes, "minute")));
    }
    let done = now.last.as_ref().map_or(0, |last| last.steps_passed);
    told.push(format!("{} to go in this exercise", count(now.exercise.steps.len() - done, "step")));
    if let Some(last) = &now.last {
        let took = Duration::from_millis(last.millis).as_secs_f64();
        told.push(format!("its checks computed {took:.1} s"));
    }
    told.join(", ")
}

fn mistakes(workbook: &Workbook, exercise: &Exercise) -> usize {
    let folder = workbook.root.join(exercise.path(Subject::Solution)).join("mistakes");
    fs::read_dir(folder).map_or(0, Iterator::count)
}

impl Known {
    fn is_passed(&self) -> bool {
        self.last.as_ref().is_some_and(|last| last.status == Status::Passed)
    }
}

fn changed(workbook: &Workbook, exercise: &Exercise) -> Option<SystemTime> {
    let source = workbook.root.join(exercise.path(Subject::Reader)).join("src").join("lib.rs");
    fs::metadata(source).and_then(|it| it.modified()).ok()
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

fn ago(seconds: u64) -> String {
    match seconds {
        0..60 => "just now".to_owned(),
        60..3600 => format!("{} ago", count_of(seconds / 60, "minute")),
        3600..86400 => format!("{} ago", count_of(seconds / 3600, "hour")),
        _ => format!("{} ago", count_of(seconds / 86400, "day")),
    }
}

fn count_of(n: u64, noun: &str) -> String {
    count(usize::try_from(n).unwrap_or(usize::MAX), noun)
}

fn line(label: &str, told: &str) -> String {
    let hang = output::indent(&wrap(told, 12), 12);
    format!(" {label:<10} {}", hang.trim_start())
}

fn commands(three: &[(&str, &str); 3]) -> String {
    let width = three.iter().map(|(command, _)| command.len()).max().unwrap_or_default();
    three.iter().map(|(command, what)| format!(" {command:width$}   {what}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::ago;

    #[test]
    fn what_was_some_time_ago_is_told_in_the_largest_unit() {
        let told = [59, 60, 7200, 86400 * 3].map(ago);
        assert_eq!(told, ["just now", "1 minute ago", "2 hours ago", "3 days ago"]);
    }
}
