//! Renders the book with mdBook.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result};
use mdbook_driver::MDBook;
use mdbook_driver::book::BookItem;
use mdbook_driver::builtin_preprocessors::{IndexPreprocessor, LinkPreprocessor};
use mdbook_driver::config::{Config, HtmlConfig};
use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Level, Metadata, Subscriber};

use crate::breaks::Breaks;
use crate::preprocess::Directives;

/// What came out beside the files.
pub struct Rendered {
    /// The source of each page, by its path in the output: `one.html` → `one.md`.
    pub sources: BTreeMap<String, String>,
    /// What mdBook warned of; it fails on little.
    pub warnings: Vec<String>,
    /// Where the parts of a chapter are that once was one page: `/one.html#trip` → `one/trip.html`.
    pub moved: BTreeMap<String, String>,
}

/// What only the live server's pages have, from `book/`.
const LIVE_SCRIPT: &str = "theme/live.js";
const LIVE_STYLE: &str = "theme/live.css";

/// Renders the book of the workbook at `root` into `out`, whose earlier content goes.
/// `live` adds what the pages of the live server need.
///
/// On an error `out` still holds the earlier content, unless the rendering itself failed.
pub fn render(root: &Path, out: &Path, live: bool) -> Result<Rendered> {
    let warnings = Warnings::default();
    let (sources, moved) = tracing::subscriber::with_default(warnings.clone(), || {
        let book = root.join("book");
        // Not `MDBook::load`: that lets the environment change the configuration.
        let file = book.join("book.toml");
        let mut config = Config::from_disk(&file).with_context(|| file.display().to_string())?;
        // mdBook takes its defaults, all of them, where it cannot read this table.
        config.get::<HtmlConfig>("output.html").with_context(|| file.display().to_string())?;
        out.clone_into(&mut config.build.build_dir);
        config.build.use_default_preprocessors = false;
        if live {
            add(&mut config, "output.html.additional-js", LIVE_SCRIPT)?;
            add(&mut config, "output.html.additional-css", LIVE_STYLE)?;
        }
        let mut book = MDBook::load_with_config(book, config)?;
        let moved = moved(&book);
        let list = "output.html.redirect";
        let mut redirects: BTreeMap<String, String> = book.config.get(list)?.unwrap_or_default();
        redirects.extend(moved.clone());
        book.config.set(list, redirects)?;
        book.with_preprocessor(Directives::new(root))
            .with_preprocessor(LinkPreprocessor::new())
            .with_preprocessor(IndexPreprocessor::new())
            .with_preprocessor(Breaks);
        book.build()?;
        anyhow::Ok((sources(&book), moved))
    })?;
    let warnings = warnings.take();
    Ok(Rendered { sources, warnings, moved })
}

/// Adds a file to a list of files in the configuration.
fn add(config: &mut Config, list: &str, file: &str) -> Result<()> {
    let mut files = config.get::<Vec<String>>(list)?.unwrap_or_default();
    files.push(file.to_owned());
    config.set(list, files)
}

fn sources(book: &MDBook) -> BTreeMap<String, String> {
    let chapters = book.iter().filter_map(|item| match item {
        BookItem::Chapter(chapter) => chapter.path.as_ref(),
        _ => None,
    });
    let slashes = |path: &Path| path.to_string_lossy().replace('\\', "/");
    chapters.map(|path| (slashes(&path.with_extension("html")), slashes(path))).collect()
}

/// Old addresses within chapters that have pages of their own: of a page's name, and of each heading that its chapter's
/// opening doesn't have.
fn moved(book: &MDBook) -> BTreeMap<String, String> {
    let chapters = book.iter().filter_map(|item| match item {
        BookItem::Chapter(chapter) => Some((chapter.path.as_ref()?, chapter)),
        _ => None,
    });
    let mut moved = BTreeMap::new();
    for (path, chapter) in chapters {
        let own = headings(&chapter.content);
        let opening = path.with_extension("html").to_string_lossy().into_owned();
        let pages = chapter.sub_items.iter().filter_map(|item| match item {
            BookItem::Chapter(page) => Some((page.path.as_ref()?, page)),
            _ => None,
        });
        for (path, page) in pages {
            let address = path.with_extension("html").to_string_lossy().replace('\\', "/");
            let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            let parts = headings(&page.content).into_iter();
            let parts = parts.map(|id| (id.clone(), format!("{address}#{id}")));
            for (id, to) in parts.chain([(name, address.clone())]) {
                if !own.contains(&id) {
                    moved.insert(format!("/{opening}#{id}"), to);
                }
            }
        }
    }
    moved
}

