//! Another lib.rs in the place of the reader's: built and run under the spec in a workspace of its own,
//! which shares all that is built but the package itself.

use std::path::Path;

use anyhow::{Context as _, Result};
use workbook::{Exercise, Sources, Subject, Workbook, files};

use crate::cargo::{self, Build};
use crate::progress::Progress;
use crate::spec::{Limit, Ran, Spec};
use crate::turn::Turn;

/// Runs the exercise's spec on this lib.rs, among the files that are given there.
pub fn run(workbook: &Workbook, exercise: &Exercise, lib: &[u8]) -> Result<Ran> {
    let scratch = workbook.scratch_dir();
    let root = scratch.join("trial");
    let target = scratch.parent().context("there is no target directory")?;
    let trial = Workbook::copy_at(root.clone(), target.to_owned());

    let turn = Turn::wait(workbook);
    // Another path than the exercise's own: cargo would take the two for one, and build both again.
    let folder = Path::new("trial").join(&exercise.folder);
    let manifest = files::read_text(&workbook.root.join("Cargo.toml"))?;
    let manifest = with_member(&manifest, &format!("trial/{}", exercise.folder), &workbook.root)?;
    files::write(&root.join("Cargo.toml"), manifest.as_bytes())?;
    if let Ok(lock) = files::read(&workbook.root.join("Cargo.lock")) {
        files::write(&root.join("Cargo.lock"), &lock)?;
    }
    let package =
        files::read(&workbook.root.join(exercise.path(Subject::Reader)).join("Cargo.toml"))?;
    files::write(&root.join(&folder).join("Cargo.toml"), &package)?;
    let mut sources = Sources::read(&workbook.root, exercise)?;
    sources.starter.insert("lib.rs".into(), lib.to_owned());
    files::write_tree(&root.join(&folder).join("src"), &sources.starter)?;
    files::write_tree(&root.join(&folder).join("tests"), &sources.tests)?;

    let executable = match cargo::build_spec(&trial, &exercise.package(Subject::Reader))? {
        Build::Ready { executable, .. } => executable,
        Build::Broken(errors) => return Ok(Ran::DoesNotCompile(errors)),
    };
    let program = turn.take(&executable)?;
    let spec = Spec::new(&trial, program.path.clone(), folder);
    let tests = spec.list()?;
    let progress = Progress::new(&exercise.id, tests.len(), "check");
    let checks = spec.run(&tests, Limit::USUAL, &progress)?;
    Ok(Ran::Checks { checks, warnings: Vec::new(), dep_info: None })
}

/// The workspace's manifest with this one member: versions and profiles stay, so that what was built
/// for the exercise serves here too. Packages of the workbook are found from elsewhere.
pub fn with_member(manifest: &str, member: &str, root: &Path) -> Result<String> {
    let below_root = format!("{{ path = \"{}/", root.to_string_lossy().replace('\\', "/"));
    let mut text = String::new();
    let mut skipping = false;
    let mut found = false;
    for line in manifest.lines() {
        let key = line.split('=').next().unwrap_or_default().trim();
        if ["members", "default-members"].contains(&key) {
            if key == "members" {
                text += &format!("members = [\"{member}\"]\n");
                found = true;
            }
            skipping = true;
        }
        if skipping {
            // The list ends with its line, or on a line of its own.
            let code = line.split('#').next().unwrap_or_default();
            skipping = !code.trim_end().ends_with(']');
        } else {
            text += &line.replace("{ path = \"", &below_root);
            text.push('\n');
        }
    }
    found.then_some(text).context("Cargo.toml has no list of members")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_members_are_replaced_and_all_else_stays() {
        let manifest = "[workspace]\nresolver = \"3\"\nmembers = [\n    \"a\", # not [b]\n    \"c\",\n]\ndefault-members = [\"a\"]\n\n[workspace.dependencies]\nd = \"1\"\nw = { path = \"fixtures/w\" }\n";
        let expected = "[workspace]\nresolver = \"3\"\nmembers = [\"trial/x\"]\n\n[workspace.dependencies]\nd = \"1\"\nw = { path = \"/the root/fixtures/w\" }\n";
        let root = Path::new("/the root");
        assert_eq!(with_member(manifest, "trial/x", root).unwrap(), expected);
        assert!(with_member("[package]\n", "trial/x", root).is_err());
    }
}
