//! What rustc took in for an answer, by `mod`, `#[path]` or `include!`: its own dep-info says so.

use std::fs;
use std::path::Path;

use workbook::{Change, Exercise, Subject, Workbook, slashes};

/// The files that are not the exercise's own; a link counts as what it leads to.
pub fn from_elsewhere(workbook: &Workbook, exercise: &Exercise, dep_info: &Path) -> Vec<Change> {
    let Ok(root) = workbook.root.canonicalize() else { return Vec::new() };
    let own = root.join(exercise.path(Subject::Reader)).join("src");
    let text = fs::read_to_string(dep_info).unwrap_or_default();
    let files = prerequisites(&text).into_iter().filter_map(|file| {
        let path = root.join(file).canonicalize().ok().filter(|path| !path.starts_with(&own))?;
        let shown = path.strip_prefix(&root).map_or_else(|_| path.display().to_string(), slashes);
        Some(Change::new(shown, "is compiled in"))
    });
    files.collect()
}

/// The files after `target: `, in the syntax of make: a space in a name has a backslash before it.
fn prerequisites(dep_info: &str) -> Vec<String> {
    let line = dep_info.lines().next().unwrap_or_default();
    let Some((_, files)) = line.split_once(": ") else { return Vec::new() };
    let files = files.replace("\\ ", "\0");
    files.split(' ').filter(|file| !file.is_empty()).map(|file| file.replace('\0', " ")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_spaces_are_whole() {
        let text = "/a\\ b/liba.rmeta: exercises/01-a/src/lib.rs /a\\ b/c.rs\n\nexercises/01-a/src/lib.rs:\n";
        assert_eq!(prerequisites(text), ["exercises/01-a/src/lib.rs", "/a b/c.rs"]);
    }
}
