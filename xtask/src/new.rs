//! `cargo xtask new`: a draft of an exercise that `check` accepts, to be written over.

use std::path::Path;

use anyhow::{Result, bail, ensure};
use workbook::files::{self, Tree};
use workbook::{Workbook, slashes};

use crate::cargo;
use crate::output::{self, bold};
use crate::self_check;

#[derive(clap::Args)]
pub struct Args {
    /// The folder of the exercise: its number and its id, such as 08-load-shedding
    #[arg(value_name = "NN-NAME")]
    folder: String,
    /// What the book calls it; without it, the id in words
    #[arg(long)]
    title: Option<String>,
}

/// Each file of the template with its place, in both of which words between underscores are filled in.
const FILES: &[(&str, &str)] = &[
    ("exercises/__FOLDER__/exercise.toml", include_str!("../template/exercise/exercise.toml")),
    ("exercises/__FOLDER__/Cargo.toml", include_str!("../template/exercise/Cargo.toml")),
    ("exercises/__FOLDER__/src/lib.rs", include_str!("../template/exercise/src/lib.rs")),
    ("exercises/__FOLDER__/tests/spec.rs", include_str!("../template/exercise/tests/spec.rs")),
    (
        "exercises/__FOLDER__/tests/steps/mod.rs",
        include_str!("../template/exercise/tests/steps/mod.rs"),
    ),
    (
        "exercises/__FOLDER__/tests/steps/step_1_begin.rs",
        include_str!("../template/exercise/tests/steps/step_1_begin.rs"),
    ),
    ("exercises/__FOLDER__/lab/Cargo.toml", include_str!("../template/exercise/lab/Cargo.toml")),
    ("exercises/__FOLDER__/lab/src/main.rs", include_str!("../template/exercise/lab/src/main.rs")),
    (
        "exercises/__FOLDER__/bench/Cargo.toml",
        include_str!("../template/exercise/bench/Cargo.toml"),
    ),
    (
        "exercises/__FOLDER__/bench/benches/__ID__.rs",
        include_str!("../template/exercise/bench/benches/bench.rs"),
    ),
    ("solutions/__FOLDER__/Cargo.toml", include_str!("../template/solution/Cargo.toml")),
    ("solutions/__FOLDER__/src/lib.rs", include_str!("../template/solution/src/lib.rs")),
    ("solutions/__FOLDER__/src/root.rs", include_str!("../template/solution/src/root.rs")),
    ("solutions/__FOLDER__/tests/spec.rs", include_str!("../template/solution/tests/spec.rs")),
    (
        "solutions/__FOLDER__/mistakes/one-too-many.patch",
        include_str!("../template/solution/mistakes/one-too-many.patch"),
    ),
    ("book/src/__ID__.md", include_str!("../template/chapter/opening.md")),
    ("book/src/__ID__/begin.md", include_str!("../template/chapter/begin.md")),
    ("book/src/__ID__/lab.md", include_str!("../template/chapter/lab.md")),
    ("book/src/__ID__/production.md", include_str!("../template/chapter/production.md")),
];

pub fn run(workbook: &Workbook, args: &Args) -> Result<bool> {
    let folder = &args.folder;
    let id = id(folder)?;
    for exercise in workbook.exercises()? {
        ensure!(exercise.id != id, "there is an exercise `{id}` already: {}", exercise.folder);
        ensure!(
            folder.split('-').next() != Some(exercise.number()),
            "{} has this number already",
            exercise.folder
        );
    }
    let title = args.title.clone().unwrap_or_else(|| in_words(id));
    let fill = |text: &str| {
        text.replace("__FOLDER__", folder)
            .replace("__CRATE__", &id.replace('-', "_"))
            .replace("__ID__", id)
            .replace("__TITLE__", &title)
    };
    let mut tree = Tree::new();
    for (path, text) in FILES {
        let path: std::path::PathBuf = fill(path).split('/').collect();
        ensure!(!workbook.root.join(&path).exists(), "{} exists already", slashes(&path));
        tree.insert(path, fill(text).into_bytes());
    }
    let manifest = with_members(&files::read_text(&workbook.root.join("Cargo.toml"))?, folder)?;
    let summary = Path::new("book").join("src").join("SUMMARY.md");
    let contents = with_chapter(&files::read_text(&workbook.root.join(&summary))?, id, &title);
    tree.insert("Cargo.toml".into(), manifest.into_bytes());
    tree.insert(summary, contents.into_bytes());
    files::write_tree(&workbook.root, &tree)?;
    // How lines break depends on the length of the name.
    let packages = [String::new(), "-lab".to_owned(), "-bench".to_owned(), "-solution".to_owned()]
        .map(|kind| format!("--package={id}{kind}"));
    let format: Vec<_> = ["fmt"].into_iter().chain(packages.iter().map(String::as_str)).collect();
    cargo::must_stream(workbook, &format, "`cargo fmt`, which breaks its lines,")?;
    let wrong = self_check::bless(workbook, folder)?;
    ensure!(wrong.is_empty(), "the template is not in order:\n{}", wrong.join("\n"));

    let written: String = tree.keys().map(|path| format!("   {}\n", slashes(path))).collect();
    output::out(&format!(
        "{} is a draft: lists leave it out, and so does `verify` without a name.\n{written}\n \
         look     cargo xtask verify {id}\n \
         hold     cargo xtask check {id}\n \
         storm    cargo xtask lab {id}\n \
         renew    cargo xtask check --bless {id}, after each change of its starter or its spec\n \
         publish  remove `draft = true` from exercises/{folder}/exercise.toml, then cargo xtask check --bless",
        bold(folder)
    ));
    Ok(true)
}

