//! The preprocessor: replaces the directives in the chapters, and refuses includes that include nothing.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail, ensure};
use mdbook_preprocessor::book::{Book, BookItem};
use mdbook_preprocessor::{Preprocessor, PreprocessorContext};
use scraper::{Html, Selector};
use workbook::{Exercise, Step, Workbook};

use crate::directive::{Directive, Line, parse};

/// Runs before mdBook's own preprocessors, so that a line number is that of the file.
pub struct Directives {
    root: PathBuf,
}

impl Directives {
    /// `root` is the folder of the workbook: the parent of `book`, `exercises` and `solutions`.
    pub fn new(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }
}

impl Preprocessor for Directives {
    fn name(&self) -> &'static str {
        "directives"
    }

    fn run(&self, context: &PreprocessorContext, mut book: Book) -> Result<Book> {
        let source = context.root.join(&context.config.book.src);
        let mut problems = Vec::new();
        book.for_each_mut(|item| {
            if let BookItem::Chapter(chapter) = item
                && let Some(path) = &chapter.source_path
            {
                let page = Page { root: &self.root, source: &source, path };
                let (expanded, errors) = page.expand(&chapter.content);
                chapter.content = expanded;
                problems.extend(errors.into_iter().map(|(line, error)| {
                    let file = source.join(path);
                    let file = file.strip_prefix(&self.root).unwrap_or(&file).display();
                    format!("{file}:{line}: {error:#}")
                }));
            }
        });
        ensure!(problems.is_empty(), "{}", problems.join("\n"));
        Ok(book)
    }
}

/// How a prediction begins. What follows between `{{#covered}}` and `{{/covered}}` is covered until it is answered.
const PREDICTION: &str = "> **Predict.";

/// What has begun on a page, and at which line.
#[derive(Default)]
struct Open {
    answer: Option<usize>,
    covered: Option<usize>,
    /// Whether a prediction has been asked for.
    predicted: bool,
}

/// A chapter being expanded.
struct Page<'a> {
    root: &'a Path,
    source: &'a Path,
    /// Relative to `source`.
    path: &'a Path,
}

