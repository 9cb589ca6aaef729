//! Checks the rendered book: what a reader would find broken, a build should find first.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use scraper::{ElementRef, Html, Selector};

use workbook::Workbook;

use crate::render::{Rendered, render};

/// What the check found.
pub struct Report {
    /// A line each: the chapter, what is wrong, what to do.
    pub findings: Vec<String>,
    pub pages: usize,
    pub figures: usize,
    pub links: usize,
    /// Links that leave the book; they are not fetched.
    pub external: usize,
}

/// Builds the book of the workbook at `root` into a temporary folder and checks it.
pub fn check(root: &Path) -> Result<Report> {
    let out = tempfile::tempdir()?;
    let rendered = render(root, out.path(), false)?;
    let site = Site::load(out.path(), &rendered)?;
    let mut report = site.report();
    report.findings.extend(site.misled(&rendered.moved));
    report.findings.extend(site.incomplete_steps(root)?);
    let warnings = rendered.warnings.iter();
    report.findings.extend(warnings.map(|warning| format!("mdBook warns: {warning}")));
    Ok(report)
}

/// Attributes whose target is loaded when the page is read, not when a link is followed.
const RESOURCES: [&str; 13] = [
    "audio[src]",
    "embed[src]",
    "iframe[src]",
    "image[href]",
    "img[src]",
    "input[src]",
    "link[href]",
    "object[data]",
    "script[src]",
    "source[src]",
    "track[src]",
    "use[href]",
    "video[src]",
];

/// The rendered pages, and every file beside them.
struct Site {
    pages: BTreeMap<String, Page>,
    files: BTreeSet<String>,
    styles: BTreeMap<String, String>,
    sources: BTreeMap<String, String>,
}

struct Page {
    html: Html,
    ids: BTreeSet<String>,
}

/// The ids in the text of a page, in order.
pub fn ids(html: &Html) -> Vec<String> {
    html.select(&select("main [id]"))
        .filter_map(|element| element.attr("id"))
        .map(str::to_owned)
        .collect()
}

impl Site {
    fn load(out: &Path, rendered: &Rendered) -> Result<Self> {
        let mut site = Self {
            pages: BTreeMap::new(),
            files: BTreeSet::new(),
            styles: BTreeMap::new(),
            sources: rendered.sources.clone(),
        };
        let mut folders = vec![PathBuf::new()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(out.join(&folder))? {
                let entry = entry?;
                let path = folder.join(entry.file_name());
                if entry.file_type()?.is_dir() {
                    folders.push(path);
                    continue;
                }
                let name = path.to_string_lossy().replace('\\', "/");
                let read = || fs::read_to_string(entry.path()).with_context(|| name.clone());
                match path.extension().and_then(|extension| extension.to_str()) {
                    Some("html") => {
                        let html = Html::parse_document(&read()?);
                        let ids = ids(&html).into_iter().collect();
                        site.pages.insert(name.clone(), Page { html, ids });
                    }
                    Some("css") => {
                        site.styles.insert(name.clone(), read()?);
                    }
                    _ => {}
                }
                site.files.insert(name);
            }
        }
        Ok(site)
    }

    fn report(&self) -> Report {
        let mut findings = Vec::new();
        let (mut links, mut external, mut figures) = (0, BTreeSet::new(), 0);
        for name in self.sources.keys() {
            let Some(page) = self.pages.get(name) else {
                findings.push(format!("{name} was not written"));
                continue;
            };
            let mut find = |what: String| findings.push(format!("{}: {what}", self.chapter(name)));
            figures += check_figures(page, &mut find);
            check_headings(page, &mut find);
            check_ids(page, &mut find);
            check_leftovers(page, &mut find);
            if !LOOKED_UP.contains(&name.as_str()) {
                check_length(page, &mut find);
            }
        }
        // index.html repeats the first chapter and print.html all of them: what is wrong with one of
        // these alone shows once the chapters are sound.
        let (chapters, joined): (Vec<_>, Vec<_>) =
            self.pages.keys().partition(|name| self.sources.contains_key(*name));
        for names in [chapters, joined] {
            if !findings.is_empty() {
                break;
            }
            for name in names {
                for target in targets(&self.pages[name].html) {
                    links += 1;
                    if target.is_external() && !target.resource {
                        external.insert(target.url.to_owned());
                    } else if let Err(what) = self.resolve(name, &target) {
                        findings.push(format!("{}: {what}", self.chapter(name)));
                    }
                }
            }
        }
        for (name, style) in &self.styles {
            for url in style_urls(style) {
                let target = Target { url, resource: true };
                if let Err(what) = self.resolve(name, &target) {
                    findings.push(format!("{name}: {what}"));
                }
            }
        }
        Report { findings, pages: self.sources.len(), figures, links, external: external.len() }
    }

