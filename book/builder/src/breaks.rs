//! Where a line of a page may break. What was included is looked at, too.

use std::fmt::Write as _;

use anyhow::Result;
use mdbook_preprocessor::book::{Book, BookItem};
use mdbook_preprocessor::{Preprocessor, PreprocessorContext};
use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

use crate::units::keep_together;

/// Runs last: an include has taken place then.
pub struct Breaks;

impl Preprocessor for Breaks {
    fn name(&self) -> &'static str {
        "breaks"
    }

    fn run(&self, _: &PreprocessorContext, mut book: Book) -> Result<Book> {
        book.for_each_mut(|item| {
            if let BookItem::Chapter(chapter) = item {
                chapter.content = names(&lines(&chapter.content));
            }
        });
        Ok(book)
    }
}

/// The page with its numbers beside their units, and its code without the indentation that it had in its file.
fn lines(markdown: &str) -> String {
    let mut page = String::new();
    let mut code: Option<(&str, Vec<&str>)> = None;
    let mut in_figure = false;
    for line in markdown.lines() {
        let text = line.trim_start();
        let fence = &text[..text.len() - text.trim_start_matches('`').len()];
        code = match code {
            Some((begun, lines)) if fence.len() >= begun.len() && text.trim_end() == fence => {
                let indent = line.len() - text.len();
                page.extend(dedent(&lines, indent));
                writeln!(page, "{line}").expect("a string takes it");
                None
            }
            Some((begun, mut lines)) => {
                lines.push(line);
                Some((begun, lines))
            }
            None if fence.len() >= 3 => {
                writeln!(page, "{line}").expect("a string takes it");
                Some((fence, Vec::new()))
            }
            None => {
                in_figure |= text.starts_with("<svg");
                let is_html = in_figure || text.starts_with('<');
                in_figure &= !text.ends_with("</svg>");
                page += &if is_html { line.to_owned() } else { keep_together(line) };
                page.push('\n');
                None
            }
        };
    }
    // A block that never ends is shown as it is.
    page.extend(code.iter().flat_map(|(_, lines)| lines).map(|line| format!("{line}\n")));
    page
}

/// The lines of a block whose fence is indented by so much.
fn dedent(lines: &[&str], indent: usize) -> Vec<String> {
    let filled = lines.iter().filter(|line| !line.trim().is_empty());
    let least = filled.map(|line| line.len() - line.trim_start().len()).min().unwrap_or(0);
    let dedent = |line: &&str| {
        let rest = line.get(least.max(indent)..).unwrap_or("");
        format!("{}{rest}\n", &line[..indent.min(line.len())])
    };
    if least > indent {
        lines.iter().map(dedent).collect()
    } else {
        lines.iter().map(|line| format!("{line}\n")).collect()
    }
}

/// A word with a hyphen stays in one line, up to this length.
const SHORT: usize = 24;

/// The page with the code in its text as HTML where it matters how it breaks: in a table, and in a longer word, after `::`,
/// `_`, `.` or `/` and before a capital; not at the hyphens of a `--flag`.
fn names(markdown: &str) -> String {
    let mut page = String::new();
    let (mut copied, mut in_table, mut in_heading) = (0, false, false);
    for (event, range) in Parser::new_ext(markdown, Options::ENABLE_TABLES).into_offset_iter() {
        let html = match event {
            Event::Start(Tag::Table(_)) => {
                in_table = true;
                continue;
            }
            Event::End(TagEnd::Table) => {
                in_table = false;
                continue;
            }
            // Its address is made from its text.
            Event::Start(Tag::Heading { .. }) | Event::End(TagEnd::Heading(_)) => {
                in_heading = !in_heading;
                continue;
            }
            Event::Code(code) if in_table => {
                let html = breakable(&code);
                html.contains("<wbr>").then(|| format!("<code>{html}</code>"))
            }
            Event::Code(code) if !in_heading => {
                let matters = |word: &str| word.contains('-') || word.len() > SHORT;
                code.split(' ').any(matters).then(|| words(&code))
            }
            _ => continue,
        };
        if let Some(html) = html {
            page += &markdown[copied..range.start];
            page += &html;
            copied = range.end;
        }
    }
    page + &markdown[copied..]
}

fn words(code: &str) -> String {
    let word = |word: &str| match word {
        long if long.len() > SHORT => breakable(long),
        name if name.contains('-') => format!("<span class=\"whole\">{}</span>", literal(name)),
        name => literal(name),
    };
    format!("<code>{}</code>", code.split(' ').map(word).collect::<Vec<_>>().join(" "))
}

fn breakable(code: &str) -> String {
    let mut html = String::new();
    let mut before = ' ';
    let mut chars = code.chars().peekable();
    while let Some(char) = chars.next() {
        html += &literal(char.encode_utf8(&mut [0; 4]));
        let ends_a_part = matches!(char, '_' | '.' | '/') || (char, before) == (':', ':');
        let ends_a_word = |next: &char| char.is_lowercase() && next.is_uppercase();
        if chars
            .peek()
            .is_some_and(|next| ends_a_part && next.is_alphanumeric() || ends_a_word(next))
        {
            html += "<wbr>";
        }
        before = char;
    }
    html
}

/// Punctuation as numbers: Markdown is read between the tags.
fn literal(code: &str) -> String {
    let number = |char: char| match char {
        char if char.is_ascii_punctuation() => format!("&#{};", u32::from(char)),
        char => char.to_string(),
    };
    code.chars().map(number).collect()
}

#[cfg(test)]
mod tests {
    use super::{lines, names};

    #[test]
    fn a_name_in_a_table_breaks_after_its_parts() {
        let page = "`a::b`\n\n| `a::b_c` | `x` |\n|---|---|\n| *`maxWait`* | `..` 1 |\n\n`c_d`\n";
        let expected = "`a::b`\n\n| <code>a&#58;&#58;<wbr>b&#95;<wbr>c</code> | `x` |\n|---|---|\n\
            | *<code>max<wbr>Wait</code>* | `..` 1 |\n\n`c_d`\n";
        assert_eq!(names(page), expected);
    }

    #[test]
    fn a_flag_stays_in_one_line() {
        let page = "## `a-b`\n\nSet `--dwell 10`, not `-10`, in `exercises/07-a/src/config.rs`.\n\n```text\n`--dwell`\n```\n";
        let expected = "## `a-b`\n\nSet <code><span class=\"whole\">&#45;&#45;dwell</span> 10</code>, \
            not <code><span class=\"whole\">&#45;10</span></code>, in \
            <code>exercises&#47;<wbr>07&#45;a&#47;<wbr>src&#47;<wbr>config&#46;<wbr>rs</code>.\n\n```text\n`--dwell`\n```\n";
        assert_eq!(names(page), expected);
    }

    #[test]
    fn code_begins_at_its_fence() {
        let page = "5 s\n\n- a\n\n  ````rust\n      fn a() {\n\n          ```\n          5 s\n      }\n  ````\n5 s\n";
        let expected = "5\u{a0}s\n\n- a\n\n  ````rust\n  fn a() {\n\n      ```\n      5 s\n  }\n  ````\n5\u{a0}s\n";
        assert_eq!(lines(page), expected);
    }

    #[test]
    fn a_figure_stays_as_it_was_drawn() {
        let page = "<figure>\n<svg>\n<desc>after\n5 s</desc>\n</svg>\n<figcaption>\n\n5 s\n";
        assert_eq!(lines(page), page.replace("\n\n5 s", "\n\n5\u{a0}s"));
    }
}
