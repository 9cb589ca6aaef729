//! Opens a page of the built book in the reader's browser.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use scraper::Html;
use workbook::{files, slashes};

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

/// The address of `PAGE#ANCHOR` in the book in `out`: `circuit-breaker/trip.html#mistakes`. An anchor that has moved to
/// another page of its chapter is found there.
pub fn page(out: &Path, target: &str) -> Result<String> {
    let (page, anchor) = target.split_once('#').unwrap_or((target, ""));
    let page = page.trim_end_matches(".html").trim_end_matches(".md");
    let page = if page.is_empty() { "index" } else { page };
    let pages = pages(out)?;
    let Some(html) = pages.get(page) else {
        let near = nearest(page, pages.keys());
        bail!("the book has no page `{page}.html`: did you mean `{near}`?");
    };
    if anchor.is_empty() {
        return Ok(format!("{page}.html"));
    }
    let ids = |html: &str| ids(&Html::parse_document(html));
    let own = ids(html);
    if own.iter().any(|id| id == anchor) {
        return Ok(format!("{page}.html#{anchor}"));
    }
    let step = format!("{page}/{anchor}");
    if pages.contains_key(&step) {
        return Ok(format!("{step}.html"));
    }
    let of_chapter = |name: &str| name.strip_prefix(page).is_some_and(|rest| rest.starts_with('/'));
    for (name, html) in pages.iter().filter(|(name, _)| of_chapter(name)) {
        if ids(html).iter().any(|id| id == anchor) {
            return Ok(format!("{name}.html#{anchor}"));
        }
    }
    bail!("{page}.html has no `#{anchor}`: did you mean `#{}`?", nearest(anchor, own.iter()))
}

/// The pages by their paths without the ending.
fn pages(out: &Path) -> Result<BTreeMap<String, String>> {
    let mut pages = BTreeMap::new();
    for (path, content) in files::read_tree(out)? {
        // toc.html is a frame of each page.
        if let Some(name) = slashes(&path).strip_suffix(".html").filter(|name| *name != "toc") {
            pages.insert(name.to_owned(), String::from_utf8_lossy(&content).into_owned());
        }
    }
    Ok(pages)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{entry, page};
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
        let path = entry(&out, "two#the-idea").unwrap();
        let page = fs::read_to_string(path).unwrap();
        assert!(page.contains("url=two.html#the-idea\""), "{page}");
    }

    #[test]
    fn what_stood_in_a_chapter_before_it_had_pages_is_found() {
        let scratch = Scratch::book();
        let out = scratch.root().join("out");
        render(scratch.root(), &out, false).unwrap();
        for (target, address) in [
            ("one/trip", "one/trip.html"),
            ("one#trip", "one/trip.html"),
            ("one#limits-of-two", "one/trip.html#limits-of-two"),
            ("one#the-outage", "one.html#the-outage"),
        ] {
            assert_eq!(page(&out, target).unwrap(), address, "{target}");
        }
    }

    #[test]
    fn what_is_not_there_is_refused_with_the_nearest_name() {
        let scratch = Scratch::book();
        let out = scratch.root().join("out");
        render(scratch.root(), &out, false).unwrap();
        let error = |target| entry(&out, target).unwrap_err().to_string();
        assert_eq!(error("tow"), "the book has no page `tow.html`: did you mean `two`?");
        assert_eq!(error("two#the-ida"), "two.html has no `#the-ida`: did you mean `#the-idea`?");
    }
}
