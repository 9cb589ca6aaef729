//! Wrong answers: `solutions/NN-name/mistakes/*.patch`, a header and a diff against the solution.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};

use crate::{Exercise, Subject, files};

/// A wrong answer that a check must catch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// What is done wrong.
    pub title: String,
    /// Why people make it.
    pub why: String,
    /// Where it shipped, if we know of a place.
    pub place: Option<String>,
    /// The step whose check catches it, from 1.
    pub step: usize,
    /// The name of that check.
    pub check: String,
    /// The difference to the solution, unified, with paths from its folder (`a/src/lib.rs`).
    pub diff: String,
}

impl Exercise {
    /// The mistakes by the names of their files, or what is wrong with a file; in the order of the
    /// number that a name may begin with, then of the names.
    ///
    /// # Errors
    /// If a file can't be read.
    pub fn mistakes(&self, root: &Path) -> Result<Vec<(String, Result<Mistake>)>> {
        let folder = root.join(self.path(Subject::Solution)).join("mistakes");
        let mut patches = Vec::new();
        for (path, content) in files::read_tree(&folder)? {
            let name = path.to_string_lossy().into_owned();
            let text = String::from_utf8_lossy(&files::fold_crlf(&content)).into_owned();
            patches.push((name, text));
        }
        patches.sort_by_cached_key(|(name, _)| {
            let digits = name.find(|c: char| !c.is_ascii_digit()).unwrap_or(0);
            (name[..digits].parse().unwrap_or(u64::MAX), name.clone())
        });
        let mistake = |(name, text): (String, String)| {
            let mistake = self.mistake(root, &text);
            (name, mistake)
        };
        Ok(patches.into_iter().map(mistake).collect())
    }

    /// The mistake of a patch file's text.
    fn mistake(&self, root: &Path, text: &str) -> Result<Mistake> {
        let (mut values, diff) = header(text, &["title", "why", "where", "caught-by"])?;
        let place = values.remove("where");
        let mut value = |key| {
            let value = values.remove(key).filter(|value| !value.is_empty());
            value.with_context(|| format!("the header needs `{key}: …`"))
        };
        let (title, why, caught_by) = (value("title")?, value("why")?, value("caught-by")?);
        let (module, check) = caught_by
            .split_once("::")
            .with_context(|| format!("caught-by: `{caught_by}` is not `step_N_id::check`"))?;
        let step = self.steps.iter().find(|step| step.module() == module);
        let step =
            step.with_context(|| format!("caught-by: {} has no step `{module}`", self.folder))?;
        ensure!(
            self.checks(root, step)?.iter().any(|name| name == check),
            "caught-by: step {} has no check `{check}`",
            step.number
        );
        ensure!(!diff.trim().is_empty(), "no diff follows the header");
        let (check, diff) = (check.to_owned(), diff.to_owned());
        Ok(Mistake { title, why, place, step: step.number, check, diff })
    }
}

