//! From how a check's process ended to what a reader should know about it.

use std::path::Path;
use std::process::ExitStatus;
use std::time::Duration;

use anstream::adapter::strip_str;
use workbook::slashes;

use crate::process::{End, Outcome};
use crate::report::Status;

/// Longer messages are cut: a debug print of a large structure explains nothing.
const LONGEST_LINE: usize = 400;
const MOST_LINES: usize = 40;

/// The explanation of one check.
#[derive(Debug, PartialEq)]
pub struct Verdict {
    pub status: Status,
    /// Empty for a pass.
    pub message: String,
    /// Failed by an assertion or a snapshot of the spec, as opposed to a panic somewhere else.
    pub by_assertion: bool,
    /// `file:line` of the `todo!` that was reached.
    pub todo_at: Option<String>,
    /// `file:line` in the spec that spoke.
    pub at: Option<String>,
}

/// Where a check ran: std prints the places of a backtrace from there, and this module from the root.
#[derive(Clone, Copy)]
pub struct Home<'a> {
    pub root: &'a Path,
    /// The package's folder, relative to the root.
    pub folder: &'a Path,
}

impl Verdict {
    fn new(status: Status, message: impl Into<String>) -> Self {
        let message = shorten(&message.into());
        Self { status, message, by_assertion: false, todo_at: None, at: None }
    }
}

/// Whether something panicked at a place in the standard library, which no reader can open. With a
/// backtrace (`RUST_BACKTRACE=1`) [`explain`] finds the place in the workbook from where it was called.
pub fn panicked_in_std(outcome: &Outcome, home: Home<'_>) -> bool {
    panics(&outcome.stderr, home).iter().any(Panic::is_in_std)
}

/// A check with a witness repeats its input when its last line is behind it; one that has none is believed without.
pub fn explain(outcome: &Outcome, has_witness: bool, limit: Duration, home: Home<'_>) -> Verdict {
    let panics = panics(&outcome.stderr, home);
    // Libtest prints these lines; the reader's code can too, and it can end the process with success. And libtest
    // writes a line in pieces: a thread that prints on comes in between. So where there is a witness, it decides.
    let said_ok = outcome.stdout.lines().any(|line| line.starts_with("test result: ok. 1 passed"));
    let came_to_its_end = if has_witness { outcome.echoed } else { said_ok };
    let finished = outcome.stdout.lines().any(|line| line.starts_with("test result: "))
        && (came_to_its_end || !said_ok);
    let status = match outcome.end {
        End::TimedOut { busy } => {
            let note = panics
                .first()
                .map_or_else(String::new, |p| format!("\nbefore that, a panic: {}", p.brief()));
            return Verdict::new(Status::TimedOut, format!("{}{note}", timed_out(busy, limit)));
        }
        End::Exited(status) => status,
    };
    if status.success() && came_to_its_end {
        return Verdict::new(Status::Passed, "");
    }
    if outcome.stderr.contains("has overflowed its stack") {
        return Verdict::new(
            Status::Crashed,
            "stack overflow: a function calls itself without end, or a value is too large for the stack",
        );
    }
    if !finished {
        return Verdict::new(Status::Crashed, ended_early(status, &panics));
    }
    if let Some((panic, todo)) = panics.iter().find_map(|panic| Some((panic, panic.todo()?))) {
        let todo_at = Some(panic.place.clone());
        return Verdict { todo_at, ..Verdict::new(Status::NotStarted, todo) };
    }
    match up_to_the_tests_own_last(&panics, &outcome.stdout) {
        [] => Verdict::new(Status::Failed, without_panic(outcome)),
        [others @ .., last] => failed(others, last, &outcome.stdout),
    }
}

/// Without the panics that other threads have after the test's own: its end drops the runtime under
/// them, and what tokio says of that is no reason.
fn up_to_the_tests_own_last<'a>(panics: &'a [Panic], stdout: &str) -> &'a [Panic] {
    let of_the_test = |panic: &Panic| stdout.contains(&format!("test {} ... ", panic.thread));
    match panics.iter().rposition(of_the_test) {
        Some(last) => &panics[..=last],
        None => panics,
    }
}

