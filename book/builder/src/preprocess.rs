//! The preprocessor: replaces the directives in the chapters, and refuses includes that include nothing.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail, ensure};
use mdbook_preprocessor::book::{Book, BookItem};
use mdbook_preprocessor::{Preprocessor, PreprocessorContext};
use scraper::{Html, Selector};
use workbook::{Exercise, Mistake, Step, Subject, Workbook};

use crate::directive::{Directive, Line, parse};
use crate::excerpt::excerpt;

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
    /// An answer or another fold.
    fold: Option<(usize, &'static str)>,
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
        if let Some((number, kind)) = open.fold {
            errors.push((number, anyhow!("this {kind} has no {{{{/{kind}}}}}")));
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
                return Ok(kind(line).unwrap_or_else(|| line.to_owned()));
            }
        };
        let mut begin = |kind, summary| {
            if let Some((first, _)) = open.fold.replace((number, kind)) {
                bail!("the fold that line {first} begins is still open: folds do not nest");
            }
            let summary = inline(summary);
            Ok(format!("<details class=\"{kind}\">\n<summary>{summary}</summary>\n"))
        };
        let text = match directive {
            Directive::Figure { name, caption } => self.figure(name, caption)?,
            Directive::Checks { exercise, step } => self.checks(exercise, step)?,
            Directive::Mistakes { exercise, step } => self.mistakes(exercise, step)?,
            Directive::Shipped { exercise } => self.shipped(exercise)?,
            Directive::Steps { exercise } => self.steps(exercise)?,
            // Rows of a table, which a blank line would end.
            Directive::Exercises => return self.exercises(),
            Directive::Answer { summary } => begin("answer", summary)?,
            Directive::Fold { summary } => begin("fold", summary)?,
            end @ (Directive::AnswerEnd | Directive::FoldEnd) => {
                let kind = if end == Directive::AnswerEnd { "answer" } else { "fold" };
                open.fold
                    .take()
                    .filter(|(_, begun)| *begun == kind)
                    .with_context(|| format!("no {{{{#{kind} SUMMARY}}}} stands before it"))?;
                "\n</details>\n".to_owned()
            }
            Directive::Toy { lab, name } => self.toy(lab, name)?,
            Directive::Sketch { name, question } => {
                let figure = self.source.join("figures").join(format!("{name}.svg"));
                ensure!(figure.is_file(), "there is no figure `{name}` in book/src/figures");
                let question = inline(question);
                // For a script to show: nobody draws without one.
                format!(
                    "<div class=\"sketch\" data-figure=\"{name}\" hidden>\n<p>{question}</p>\n</div>\n"
                )
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
        let exercises = Workbook::at(self.root).exercises()?;
        let lab = lab.map(|lab| {
            // A lab that belongs to no exercise has no reader's code to run.
            let yours = exercises.iter().any(|exercise| exercise.id == lab);
            format!(" data-lab=\"{lab}\"{}", if yours { " data-yours" } else { "" })
        });
        let lab = lab.unwrap_or_default();
        let recorded = file.with_file_name("runs").join(format!("{name}.js"));
        let runs = if recorded.is_file() { " data-runs" } else { "" };
        let mut html = format!("<figure id=\"figure-{name}\"{lab}{runs}>\n");
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

    /// What a reader without scripts sees of a toy; a script takes its place.
    fn toy(&self, lab: &str, name: &str) -> Result<String> {
        let file = self.source.join("figures").join("toys").join(format!("{name}.md"));
        let example = fs::read_to_string(&file).with_context(|| {
            format!("there is no toy `{name}` in book/src/figures/toys: its lab writes it there, with `--figures book/src/figures`")
        })?;
        Ok(format!(
            "<div class=\"toy\" id=\"toy-{name}\" data-lab=\"{lab}\" data-toy=\"{name}\">\n\n{example}\n</div>\n"
        ))
    }

    /// The checks as sentences, and the hints below them, each in the fold of the one before.
    fn checks(&self, exercise: &str, step: usize) -> Result<String> {
        let exercise = Exercise::load(self.root, exercise)?;
        let step = exercise.step(step)?;
        let checks = exercise.checks(self.root, step)?;
        let (exercise, id) = (&exercise.id, &step.id);
        let mut html =
            format!("<ul class=\"checks\" data-exercise=\"{exercise}\" data-step=\"{id}\">\n");
        for name in checks {
            writeln!(html, "<li data-check=\"{name}\">{}</li>", sentence(&name))?;
        }
        html.push_str("</ul>\n\n");
        let count = step.hints.len();
        for (number, hint) in (1..).zip(&step.hints) {
            let hint = inline(hint);
            writeln!(
                html,
                "<details class=\"hint\">\n<summary>Show a hint ({number} of {count})</summary>\n<p>{hint}</p>"
            )?;
        }
        html.push_str(&"</details>\n".repeat(count));
        Ok(html)
    }

    /// Folded twice: a reader opens those that could have been theirs, when the step passes.
    fn mistakes(&self, folder: &str, step: usize) -> Result<String> {
        let exercise = Exercise::load(self.root, folder)?;
        let step = exercise.step(step)?;
        let mut mistakes = self.all_mistakes(&exercise)?;
        mistakes.retain(|mistake| mistake.step == step.number);
        if mistakes.is_empty() {
            return Ok(String::new());
        }
        let (id, step, count) = (&exercise.id, &step.id, mistakes.len());
        let mut text = format!(
            "<details class=\"mistakes\" id=\"mistakes\" data-exercise=\"{id}\" data-step=\"{step}\">\n\
             <summary>Mistakes that these checks catch ({count}): read them when your step passes</summary>\n\n"
        );
        let folder = self.root.join(exercise.path(Subject::Solution));
        for Mistake { title, why, place, check, diff, .. } in mistakes {
            let title = inline(title.trim_end_matches('.'));
            let place = place.map(|place| format!("**Where it happened.** {place}\n\n"));
            let (place, diff) = (place.unwrap_or_default(), excerpt(&diff, &folder)?);
            let check = breakable(&check);
            write!(
                text,
                "<details class=\"mistake\">\n<summary>{title}</summary>\n\n\
                 **Why people make it.** {why}\n\n{place}\
                 **Caught by** <code class=\"check\">{check}</code>\n\n\
                 {diff}\n\n</details>\n\n"
            )?;
        }
        text.push_str("</details>\n");
        Ok(text)
    }

    /// What is known to have shipped, by the step that catches it.
    fn shipped(&self, folder: &str) -> Result<String> {
        let exercise = Exercise::load(self.root, folder)?;
        let mistakes = self.all_mistakes(&exercise)?;
        let mut text = String::new();
        for step in &exercise.steps {
            let shipped: Vec<_> = mistakes
                .iter()
                .filter(|mistake| mistake.step == step.number)
                .filter_map(|mistake| Some((&mistake.title, mistake.place.as_ref()?)))
                .collect();
            if shipped.is_empty() {
                continue;
            }
            let (number, title, count) = (step.number, &step.title, shipped.len());
            let link = self.link(&exercise, Some(step));
            write!(
                text,
                "<details class=\"mistakes\">\n<summary>Step {number}, {}: {count}</summary>\n\n",
                inline(title)
            )?;
            for (title, place) in shipped {
                writeln!(text, "- **{}.** {place}", title.trim_end_matches('.'))?;
            }
            write!(
                text,
                "\n[The changes, and the checks that catch them]({link}#mistakes)\n\n</details>\n\n"
            )?;
        }
        ensure!(!text.is_empty(), "no mistake in solutions/{folder}/mistakes says `where:`");
        Ok(text)
    }

    fn all_mistakes(&self, exercise: &Exercise) -> Result<Vec<Mistake>> {
        let folder = &exercise.folder;
        let mistakes = exercise.mistakes(self.root)?.into_iter().map(|(file, mistake)| {
            mistake.with_context(|| format!("solutions/{folder}/mistakes/{file}"))
        });
        mistakes.collect()
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

    /// The link from this page to the one that opens an exercise's chapter, or to that of a step.
    fn link(&self, exercise: &Exercise, step: Option<&Step>) -> String {
        let up = self.path.components().count() - 1;
        format!("{}{}.md", "../".repeat(up), exercise.page(step))
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

/// The kinds of text that a chapter marks, as mdBook marks its own: `> [!RULE]` begins one. The page's style draws the box.
const KINDS: [&str; 4] = ["Rule", "Trap", "Edge", "Why"];

/// The first line of a marked text.
fn kind(line: &str) -> Option<String> {
    let (before, rest) = line.split_once("> [!")?;
    let name = rest.trim_end().strip_suffix(']')?;
    let kind = KINDS.iter().find(|kind| kind.eq_ignore_ascii_case(name))?;
    Some(format!(
        "{before}> <strong class=\"kind {}\">{kind}</strong>\n{before}>",
        kind.to_lowercase()
    ))
}

/// `half_open_admits_one_probe` as `Half open admits one probe`, and `over_10_000` as `Over 10,000`.
fn sentence(name: &str) -> String {
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let mut words = String::new();
    let mut before = "";
    for part in name.split('_') {
        let is_thousands = part.len() == 3 && is_number(part) && is_number(before);
        words += if words.is_empty() {
            ""
        } else if is_thousands {
            ","
        } else {
            " "
        };
        words += part;
        before = part;
    }
    let mut chars = words.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

/// The name of a check as HTML that breaks between words where a phone needs it.
fn breakable(name: &str) -> String {
    name.replace('_', "_<wbr>")
}

/// Inline Markdown as HTML: a `<summary>` stands in an HTML block, where Markdown is not read.
fn inline(markdown: &str) -> String {
    // As mdBook reads the rest of the page.
    let options = pulldown_cmark::Options::ENABLE_SMART_PUNCTUATION;
    let parser = pulldown_cmark::Parser::new_ext(markdown, options);
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
            block
                .starts_with("<figure id=\"figure-outage\" data-lab=\"breaker\" data-yours>\n<svg"),
            "{block}"
        );
        assert!(block.ends_with("</svg>\n<figcaption>"), "{block}");
        assert!(rest.starts_with("The *same* outage.\n\n"), "{rest}");
        assert!(rest.contains("Reproduce: <code>cargo xtask lab breaker --seed 7</code>"));
    }

    #[test]
    fn checks_are_sentences_and_hints_open_one_by_one() {
        let html = expand(&Scratch::book(), "one.md", "{{#checks 02-breaker 1}}").unwrap();
        let expected = "<ul class=\"checks\" data-exercise=\"breaker\" data-step=\"trip\">\n\
            <li data-check=\"failures_open_it\">Failures open it</li>\n\
            <li data-check=\"a_success_resets_the_streak\">A success resets the streak</li>\n\
            </ul>\n\n\
            <details class=\"hint\">\n<summary>Show a hint (1 of 3)</summary>\n<p>Count <code>failures</code>.</p>\n\
            <details class=\"hint\">\n<summary>Show a hint (2 of 3)</summary>\n<p></p>\n\
            <details class=\"hint\">\n<summary>Show a hint (3 of 3)</summary>\n<p></p>\n\
            </details>\n</details>\n</details>\n\n";
        assert_eq!(html, expected);
    }

    #[test]
    fn a_name_of_a_check_reads_as_a_sentence() {
        assert_eq!(super::sentence("one_of_100_000_is_exact"), "One of 100,000 is exact");
        assert_eq!(super::sentence("a_ratio_of_3_to_200"), "A ratio of 3 to 200");
    }

    #[test]
    fn exercises_are_rows_that_link_to_their_chapters() {
        let scratch = Scratch::book();
        let html =
            expand(&scratch, "deep/two.md", "| | |\n|---|---|\n{{#exercises}}\n| a | b |").unwrap();
        assert!(
            html.ends_with("|---|---|\n| [The breaker](../one.md) | Rejects early |\n| a | b |\n"),
            "{html}"
        );
    }

    #[test]
    fn steps_link_to_their_pages_from_any_page() {
        let scratch = Scratch::book();
        let steps = |path| expand(&scratch, path, "{{#steps 02-breaker}}").unwrap();
        assert!(steps("one.md").contains("| 1 | [Trip](one/trip.md) | 2 |"));
        assert!(steps("one.md").contains(r"| 2 | [Fail \| fast](one/fail-fast.md) | 1 |"));
        assert!(steps("deep/two.md").contains("[Trip](../one/trip.md)"));
    }

    #[test]
    fn a_mistake_has_why_where_its_check_and_the_change() {
        let text = expand(&Scratch::book(), "one/trip.md", "{{#mistakes 02-breaker 1}}").unwrap();
        for part in [
            "<details class=\"mistakes\" id=\"mistakes\" data-exercise=\"breaker\" data-step=\"trip\">\n\
             <summary>Mistakes that these checks catch (1): read them when your step passes</summary>\n\n\
             <details class=\"mistake\">\n<summary>A stale result closes the breaker</summary>",
            "It looks *harmless*.",
            "**Where it happened.** somelib 1.2",
            "**Caught by** <code class=\"check\">failures_<wbr>open_<wbr>it</code>",
            "\n\nIn `src/lib.rs`:\n\n````````diff\n-a\n+b\n````````\n\n</details>\n\n</details>",
        ] {
            assert!(text.contains(part), "{part:?} is missing in\n{text}");
        }
    }

    #[test]
    fn a_step_without_mistakes_has_no_fold_of_them() {
        let text = expand(&Scratch::book(), "one/fail-fast.md", "{{#mistakes 02-breaker 2}}");
        assert_eq!(text.unwrap().trim(), "");
    }

    #[test]
    fn what_shipped_is_listed_by_step_with_its_place() {
        let scratch = Scratch::book();
        let unknown = scratch.read("solutions/02-breaker/mistakes/1-stale.patch");
        let unknown = unknown.replace("where: somelib 1.2\n", "").replace("A stale", "Another");
        scratch.write("solutions/02-breaker/mistakes/2-unknown.patch", &unknown);
        let text = expand(&scratch, "one/production.md", "{{#shipped 02-breaker}}").unwrap();
        assert!(text.contains("<summary>Step 1, Trip: 1</summary>"), "{text}");
        assert!(text.contains("- **A stale result closes the breaker.** somelib 1.2\n"), "{text}");
        assert!(text.contains("](../one/trip.md#mistakes)"), "{text}");
        assert!(!text.contains("Another"), "{text}");
    }

    #[test]
    fn a_marked_text_begins_with_its_kind() {
        let text = expand(&Scratch::book(), "one.md", "- a\n\n  > [!RULE]\n  > One.").unwrap();
        let expected = "- a\n\n  > <strong class=\"kind rule\">Rule</strong>\n  >\n  > One.\n";
        assert_eq!(text, expected);
        let mdbooks = "> [!NOTE]\n> One.\n";
        assert_eq!(expand(&Scratch::book(), "one.md", mdbooks).unwrap(), mdbooks);
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
    fn a_toy_is_its_example_until_a_script_takes_its_place() {
        let scratch = Scratch::book();
        scratch.write("book/src/figures/toys/breaker.md", "| done |\n|---|\n| a call |\n");
        let html = expand(&scratch, "one.md", "{{#toy circuit-breaker breaker}}").unwrap();
        let expected = "<div class=\"toy\" id=\"toy-breaker\" data-lab=\"circuit-breaker\" \
            data-toy=\"breaker\">\n\n| done |\n|---|\n| a call |\n\n</div>\n\n";
        assert_eq!(html, expected);
    }

    #[test]
    fn a_figure_says_whether_its_runs_are_recorded() {
        let scratch = Scratch::book();
        scratch.write("book/src/figures/runs/outage.js", "");
        let html = expand(&scratch, "one.md", "{{#figure outage | It stops.}}").unwrap();
        assert!(
            html.starts_with(
                "<figure id=\"figure-outage\" data-lab=\"breaker\" data-yours data-runs>\n"
            ),
            "{html}"
        );
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
            ("{{#sketch gone | What?}}", "there is no figure `gone`"),
            ("{{#toy breaker gone}}", "there is no toy `gone`"),
            ("{{#covered}}", "no prediction stands before it"),
            ("{{/covered}}", "no {{#covered}} stands before it"),
            ("{{#fold a}}", "this fold has no {{/fold}}"),
            ("{{#shipped 09-gone}}", "there is no exercise `09-gone`"),
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
        assert!(errors[0].starts_with("2: the fold that line 1 begins"), "{errors:?}");
        assert!(errors[1].starts_with("4: "), "{errors:?}");
    }

    #[test]
    fn a_sound_include_stays_for_mdbook() {
        let text = "```rust\n{{#include ../../solutions/02-breaker/src/lib.rs:trip}}\n```\n";
        assert_eq!(expand(&Scratch::book(), "one.md", text).unwrap(), text);
    }
}