/// Reads `key: value` lines up to a line `---`, and what follows. A value goes on in lines that begin with two
/// spaces. Each key may be given once.
///
/// # Errors
/// For a line that is none of these, with its number.
pub fn header<'a>(text: &'a str, keys: &[&str]) -> Result<(BTreeMap<String, String>, &'a str)> {
    let mut values: BTreeMap<String, String> = BTreeMap::new();
    let mut last: Option<&str> = None;
    let mut rest = text;
    for number in 1.. {
        let (line, after) = rest.split_once('\n').context("a line `---` must end the header")?;
        rest = after;
        if line == "---" {
            break;
        }
        if let (Some(more), Some(key)) = (line.strip_prefix("  "), last) {
            let value = values.entry(key.to_owned()).or_default();
            *value = format!("{value} {}", more.trim());
            continue;
        }
        let (key, value) = line
            .split_once(':')
            .with_context(|| format!("line {number}: write `key: value`, or `---`"))?;
        ensure!(
            keys.contains(&key),
            "line {number}: `{key}` is not a key of this header; it has {}",
            keys.join(", ")
        );
        let before = values.insert(key.to_owned(), value.trim().to_owned());
        ensure!(before.is_none(), "line {number}: `{key}` is given twice");
        last = Some(key);
    }
    Ok((values, rest))
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    /// An exercise of two steps, with these patches.
    fn mistakes(patches: &[(&str, &str)]) -> Vec<(String, Result<Mistake>)> {
        let root = TempDir::new().unwrap();
        let write = |path: &str, text: &str| files::write(&root.path().join(path), text.as_bytes());
        let step =
            |id| format!("[[step]]\nid = \"{id}\"\ntitle = \"T\"\nhints = [\"\", \"\", \"\"]\n");
        let toml = "id = \"breaker\"\ntitle = \"B\"\nchapter = \"b.md\"\n".to_owned();
        write("exercises/02-breaker/exercise.toml", &(toml + &step("trip") + &step("fail-fast")))
            .unwrap();
        for (module, check) in
            [("step_1_trip", "failures_open_it"), ("step_2_fail_fast", "open_rejects")]
        {
            let path = format!("exercises/02-breaker/tests/steps/{module}.rs");
            write(&path, &format!("#[test]\nfn {check}() {{}}\n")).unwrap();
        }
        for (name, text) in patches {
            write(&format!("solutions/02-breaker/mistakes/{name}.patch"), text).unwrap();
        }
        let exercise = Exercise::load(root.path(), "02-breaker").unwrap();
        exercise.mistakes(root.path()).unwrap()
    }

    #[test]
    fn mistakes_come_in_the_order_of_their_numbers_then_of_their_names() {
        let patch = "title: t: u\nwhy: a,\n  b\nwhere: w\ncaught-by: step_2_fail_fast::open_rejects\n---\n-a\n+b\n";
        let found = mistakes(&[("late", patch), ("10-x", patch), ("9-y", patch), ("2-z", patch)]);

        let names: Vec<_> = found.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["2-z.patch", "9-y.patch", "10-x.patch", "late.patch"]);
        let expected = Mistake {
            title: "t: u".to_owned(),
            why: "a, b".to_owned(),
            place: Some("w".to_owned()),
            step: 2,
            check: "open_rejects".to_owned(),
            diff: "-a\n+b\n".to_owned(),
        };
        assert_eq!(found[0].1.as_ref().unwrap(), &expected);
    }

    #[test]
    fn a_malformed_mistake_is_refused_with_its_reason() {
        let head = "title: t\nwhy: w\nwhere: p\ncaught-by: step_1_trip::failures_open_it\n";
        let cases = [
            ("title: t\n".to_owned(), "a line `---` must end the header"),
            (format!("{head}tilte: x\n---\n-a"), "line 5: `tilte` is not a key of this header"),
            (format!("{head}why: x\n---\n-a"), "line 5: `why` is given twice"),
            (format!("{head}why\n---\n-a"), "line 5: write `key: value`"),
            ("title: t\nwhy: w\nwhere: p\n---\n-a".to_owned(), "the header needs `caught-by: …`"),
            (head.replace("why: w", "why:") + "---\n-a", "the header needs `why: …`"),
            (
                head.replace("failures_open_it", "nothing") + "---\n-a",
                "step 1 has no check `nothing`",
            ),
            (head.replace("step_1", "step_9") + "---\n-a", "02-breaker has no step `step_9_trip`"),
            (head.replace("step_1_trip::", "") + "---\n-a", "is not `step_N_id::check`"),
            (format!("{head}---\n\n"), "no diff follows the header"),
        ];
        for (patch, reason) in cases {
            let found = mistakes(&[("late", &patch)]);
            let error = format!("{:#}", found[0].1.as_ref().unwrap_err());
            assert!(error.contains(reason), "{error}\ndoes not say: {reason}");
        }
    }
}
