//! How far the checks are: a bar on a terminal, a few lines in a pipe. On standard error.

use std::io::{IsTerminal as _, stderr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::output;

/// In a pipe, a line at most this often: the checks' time limits bound their number.
const LINE_EVERY: Duration = Duration::from_secs(5);

pub struct Progress {
    noun: &'static str,
    bar: ProgressBar,
    last_line: Option<Mutex<Instant>>,
}

impl Progress {
    /// Of `what`, this many of a `noun`.
    pub fn new(what: &str, many: usize, noun: &'static str) -> Self {
        let bar = ProgressBar::with_draw_target(Some(many as u64), ProgressDrawTarget::stderr());
        let template = format!(" {{msg}}  {{bar:24}} {{pos}} of {{len}} {noun}s");
        let style = ProgressStyle::with_template(&template);
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar.set_message(what.to_owned());
        let in_pipe = !stderr().is_terminal();
        if in_pipe {
            output::err(&format!("{what}: running {}", output::count(many, noun)));
        }
        Self { noun, bar, last_line: in_pipe.then(|| Mutex::new(Instant::now())) }
    }

    /// For what is too short to tell.
    pub fn hidden() -> Self {
        Self { noun: "", bar: ProgressBar::hidden(), last_line: None }
    }

    /// One more is done.
    pub fn step(&self) {
        self.bar.inc(1);
        let Some(last_line) = &self.last_line else { return };
        let mut last_line = last_line.lock().unwrap_or_else(PoisonError::into_inner);
        if last_line.elapsed() >= LINE_EVERY {
            *last_line = Instant::now();
            let (done, all) = (self.bar.position(), self.bar.length().unwrap_or_default());
            output::err(&format!("{}: {done} of {all} {}s done", self.bar.message(), self.noun));
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
