//! Opens a page of the built book in the reader's browser.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use scraper::Html;

use crate::check::{ids, nearest};

/// The file to open for `PAGE#ANCHOR`: a page of the book in `out`, with or without its ending.
///
/// Systems drop the `#ANCHOR` of a file on the way to the browser. So an anchor is reached through a
/// small page that goes on to it.
pub fn entry(out: &Path, target: &str) -> Result<PathBuf> {
    let address = page(out, target)?;
    if !address.contains('#') {
        return Ok(out.join(address));
    }
    let entry = out.join("open.html");
    let refresh = format!(
        "<!DOCTYPE html>\n<meta charset=\"utf-8\">\n<title>The book</title>\n\
         <meta http-equiv=\"refresh\" content=\"0; url={address}\">\n\
         <a href=\"{address}\">Go on to the book</a>\n"
    );
    fs::write(&entry, refresh).with_context(|| format!("cannot write {}", entry.display()))?;
    Ok(entry)
}

/// The address of `PAGE#ANCHOR` in the book in `out`: `circuit-breaker.html#trip`.
pub fn page(out: &Path, target: &str) -> Result<String> {
    let (page, anchor) = target.split_once('#').unwrap_or((target, ""));
    let page = page.trim_end_matches(".html").trim_end_matches(".md");
    let page = format!("{}.html", if page.is_empty() { "index" } else { page });
    let Ok(html) = fs::read_to_string(out.join(&page)) else {
        let pages = pages(out)?;
        let near = nearest(&page, pages.iter()).trim_end_matches(".html");
        bail!("the book has no page `{page}`: did you mean `{near}`?");
    };
    if anchor.is_empty() {
        return Ok(page);
    }
    let ids = ids(&Html::parse_document(&html));
    ensure!(
        ids.iter().any(|id| id == anchor),
        "{page} has no `#{anchor}`: did you mean `#{}`?",
        nearest(anchor, ids.iter())
    );
    Ok(format!("{page}#{anchor}"))
}

fn pages(out: &Path) -> Result<Vec<String>> {
    let mut pages = Vec::new();
    for entry in fs::read_dir(out)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if Path::new(&name).extension().is_some_and(|ext| ext == "html") {
            pages.push(name);
        }
    }
    pages.sort();
    Ok(pages)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::entry;
    use crate::render::render;
    use crate::scratch::Scratch;

    #[test]
    fn a_page_is_found_with_or_without_its_ending() {
        let scratch = Scratch::book();
        let out = scratch.root().join("out");
        render(scratch.root(), &out, false).unwrap();
        for (target, file) in [("two", "two.html"), ("two.md", "two.html"), ("", "index.html")] {
            assert_eq!(entry(&out, target).unwrap(), out.join(file), "{target}");
        }
        let path = entry(&out, "one#trip").unwrap();
        let page = fs::read_to_string(path).unwrap();
        assert!(page.contains("url=one.html#trip\""), "{page}");
    }

    #[test]
    fn what_is_not_there_is_refused_with_the_nearest_name() {
        let scratch = Scratch::book();
        let out = scratch.root().join("out");
        render(scratch.root(), &out, false).unwrap();
        let error = |target| entry(&out, target).unwrap_err().to_string();
        assert_eq!(error("tow"), "the book has no page `tow.html`: did you mean `two`?");
        assert_eq!(error("one#tirp"), "one.html has no `#tirp`: did you mean `#trip`?");
    }
}