/// `load-shedding` for `08-load-shedding`.
fn id(folder: &str) -> Result<&str> {
    let is_word = |word: &str| {
        word.starts_with(|c: char| c.is_ascii_lowercase())
            && word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
    };
    match folder.split_once('-') {
        Some((number, id))
            if number.len() == 2
                && number.bytes().all(|byte| byte.is_ascii_digit())
                && id.split('-').all(is_word) =>
        {
            Ok(id)
        }
        _ => bail!(
            "`{folder}` is not a number of two digits and an id in small letters, such as 08-load-shedding"
        ),
    }
}

/// `Load shedding` for `load-shedding`.
fn in_words(id: &str) -> String {
    let words = id.replace('-', " ");
    words[..1].to_uppercase() + &words[1..]
}

/// The workspace's manifest with the packages of an exercise among its members, where their names belong.
fn with_members(manifest: &str, folder: &str) -> Result<String> {
    let mut text = String::new();
    let mut to_add = vec![folder.to_owned(), format!("{folder}/bench"), format!("{folder}/lab")];
    let mut seen = false;
    for line in manifest.split_inclusive('\n') {
        let member = line.trim().strip_prefix("\"exercises/");
        let is_later = member.map(|member| member > folder);
        if is_later == Some(true) || (seen && is_later.is_none()) {
            text.extend(to_add.drain(..).map(|member| format!("    \"exercises/{member}\",\n")));
        }
        seen |= member.is_some();
        text += line;
    }
    ensure!(
        to_add.is_empty(),
        "Cargo.toml names no exercise in a line of its own among its `members`"
    );
    Ok(text)
}

/// The table of contents with the chapter and its pages: in the place of a line that announces it, or else at the end.
fn with_chapter(contents: &str, id: &str, title: &str) -> String {
    let chapter = format!(
        "- [{title}]({id}.md)\n  - [As many as there is room for]({id}/begin.md)\n  \
         - [The lab]({id}/lab.md)\n  - [In production]({id}/production.md)\n"
    );
    let announced = format!("- [{title}]()\n");
    if contents.contains(&announced) {
        return contents.replacen(&announced, &chapter, 1);
    }
    format!("{}\n{chapter}", contents.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_a_number_and_an_id() {
        assert_eq!(id("08-load-shedding").unwrap(), "load-shedding");
        for wrong in [
            "load-shedding",
            "8-load",
            "08-",
            "08-Load",
            "08-load--shedding",
            "08-9lives",
            "../08-x",
        ] {
            assert!(id(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn members_stay_in_order() {
        let manifest = "members = [\n    \"book\",\n    \"exercises/01-a\",\n    \"exercises/01-a/lab\",\n    \"exercises/03-c\",\n    \"xtask\",\n]\n";
        let lines = |folder| {
            let with = with_members(manifest, folder).unwrap();
            let position =
                |member: &str| with.lines().position(|line| line == format!("    \"{member}\","));
            [
                position(&format!("exercises/{folder}")),
                position("exercises/03-c"),
                position("xtask"),
            ]
        };
        assert_eq!(lines("02-b"), [Some(4), Some(7), Some(8)]);
        assert_eq!(lines("04-d"), [Some(5), Some(4), Some(8)]);
        assert!(with_members("members = [\"exercises/01-a\"]\n", "02-b").is_err());
    }

    #[test]
    fn a_chapter_takes_the_place_of_its_announcement() {
        let chapter = "- [B](b.md)\n  - [As many as there is room for](b/begin.md)\n  - [The lab](b/lab.md)\n  - [In production](b/production.md)\n";
        assert_eq!(
            with_chapter("- [A](a.md)\n- [B]()\n- [C](c.md)\n", "b", "B"),
            format!("- [A](a.md)\n{chapter}- [C](c.md)\n")
        );
        assert_eq!(with_chapter("- [A](a.md)\n", "b", "B"), format!("- [A](a.md)\n{chapter}"));
    }
}
