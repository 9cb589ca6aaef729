//! A child process that cannot outlive its time limit, nor fill memory, nor block on a full pipe.

use std::io::{self, Read, Write as _};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use process_wrap::std::{ChildWrapper, CommandWrap};

use crate::children;

/// How much is kept of the beginning of an output, and as much again of its end.
const KEPT: usize = 64 * 1024;

/// Whether a newer run has been asked for.
static OVERTAKEN: AtomicBool = AtomicBool::new(false);

#[derive(Debug)]
pub struct Outcome {
    pub end: End,
    pub stdout: String,
    pub stderr: String,
    /// Whether the input came back on standard output, also in what is not kept of that.
    pub echoed: bool,
    pub took: Duration,
}

#[derive(Debug)]
pub enum End {
    Exited(ExitStatus),
    /// Ended at the time limit. `busy` tells a loop from a wait, where the system says so.
    TimedOut {
        busy: Option<bool>,
    },
}

/// Ends what runs with an error, and lets nothing more begin, until `false` is told: for a run that a
/// newer one makes pointless.
pub fn overtake(yes: bool) {
    OVERTAKEN.store(yes, Ordering::SeqCst);
}

pub fn is_overtaken() -> bool {
    OVERTAKEN.load(Ordering::SeqCst)
}

/// Runs to the end or to the time limit, then ends what is left of the child and its descendants.
pub fn run(command: Command, limit: Duration) -> io::Result<Outcome> {
    run_with_input(command, limit, None)
}

/// As [`run`], with this on the child's standard input. It is small enough to wait in a pipe, and the pipe
/// stays open until the child has ended: a child that reads to its end learns of this program's.
pub fn run_with_input(
    mut command: Command,
    limit: Duration,
    input: Option<&str>,
) -> io::Result<Outcome> {
    command.stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() });
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut command = CommandWrap::from(command);
    #[cfg(unix)]
    command.wrap(process_wrap::std::ProcessGroup::leader());
    #[cfg(windows)]
    command.wrap(process_wrap::std::JobObject);

    let begin = Instant::now();
    let (mut child, kept) = children::start_group(&mut command)?;
    let mut stdin = child.stdin().take();
    if let (Some(pipe), Some(input)) = (&mut stdin, input) {
        // A child that ended already needs none.
        let _ = pipe.write_all(input.as_bytes());
    }
    let mut outputs = Outputs::of(child.as_mut(), input);
    let end = wait(child.as_mut(), &mut outputs, begin, limit);
    let took = begin.elapsed();
    // Also after a normal end: descendants may be left, and hold the pipes open.
    let _ = child.start_kill();
    // On Windows the second wait for an end may have none (`process_wrap` waits for a message of the job).
    if !matches!(end, Ok(End::Exited(_))) {
        let _ = child.wait();
    }
    drop(stdin);
    drop(kept);
    // A descendant that left the group could keep a pipe open for ever; what was read until now will do.
    outputs.are_closed_within(Duration::from_secs(1));
    let [stdout, stderr] = outputs.kept.each_ref().map(|kept| text(kept));
    let echoed = outputs.kept[0].lock().unwrap_or_else(PoisonError::into_inner).wanted.found;
    Ok(Outcome { end: end?, stdout, stderr, echoed, took })
}

fn wait(
    child: &mut dyn ChildWrapper,
    outputs: &mut Outputs,
    begin: Instant,
    limit: Duration,
) -> io::Result<End> {
    const LONGEST: Duration = Duration::from_millis(10);
    let mut pause = Duration::from_millis(1);
    let mut brief = Duration::from_micros(50);
    let stopped_before = children::stopped_for();
    loop {
        if is_overtaken() {
            return Err(io::Error::new(io::ErrorKind::Interrupted, "a newer run was asked for"));
        }
        if let Some(status) = child.try_wait()? {
            return Ok(End::Exited(status));
        }
        let stopped = children::stopped_for() - stopped_before;
        if begin.elapsed().saturating_sub(stopped) >= limit || children::is_ending() {
            return Ok(End::TimedOut { busy: is_busy(child.id()) });
        }
        if outputs.are_closed_within(pause) {
            // A process closes them as it ends; one that closed them itself goes on.
            thread::sleep(brief);
            brief = (brief * 2).min(LONGEST);
        }
        pause = (pause * 2).min(LONGEST);
    }
}

/// Whether a thread of the process computes, or would if it got a CPU. It is asked a few times, since one
/// that prints without end also waits for its pipe.
#[cfg(target_os = "linux")]
fn is_busy(id: u32) -> Option<bool> {
    for _ in 0..5 {
        for task in std::fs::read_dir(format!("/proc/{id}/task")).ok()? {
            let stat = std::fs::read_to_string(task.ok()?.path().join("stat")).ok()?;
            // The name in parentheses may hold anything; the state is the field after it.
            if stat.rsplit(')').next()?.trim_start().starts_with('R') {
                return Some(true);
            }
        }
        thread::sleep(Duration::from_millis(2));
    }
    Some(false)
}

