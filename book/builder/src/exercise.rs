//! What the book shows of an exercise: its steps, their checks, and the mistakes they catch.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail, ensure};
use serde::Deserialize;

/// An exercise, read from `exercises/FOLDER` and `solutions/FOLDER`.
pub struct Exercise {
    root: PathBuf,
    folder: String,
    manifest: Manifest,
}

/// What the book needs of `exercise.toml`; `cargo xtask` holds the file to its whole form.
#[derive(Deserialize)]
struct Manifest {
    chapter: String,
    #[serde(rename = "step")]
    steps: Vec<Step>,
}

/// A step of an exercise.
#[derive(Deserialize)]
pub struct Step {
    pub title: String,
    /// The anchor of its heading in the exercise's chapter.
    pub anchor: String,
}

/// A wrong answer that a check must catch.
#[derive(Debug, PartialEq, Eq)]
pub struct Mistake {
    pub title: String,
    pub why: String,
    pub place: String,
    /// The step whose check catches it, from 1.
    pub step: usize,
    pub check: String,
    pub diff: String,
}

impl Exercise {
    pub fn load(root: &Path, folder: &str) -> Result<Self> {
        let path = Path::new("exercises").join(folder).join("exercise.toml");
        let text = fs::read_to_string(root.join(&path)).with_context(|| {
            format!("there is no exercise `{folder}`: {} cannot be read", path.display())
        })?;
        let manifest = toml::from_str(&text).with_context(|| path.display().to_string())?;
        Ok(Self { root: root.to_owned(), folder: folder.to_owned(), manifest })
    }

    /// The chapter that explains it, in `book/src`.
    pub fn chapter(&self) -> &str {
        &self.manifest.chapter
    }

    pub fn steps(&self) -> &[Step] {
        &self.manifest.steps
    }

    /// Step `number`, from 1.
    pub fn step(&self, number: usize) -> Result<&Step> {
        let steps = self.steps();
        number.checked_sub(1).and_then(|index| steps.get(index)).ok_or_else(|| {
            let (folder, count) = (&self.folder, steps.len());
            anyhow!("{folder} has no step {number}: it has steps 1 to {count}")
        })
    }

    /// The names of the checks of a step, in the order of its file.
    pub fn checks(&self, step: usize) -> Result<Vec<String>> {
        self.step(step)?;
        let folder = Path::new("exercises").join(&self.folder).join("tests/steps");
        let prefix = format!("step_{step}_");
        let files = files(&self.root, &folder, "rs")?;
        let mut files = files.iter().filter(|name| name.starts_with(&prefix));
        let (Some(file), None) = (files.next(), files.next()) else {
            bail!("{} needs exactly one {prefix}….rs", folder.display());
        };
        let path = folder.join(file);
        let names = test_names(&read(&self.root, &path)?);
        ensure!(!names.is_empty(), "{} holds no check", path.display());
        Ok(names)
    }

    /// The mistakes, by the number that their file names may begin with, then by name.
    pub fn mistakes(&self) -> Result<Vec<Mistake>> {
        let folder = Path::new("solutions").join(&self.folder).join("mistakes");
        let mut names = files(&self.root, &folder, "patch")?;
        ensure!(!names.is_empty(), "{} holds no *.patch file", folder.display());
        names.sort_by_key(|name| {
            let digits = name.find(|c: char| !c.is_ascii_digit()).unwrap_or(0);
            (name[..digits].parse().unwrap_or(u64::MAX), name.clone())
        });
        let mistake = |name: &String| {
            let path = folder.join(name);
            read(&self.root, &path)
                .and_then(|text| self.mistake(&text))
                .with_context(|| path.display().to_string())
        };
        names.iter().map(mistake).collect()
    }

    fn mistake(&self, text: &str) -> Result<Mistake> {
        let (mut title, mut why, mut place, mut caught_by) = (None, None, None, None);
        let mut value: &mut Option<String> = &mut None;
        let mut lines = text.lines();
        let mut number = 0;
        loop {
            number += 1;
            let line = lines.next().context("a line `---` must end the header")?;
            if line == "---" {
                break;
            }
            if let (Some(more), Some(value)) = (line.strip_prefix("  "), value.as_mut()) {
                value.push(' ');
                value.push_str(more.trim());
                continue;
            }
            let (key, rest) = line
                .split_once(':')
                .with_context(|| format!("line {number}: write `key: value`, or `---`"))?;
            value = match key {
                "title" => &mut title,
                "why" => &mut why,
                "where" => &mut place,
                "caught-by" => &mut caught_by,
                _ => bail!("line {number}: `{key}` is none of title, why, where, caught-by"),
            };
            ensure!(value.is_none(), "line {number}: `{key}` stands there twice");
            *value = Some(rest.trim().to_owned());
        }
        let need = |value: Option<String>, key| {
            value
                .filter(|value| !value.is_empty())
                .with_context(|| format!("the header needs `{key}: …`"))
        };
        let caught_by = need(caught_by, "caught-by")?;
        let (step, check) = caught_by
            .strip_prefix("step_")
            .and_then(|rest| rest.split_once("::"))
            .and_then(|(step, check)| Some((step.split('_').next()?.parse().ok()?, check)))
            .with_context(|| format!("caught-by: `{caught_by}` is not `step_N_id::check`"))?;
        ensure!(
            self.checks(step)?.iter().any(|name| name == check),
            "caught-by: step {step} has no check `{check}`"
        );
        let mut diff = lines.collect::<Vec<_>>().join("\n");
        diff.truncate(diff.trim_end().len());
        ensure!(!diff.is_empty(), "no diff follows the header");
        Ok(Mistake {
            title: need(title, "title")?,
            why: need(why, "why")?,
            place: need(place, "where")?,
            step,
            check: check.to_owned(),
            diff,
        })
    }
}

