//! How a file that was published comes back.

use std::env;
use std::path::Path;

/// The command that brings a file back, from where the reader stands; `path` is from the root.
#[must_use]
pub fn way_back(root: &Path, path: &str) -> String {
    if !root.ancestors().any(|folder| folder.join(".git").exists()) {
        return format!("take {path} from another copy of the workbook");
    }
    let here = env::current_dir().unwrap_or_default();
    let below = here.strip_prefix(root).map_or(0, |below| below.components().count());
    match below {
        0 => format!("git checkout -- {path}"),
        _ => format!("git -C {} checkout -- {path}", vec![".."; below].join("/")),
    }
}
