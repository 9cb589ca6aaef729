//! The figures and tables in the book are those that the programs draw today.

use std::fs;

use anyhow::{Context as _, Result};

use super::Findings;
use crate::book;
use crate::files;
use crate::output::count;
use crate::workbook::{Workbook, slashes};

pub fn check(workbook: &Workbook) -> Result<Findings> {
    let mut found = Findings::default();
    let fresh_folder = workbook.scratch_dir().join("figures");
    if fresh_folder.exists() {
        fs::remove_dir_all(&fresh_folder)
            .with_context(|| format!("cannot empty {}", fresh_folder.display()))?;
    }
    book::draw_figures(workbook, &fresh_folder)?;
    let fresh = files::read_tree(&fresh_folder)?;
    let in_book = files::read_tree(&workbook.root.join("book").join("src").join("figures"))?;
    for (path, content) in &fresh {
        let path_shown = slashes(path);
        match in_book.get(path) {
            None => found.wrong(format!(
                "book/src/figures/{path_shown} is missing: run `cargo xtask book --figures`"
            )),
            Some(old) if old != content => {
                found.wrong(format!("book/src/figures/{path_shown} is not what the programs draw today: run `cargo xtask book --figures`"));
            }
            Some(_) => {}
        }
    }
    for path in in_book.keys().filter(|path| !fresh.contains_key(*path)) {
        found
            .wrong(format!("book/src/figures/{} is drawn by no program: remove it", slashes(path)));
    }
    found.tell(count(fresh.len(), "file"));
    Ok(found)
}
