//! Text to the reader. Styles are dropped where they don't belong (a pipe, `NO_COLOR`) by anstream.
//! A closed standard output (`verify | head -1`) is not worth a message, but no success either.

use std::fmt::Display;
use std::io::{self, Write as _};
use std::sync::OnceLock;

use anstyle::{AnsiColor, Style};
use anyhow::{Result, bail};
use console::Term;

/// The first failure to write a result.
static UNWRITTEN: OnceLock<io::Error> = OnceLock::new();

/// The result of a command, on standard output.
pub fn out(text: &str) {
    let mut out = anstream::stdout().lock();
    let written = writeln!(out, "{}", text.trim_end_matches('\n')).and_then(|()| out.flush());
    if let Err(error) = written {
        let _ = UNWRITTEN.set(error);
    }
}

/// Whether who read the results had enough before the end.
pub fn was_cut_off() -> bool {
    UNWRITTEN.get().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

/// # Errors
/// If a result could not be written, for another reason than that nobody reads it.
pub fn all_written() -> Result<()> {
    match UNWRITTEN.get() {
        Some(error) if !was_cut_off() => bail!("cannot write to standard output: {error}"),
        _ => Ok(()),
    }
}

/// Progress and reasons, on standard error.
pub fn err(text: &str) {
    let _ = writeln!(anstream::stderr().lock(), "{}", text.trim_end_matches('\n'));
}

/// Asks on standard output for a line of standard input; none at its end.
pub fn ask(question: &str) -> io::Result<Option<String>> {
    {
        let mut out = anstream::stdout().lock();
        let _ = write!(out, "{question}").and_then(|()| out.flush());
    }
    let mut line = String::new();
    let read = io::stdin().read_line(&mut line)?;
    Ok((read > 0).then(|| line.trim().to_owned()))
}

pub fn red(text: impl Display) -> String {
    styled(AnsiColor::Red.on_default().bold(), text)
}

pub fn green(text: impl Display) -> String {
    styled(AnsiColor::Green.on_default(), text)
}

pub fn yellow(text: impl Display) -> String {
    styled(AnsiColor::Yellow.on_default(), text)
}

pub fn bold(text: impl Display) -> String {
    styled(Style::new().bold(), text)
}

fn styled(style: Style, text: impl Display) -> String {
    format!("{style}{text}{style:#}")
}

/// `1 check`, `2 checks`.
pub fn count(n: usize, noun: &str) -> String {
    let s = if n == 1 { "" } else { "s" };
    format!("{n} {noun}{s}")
}

/// Every line of `text` moved to the right; empty lines stay empty.
pub fn indent(text: &str, by: usize) -> String {
    let lines = text.lines().map(|line| {
        let by = if line.is_empty() { 0 } else { by };
        format!("{:by$}{line}\n", "")
    });
    lines.collect()
}

/// `text` broken at words to be no wider than the terminal less `margin`; unchanged in a pipe.
pub fn wrap(text: &str, margin: usize) -> String {
    let width = Term::stdout().size_checked().map(|(_, columns)| usize::from(columns));
    width.map_or_else(
        || text.to_owned(),
        |width| wrap_at(text, width.saturating_sub(margin).max(30)),
    )
}

fn wrap_at(text: &str, width: usize) -> String {
    let mut wrapped = String::new();
    for line in text.lines() {
        let mut column = 0;
        for word in line.split_inclusive(' ') {
            let length = word.trim_end().chars().count();
            if column > 0 && column + length > width {
                wrapped.truncate(wrapped.trim_end().len());
                wrapped.push('\n');
                column = 0;
            }
            wrapped += word;
            column += word.chars().count();
        }
        wrapped.push('\n');
    }
    wrapped
}

#[cfg(test)]
mod tests {
    use super::wrap_at;

    #[test]
    fn long_lines_break_between_words_and_short_ones_stay() {
        assert_eq!(
            wrap_at("  +1 s  open\none two three four", 13),
            "  +1 s  open\none two three\nfour\n"
        );
        assert_eq!(wrap_at("indivisible word", 5), "indivisible\nword\n");
    }
}