fn timed_out(busy: Option<bool>, limit: Duration) -> String {
    let seconds = limit.as_secs_f64();
    match busy {
        Some(true) => {
            format!("stopped after {seconds} s, still computing: a loop that never ends?")
        }
        Some(false) => format!(
            "stopped after {seconds} s, still waiting: an await, a lock or a channel that nobody completes?"
        ),
        None => format!(
            "stopped after {seconds} s: a loop that never ends, or a wait that nobody completes?"
        ),
    }
}

fn ended_early(status: ExitStatus, panics: &[Panic]) -> String {
    if let Some(failure) = panics.iter().find(|panic| panic.is_of_memory()) {
        return failure.brief();
    }
    let mut after = String::new();
    if let [first, others @ ..] = panics {
        after += &format!("\nbefore that, a panic: {}", first.brief());
        // The one that ended the process, as far as the reader's code is concerned.
        if let Some(second) = others.first() {
            after += &format!("\nand while it unwound, another: {}", second.brief());
        }
    }
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        let name = match signal {
            4 => " (illegal instruction)",
            6 if panics.len() > 1 => " (abort: a panic while panicking)",
            6 => " (abort: is there a `std::process::abort` in your code?)",
            9 => " (killed: out of memory?)",
            11 => " (invalid memory access)",
            _ => "",
        };
        return format!("the process was ended by signal {signal}{name}{after}");
    }
    match status.code() {
        // Windows reports an abort and the like as an NTSTATUS, a negative number.
        Some(code) if code < 0 => {
            format!("the process was ended by the system: status {code:#010x}{after}")
        }
        Some(code) => format!(
            "the process ended itself with exit code {code} before the check was finished: is there a `std::process::exit` in your code?{after}"
        ),
        None => format!("the process ended before the check was finished{after}"),
    }
}

/// A test that failed without a panic: it returned an error, or should have panicked.
fn without_panic(outcome: &Outcome) -> String {
    let told = |line: &&str| line.starts_with("Error: ") || line.starts_with("note: ");
    let line = outcome.stderr.lines().chain(outcome.stdout.lines()).find(told);
    line.unwrap_or("failed without a message").to_owned()
}

fn failed(others: &[Panic], last: &Panic, stdout: &str) -> Verdict {
    // The join of a task that panicked says nothing; the panic in it does.
    let (panic, in_task) = match others.first() {
        Some(first) if last.is_of_a_join() => (first, "\nin a spawned task or thread"),
        _ => (last, ""),
    };
    let mut message = panic.describe(stdout) + in_task;
    if !panic.is_in_spec() && !panic.is_snapshot() {
        message += &format!("\nat {}", panic.place);
    }
    // The spec may panic on purpose before it asserts; the reader's code may not.
    if let Some(other) =
        others.iter().find(|other| !other.is_in_spec() && !std::ptr::eq(*other, panic))
    {
        message += &format!("\nbefore that, a panic: {}", other.brief());
    }
    let by_assertion =
        panic.is_snapshot() || (panic.is_in_spec() && !panic.message.starts_with("called `"));
    let at = last.is_in_spec().then(|| last.place.clone());
    Verdict { by_assertion, at, ..Verdict::new(Status::Failed, message) }
}

/// One panic as the standard library's hook printed it.
#[derive(Debug, PartialEq)]
struct Panic {
    /// libtest names a test's thread after the test.
    thread: String,
    /// `file:line` from the workbook's root, with `/` on every system.
    place: String,
    message: String,
}

/// What std's last words begin with when an allocation fails.
const OF_MEMORY: &str = "memory allocation of ";
/// A last panic of std's own says that one in the code could not unwind.
const CANNOT_UNWIND: [&str; 2] =
    ["panic in a destructor during cleanup", "panic in a function that cannot unwind"];

/// All panics of a standard error, in order, and an allocation that failed as another.
fn panics(stderr: &str, home: Home<'_>) -> Vec<Panic> {
    let mut panics: Vec<Panic> = Vec::new();
    let mut inside = false;
    for line in stderr.lines() {
        if let Some((thread, place)) = thread_and_place(line) {
            panics.push(Panic { thread, place, message: String::new() });
            inside = true;
        } else if line.starts_with(OF_MEMORY) && line.ends_with(" failed") {
            let [thread, place] = [String::new(), "/library/alloc".to_owned()];
            panics.push(Panic { thread, place, message: line.to_owned() });
            inside = false;
        } else if line.starts_with("note: ") || line.starts_with("stack backtrace:") {
            inside = false;
        } else if let Some(panic) = panics.last_mut() {
            if inside {
                panic.message += line;
                panic.message.push('\n');
            } else if let Some(place) = frame(line, home).filter(|_| panic.is_in_std()) {
                panic.place = place;
            }
        }
    }
    for panic in &mut panics {
        panic.message.truncate(panic.message.trim_end().len());
    }
    panics.retain(|panic| !CANNOT_UNWIND.iter().any(|text| panic.message.starts_with(text)));
    panics
}

