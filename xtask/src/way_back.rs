//! How a file that was published comes back.

use std::env;

use workbook::Workbook;

/// The command that brings a file back, from where the reader stands; `path` is from the root.
pub fn way_back(workbook: &Workbook, path: &str) -> String {
    if !workbook.root.ancestors().any(|folder| folder.join(".git").exists()) {
        return format!("take {path} from another copy of the workbook");
    }
    let here = env::current_dir().unwrap_or_default();
    let below = here.strip_prefix(&workbook.root).map_or(0, |below| below.components().count());
    match below {
        0 => format!("git checkout -- {path}"),
        _ => format!("git -C {} checkout -- {path}", vec![".."; below].join("/")),
    }
}
