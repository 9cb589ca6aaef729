//! What a grader reads: JSON for programs, `JUnit` for a CI's list of tests, Markdown for its summary.

use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use serde_json::json;
use workbook::files;

use super::{Graded, Verdict};

pub fn write(out: &Path, graded: &[Graded], offers: &[String], seconds: f64) -> Result<()> {
    let passed = graded.iter().filter(|it| it.has_passed()).count();
    let summary = json!({
        "submissions": graded.len(),
        "passed": passed,
        "seconds": seconds,
        "held_to": offers,
    });
    let document = json!({ "submissions": graded, "summary": summary });
    files::write(&out.join("report.json"), &serde_json::to_vec_pretty(&document)?)?;
    files::write(&out.join("junit.xml"), junit(graded).as_bytes())?;
    files::write(&out.join("report.md"), markdown(graded, offers).as_bytes())
}

fn markdown(graded: &[Graded], offers: &[String]) -> String {
    let mut text =
        "| Submission | Exercise | Checks | Verdict | |\n|---|---|---|---|---|\n".to_owned();
    for Graded { submission, exercises } in graded {
        let mut name = cell(&submission.name);
        for (exercise, verdict) in exercises {
            let Verdict { status, passed, of, .. } = verdict;
            let status = status.replace('_', " ");
            let first = cell(&first_reason(verdict));
            text += &format!("| {name} | {exercise} | {passed} of {of} | {status} | {first} |\n");
            name.clear();
        }
        if exercises.is_empty() {
            text += &format!("| {name} | | | nothing was handed in | |\n");
        }
    }
    for (title, of) in
        [("Changed elsewhere, and not used", 0), ("Not taken", 1), ("For a person to look at", 2)]
    {
        let lines = graded.iter().flat_map(|Graded { submission, .. }| {
            let told = [&submission.changed, &submission.left_out, &submission.look_at][of];
            told.iter().map(|line| format!("- {}: `{}`\n", submission.name, line.replace('`', "'")))
        });
        let lines: String = lines.collect();
        if !lines.is_empty() {
            text += &format!("\n**{title}**\n\n{lines}");
        }
    }
    text + &format!("\nEach answer was held to: {}.\n", offers.join("; "))
}

/// The first line of the first error, or of the first failing check.
fn first_reason(verdict: &Verdict) -> String {
    let failing =
        verdict.checks.iter().find(|it| !["passed", "not_started"].contains(&it.status.as_str()));
    let of_check = || failing.map(|it| format!("{}: {}", it.name, it.message));
    let first = verdict.notes.first().or(verdict.errors.first()).cloned().or_else(of_check);
    first.unwrap_or_default().lines().next().unwrap_or_default().to_owned()
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('<', "&lt;")
}

/// The form that GitHub, GitLab, Jenkins and others read: a suite an answer, a case a check.
fn junit(graded: &[Graded]) -> String {
    let mut text = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n".to_owned();
    for Graded { submission, exercises } in graded {
        for (exercise, verdict) in exercises {
            let name = escaped(&format!("{}/{exercise}", submission.name));
            let Verdict { passed, of, seconds, .. } = verdict;
            let failed = of - passed;
            text += &format!(
                "<testsuite name=\"{name}\" tests=\"{of}\" failures=\"{failed}\" time=\"{seconds:.3}\">\n"
            );
            let error = verdict.errors.first().cloned().unwrap_or_default();
            for mark in &verdict.checks {
                let (step, check) = (escaped(&mark.step), escaped(&mark.name));
                let time = Duration::from_millis(mark.millis).as_secs_f64();
                text += &format!(
                    "<testcase classname=\"{name}.{step}\" name=\"{check}\" time=\"{time:.3}\""
                );
                text += &if mark.status == "passed" {
                    "/>\n".to_owned()
                } else {
                    let told = if mark.message.is_empty() { &error } else { &mark.message };
                    let (status, told) = (&mark.status, escaped(told));
                    format!("><failure message=\"{status}\">{told}</failure></testcase>\n")
                };
            }
            text += "</testsuite>\n";
        }
    }
    text + "</testsuites>\n"
}

/// As text or attribute of XML, which has no control characters.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped += "&amp;",
            '<' => escaped += "&lt;",
            '>' => escaped += "&gt;",
            '"' => escaped += "&quot;",
            '\n' | '\t' => escaped.push(c),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => escaped.push('\u{fffd}'),
            c => escaped.push(c),
        }
    }
    escaped
}
