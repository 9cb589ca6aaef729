//! Right answers of other designs: the spec must accept them. `solutions/NN-name/right/` holds complete
//! `lib.rs` files (`name.rs`, whose first line is `//! right: what is different`) and diffs against the
//! solution's (`name.patch`, with the header `title: what is different`).

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use workbook::files::{self, Tree};
use workbook::mistake::header;
use workbook::{Exercise, Subject, Workbook};

use super::copies::{self, Variant};
use super::findings::Findings;
use crate::output::count;
use crate::patch;
use crate::progress::Progress;
use crate::report::{CheckReport, Status};
use crate::spec::{Limit, Spec};

/// Each takes the place of the reader's lib.rs, among the files that are given there.
pub fn check(scratch: &Workbook, exercise: &Exercise) -> Result<Findings> {
    let mut found = Findings::default();
    let folder = scratch.root.join(exercise.path(Subject::Solution));
    let solution = files::read_tree(&folder)?;
    let mut answers = Vec::new();
    for (path, content) in files::read_tree(&folder.join("right"))? {
        let name = format!("{}/right/{}", exercise.folder, path.display());
        let text = String::from_utf8_lossy(&files::fold_crlf(&content)).into_owned();
        match lib(&solution, &path, &text) {
            Ok(changed) => answers.push(Variant { name, changed, what: () }),
            Err(error) => found.wrong(format!("{name}: {error:#}")),
        }
    }
    found.tell(format!("{}: {}", exercise.id, count(answers.len(), "right answer")));
    let subject = Subject::Reader;
    let judge = |spec: &Spec, (): &()| accept(spec);
    found.add(copies::judge_each(scratch, exercise, subject, &answers, "right answer", judge)?);
    Ok(found)
}

/// The lib.rs that an answer's file stands for.
fn lib(solution: &Tree, path: &Path, text: &str) -> Result<Tree> {
    let lib: PathBuf = ["src", "lib.rs"].iter().collect();
    if path.extension().is_some_and(|extension| extension == "rs") {
        let title = text.lines().next().and_then(|line| line.strip_prefix("//! right:"));
        ensure!(
            title.is_some_and(|title| !title.trim().is_empty()),
            "the first line must be `//! right: what is different about the design`"
        );
        return Ok(Tree::from([(lib, text.as_bytes().to_vec())]));
    }
    let (values, diff) = header(text, &["title"])?;
    ensure!(
        values.get("title").is_some_and(|title| !title.is_empty()),
        "the header needs `title: what is different about the design`"
    );
    let changed = patch::apply(solution, diff)?;
    ensure!(changed.keys().eq([&lib]), "the diff may change src/lib.rs alone");
    Ok(changed)
}

fn accept(spec: &Spec) -> Result<()> {
    let checks = spec.run(&spec.list()?, Limit::USUAL, &Progress::hidden())?;
    let refused = checks.iter().find(|check| check.status != Status::Passed);
    if let Some(CheckReport { module, name, message, .. }) = refused {
        bail!(
            "`{module}::{name}` refuses this right answer: loosen the check, or the answer breaks a sentence of the contract and is a mistake\n{message}"
        );
    }
    checks.first().context("the spec has no check").map(|_| ())
}