    /// Old addresses that lead nowhere.
    fn misled(&self, moved: &BTreeMap<String, String>) -> Vec<String> {
        let leads_nowhere = |(from, to): (&String, &String)| {
            let found = self.resolve("index.html", &Target { url: to, resource: false });
            found.err().map(|what| format!("the old address {from} {what}"))
        };
        moved.iter().filter_map(leads_nowhere).collect()
    }

    /// Pages of steps without their checks or their mistakes.
    fn incomplete_steps(&self, root: &Path) -> Result<Vec<String>> {
        let mut findings = Vec::new();
        for exercise in Workbook::at(root).exercises()? {
            let mistakes = exercise.mistakes(root)?;
            for step in &exercise.steps {
                let (page, number) = (exercise.page(Some(step)), step.number);
                let has = |list: &str| {
                    let list =
                        format!("{list}[data-exercise='{}'][data-step='{}']", exercise.id, step.id);
                    let page = self.pages.get(&format!("{page}.html"));
                    page.is_some_and(|page| page.html.select(&select(&list)).next().is_some())
                };
                let of_step =
                    mistakes.iter().any(|(_, it)| it.as_ref().is_ok_and(|it| it.step == number));
                for (list, directive, is_needed) in
                    [("ul.checks", "checks", true), ("details.mistakes", "mistakes", of_step)]
                {
                    if is_needed && !has(list) {
                        let folder = &exercise.folder;
                        findings.push(format!(
                            "{page}.md: add `{{{{#{directive} {folder} {number}}}}}`: the page of a step shows its {directive}"
                        ));
                    }
                }
            }
        }
        Ok(findings)
    }

    /// The chapter that a page was made of.
    fn chapter<'a>(&'a self, page: &'a str) -> &'a str {
        self.sources.get(page).map_or(page, String::as_str)
    }

    fn resolve(&self, from: &str, target: &Target<'_>) -> Result<(), String> {
        let url = target.url;
        if target.is_external() {
            return Err(format!(
                "loads `{url}` from the network: put the file below book/src and link it from there"
            ));
        }
        let (path, anchor) = url.split_once('#').unwrap_or((url, ""));
        let path = path.split('?').next().unwrap_or_default();
        let file = if path.is_empty() {
            from.to_owned()
        } else {
            join(from, path).ok_or_else(|| {
                format!("links to `{url}`, which is outside of the book: a reader of the book alone doesn't have it")
            })?
        };
        if !self.files.contains(&file) {
            let near = nearest(&file, self.files.iter());
            return Err(format!(
                "links to `{url}`, but the book has no {file}: did you mean {near}?"
            ));
        }
        let Some(page) = self.pages.get(&file) else {
            return Ok(());
        };
        if anchor.is_empty() || page.ids.contains(anchor) {
            return Ok(());
        }
        let near = nearest(anchor, page.ids.iter());
        Err(format!(
            "links to `{url}`, but {} has no `#{anchor}`: did you mean `#{near}`?",
            self.chapter(&file)
        ))
    }
}

/// Where a page or a style points to.
struct Target<'a> {
    url: &'a str,
    /// Whether it is loaded with the page.
    resource: bool,
}

