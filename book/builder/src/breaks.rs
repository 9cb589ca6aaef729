//! Where a long name in a table may break: after `::`, `_`, `.` or `/`, not in the middle of a word.

use std::fmt::Write as _;

use anyhow::Result;
use mdbook_preprocessor::book::{Book, BookItem};
use mdbook_preprocessor::{Preprocessor, PreprocessorContext};
use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

/// Runs last: tables are included, too.
pub struct Breaks;

impl Preprocessor for Breaks {
    fn name(&self) -> &'static str {
        "breaks"
    }

    fn run(&self, _: &PreprocessorContext, mut book: Book) -> Result<Book> {
        book.for_each_mut(|item| {
            if let BookItem::Chapter(chapter) = item {
                chapter.content = breakable(&chapter.content);
            }
        });
        Ok(book)
    }
}

/// The page, with the code in its tables as HTML that may break.
fn breakable(markdown: &str) -> String {
    let mut page = String::new();
    let (mut copied, mut in_table) = (0, false);
    for (event, range) in Parser::new_ext(markdown, Options::ENABLE_TABLES).into_offset_iter() {
        match event {
            Event::Start(Tag::Table(_)) => in_table = true,
            Event::End(TagEnd::Table) => in_table = false,
            Event::Code(code) if in_table => {
                let html = html(&code);
                if html.contains("<wbr>") {
                    page.push_str(&markdown[copied..range.start]);
                    write!(page, "<code>{html}</code>").expect("a string takes it");
                    copied = range.end;
                }
            }
            _ => {}
        }
    }
    page.push_str(&markdown[copied..]);
    page
}

/// Punctuation is written as numbers: between the tags, Markdown is read.
fn html(code: &str) -> String {
    let mut html = String::new();
    let mut chars = code.chars().peekable();
    let mut before = ' ';
    while let Some(char) = chars.next() {
        if char.is_ascii_punctuation() {
            write!(html, "&#{};", u32::from(char)).expect("a string takes it");
        } else {
            html.push(char);
        }
        let ends_a_part = matches!(char, '_' | '.' | '/') || (char, before) == (':', ':');
        let follows = chars.peek().is_some_and(|next| next.is_alphanumeric());
        if ends_a_part && follows && before != ' ' {
            html.push_str("<wbr>");
        }
        before = char;
    }
    html
}

#[cfg(test)]
mod tests {
    use super::breakable;

    #[test]
    fn a_name_in_a_table_breaks_after_its_parts() {
        let page =
            "`a::b`\n\n| `a::b_c` | `x` |\n|---|---|\n| *`src/lib.rs`* | `..` 1 |\n\n`c_d`\n";
        let expected = "`a::b`\n\n| <code>a&#58;&#58;<wbr>b&#95;<wbr>c</code> | `x` |\n|---|---|\n\
            | *<code>src&#47;<wbr>lib&#46;<wbr>rs</code>* | `..` 1 |\n\n`c_d`\n";
        assert_eq!(breakable(page), expected);
    }
}
