//! What a page shows of a mistake's diff: the lines that change, and the block that they are in. The rest of the file is
//! the finished solution, with lines of steps that the reader has yet to take.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

/// Changes that are near each other, and all lines there as they are in the file.
struct Hunk<'a> {
    /// How many lines the diff says go before: the file may have grown since.
    start: usize,
    old: Vec<&'a str>,
    changes: Vec<Change<'a>>,
}

/// A run of changed lines, with how many lines of its hunk, and then of its file, go before.
struct Change<'a> {
    line: usize,
    lines: Vec<&'a str>,
}

impl Hunk<'_> {
    /// How many lines go before it in the file.
    fn find(&self, file: &[&str]) -> usize {
        let starts = file.windows(self.old.len().max(1)).enumerate();
        let fits = starts.filter(|(_, lines)| *lines == self.old).map(|(start, _)| start);
        fits.min_by_key(|start| start.abs_diff(self.start)).unwrap_or(self.start)
    }
}

/// The diff as Markdown: for each change, the function that it is in, and a block of code.
/// `folder` holds the files that the diff names.
pub fn excerpt(diff: &str, folder: &Path) -> Result<String> {
    // Longer than any run of backticks that a diff of Rust code may hold.
    let fence = "`".repeat(8);
    let mut text = String::new();
    let mut last = String::new();
    for (path, hunks) in files(diff)? {
        let file = folder.join(path);
        let file = fs::read_to_string(&file).unwrap_or_default();
        let file: Vec<&str> = file.lines().collect();
        for hunk in hunks {
            let start = hunk.find(&file);
            for mut change in hunk.changes {
                change.line += start;
                let (item, block) = around(&file, &change);
                let place = match (item, path) {
                    (Some(item), "src/lib.rs") => format!("In `{item}`:\n\n"),
                    (Some(item), path) => format!("In `{path}`, `{item}`:\n\n"),
                    (None, path) => format!("In `{path}`:\n\n"),
                };
                let shown = dedent(&shown(&file, &change, block)).join("\n");
                if place == last {
                    // One function, one block.
                    text.truncate(text.len() - fence.len() - "\n\n".len());
                    write!(text, " …\n{shown}\n{fence}\n\n")?;
                } else {
                    write!(text, "{place}{fence}diff\n{shown}\n{fence}\n\n")?;
                }
                last = place;
            }
        }
    }
    Ok(text.trim_end().to_owned())
}

/// The hunks of a unified diff by file.
fn files(diff: &str) -> Result<Vec<(&str, Vec<Hunk<'_>>)>> {
    let mut files: Vec<(&str, Vec<Hunk>)> = Vec::new();
    let mut is_running = false;
    for text in diff.lines().filter(|text| !text.starts_with("--- ")) {
        if let Some(path) = text.strip_prefix("+++ b/") {
            files.push((path, Vec::new()));
            continue;
        }
        let (_, hunks) = files.last_mut().context("the diff names no file")?;
        if let Some(hunk) = text.strip_prefix("@@ -") {
            let first = hunk.split([',', ' ']).next().and_then(|number| number.parse().ok());
            let start =
                first.map(|first: usize| first.saturating_sub(1)).context("a hunk's line")?;
            hunks.push(Hunk { start, old: Vec::new(), changes: Vec::new() });
            is_running = false;
            continue;
        }
        let hunk = hunks.last_mut().context("a line before the first hunk")?;
        if text.starts_with(['-', '+']) {
            if !is_running {
                hunk.changes.push(Change { line: hunk.old.len(), lines: Vec::new() });
            }
            hunk.changes.last_mut().expect("one was begun").lines.push(text);
        }
        is_running = text.starts_with(['-', '+']);
        if !text.starts_with('+') {
            hunk.old.push(text.get(1..).unwrap_or(""));
        }
    }
    Ok(files)
}

/// The function or type that a change is in, as `fn name`, and the line that opens its innermost block, if that isn't the
/// function's own.
fn around<'a>(file: &[&'a str], change: &Change) -> (Option<String>, Option<&'a str>) {
    let code = change.lines.iter().map(|line| &line[1..]).find(|line| !line.trim().is_empty());
    let mut limit = code.map_or(0, indentation);
    // A function that is itself changed.
    let own = change.lines.iter().find_map(|line| item(&line[1..]));
    if own.is_some() {
        return (own, None);
    }
    let mut block = None;
    for line in file[..change.line.min(file.len())].iter().rev() {
        let code = line.trim_start();
        if code.is_empty() || code.starts_with("//") || indentation(line) >= limit {
            continue;
        }
        // The end of a head of several lines: its first has the same indentation.
        if code.starts_with([')', '{']) || code.starts_with("where") || code == "> {" {
            limit = indentation(line) + 1;
            continue;
        }
        limit = indentation(line);
        if let Some(item) = item(line) {
            return (Some(item), block);
        }
        block = block.or(Some(*line));
    }
    (None, block)
}