impl Target<'_> {
    /// Whether it begins with a scheme or a host.
    fn is_external(&self) -> bool {
        let scheme = self.url.split_once(':').map_or("", |(scheme, _)| scheme);
        let is_scheme = |c: char| c.is_ascii_alphanumeric() || "+-.".contains(c);
        self.url.starts_with("//") || !scheme.is_empty() && scheme.chars().all(is_scheme)
    }
}

fn targets(html: &Html) -> Vec<Target<'_>> {
    let mut targets = Vec::new();
    for element in html.select(&select("a[href]")) {
        targets.extend(element.attr("href").map(|url| (url, false)));
    }
    for selector in RESOURCES {
        let attribute = selector.split(['[', ']']).nth(1).expect("an attribute");
        for element in html.select(&select(selector)) {
            targets.extend(element.attr(attribute).map(|url| (url, true)));
        }
    }
    for element in html.select(&select("[style]")) {
        let urls = element.attr("style").into_iter().flat_map(style_urls);
        targets.extend(urls.map(|url| (url, true)));
    }
    for element in html.select(&select("style")) {
        let urls = element.text().flat_map(style_urls);
        targets.extend(urls.map(|url| (url, true)));
    }
    let target = |(url, resource)| Target { url, resource };
    targets
        .into_iter()
        .filter(|(url, resource)| !(*resource && url.starts_with("data:")))
        .map(target)
        .collect()
}

/// The targets of `url(…)` and `@import "…"` in a style sheet, without those that hold their data.
fn style_urls(style: &str) -> impl Iterator<Item = &str> {
    let urls = style.split("url(").skip(1).filter_map(|rest| rest.split(')').next());
    let imports = style.split("@import").skip(1);
    let imports = imports.filter_map(|rest| rest.trim_start().strip_prefix(['"', '\'']));
    let imports = imports.filter_map(|rest| rest.split(['"', '\'']).next());
    urls.chain(imports)
        .map(|url| url.trim().trim_matches(['"', '\'']))
        .filter(|url| !url.starts_with("data:"))
}

/// The path that `link` means on the page `from`, or nothing where it leaves the book.
fn join(from: &str, link: &str) -> Option<String> {
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in link.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// The name that is written most alike.
pub fn nearest<'a>(name: &str, names: impl Iterator<Item = &'a String>) -> &'a str {
    names
        .max_by(|a, b| strsim::jaro(name, a).total_cmp(&strsim::jaro(name, b)))
        .map_or("", String::as_str)
}

fn check_figures(page: &Page, find: &mut impl FnMut(String)) -> usize {
    let mut count = 0;
    for figure in page.html.select(&select("main figure")) {
        count += 1;
        let name = figure.attr("id").unwrap_or("a figure without id");
        for (part, fix) in [
            ("svg > title", "say in a few words what it is"),
            ("svg > desc", "say what it shows, with the numbers, to who cannot see it"),
            ("figcaption", "write the caption after the `|`"),
        ] {
            let selector = select(part);
            let mut texts = figure.select(&selector).map(text);
            if texts.all(|text| text.trim().is_empty()) {
                find(format!("{name} has no <{part}>: {fix}"));
            }
        }
    }
    count
}

fn check_headings(page: &Page, find: &mut impl FnMut(String)) {
    let mut last = 0;
    for heading in page.html.select(&select("main :is(h1, h2, h3, h4, h5, h6)")) {
        let level = heading.value().name()[1..].parse().unwrap_or(1);
        let title = text(heading);
        if level == 1 && last > 0 {
            find(format!("`{title}` is a second title: a chapter has one `# …`"));
        } else if level > last + 1 {
            find(format!(
                "heading `{title}` is level {level} below level {last}: give it level {}",
                last + 1
            ));
        }
        last = level;
    }
    if last == 0 {
        find("has no heading: begin it with `# Title`".to_owned());
    }
}