impl Page<'_> {
    /// The chapter with its directives replaced, and what is wrong at which line.
    fn expand(&self, text: &str) -> (String, Vec<(usize, anyhow::Error)>) {
        let mut expanded = String::new();
        let mut errors = Vec::new();
        let mut open = Open::default();
        for (number, line) in (1..).zip(text.lines()) {
            match self.line(line, number, &mut open) {
                Ok(text) => expanded.push_str(&text),
                Err(error) => errors.push((number, error)),
            }
            expanded.push('\n');
        }
        if let Some(number) = open.answer {
            errors.push((number, anyhow!("this answer has no {{{{/answer}}}}")));
        }
        if let Some(number) = open.covered {
            errors.push((number, anyhow!("what is covered here has no {{{{/covered}}}}")));
        }
        (expanded, errors)
    }

    fn line(&self, line: &str, number: usize, open: &mut Open) -> Result<String> {
        let (indent, directive) = match parse(line)? {
            Line::Directive { indent, directive } => (indent, directive),
            Line::Text { includes } => {
                open.predicted |= line.starts_with(PREDICTION);
                includes.iter().try_for_each(|target| self.include(target))?;
                return Ok(line.to_owned());
            }
        };
        let text = match directive {
            Directive::Figure { name, caption } => self.figure(name, caption)?,
            Directive::Checks { exercise, step } => self.checks(exercise, step)?,
            Directive::Mistakes { exercise } => self.mistakes(exercise)?,
            Directive::Steps { exercise } => self.steps(exercise)?,
            // Rows of a table, which a blank line would end.
            Directive::Exercises => return self.exercises(),
            Directive::Answer { summary } => {
                if let Some(first) = open.answer.replace(number) {
                    bail!("the answer that line {first} begins is still open: answers do not nest");
                }
                let summary = inline(summary);
                format!("<details class=\"answer\">\n<summary>{summary}</summary>\n")
            }
            Directive::AnswerEnd => {
                open.answer.take().context("no {{#answer SUMMARY}} stands before it")?;
                "\n</details>\n".to_owned()
            }
            Directive::Covered => {
                ensure!(open.predicted, "no prediction stands before it: `{PREDICTION}** …`");
                if let Some(first) = open.covered.replace(number) {
                    bail!("what line {first} covers is still open: covers do not nest");
                }
                "<div class=\"covered\">\n".to_owned()
            }
            Directive::CoveredEnd => {
                open.covered.take().context("no {{#covered}} stands before it")?;
                "\n</div>\n".to_owned()
            }
        };
        Ok(indented(&text, indent))
    }

    /// The figure inline, as one HTML block: `CommonMark` ends the block at a blank line.
    fn figure(&self, name: &str, caption: &str) -> Result<String> {
        let file = self.source.join("figures").join(format!("{name}.svg"));
        let svg = fs::read_to_string(&file).with_context(|| {
            format!(
                "there is no figure `{name}` in book/src/figures: its lab draws it there, with `--figures book/src/figures`"
            )
        })?;
        ensure!(
            svg.starts_with("<svg"),
            "figures/{name}.svg must begin with `<svg`: it stands inline in a page"
        );
        let tag = Selector::parse("svg").expect("a valid selector");
        let document = Html::parse_fragment(&svg);
        let command = document
            .select(&tag)
            .next()
            .and_then(|svg| svg.attr("data-command"))
            .with_context(|| format!("figures/{name}.svg needs a data-command"))?;
        // Whose knobs the live book puts below it.
        let lab = command.strip_prefix("cargo xtask lab ").and_then(|rest| rest.split(' ').next());
        let lab = lab.map(|lab| format!(" data-lab=\"{lab}\"")).unwrap_or_default();
        let mut html = format!("<figure id=\"figure-{name}\"{lab}>\n");
        for line in svg.lines().filter(|line| !line.trim().is_empty()) {
            html.push_str(line);
            html.push('\n');
        }
        let command = escape(command);
        write!(
            html,
            "<figcaption>\n\n{caption}\n\n<p class=\"reproduce\">Reproduce: <code>{command}</code></p>\n</figcaption>\n</figure>\n"
        )?;
        Ok(html)
    }

    fn checks(&self, exercise: &str, step: usize) -> Result<String> {
        let exercise = Exercise::load(self.root, exercise)?;
        let step = exercise.step(step)?;
        let checks = exercise.checks(self.root, step)?;
        let (exercise, step) = (&exercise.id, &step.id);
        let mut html =
            format!("<ul class=\"checks\" data-exercise=\"{exercise}\" data-step=\"{step}\">\n");
        for name in checks {
            let code = breakable(&name);
            writeln!(
                html,
                "<li data-check=\"{name}\">{} <code>{code}</code></li>",
                sentence(&name)
            )?;
        }
        html.push_str("</ul>\n");
        Ok(html)
    }

    /// Folded, under the step that catches them: a reader opens those that could have been theirs.
    fn mistakes(&self, folder: &str) -> Result<String> {
        let exercise = Exercise::load(self.root, folder)?;
        let mistakes = exercise.mistakes(self.root)?.into_iter().map(|(file, mistake)| {
            mistake.with_context(|| format!("solutions/{folder}/mistakes/{file}"))
        });
        let mut mistakes: Vec<_> = mistakes.collect::<Result<_>>()?;
        ensure!(!mistakes.is_empty(), "solutions/{folder}/mistakes holds no mistake");
        mistakes.sort_by_key(|mistake| mistake.step);
        let mut text = String::new();
        let mut heading = None;
        for mistake in mistakes {
            let step = exercise.step(mistake.step)?;
            if heading.replace(mistake.step) != Some(mistake.step) {
                let link = self.link(&exercise, Some(step));
                // Not a heading: the sidebar has enough of them.
                writeln!(text, "**Caught in [step {}]({link}): {}**\n", mistake.step, step.title)?;
            }
            // Longer than any run of backticks that a diff of Rust code may hold.
            let fence = "`".repeat(8);
            write!(
                text,
                "<details class=\"mistake\">\n<summary>{}</summary>\n\n\
                 **Why people make it.** {}\n\n\
                 **Where it happened.** {}\n\n\
                 **Caught by** <code class=\"check\">{}</code>\n\n\
                 {fence}diff\n{}\n{fence}\n\n</details>\n\n",
                inline(mistake.title.trim_end_matches('.')),
                mistake.why,
                mistake.place,
                breakable(&mistake.check),
                mistake.diff.trim_end(),
            )?;
        }
        Ok(text)
    }

    /// A row each, in a table of a part and what it is about; drafts are left out.
    fn exercises(&self) -> Result<String> {
        let row = |exercise: &Exercise| {
            let Exercise { title, summary, .. } = exercise;
            format!("| [{title}]({}) | {summary} |", self.link(exercise, None))
        };
        let exercises = Workbook::at(self.root).exercises()?;
        let rows: Vec<_> = exercises.iter().filter(|it| !it.draft).map(row).collect();
        Ok(rows.join("\n"))
    }

    fn steps(&self, folder: &str) -> Result<String> {
        let exercise = Exercise::load(self.root, folder)?;
        // After a blank line: a table doesn't end a paragraph.
        let mut text = "\n| Step | | Checks |\n|---:|---|---:|\n".to_owned();
        for step in &exercise.steps {
            let number = step.number;
            let title = step.title.replace('|', "\\|");
            let link = self.link(&exercise, Some(step));
            let checks = exercise.checks(self.root, step)?.len();
            writeln!(text, "| {number} | [{title}]({link}) | {checks} |")?;
        }
        Ok(text)
    }

    /// The link from this page to an exercise, or to a step of it.
    fn link(&self, exercise: &Exercise, step: Option<&Step>) -> String {
        let Exercise { chapter, .. } = exercise;
        let anchor = step.map_or_else(String::new, |step| format!("#{}", step.anchor));
        if self.path == Path::new(chapter) {
            return anchor;
        }
        let up = self.path.components().count() - 1;
        format!("{}{chapter}{anchor}", "../".repeat(up))
    }

    /// mdBook includes nothing for an anchor that isn't there, and the rest of the file for one that
    /// never ends; neither is an error to it.
    fn include(&self, target: &str) -> Result<()> {
        let (path, anchor) = match target.split_once(':') {
            Some((path, anchor)) => (path, Some(anchor)),
            None => (target, None),
        };
        let folder = self.source.join(self.path);
        let file = folder.parent().unwrap_or(self.source).join(path);
        let text = fs::read_to_string(&file)
            .with_context(|| format!("cannot include {path}: the path starts at the chapter"))?;
        let Some(anchor) = anchor else {
            return Ok(());
        };
        ensure!(
            !anchor.starts_with(|c: char| c.is_ascii_digit() || c == ':'),
            "include {path} by anchor: line numbers move"
        );
        let line_of = |mark| text.lines().position(|line| marks(line, mark, anchor));
        let start = line_of("ANCHOR:").with_context(|| {
            let names: BTreeSet<_> = anchors(&text).collect();
            let names: Vec<_> = names.into_iter().collect();
            let names = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
            format!("{path} has no `ANCHOR: {anchor}`; it has {names}")
        })?;
        let end = line_of("ANCHOR_END:").filter(|end| *end > start).with_context(|| {
            format!("{path} has no `ANCHOR_END: {anchor}` after its `ANCHOR: {anchor}`")
        })?;
        let lines = text.lines().skip(start + 1).take(end - start - 1);
        ensure!(
            lines.into_iter().any(|line| !line.trim().is_empty()),
            "nothing stands between `ANCHOR: {anchor}` and its end in {path}"
        );
        Ok(())
    }
}