/// The names of the functions that carry a test attribute. Read line by line, not parsed, so that it
/// sees into `proptest!` blocks as well; rustfmt keeps attribute and name on lines of their own.
fn test_names(source: &str) -> Vec<String> {
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

fn read(root: &Path, path: &Path) -> Result<String> {
    fs::read_to_string(root.join(path)).with_context(|| format!("cannot read {}", path.display()))
}

/// The names of the files in a folder with an extension, sorted.
fn files(root: &Path, folder: &Path, extension: &str) -> Result<Vec<String>> {
    let entries = fs::read_dir(root.join(folder))
        .with_context(|| format!("cannot read the folder {}", folder.display()))?;
    let mut names = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|ext| ext == extension) {
            let name = path.file_name().unwrap_or_default();
            names.push(name.to_string_lossy().into_owned());
        }
    }
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::{Exercise, test_names};
    use crate::scratch::Scratch;

    fn mistake_error(patch: &str) -> String {
        let scratch = Scratch::book();
        scratch.write("solutions/02-breaker/mistakes/late.patch", patch);
        let exercise = Exercise::load(scratch.root(), "02-breaker").unwrap();
        format!("{:#}", exercise.mistakes().unwrap_err())
    }

    #[test]
    fn checks_are_named_in_the_order_of_the_file() {
        let source = "use super::x;\nfn helper() {}\n#[test]\nfn b_first() {\n    fn inner() {}\n}\n\
            #[tokio::test(start_paused = true)]\n#[should_panic]\nasync fn a_second() {}\n\
            proptest! {\n    #[test]\n    fn c_third(n in 0..9) {}\n}\n";
        assert_eq!(test_names(source), ["b_first", "a_second", "c_third"]);
    }

    #[test]
    fn mistakes_come_in_the_order_of_their_numbers_then_of_their_names() {
        let scratch = Scratch::book();
        let patch = |title| {
            format!(
                "title: {title}\nwhy: a,\n  b\nwhere: w\ncaught-by: step_2_fail_fast::open_rejects\n---\n-a\n+b\n"
            )
        };
        for (name, title) in [("late", "d"), ("10-x", "c"), ("9-y", "b"), ("2-z", "a")] {
            let file = format!("solutions/02-breaker/mistakes/{name}.patch");
            scratch.write(&file, &patch(title));
        }
        let exercise = Exercise::load(scratch.root(), "02-breaker").unwrap();
        let mistakes = exercise.mistakes().unwrap();
        let titles: Vec<_> = mistakes.iter().map(|m| m.title.as_str()).collect();
        assert_eq!(titles, ["A stale result closes the breaker.", "a", "b", "c", "d"]);
        assert_eq!(mistakes[1].why, "a, b");
        assert_eq!((mistakes[1].step, mistakes[1].check.as_str()), (2, "open_rejects"));
        assert_eq!(mistakes[1].diff, "-a\n+b");
    }

    #[test]
    fn a_malformed_mistake_is_refused_with_its_file_and_reason() {
        let head = "title: t\nwhy: w\nwhere: p\ncaught-by: step_1_trip::failures_open_it\n";
        let cases = [
            ("title: t\n".to_owned(), "a line `---` must end the header"),
            (format!("{head}tilte: x\n---\n-a"), "line 5: `tilte` is none of"),
            (format!("{head}why: x\n---\n-a"), "line 5: `why` stands there twice"),
            ("title: t\n---\n-a".to_owned(), "the header needs `caught-by: …`"),
            (head.replace("why: w", "why:") + "---\n-a", "the header needs `why: …`"),
            (
                head.replace("failures_open_it", "nothing") + "---\n-a",
                "step 1 has no check `nothing`",
            ),
            (head.replace("step_1", "step_9") + "---\n-a", "02-breaker has no step 9"),
            (head.replace("step_1_trip::", "") + "---\n-a", "is not `step_N_id::check`"),
            (format!("{head}---\n\n"), "no diff follows the header"),
        ];
        for (patch, reason) in cases {
            let error = mistake_error(&patch);
            assert!(error.contains("late.patch"), "{error}");
            assert!(error.contains(reason), "{error}\ndoes not say: {reason}");
        }
    }
}