fn check_ids(page: &Page, find: &mut impl FnMut(String)) {
    let mut seen = BTreeSet::new();
    for id in ids(&page.html) {
        if seen.contains(&id) {
            find(format!(
                "the id `{id}` stands there twice: rename a heading, or show a figure once"
            ));
        }
        seen.insert(id);
    }
    for element in page.html.select(&select("main [aria-labelledby], main [aria-describedby]")) {
        let attributes = ["aria-labelledby", "aria-describedby"];
        let names = attributes.into_iter().filter_map(|name| element.attr(name));
        for id in names.flat_map(str::split_whitespace) {
            if !seen.contains(id) {
                find(format!(
                    "a label refers to the id `{id}`, which is not there: mend the figure"
                ));
            }
        }
    }
}

/// Pages that nobody reads from top to bottom.
const LOOKED_UP: [&str; 2] = ["glossary.html", "bibliography.html"];

/// The longest that a page may take to read, in seconds: a sitting.
const SITTING: f64 = 6.0 * 60.0;
const WORDS_PER_SECOND: f64 = 220.0 / 60.0;
/// For a line of code, or a row of a table.
const SECONDS_PER_LINE: f64 = 3.0;
const SECONDS_PER_FIGURE: f64 = 10.0;

fn check_length(page: &Page, find: &mut impl FnMut(String)) {
    let seconds: f64 = page.html.select(&select("main")).map(reading_time).sum();
    if seconds > SITTING {
        find(format!(
            "takes {:.1} minutes to read, and a page is a sitting of six at most (220 words a minute, 3 s for a line of code or a row of \
             a table, 10 s for a figure): give a part a page of its own, or fold what is only looked up",
            seconds / 60.0
        ));
    }
}

/// In seconds. What most readers leave folded doesn't count: hints, mistakes, and tables in full.
fn reading_time(element: ElementRef<'_>) -> f64 {
    let value = element.value();
    let is = |class| value.classes().any(|own| own == class);
    match value.name() {
        "details" if ["fold", "hint", "mistakes"].into_iter().any(is) => 0.0,
        "nav" | "script" | "style" => 0.0,
        "svg" => SECONDS_PER_FIGURE,
        "pre" => SECONDS_PER_LINE * lines(&text(element)),
        "tr" => SECONDS_PER_LINE,
        _ => element
            .children()
            .map(|child| match child.value().as_text() {
                Some(text) => words(text) / WORDS_PER_SECOND,
                None => ElementRef::wrap(child).map_or(0.0, reading_time),
            })
            .sum(),
    }
}

#[expect(clippy::cast_precision_loss, reason = "a page has no 2⁵³ words")]
fn words(text: &str) -> f64 {
    text.split_whitespace().count() as f64
}

#[expect(clippy::cast_precision_loss, reason = "nor lines")]
fn lines(text: &str) -> f64 {
    text.lines().count() as f64
}

fn check_leftovers(page: &Page, find: &mut impl FnMut(String)) {
    for main in page.html.select(&select("main")) {
        let text = text(main);
        for line in text.lines().filter(|line| line.contains("{{#") || line.contains("{{/")) {
            find(format!("`{}` is still there: it was not replaced", line.trim()));
        }
    }
}

fn text(element: ElementRef<'_>) -> String {
    element.text().collect()
}