/// `thread 'name' (id) panicked at src/lib.rs:3:5:`
fn thread_and_place(line: &str) -> Option<(String, String)> {
    let rest = line.strip_prefix("thread '")?.strip_suffix(':')?;
    let (thread, place) = rest.split_once(" panicked at ")?;
    let (name, _id) = thread.rsplit_once('\'')?;
    let (file_and_line, _column) = place.rsplit_once(':')?;
    Some((name.to_owned(), straight(file_and_line)))
}

/// `             at ./src/lib.rs:30:9` of a backtrace: std writes it so if it is below the folder in
/// which the check runs, and in full otherwise. None for a frame outside of the workbook.
fn frame(line: &str, home: Home<'_>) -> Option<String> {
    let (file_and_line, _column) = line.trim_start().strip_prefix("at ")?.rsplit_once(':')?;
    let place = straight(file_and_line);
    if let Some(below) = place.strip_prefix("./") {
        return Some(format!("{}/{below}", slashes(home.folder)));
    }
    let root = straight(&home.root.to_string_lossy());
    place.strip_prefix(&root)?.strip_prefix('/').map(str::to_owned)
}

/// With `/`, and without the way back of a `#[path = "../…"]`.
fn straight(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split(['/', '\\']) {
        match (part, parts.last()) {
            ("..", Some(&above)) if above != ".." => {
                parts.pop();
            }
            _ => parts.push(part),
        }
    }
    parts.join("/")
}

impl Panic {
    fn is_in_std(&self) -> bool {
        self.place.contains("/library/")
    }

    fn is_of_memory(&self) -> bool {
        self.message.starts_with(OF_MEMORY)
    }

    fn todo(&self) -> Option<&str> {
        self.message
            .strip_prefix("not yet implemented: ")
            .or((self.message == "not yet implemented").then_some("to do"))
    }

    /// The spec lies in `tests/`, also when a solution includes it from there. A reader's `src/tests/` is none.
    fn is_in_spec(&self) -> bool {
        self.place.split('/').find(|part| ["src", "tests"].contains(part)) == Some("tests")
    }

    /// `JoinHandle::join().unwrap()` and the like, tokio's and std's. A check may well speak of a
    /// `JoinError` itself.
    fn is_of_a_join(&self) -> bool {
        self.message.contains(": JoinError::Panic(Id(") || self.message.ends_with(": Any { .. }")
    }

    fn is_snapshot(&self) -> bool {
        self.message.starts_with("snapshot assertion for ")
    }

    fn brief(&self) -> String {
        let what = self.message.lines().next().unwrap_or("no message");
        // The place of an allocation is known from a backtrace alone.
        if self.is_of_memory() && self.is_in_std() {
            return what.to_owned();
        }
        format!("{what} (at {})", self.place)
    }

    fn describe(&self, stdout: &str) -> String {
        if self.is_snapshot() {
            return snapshot(stdout).unwrap_or_else(|| self.message.clone());
        }
        comparison(&self.message).unwrap_or_else(|| self.message.clone())
    }
}

/// The text of `assert_eq!` and `assert_ne!`.
fn comparison(message: &str) -> Option<String> {
    let rest = message.strip_prefix("assertion `left ")?;
    let (operator, rest) = rest.split_once(" right` failed")?;
    let (why, values) = rest.rsplit_once("\n  left: ")?;
    let (left, right) = values.split_once("\n right: ")?;
    let why = why.strip_prefix(": ").map_or_else(String::new, |why| format!("{why}\n"));
    Some(if operator == "!=" {
        format!("{why}got {left}, expected anything else")
    } else if left.contains('\n') || right.contains('\n') || left.len() + right.len() > 80 {
        format!("{why}got       {}\nexpected  {}", hang(left), hang(right))
    } else {
        format!("{why}got {left}, expected {right}")
    })
}

/// The lines after the first, below the first one's text.
fn hang(value: &str) -> String {
    value.replace('\n', "\n          ")
}

