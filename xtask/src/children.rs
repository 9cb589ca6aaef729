//! What ends or stops this program ends or stops what it has started: checks, labs, the book.
//!
//! | to this program | to its children |
//! |---|---|
//! | Ctrl-C, SIGTERM, SIGHUP | they are ended before it ends |
//! | Ctrl-Z and `fg` | they are stopped, and continued |
//! | SIGQUIT, SIGKILL, a crash | the keeper ends them |
//!
//! The keeper is a second process of this program. It is told of each child by a pipe, which the system
//! closes with its owner, whatever became of that; what has not ended by then, the keeper ends.
//!
//! Checks run in process groups of their own, so that all descendants of one can be ended. So the
//! terminal's signals don't reach them.

use std::collections::BTreeSet;
use std::env;
use std::io::{self, BufRead, Write as _};
use std::process::{Child, ChildStdin, Command, ExitStatus, Output, Stdio, exit};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result};
use process_wrap::std::{ChildWrapper, CommandWrap};

static ALL: Mutex<Children> =
    Mutex::new(Children { living: BTreeSet::new(), keeper: Keeper::NotStarted });
static ENDING: AtomicBool = AtomicBool::new(false);
/// In milliseconds.
static STOPPED_FOR: AtomicU64 = AtomicU64::new(0);

struct Children {
    living: BTreeSet<Target>,
    keeper: Keeper,
}

/// By its standard input. Without it nothing else suffers.
enum Keeper {
    NotStarted,
    At(ChildStdin),
    Gone,
}

/// A process by its number, or a group by that of its leader, negative: as `kill` takes them.
type Target = i64;

/// A child that is ended with this program, as long as this value lives.
pub struct Kept(Target);

/// Starts a child that is to be ended alone. What it is started by is locked, so that no end or stop comes
/// between its beginning and its being known.
pub fn start(command: &mut Command) -> io::Result<(Child, Kept)> {
    start_with(|| command.spawn(), |child| child.id().into())
}

/// Starts a child that is to be ended with all its descendants: the leader of a process group, or of a job.
pub fn start_group(command: &mut CommandWrap) -> io::Result<(Box<dyn ChildWrapper>, Kept)> {
    start_with(|| command.spawn(), |child| -i64::from(child.id()))
}

fn start_with<T>(
    spawn: impl FnOnce() -> io::Result<T>,
    target: impl Fn(&T) -> Target,
) -> io::Result<(T, Kept)> {
    let mut all = all();
    if is_ending() {
        // Nothing more is started, and the handler is about to end the program.
        drop(all);
        loop {
            thread::park();
        }
    }
    all.wake_keeper();
    let child = spawn()?;
    let target = target(&child);
    all.living.insert(target);
    all.tell_keeper(&format!("+{target}"));
    Ok((child, Kept(target)))
}

impl Drop for Kept {
    fn drop(&mut self) {
        let mut all = all();
        all.living.remove(&self.0);
        all.tell_keeper(&format!("-{}", self.0));
    }
}

/// Whether this program is about to end, and starts nothing more.
pub fn is_ending() -> bool {
    ENDING.load(Ordering::SeqCst)
}

/// For how long this program has been stopped (Ctrl-Z) until now: a time that no child used.
pub fn stopped_for() -> Duration {
    Duration::from_millis(STOPPED_FOR.load(Ordering::SeqCst))
}

/// Runs a command with the terminal as it is.
pub fn status(command: &mut Command) -> io::Result<ExitStatus> {
    let (mut child, _kept) = start(command)?;
    child.wait()
}

/// Runs a command for what it prints; its standard error is the terminal's.
pub fn output(command: &mut Command) -> io::Result<Output> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::inherit());
    let (child, _kept) = start(command)?;
    child.wait_with_output()
}

/// From now on children end, stop and continue with this program.
pub fn share_our_fate() -> Result<()> {
    ctrlc::set_handler(|| {
        let living = {
            let all = all();
            ENDING.store(true, Ordering::SeqCst);
            all.living.clone()
        };
        living.into_iter().for_each(end);
        // Those who wait for a child get a moment to see it end.
        for _ in 0..100 {
            if all().living.is_empty() {
                break;
            }
            thread::sleep(Duration::from_millis(10));
        }
        exit(130);
    })
    .context("cannot watch for Ctrl-C")?;
    #[cfg(unix)]
    stop_together().context("cannot watch for Ctrl-Z")?;
    Ok(())
}