/// A selector that this file makes.
fn select(selector: &str) -> Selector {
    Selector::parse(selector).expect("a valid selector")
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::scratch::Scratch;

    fn findings(path: &str, text: &str) -> Vec<String> {
        let scratch = Scratch::book();
        scratch.write(path, text);
        check(scratch.root()).unwrap().findings
    }

    #[test]
    fn a_sound_book_has_no_findings() {
        let scratch = Scratch::book();
        scratch.write(
            "book/src/two.md",
            "# Two\n\n## The idea\n\n{{#figure outage | It stops.}}\n\n[out](https://example.com)\n",
        );
        let report = check(scratch.root()).unwrap();
        assert_eq!(report.findings, [""; 0]);
        assert_eq!((report.pages, report.figures, report.external), (4, 1, 1));
    }

    #[test]
    fn each_broken_thing_is_found_with_its_chapter_and_the_remedy() {
        let cases = [
            (
                "[a](tow.md)",
                "links to `tow.html`, but the book has no tow.html: did you mean two.html?",
            ),
            ("[a](one.md#the-otage)", "one.md has no `#the-otage`: did you mean `#the-outage`?"),
            ("[a](#the-ideas)", "two.md has no `#the-ideas`: did you mean `#the-idea`?"),
            ("[a](../../README.md)", "outside of the book"),
            ("![a](figures/outrage.svg)", "did you mean figures/outage.svg?"),
            (
                "![a](https://example.com/a.png)",
                "loads `https://example.com/a.png` from the network",
            ),
            ("<p style=\"background: url(//example.com/a)\">a</p>", "loads `//example.com/a`"),
            ("#### Deep", "heading `Deep` is level 4 below level 2: give it level 3"),
            ("# Again", "`Again` is a second title"),
            ("<p id=\"the-idea\">a</p>", "the id `the-idea` stands there twice"),
            ("<p aria-labelledby=\"gone\">a</p>", "a label refers to the id `gone`"),
            ("<figure id=\"f\"></figure>", "f has no <svg > desc>"),
            (r"\{{#include a}}", "`{{#include a}}` is still there"),
        ];
        for (line, finding) in cases {
            let text = format!("# Two\n\n## The idea\n\n{line}\n");
            let findings = findings("book/src/two.md", &text);
            let found = |f: &String| f.starts_with("two.md: ") && f.contains(finding);
            assert!(findings.iter().any(found), "{findings:?}\nlacks: {finding}");
        }
    }

    #[test]
    fn a_page_of_more_than_a_sitting_is_found_and_what_is_folded_is_left_out() {
        let page = |words: usize| format!("# Two\n\n## The idea\n\n{}\n", "word ".repeat(words));
        // 220 a minute, and the words of the two headings.
        assert_eq!(findings("book/src/two.md", &page(6 * 220 - 3)), [""; 0]);
        let long = findings("book/src/two.md", &page(6 * 220 + 10));
        assert!(long[0].starts_with("two.md: takes 6.1 minutes to read"), "{long:?}");
        let code = format!("# Two\n\n## The idea\n\n```text\n{}```\n", "a b c\n".repeat(121));
        assert!(findings("book/src/two.md", &code)[0].contains("takes 6.1 minutes"));
        let folded =
            page(6 * 220 - 10) + "\n{{#fold All}}\n\na b c d e f g h i j k l\n\n{{/fold}}\n";
        assert_eq!(findings("book/src/two.md", &folded), [""; 0]);
    }

    #[test]
    fn a_step_without_its_checks_or_mistakes_is_found() {
        let found = findings("book/src/one/trip.md", "# Trip\n");
        let expected = ["checks", "mistakes"].map(|what| {
            format!("one/trip.md: add `{{{{#{what} 02-breaker 1}}}}`: the page of a step shows its {what}")
        });
        assert_eq!(found, expected);
    }

    #[test]
    fn a_style_sheet_that_loads_from_the_network_is_found() {
        let scratch = Scratch::book();
        scratch.write("book/src/extra.css", "@import 'https://example.com/x.css';");
        scratch.write("book/src/font.css", "a { background: url(gone.woff2) }");
        let findings = check(scratch.root()).unwrap().findings;
        assert_eq!(findings.len(), 2, "{findings:?}");
        assert!(findings[0].starts_with("extra.css: loads `https://example.com/x.css`"));
        assert!(findings[1].starts_with("font.css: links to `gone.woff2`"));
    }

    #[test]
    fn an_include_of_an_anchor_that_is_not_there_fails() {
        let scratch = Scratch::book();
        let include =
            "# Two\n\n## The idea\n\n{{#include ../../solutions/02-breaker/src/lib.rs:gone}}\n";
        scratch.write("book/src/two.md", include);
        let error = check(scratch.root()).err().expect("the build must fail");
        assert!(format!("{error:#}").contains("two.md:5: "), "{error:#}");
    }

    #[test]
    fn what_mdbook_warns_of_is_a_finding() {
        let findings = findings("book/src/two.md", "# Two\n\n## The idea\n\n<div>\n");
        assert_eq!(findings.len(), 1, "{findings:?}");
        assert!(findings[0].starts_with("mdBook warns: unclosed HTML tag"));
    }
}
