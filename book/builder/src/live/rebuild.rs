//! Builds the book for the live server.

use std::path::Path;

use anyhow::Result;

use crate::render::{Rendered, render};

pub fn build(root: &Path, out: &Path) -> Result<()> {
    let Rendered { warnings, .. } = render(root, out, true)?;
    for warning in warnings {
        eprintln!("warning: {warning}");
    }
    Ok(())
}