/// `fn name`, `struct Name` … if the line begins such an item.
fn item(line: &str) -> Option<String> {
    const BEFORE: [&str; 5] = ["pub", "pub(crate)", "pub(super)", "async", "const"];
    let mut words = line.split_whitespace().skip_while(|word| BEFORE.contains(word));
    let kind = words.next()?;
    match kind {
        "fn" | "struct" | "enum" | "trait" => {
            let name = words.next()?;
            let end = name.find(|char: char| !char.is_alphanumeric() && char != '_');
            Some(format!("{kind} {}", &name[..end.unwrap_or(name.len())]))
        }
        kind if kind == "impl" || kind.starts_with("impl<") => {
            Some(line.trim().trim_end_matches('{').trim_end().to_owned())
        }
        _ => None,
    }
}

/// The changed lines below the line that opens their block. What is only added or taken away has a neighbour to be
/// recognised by.
fn shown(file: &[&str], change: &Change, block: Option<&str>) -> Vec<String> {
    let begins = |sign| change.lines.iter().filter(|line| line.starts_with(sign)).count();
    let (removed, added) = (begins('-'), begins('+'));
    let neighbour = |line: Option<&&str>| {
        let line = line.filter(|line| !line.trim().is_empty() && !line.contains("ANCHOR"));
        line.filter(|_| removed == 0 || added == 0).map(|line| format!(" {line}"))
    };
    let before = neighbour(change.line.checked_sub(1).and_then(|above| file.get(above)));
    let after = neighbour(file.get(change.line + removed));
    let is_above = |block: &&str| file.get(change.line.wrapping_sub(1)) == Some(block);
    let mut shown = Vec::new();
    if let Some(block) = block {
        shown.push(format!(" {block}"));
        if !is_above(&block) && change.line > 1 {
            let deeper = indentation(block) + 4;
            let is_next = before.is_some() && file.get(change.line.wrapping_sub(2)) == Some(&block);
            shown.extend((!is_next).then(|| format!(" {}…", " ".repeat(deeper))));
        }
    }
    shown.extend(before.filter(|before| shown.last() != Some(before)));
    shown.extend(change.lines.iter().map(|line| (*line).to_owned()));
    shown.extend(after);
    shown
}

/// Without the blanks that all have after their sign.
fn dedent(lines: &[String]) -> Vec<String> {
    let code = lines.iter().filter(|line| !line[1..].trim().is_empty());
    let least = code.map(|line| indentation(&line[1..])).min().unwrap_or(0);
    let dedent = |line: &String| format!("{}{}", &line[..1], line.get(1 + least..).unwrap_or(""));
    lines.iter().map(dedent).collect()
}

fn indentation(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::Scratch;

    const FILE: &str = "\
impl Core {
    fn record(
        &mut self,
    ) -> bool {
        let step_4 = 1;
        match self.phase {
            Phase::Closed { failures, window } => {
                window.push(4);
                *failures = 0;
            }
        }
        self.is_closed()
    }
}
";

    fn shown(diff: &str) -> String {
        let scratch = Scratch::book();
        scratch.write("src/lib.rs", FILE);
        let diff = format!("--- a/src/lib.rs\n+++ b/src/lib.rs\n{diff}");
        excerpt(&diff, scratch.root()).unwrap().replace(&"`".repeat(8), "~~~")
    }

    #[test]
    fn a_changed_line_has_its_function_and_its_block() {
        // The file has grown by two lines since.
        let diff = "@@ -6,3 +6,3 @@\n                 window.push(4);\n-                *failures = 0;\n\
            +                *failures = 1;\n             }\n";
        let expected = "In `fn record`:\n\n~~~diff\n Phase::Closed { failures, window } => {\n     …\n\
            -    *failures = 0;\n+    *failures = 1;\n~~~";
        assert_eq!(shown(diff), expected);
    }

    #[test]
    fn what_is_only_added_has_a_neighbour() {
        let diff =
            "@@ -11,2 +11,3 @@\n         }\n+        self.forget();\n         self.is_closed()\n";
        let expected = "In `fn record`:\n\n~~~diff\n }\n+self.forget();\n self.is_closed()\n~~~";
        assert_eq!(shown(diff), expected);
    }

    #[test]
    fn two_changes_of_a_function_are_one_block() {
        let diff = "@@ -5 +5 @@\n-        let step_4 = 1;\n+        let a = 1;\n\
            @@ -12 +12 @@\n-        self.is_closed()\n+        true\n";
        let expected = "In `fn record`:\n\n~~~diff\n-let step_4 = 1;\n+let a = 1;\n …\n\
            -self.is_closed()\n+true\n~~~";
        assert_eq!(shown(diff), expected);
    }
}
