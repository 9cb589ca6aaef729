//! A number and its unit stay in one line, as does what else must not be torn apart.

const UNITS: [&str; 11] = ["%", "ns", "µs", "ms", "s", "min", "h", "KiB", "MiB", "MB", "GB"];
const NO_BREAK: char = '\u{a0}';

/// A line of Markdown, in which no line can break between a number and its unit. Code and headings stay as they are:
/// code is copied, and a heading's address is made from its text.
pub fn keep_together(line: &str) -> String {
    if line.starts_with('#') {
        return line.to_owned();
    }
    let parts = line.split('`').enumerate();
    let kept =
        parts.map(|(number, part)| if number % 2 == 0 { words(part) } else { part.to_owned() });
    kept.collect::<Vec<_>>().join("`")
}

fn words(text: &str) -> String {
    let mut kept = String::new();
    for word in text.split_inclusive(' ') {
        let unit = word.trim_end().trim_end_matches(['.', ',', ';', ':', ')', '?', '*']);
        let is_after_number = kept
            .strip_suffix(' ')
            .is_some_and(|before| before.ends_with(|last: char| last.is_ascii_digit()));
        let is_seed =
            kept.ends_with("Seed ") && word.starts_with(|first: char| first.is_ascii_digit());
        // Of layers around each other: a line doesn't begin with the sign between them.
        let is_around = unit == "›" && kept.ends_with(' ');
        if is_after_number && UNITS.contains(&unit) || is_seed || is_around {
            kept.pop();
            kept.push(NO_BREAK);
        }
        kept.push_str(word);
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_and_its_unit_stay_in_one_line() {
        for (line, kept) in [
            ("after 5 s, 99.9 % of them", "after 5\u{a0}s, 99.9\u{a0}% of them"),
            ("retry › timeout. Seed 7.", "retry\u{a0}› timeout. Seed\u{a0}7."),
            ("| 5 s | 10 ms |", "| 5\u{a0}s | 10\u{a0}ms |"),
            ("5 services, a s", "5 services, a s"),
            ("`--limit 5 s` takes 5 s", "`--limit 5 s` takes 5\u{a0}s"),
            ("## After 5 s", "## After 5 s"),
        ] {
            assert_eq!(keep_together(line), kept);
        }
    }
}
