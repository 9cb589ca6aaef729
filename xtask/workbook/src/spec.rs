//! The checks of a step, read from the text of its file.

use std::path::Path;

use anyhow::{Result, ensure};

use crate::{Exercise, Kind, Sources, Step, Subject, files, slashes};

impl Exercise {
    /// The names of the checks of a step, in the order of its file: libtest sorts them by name, the
    /// spec tells them in an order that makes sense.
    ///
    /// # Errors
    /// If the file is missing or holds no check.
    pub fn checks(&self, root: &Path, step: &Step) -> Result<Vec<String>> {
        if self.kind == Kind::Gameday {
            return Ok(vec![step.held()]);
        }
        let steps = self.path(Subject::Reader).join("tests").join("steps");
        let path = steps.join(step.module() + ".rs");
        let names = check_names(&files::read_text(&root.join(&path))?);
        ensure!(!names.is_empty(), "{} holds no check", slashes(&path));
        Ok(names)
    }
}

impl Sources {
    /// The text of a step's file in the spec; empty if there is none.
    pub fn spec_of(&self, step: &Step) -> String {
        let path = Path::new("steps").join(step.module() + ".rs");
        let text = self.tests.get(&path).map(|text| String::from_utf8_lossy(text).into_owned());
        text.unwrap_or_default()
    }

    /// The names of the checks of a step, in the order of its file.
    pub fn checks(&self, step: &Step) -> Vec<String> {
        check_names(&self.spec_of(step))
    }
}

/// The names of the functions that carry a test attribute. Read line by line, not parsed, so that it
/// sees into `proptest!` blocks as well; rustfmt keeps attribute and name on lines of their own.
fn check_names(source: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut in_test = false;
    for line in source.lines().map(str::trim_start) {
        if line.starts_with("#[test]") || line.starts_with("#[tokio::test") {
            in_test = true;
        } else if in_test
            && let Some(rest) = line.strip_prefix("async fn ").or_else(|| line.strip_prefix("fn "))
        {
            names.extend(rest.split_once('(').map(|(name, _)| name.to_owned()));
            in_test = false;
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::check_names;

    #[test]
    fn checks_are_named_in_the_order_of_the_file() {
        let source = "use super::x;\nfn helper() {}\n#[test]\nfn b_first() {\n    fn inner() {}\n}\n\
            #[tokio::test(start_paused = true)]\n#[should_panic]\nasync fn a_second() {}\n\
            proptest! {\n    #[test]\n    fn c_third(n in 0..9) {}\n}\n";
        assert_eq!(check_names(source), ["b_first", "a_second", "c_third"]);
    }
}
