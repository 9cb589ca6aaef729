//! The figures and tables in the book are those that the programs draw today.

use anyhow::Result;
use workbook::Workbook;

use super::findings::Findings;
use crate::book;
use crate::generated::Mode;
use crate::output::count;

pub fn check(workbook: &Workbook, mode: Mode) -> Result<Findings> {
    let mut found = Findings::default();
    let drawn = book::figures(workbook, mode)?;
    found.tell(count(drawn.files, "file"));
    match mode {
        Mode::Verify => found.wrong.extend(drawn.not_current),
        Mode::Bless => found.told.extend(drawn.not_current),
    }
    Ok(found)
}