#[cfg(unix)]
fn stop_together() -> io::Result<()> {
    use nix::sys::signal::Signal::{SIGCONT, SIGSTOP};
    use signal_hook::consts::SIGTSTP;
    use signal_hook::iterator::Signals;
    use std::time::Instant;

    let mut signals = Signals::new([SIGTSTP])?;
    thread::spawn(move || {
        for signal in signals.forever() {
            // Locked, so that no child begins in between.
            let all = all();
            all.living.iter().for_each(|child| send(*child, SIGSTOP));
            let begin = Instant::now();
            let _ = signal_hook::low_level::emulate_default_handler(signal);
            let millis = u64::try_from(begin.elapsed().as_millis()).unwrap_or(u64::MAX);
            STOPPED_FOR.fetch_add(millis, Ordering::SeqCst);
            all.living.iter().for_each(|child| send(*child, SIGCONT));
        }
    });
    Ok(())
}

/// The keeper's whole work: it reads who lives, `+17` and `-17`, and ends at the end of `told` who is left.
pub fn keeper(told: impl BufRead) {
    let mut living = BTreeSet::new();
    for line in told.lines().map_while(Result::ok) {
        let Some((sign, target)) = line.split_at_checked(1) else { continue };
        let Ok(target) = target.parse::<Target>() else { continue };
        if sign == "+" {
            living.insert(target);
        } else {
            living.remove(&target);
        }
    }
    living.into_iter().for_each(end);
}

impl Children {
    fn wake_keeper(&mut self) {
        if let Keeper::NotStarted = self.keeper {
            self.keeper = start_keeper().map_or(Keeper::Gone, Keeper::At);
        }
    }

    fn tell_keeper(&mut self, line: &str) {
        if let Keeper::At(pipe) = &mut self.keeper
            && writeln!(pipe, "{line}").is_err()
        {
            self.keeper = Keeper::Gone;
        }
    }
}

fn start_keeper() -> Option<ChildStdin> {
    let mut command = Command::new(env::current_exe().ok()?);
    command.arg("keeper").stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    // Out of the terminal's reach.
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    #[cfg(windows)]
    std::os::windows::process::CommandExt::creation_flags(&mut command, DETACHED_PROCESS);
    command.spawn().ok()?.stdin
}

#[cfg(windows)]
const DETACHED_PROCESS: u32 = 0x8;
#[cfg(windows)]
const CREATE_NO_WINDOW: u32 = 0x0800_0000;

/// A check has nothing to tidy up; a lab or the book may.
#[cfg(unix)]
fn end(target: Target) {
    use nix::sys::signal::Signal::{SIGKILL, SIGTERM};
    send(target, if target < 0 { SIGKILL } else { SIGTERM });
}

#[cfg(unix)]
fn send(target: Target, signal: nix::sys::signal::Signal) {
    let Ok(target) = target.try_into() else { return };
    let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(target), signal);
}

#[cfg(windows)]
fn end(target: Target) {
    let id = target.unsigned_abs().to_string();
    let mut command = Command::new("taskkill");
    command.args(["/F", "/T", "/PID", &id]).stdout(Stdio::null()).stderr(Stdio::null());
    std::os::windows::process::CommandExt::creation_flags(&mut command, CREATE_NO_WINDOW);
    let _ = command.stdin(Stdio::null()).status();
}

fn all() -> MutexGuard<'static, Children> {
    ALL.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn the_keeper_ends_who_is_left_and_nobody_who_has_ended() {
        let mut child = Command::new("sleep").arg("600").spawn().unwrap();
        let id = child.id();
        // A number may be another's by now.
        keeper(format!("+{id}\n-{id}\n").as_bytes());
        assert_eq!(child.try_wait().unwrap(), None);
        keeper(format!("no line of ours\n+{id}\n").as_bytes());
        assert_eq!(child.wait().unwrap().code(), None, "ended by a signal");
    }
}