#[cfg(not(target_os = "linux"))]
fn is_busy(_: u32) -> Option<bool> {
    None
}

/// What a child prints on standard output and standard error, each read by a thread.
struct Outputs {
    kept: [Arc<Mutex<Kept>>; 2],
    closed: mpsc::Receiver<()>,
    open: usize,
}

impl Outputs {
    fn of(child: &mut dyn ChildWrapper, wanted: Option<&str>) -> Self {
        let (tell, closed) = mpsc::channel();
        let stdout = keep(child.stdout().take(), Kept::looking_for(wanted), tell.clone());
        let stderr = keep(child.stderr().take(), Kept::default(), tell);
        Self { kept: [stdout, stderr], closed, open: 2 }
    }

    /// Waits no longer than this.
    fn are_closed_within(&mut self, time: Duration) -> bool {
        let begin = Instant::now();
        while self.open > 0
            && self.closed.recv_timeout(time.saturating_sub(begin.elapsed())).is_ok()
        {
            self.open -= 1;
        }
        self.open == 0
    }
}

/// The beginning and the end of an output.
#[derive(Default)]
struct Kept {
    head: Vec<u8>,
    tail: Vec<u8>,
    left_out: usize,
    wanted: Wanted,
}

/// A text that is looked for in all of an output.
#[derive(Default)]
struct Wanted {
    text: Vec<u8>,
    /// The end of what came, where the text may begin.
    end: Vec<u8>,
    found: bool,
}

impl Wanted {
    fn push(&mut self, bytes: &[u8]) {
        if self.found || self.text.is_empty() {
            return;
        }
        self.end.extend_from_slice(bytes);
        self.found = self.end.windows(self.text.len()).any(|at| at == self.text);
        let surplus = self.end.len().saturating_sub(self.text.len());
        self.end.drain(..surplus);
    }
}

impl Kept {
    fn looking_for(wanted: Option<&str>) -> Self {
        let text = wanted.unwrap_or_default().into();
        Self { wanted: Wanted { text, ..Wanted::default() }, ..Self::default() }
    }

    fn push(&mut self, bytes: &[u8]) {
        self.wanted.push(bytes);
        let (head, tail) = bytes.split_at(bytes.len().min(KEPT - self.head.len()));
        self.head.extend_from_slice(head);
        self.tail.extend_from_slice(tail);
        // Twice the length, so that a drain is rare.
        if self.tail.len() > 2 * KEPT {
            self.trim();
        }
    }

    fn trim(&mut self) {
        let surplus = self.tail.len().saturating_sub(KEPT);
        self.left_out += surplus;
        self.tail.drain(..surplus);
    }
}

fn keep(
    pipe: Option<impl Read + Send + 'static>,
    kept: Kept,
    closed: mpsc::Sender<()>,
) -> Arc<Mutex<Kept>> {
    let kept = Arc::new(Mutex::new(kept));
    let shared = Arc::clone(&kept);
    thread::spawn(move || {
        let mut buffer = [0; 16 * 1024];
        if let Some(mut pipe) = pipe {
            while let Ok(n @ 1..) = pipe.read(&mut buffer) {
                shared.lock().unwrap_or_else(PoisonError::into_inner).push(&buffer[..n]);
            }
        }
        let _ = closed.send(());
    });
    kept
}

fn text(kept: &Mutex<Kept>) -> String {
    let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
    kept.trim();
    let mut text = String::from_utf8_lossy(&kept.head).into_owned();
    if kept.left_out > 0 {
        text += &format!("\n… {} bytes left out …\n", kept.left_out);
    }
    text + &String::from_utf8_lossy(&kept.tail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_looked_for_is_found_in_the_middle_and_across_two_reads() {
        let found = |pushed: &[&[u8]]| {
            let mut kept = Kept::looking_for(Some("word\n"));
            for bytes in pushed.iter().chain(&[&[b'x'; 10_000][..]; 50]) {
                kept.push(bytes);
            }
            kept.wanted.found
        };
        assert!(found(&[&[b'x'; 10_000], b"word\n"]));
        assert!(found(&[b"xxwo", b"r", b"d\nxx"]));
        assert!(!found(&[b"word", b"word", b"xword x\n"]));
        assert!(!Kept::looking_for(None).wanted.found);
    }

    #[test]
    fn of_a_long_output_the_beginning_and_the_end_are_kept() {
        let mut kept = Kept::default();
        kept.push(b"first");
        for _ in 0..100 {
            kept.push(&[b'x'; 10_000]);
        }
        kept.push(b"last");
        let text = text(&Mutex::new(kept));
        assert!(text.starts_with("firstxxx") && text.ends_with("xxxlast"));
        assert!(
            text.contains("\n… 868937 bytes left out …\n"),
            "1,000,009 bytes less twice 65,536"
        );
    }
}