/// The ids that mdBook gives to the headings of a page.
fn headings(markdown: &str) -> Vec<String> {
    let mut ids = Vec::new();
    let mut text: Option<String> = None;
    let mut given = None;
    for event in Parser::new_ext(markdown, Options::ENABLE_HEADING_ATTRIBUTES) {
        match event {
            Event::Start(Tag::Heading { id, .. }) => {
                text = Some(String::new());
                given = id.map(|id| id.to_string());
            }
            Event::Text(part) | Event::Code(part) => {
                if let Some(text) = &mut text {
                    text.push_str(&part);
                }
            }
            Event::End(TagEnd::Heading(_)) => {
                let text = text.take().unwrap_or_default().to_lowercase();
                let kept =
                    text.trim().chars().filter(|c| c.is_alphanumeric() || " _-".contains(*c));
                let id = kept.map(|c| if c == ' ' { '-' } else { c }).collect();
                ids.push(given.take().unwrap_or(id));
            }
            _ => {}
        }
    }
    ids
}

/// Collects mdBook's warnings and errors, which it logs.
#[derive(Clone, Default)]
struct Warnings(Arc<Mutex<Vec<String>>>);

impl Warnings {
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Subscriber for Warnings {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= Level::WARN && metadata.target().starts_with("mdbook")
    }

    fn event(&self, event: &tracing::Event<'_>) {
        let mut message = Message(String::new());
        event.record(&mut message);
        let mut warnings = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        warnings.push(message.0);
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

struct Message(String);

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.0 = format!("{value:?}");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::fs;
    use std::path::Path;

    use super::render;
    use crate::scratch::Scratch;

    fn files(folder: &Path, into: &mut BTreeMap<String, Vec<u8>>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                files(&path, into);
            } else {
                into.insert(path.display().to_string(), fs::read(&path).unwrap());
            }
        }
    }

    #[test]
    fn the_same_sources_give_the_same_bytes() {
        let scratch = Scratch::book();
        let every_directive = "# One\n\n{{#steps 02-breaker}}\n\n{{#figure outage | It stops.}}\n\n\
            ## The outage\n\n{{#answer Why?}}\n*So.*\n{{/answer}}\n\n{{#fold All}}\n*So.*\n{{/fold}}\n\n\
            ## Shipped\n\n{{#shipped 02-breaker}}\n";
        scratch.write("book/src/one.md", every_directive);
        let out = scratch.root().join("out");
        let [first, second] = [(), ()].map(|()| {
            let rendered = render(scratch.root(), &out, false).unwrap();
            assert_eq!(rendered.warnings, [""; 0]);
            let mut bytes = BTreeMap::new();
            files(&out, &mut bytes);
            bytes
        });
        assert!(first.keys().any(|path| path.ends_with("one.html")));
        assert_eq!(first.keys().collect::<Vec<_>>(), second.keys().collect::<Vec<_>>());
        for (path, bytes) in &first {
            assert!(bytes == &second[path], "{path} differs");
        }
    }

    #[test]
    fn old_addresses_within_a_chapter_go_on_to_its_pages() {
        let scratch = Scratch::book();
        let out = scratch.root().join("out");
        let moved = render(scratch.root(), &out, false).unwrap().moved;
        let moved: Vec<_> = moved.iter().map(|(from, to)| (from.as_str(), to.as_str())).collect();
        assert_eq!(
            moved,
            [
                ("/one.html#fail-fast", "one/fail-fast.html"),
                ("/one.html#limits-of-two", "one/trip.html#limits-of-two"),
                ("/one.html#quick", "one/fail-fast.html#quick"),
                ("/one.html#trip", "one/trip.html"),
            ]
        );
        let opening = fs::read_to_string(out.join("one.html")).unwrap();
        assert!(opening.contains("\"#fail-fast\":\"one/fail-fast.html\""), "{opening}");
    }

    #[test]
    fn an_unknown_key_fails_the_build() {
        for (key, at) in [("tittle = \"x\"", "[book]"), ("themme = \"x\"", "[output.html]")] {
            let scratch = Scratch::book();
            let toml = format!("[build]\ncreate-missing = false\n{at}\n{key}\n");
            scratch.write("book/book.toml", &toml);
            let result = render(scratch.root(), &scratch.root().join("out"), false);
            let error = format!("{:#}", result.err().expect("the build must fail"));
            assert!(error.contains("unknown field"), "{error}");
        }
    }

    #[test]
    fn a_wrong_directive_fails_the_build_with_chapter_and_line_and_leaves_the_last_one() {
        let scratch = Scratch::book();
        let out = scratch.root().join("out");
        render(scratch.root(), &out, false).unwrap();
        scratch.write("book/src/two.md", "# Two\n\n## The idea\n\n{{#figrue a | b}}\n");
        let result = render(scratch.root(), &out, false);
        let error = format!("{:#}", result.err().expect("the build must fail"));
        let place = Path::new("book/src/two.md").display().to_string();
        assert!(error.starts_with(&format!("{place}:5: ")), "{error}");
        assert!(out.join("two.html").exists());
    }

    #[test]
    fn what_mdbook_only_warns_of_is_reported() {
        let scratch = Scratch::book();
        scratch.write("book/src/two.md", "# Two\n\n## The idea\n\n<div>\n");
        let rendered = render(scratch.root(), &scratch.root().join("out"), false).unwrap();
        assert_eq!(rendered.warnings.len(), 1, "{:?}", rendered.warnings);
        assert!(rendered.warnings[0].contains("unclosed HTML tag `<div>`"));
    }
}