/// The sentence and the differing lines of insta's report (`INSTA_OUTPUT=diff`).
fn snapshot(stdout: &str) -> Option<String> {
    let mut lines = stdout.lines().skip_while(|line| !line.contains(" Snapshot Summary "));
    let mut sentence = String::new();
    let mut diff = String::new();
    let mut in_sentence = false;
    for line in lines.by_ref() {
        if let Some(begin) = line.strip_prefix("Expression: ") {
            sentence += begin;
            in_sentence = true;
        } else if line.starts_with("───") {
            in_sentence = false;
            if line.contains('┬') {
                break;
            }
        } else if in_sentence {
            sentence.push(' ');
            sentence += line.trim();
        }
    }
    for line in lines.take_while(|line| !line.contains('┴')) {
        if line.starts_with('┈') {
            diff += "\n            …";
            continue;
        }
        let Some((_numbers, rest)) = line.split_once('│') else { continue };
        let mut text = rest.chars();
        let mark = match text.next() {
            Some('-') => "- expected",
            Some('+') => "+ got",
            _ => "",
        };
        diff += format!("\n{mark:10}  {}", text.as_str()).trim_end();
    }
    (!diff.is_empty()).then(|| sentence + &diff)
}

fn shorten(message: &str) -> String {
    // To a terminal, control characters are commands.
    let is_text = |c: &char| !c.is_control() || ['\n', '\t'].contains(c);
    let message: String = strip_str(message).to_string().chars().filter(is_text).collect();
    let mut lines: Vec<String> = message
        .lines()
        .map(|line| match line.char_indices().nth(LONGEST_LINE) {
            Some((end, _)) => format!("{} …", &line[..end]),
            None => line.to_owned(),
        })
        .collect();
    if lines.len() > MOST_LINES {
        let left_out = lines.len() - MOST_LINES;
        lines.truncate(MOST_LINES);
        lines.push(format!("… {left_out} more lines"));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use std::env;
    use std::process::Command;
    use std::sync::mpsc;
    use std::thread::{self, JoinHandle};

    use super::*;
    use crate::process;

    const LIMIT: Duration = Duration::from_secs(60);

    /// Runs one of the tests below that fail, as `verify` runs a check.
    fn explained(test: &str) -> Verdict {
        let mut command = Command::new(env::current_exe().unwrap());
        let name = format!("explain::tests::{test}");
        command.args(["--exact", &name, "--nocapture", "--test-threads=1", "--include-ignored"]);
        command.env("RUST_BACKTRACE", "0").env("INSTA_UPDATE", "no").env("INSTA_OUTPUT", "diff");
        command.env_remove("INSTA_FORCE_PASS");
        let home = Home { root: Path::new("/"), folder: Path::new("xtask") };
        explain(&process::run(command, LIMIT).unwrap(), false, LIMIT, home)
    }

    #[test]
    #[ignore = "fails on purpose"]
    fn fails_by_a_snapshot() {
        let timeline = "+0.000s  closed\n+1.000s  closed → open\n+30.000s  open → half-open";
        insta::assert_snapshot!(timeline, "the open time has to pass (all of it) first", @"
        +0.000s  closed
        +2.000s  closed → open
        +30.000s  open → half-open
        ");
    }

    #[test]
    fn a_snapshot_is_explained_by_its_sentence_and_the_lines_that_differ() {
        let verdict = explained("fails_by_a_snapshot");
        assert!(verdict.status == Status::Failed && verdict.by_assertion);
        insta::assert_snapshot!(verdict.message, @r"
        the open time has to pass (all of it) first
                    +0.000s  closed
        - expected  +2.000s  closed → open
        + got       +1.000s  closed → open
                    +30.000s  open → half-open
        ");
    }

    #[test]
    #[ignore = "fails on purpose"]
    fn fails_by_an_inequality() {
        assert_ne!(1 + 1, 2, "two is taken");
    }

    #[test]
    fn an_inequality_says_which_value_must_not_be() {
        let message = explained("fails_by_an_inequality").message;
        assert!(message.starts_with("two is taken\ngot 2, expected anything else"), "{message}");
    }

    #[test]
    #[ignore = "fails on purpose"]
    fn fails_by_an_error() -> Result<(), String> {
        Err("no luck".to_owned())
    }

    #[test]
    fn a_check_that_returns_an_error_shows_it() {
        assert_eq!(explained("fails_by_an_error").message, "Error: \"no luck\"");
    }

    #[test]
    #[ignore = "fails on purpose"]
    #[should_panic(expected = "a panic")]
    fn fails_without_a_panic() {}

    #[test]
    fn a_check_that_should_have_panicked_says_so() {
        let message = explained("fails_without_a_panic").message;
        assert!(message.starts_with("note: test did not panic as expected"), "{message}");
    }

    #[test]
    #[ignore = "fails on purpose"]
    fn fails_before_its_thread_does() {
        /// Ends the thread it waits for, as a runtime that is dropped does.
        struct Ends(Option<(mpsc::Sender<()>, JoinHandle<()>)>);

        impl Drop for Ends {
            fn drop(&mut self) {
                let (sender, thread) = self.0.take().expect("dropped once");
                drop(sender);
                thread.join().expect_err("the receiver panics");
            }
        }

        let (sender, receiver) = mpsc::channel::<()>();
        let thread = thread::spawn(move || receiver.recv().expect("nobody ends this thread"));
        let _ends = Ends(Some((sender, thread)));
        panic!("the assertion speaks first");
    }

    #[test]
    fn a_thread_that_ends_with_the_check_is_not_its_reason() {
        let verdict = explained("fails_before_its_thread_does");
        assert_eq!(verdict.message.lines().next(), Some("the assertion speaks first"));
    }

    fn panic(place: &str, message: &str) -> Panic {
        Panic { thread: "a_check".to_owned(), place: place.to_owned(), message: message.to_owned() }
    }

    #[test]
    fn the_join_of_a_panic_is_explained_by_it_and_a_check_that_speaks_of_joins_by_itself() {
        let in_task = panic("exercises/01-a/src/lib.rs:9", "the worker is gone");
        let spec = "exercises/01-a/tests/steps/step_1.rs:3";
        for join in [
            "called `Result::unwrap()` on an `Err` value: JoinError::Panic(Id(7), \"gone\", ...)",
            "called `Result::unwrap()` on an `Err` value: Any { .. }",
            "the task ends well: Any { .. }",
        ] {
            let verdict =
                failed(&[panic(&in_task.place, &in_task.message)], &panic(spec, join), "");
            assert!(verdict.message.starts_with("the worker is gone\nin a spawned"), "{join}");
        }
        let says = "a panic of the work comes to the caller as a JoinError, not as a panic";
        let verdict = failed(&[in_task], &panic(spec, says), "");
        assert!(verdict.by_assertion && verdict.message.starts_with(says), "{}", verdict.message);
    }

    #[test]
    fn a_thread_that_prints_into_libtests_last_line_fails_nothing() {
        let status = |echoed| {
            let end = End::Exited(ExitStatus::default());
            let stdout = "test result: ticktickok. 1 tick passed".to_owned();
            let outcome = Outcome { end, stdout, stderr: String::new(), echoed, took: LIMIT };
            let home = Home { root: Path::new("/"), folder: Path::new("") };
            explain(&outcome, true, LIMIT, home).status
        };
        assert_eq!((status(true), status(false)), (Status::Passed, Status::Failed));
    }

    #[test]
    fn what_a_message_would_have_a_terminal_do_is_left_out() {
        let message = "\x1b[2J\x1b[31mred\x07\r gone\u{9b}\n\tindented \x1b]0;title\x07→ open";
        assert_eq!(shorten(message), "red gone\n\tindented → open");
    }

    #[test]
    fn a_folder_of_tests_below_src_is_not_the_spec() {
        assert!(panic("exercises/01-a/tests/steps/step_1.rs:3", "").is_in_spec());
        assert!(!panic("exercises/01-a/src/tests/mod.rs:3", "").is_in_spec());
    }

    #[test]
    fn a_panic_on_purpose_in_the_spec_is_not_blamed_but_one_in_the_code_is() {
        let last = panic("exercises/01-a/tests/steps/step_1.rs:3", "assertion failed: ok");

        let on_purpose = panic("exercises/01-a/tests/steps/step_1.rs:2", "the operation panics");
        assert_eq!(failed(&[on_purpose], &last, "").message, "assertion failed: ok");

        let in_code = panic("exercises/01-a/src/lib.rs:9", "index out of bounds");
        assert_eq!(
            failed(&[in_code], &last, "").message,
            "assertion failed: ok\nbefore that, a panic: index out of bounds (at exercises/01-a/src/lib.rs:9)"
        );
    }
}
