//! Variants of a package, built and run side by side in copies of it: they share what else is built, and
//! each rebuilds only what the next variant changes in it.

use std::path::Path;
use std::thread;

use anyhow::Result;
use workbook::files::{self, Tree};
use workbook::{Exercise, Subject, Workbook, slashes};

use super::findings::Findings;
use crate::cargo::{self, Build};
use crate::progress::Progress;
use crate::spec::Spec;

/// Variants in work at a time, for each core: cargo's start is paid once for all of them.
const SIDE_BY_SIDE: usize = 4;

/// Folders below a package's that it is built without.
const NOT_OF_THE_PACKAGE: [&str; 6] = [".starter", "bench", "lab", "live", "mistakes", "right"];

/// Some files of a package changed.
pub struct Variant<T> {
    /// The file that it comes from.
    pub name: String,
    /// By path below the package's folder.
    pub changed: Tree,
    pub what: T,
}

/// Builds each variant and has its spec judged, several at a time. What does not compile, and what a judge
/// says, are findings.
pub fn judge_each<T: Sync>(
    scratch: &Workbook,
    exercise: &Exercise,
    subject: Subject,
    variants: &[Variant<T>],
    noun: &'static str,
    judge: impl Fn(&Spec, &T) -> Result<()> + Sync,
) -> Result<Findings> {
    let mut found = Findings::default();
    if variants.is_empty() {
        return Ok(found);
    }
    let original = files::read_tree(&scratch.root.join(exercise.path(subject)))?;
    let progress = Progress::new(&exercise.id, variants.len(), noun);
    let side_by_side = SIDE_BY_SIDE * thread::available_parallelism().map_or(2, usize::from);
    let side_by_side = side_by_side.min(variants.len());
    let copies: Vec<_> = (1..=side_by_side).map(|n| Copy::of(exercise, subject, n)).collect();
    for variants in variants.chunks(side_by_side) {
        for (copy, variant) in copies.iter().zip(variants) {
            copy.write(scratch, &original, &variant.changed)?;
        }
        let packages: Vec<_> =
            copies.iter().take(variants.len()).map(|copy| copy.package.as_str()).collect();
        let builds = cargo::build_specs(scratch, &packages)?;
        let judge = &|copy: &Copy, variant: &Variant<T>, build| {
            let folder = Path::new("solutions").join(&copy.package);
            let judged = match build {
                Build::Ready { executable, .. } => {
                    judge(&Spec::new(scratch, executable, folder.clone()), &variant.what)
                }
                Build::Broken(errors) => {
                    Err(anyhow::anyhow!("it does not compile:\n{}", errors.join("\n")))
                }
            };
            progress.step();
            judged.map_err(|error| {
                let of_original = slashes(&exercise.path(subject));
                let error = format!("{error:#}").replace(&slashes(&folder), &of_original);
                format!("{}: {error}", variant.name)
            })
        };
        thread::scope(|scope| {
            let variants = copies.iter().zip(variants).zip(builds);
            let judges: Vec<_> = variants
                .map(|((copy, variant), build)| scope.spawn(move || judge(copy, variant, build)))
                .collect();
            for judged in
                judges.into_iter().map(|judge| judge.join().expect("a judge doesn't panic"))
            {
                if let Err(error) = judged {
                    found.wrong(error);
                }
            }
        });
    }
    Ok(found)
}

/// A copy of a package among the solutions of the scratch copy, where cargo finds it. Its folder has the
/// package's name.
struct Copy {
    package: String,
    original: String,
}

impl Copy {
    fn of(exercise: &Exercise, subject: Subject, number: usize) -> Self {
        let original = exercise.package(subject);
        Self { package: format!("{original}-{number}"), original }
    }

    fn write(&self, scratch: &Workbook, original: &Tree, changed: &Tree) -> Result<()> {
        let folder = scratch.root.join("solutions").join(&self.package);
        let is_own =
            |path: &Path| !NOT_OF_THE_PACKAGE.iter().any(|folder| path.starts_with(folder));
        for (path, content) in original.iter().filter(|(path, _)| is_own(path)) {
            let content = changed.get(path).unwrap_or(content);
            if path == Path::new("Cargo.toml") {
                files::write(&folder.join(path), self.manifest(content).as_bytes())?;
            } else {
                files::write(&folder.join(path), content)?;
            }
        }
        Ok(())
    }

    /// Another package, the same library.
    fn manifest(&self, original: &[u8]) -> String {
        let library = self.original.replace('-', "_");
        let manifest = String::from_utf8_lossy(original).replacen(
            &format!("name = \"{}\"", self.original),
            &format!("name = \"{}\"", self.package),
            1,
        );
        match manifest.replacen("[lib]", &format!("[lib]\nname = \"{library}\""), 1) {
            named if named != manifest => named,
            _ => format!("{manifest}\n[lib]\nname = \"{library}\"\n"),
        }
    }
}