/// Whether a line holds `ANCHOR: name`, read as mdBook reads it.
fn marks(line: &str, mark: &str, name: &str) -> bool {
    line.split_once(mark).is_some_and(|(_, rest)| anchor_name(rest) == name)
}

fn anchors(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter_map(|line| line.split_once("ANCHOR:")).map(|(_, rest)| anchor_name(rest))
}

fn anchor_name(rest: &str) -> &str {
    let rest = rest.trim_start();
    let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_' && c != '-');
    &rest[..end.unwrap_or(rest.len())]
}

/// `half_open_admits_one_probe` as `Half open admits one probe`.
fn sentence(name: &str) -> String {
    let words = name.replace('_', " ");
    let mut chars = words.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

/// The name of a check as HTML that breaks between words where a phone needs it.
fn breakable(name: &str) -> String {
    name.replace('_', "_<wbr>")
}

/// Inline Markdown as HTML: a `<summary>` stands in an HTML block, where Markdown is not read.
fn inline(markdown: &str) -> String {
    let parser = pulldown_cmark::Parser::new(markdown);
    let mut html = String::new();
    pulldown_cmark::html::push_html(&mut html, parser);
    let html = html.trim();
    let inner = html.strip_prefix("<p>").and_then(|html| html.strip_suffix("</p>"));
    inner.unwrap_or(html).to_owned()
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

fn indented(text: &str, indent: &str) -> String {
    let line = |line: &str| match line {
        "" => "\n".to_owned(),
        line => format!("{indent}{line}\n"),
    };
    text.lines().map(line).collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::Page;
    use crate::scratch::Scratch;

    fn expand(scratch: &Scratch, path: &str, text: &str) -> Result<String, Vec<String>> {
        let source = scratch.root().join("book/src");
        let page = Page { root: scratch.root(), source: &source, path: Path::new(path) };
        let (expanded, errors) = page.expand(text);
        if errors.is_empty() {
            return Ok(expanded);
        }
        let line = |(line, error): &(usize, anyhow::Error)| format!("{line}: {error:#}");
        Err(errors.iter().map(line).collect())
    }

    #[test]
    fn a_figure_stays_one_block_and_names_its_command() {
        let text = "{{#figure outage | The *same* outage.}}";
        let html = expand(&Scratch::book(), "one.md", text).unwrap();
        let (block, rest) = html.split_once("\n\n").unwrap();
        assert!(
            block.starts_with("<figure id=\"figure-outage\" data-lab=\"breaker\">\n<svg"),
            "{block}"
        );
        assert!(block.ends_with("</svg>\n<figcaption>"), "{block}");
        assert!(rest.starts_with("The *same* outage.\n\n"), "{rest}");
        assert!(rest.contains("Reproduce: <code>cargo xtask lab breaker --seed 7</code>"));
    }

    #[test]
    fn checks_are_sentences_with_their_names() {
        let html = expand(&Scratch::book(), "one.md", "{{#checks 02-breaker 1}}").unwrap();
        let expected = "<ul class=\"checks\" data-exercise=\"breaker\" data-step=\"trip\">\n\
            <li data-check=\"failures_open_it\">Failures open it <code>failures_<wbr>open_<wbr>it</code></li>\n\
            <li data-check=\"a_success_resets_the_streak\">A success resets the streak <code>a_<wbr>success_<wbr>resets_<wbr>the_<wbr>streak</code></li>\n\
            </ul>\n\n";
        assert_eq!(html, expected);
    }

    #[test]
    fn exercises_are_rows_that_link_to_their_chapters() {
        let scratch = Scratch::book();
        scratch.write("Cargo.toml", "[workspace]\nmembers = [\"exercises/02-breaker\"]\n");
        let html =
            expand(&scratch, "deep/two.md", "| | |\n|---|---|\n{{#exercises}}\n| a | b |").unwrap();
        assert!(
            html.ends_with("|---|---|\n| [The breaker](../one.md) | Rejects early |\n| a | b |\n"),
            "{html}"
        );
    }

    #[test]
    fn steps_link_to_their_anchors_from_any_chapter() {
        let scratch = Scratch::book();
        let steps = |path| expand(&scratch, path, "{{#steps 02-breaker}}").unwrap();
        assert!(steps("one.md").contains("| 1 | [Trip](#trip) | 2 |"));
        assert!(steps("one.md").contains(r"| 2 | [Fail \| fast](#fail-fast) | 1 |"));
        assert!(steps("deep/two.md").contains("[Trip](../one.md#trip)"));
    }

    #[test]
    fn a_mistake_stands_under_its_step_with_why_where_its_check_and_the_change() {
        let text = expand(&Scratch::book(), "one.md", "{{#mistakes 02-breaker}}").unwrap();
        for part in [
            "**Caught in [step 1](#trip): Trip**\n\n<details class=\"mistake\">\n\
             <summary>A stale result closes the breaker</summary>",
            "It looks *harmless*.",
            "somelib 1.2",
            "**Caught by** <code class=\"check\">failures_<wbr>open_<wbr>it</code>",
            "\n\n````````diff\n--- a/src/lib.rs",
            "+b\n````````\n\n</details>",
        ] {
            assert!(text.contains(part), "{part:?} is missing in\n{text}");
        }
    }

    #[test]
    fn an_answer_folds_the_markdown_between_its_ends() {
        let text = "1. Why?\n\n   {{#answer So, *why*?}}\n   Because.\n   {{/answer}}";
        let html = expand(&Scratch::book(), "one.md", text).unwrap();
        let expected = "1. Why?\n\n   <details class=\"answer\">\n   <summary>So, <em>why</em>?</summary>\n\n   \
            Because.\n\n   </details>\n\n";
        assert_eq!(html, expected);
    }

    #[test]
    fn what_a_prediction_covers_is_one_box() {
        let text = "> **Predict.** What?\n\n{{#covered}}\nThe *run*.\n{{/covered}}";
        let html = expand(&Scratch::book(), "one.md", text).unwrap();
        assert!(html.ends_with("<div class=\"covered\">\n\nThe *run*.\n\n</div>\n\n"), "{html}");
    }

    #[test]
    fn each_error_names_its_line() {
        let scratch = Scratch::book();
        scratch.write("book/src/figures/mute.svg", "<svg></svg>");
        scratch.write("book/src/figures/prolog.svg", "<?xml?><svg></svg>");
        scratch.write("solutions/02-breaker/src/empty.rs", "// ANCHOR: a\n\n// ANCHOR_END: a\n");
        let cases = [
            ("{{#figrue a | b}}", "there is no directive `#figrue`"),
            ("{{#figure gone | b}}", "there is no figure `gone`"),
            ("{{#figure mute | b}}", "needs a data-command"),
            ("{{#figure prolog | b}}", "must begin with `<svg`"),
            ("{{#checks 09-gone 1}}", "there is no exercise `09-gone`"),
            ("{{#checks 02-breaker 0}}", "02-breaker has no step 0: it has steps 1 to 2"),
            ("{{/answer}}", "no {{#answer SUMMARY}} stands before it"),
            ("{{#answer a}}", "this answer has no {{/answer}}"),
            ("{{#covered}}", "no prediction stands before it"),
            ("{{/covered}}", "no {{#covered}} stands before it"),
            ("{{#include ../gone.rs}}", "cannot include ../gone.rs"),
            (
                "{{#include ../../solutions/02-breaker/src/lib.rs:gone}}",
                "has no `ANCHOR: gone`; it has open_ended, trip",
            ),
            (
                "{{#include ../../solutions/02-breaker/src/lib.rs:open_ended}}",
                "has no `ANCHOR_END: open_ended`",
            ),
            (
                "{{#include ../../solutions/02-breaker/src/empty.rs:a}}",
                "nothing stands between `ANCHOR: a` and its end",
            ),
            (
                "{{#include ../../solutions/02-breaker/src/lib.rs:1:2}}",
                "by anchor: line numbers move",
            ),
        ];
        for (line, reason) in cases {
            let errors = expand(&scratch, "one.md", &format!("# One\n\n{line}\n")).unwrap_err();
            assert_eq!(errors.len(), 1, "{errors:?}");
            assert!(errors[0].starts_with("3: "), "{errors:?}");
            assert!(errors[0].contains(reason), "{errors:?}\ndoes not say: {reason}");
        }
    }

    #[test]
    fn every_wrong_line_is_told_at_once() {
        let text = "{{#answer a}}\n{{#answer b}}\n{{/answer}}\n{{#x}}";
        let errors = expand(&Scratch::book(), "one.md", text).unwrap_err();
        assert_eq!(errors.len(), 2, "{errors:?}");
        assert!(errors[0].starts_with("2: the answer that line 1 begins"), "{errors:?}");
        assert!(errors[1].starts_with("4: "), "{errors:?}");
    }

    #[test]
    fn a_sound_include_stays_for_mdbook() {
        let text = "```rust\n{{#include ../../solutions/02-breaker/src/lib.rs:trip}}\n```\n";
        assert_eq!(expand(&Scratch::book(), "one.md", text).unwrap(), text);
    }
}
