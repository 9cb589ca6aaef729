//! What a chapter may write between `{{#` and `}}`.

use thiserror::Error;

/// One line of a chapter that is a directive of this book.
#[derive(Debug, PartialEq, Eq)]
pub enum Directive<'a> {
    /// `{{#figure NAME | CAPTION}}`
    Figure { name: &'a str, caption: &'a str },
    /// `{{#checks EXERCISE STEP}}`
    Checks { exercise: &'a str, step: usize },
    /// `{{#mistakes EXERCISE STEP}}`
    Mistakes { exercise: &'a str, step: usize },
    /// `{{#shipped EXERCISE}}`
    Shipped { exercise: &'a str },
    /// `{{#steps EXERCISE}}`
    Steps { exercise: &'a str },
    /// `{{#exercises}}`
    Exercises,
    /// `{{#answer SUMMARY}}`
    Answer { summary: &'a str },
    /// `{{/answer}}`
    AnswerEnd,
    /// `{{#toy LAB NAME}}`
    Toy { lab: &'a str, name: &'a str },
    /// `{{#sketch FIGURE | QUESTION}}`
    Sketch { name: &'a str, question: &'a str },
    /// `{{#covered}}`
    Covered,
    /// `{{/covered}}`
    CoveredEnd,
    /// `{{#fold SUMMARY}}`
    Fold { summary: &'a str },
    /// `{{/fold}}`
    FoldEnd,
}

/// What one line of a chapter is.
#[derive(Debug, PartialEq, Eq)]
pub enum Line<'a> {
    /// A directive of this book; what replaces it is indented alike, so that it may stand in a list.
    Directive { indent: &'a str, directive: Directive<'a> },
    /// Prose or code, with the targets of the `{{#include …}}`s in it: mdBook replaces those.
    Text { includes: Vec<&'a str> },
}

/// A line that looks like a directive and is none.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum SyntaxError {
    #[error("`{{{{#{0}` is not closed: end it with `}}}}` on the same line")]
    Unclosed(String),
    #[error(
        "there is no directive `{0}`: use figure, checks, mistakes, shipped, steps, exercises, answer … /answer, fold … /fold, covered … /covered, sketch, toy, include or title"
    )]
    Unknown(String),
    #[error("`{0}` must stand alone on its line")]
    NotAlone(String),
    #[error("write it as `{0}`")]
    Usage(&'static str),
}

const FIGURE: &str = "{{#figure NAME | CAPTION}}";
const CHECKS: &str = "{{#checks EXERCISE STEP}}, e.g. {{#checks 02-circuit-breaker 3}}";
const MISTAKES: &str = "{{#mistakes EXERCISE STEP}}, e.g. {{#mistakes 02-circuit-breaker 3}}";
const SHIPPED: &str = "{{#shipped EXERCISE}}, e.g. {{#shipped 02-circuit-breaker}}";
const STEPS: &str = "{{#steps EXERCISE}}, e.g. {{#steps 02-circuit-breaker}}";
const EXERCISES: &str = "{{#exercises}}";
const ANSWER: &str = "{{#answer SUMMARY}}";
const ANSWER_END: &str = "{{/answer}}";
const TOY: &str = "{{#toy LAB NAME}}, e.g. {{#toy circuit-breaker breaker}}";
const SKETCH: &str = "{{#sketch FIGURE | QUESTION}}, before the figure, which is covered";
const COVERED: &str = "{{#covered}}";
const COVERED_END: &str = "{{/covered}}";
const FOLD: &str = "{{#fold SUMMARY}}";
const FOLD_END: &str = "{{/fold}}";
const INCLUDE: &str = "{{#include PATH:ANCHOR}}";

/// Reads one line of a chapter. A backslash before the braces makes them text, as in mdBook.
pub fn parse(line: &str) -> Result<Line<'_>, SyntaxError> {
    let mut includes = Vec::new();
    let mut rest = line;
    while let Some(at) = rest.find("{{#").into_iter().chain(rest.find("{{/")).min() {
        let escaped = rest[..at].ends_with('\\');
        let inner = &rest[at + 2..];
        if escaped {
            rest = inner;
            continue;
        }
        let Some((body, after)) = inner.split_once("}}") else {
            return Err(SyntaxError::Unclosed(first_word(&inner[1..]).to_owned()));
        };
        rest = after;
        let name = first_word(body);
        let arguments = body[name.len()..].trim();
        match name {
            "#include" if !arguments.is_empty() => includes.push(arguments),
            "#include" => return Err(SyntaxError::Usage(INCLUDE)),
            "#title" => {}
            _ => {
                let directive = directive(name, arguments)?;
                if line.trim().len() != body.len() + "{{}}".len() {
                    return Err(SyntaxError::NotAlone(format!("{{{{{name} …}}}}")));
                }
                let indent = &line[..line.len() - line.trim_start().len()];
                return Ok(Line::Directive { indent, directive });
            }
        }
    }
    Ok(Line::Text { includes })
}

fn directive<'a>(name: &str, arguments: &'a str) -> Result<Directive<'a>, SyntaxError> {
    let exercise = |usage| one_word(arguments).ok_or(SyntaxError::Usage(usage));
    let step = |usage| {
        let (exercise, step) = arguments.split_once(' ').ok_or(SyntaxError::Usage(usage))?;
        let step = step.trim().parse().map_err(|_| SyntaxError::Usage(usage))?;
        Ok((exercise, step))
    };
    match name {
        "#figure" => {
            let (name, caption) = name_and_text(arguments, FIGURE)?;
            Ok(Directive::Figure { name, caption })
        }
        "#sketch" => {
            let (name, question) = name_and_text(arguments, SKETCH)?;
            Ok(Directive::Sketch { name, question })
        }
        "#checks" => step(CHECKS).map(|(exercise, step)| Directive::Checks { exercise, step }),
        "#mistakes" => {
            step(MISTAKES).map(|(exercise, step)| Directive::Mistakes { exercise, step })
        }
        "#shipped" => Ok(Directive::Shipped { exercise: exercise(SHIPPED)? }),
        "#steps" => Ok(Directive::Steps { exercise: exercise(STEPS)? }),
        "#exercises" if arguments.is_empty() => Ok(Directive::Exercises),
        "#exercises" => Err(SyntaxError::Usage(EXERCISES)),
        "#answer" if arguments.is_empty() => Err(SyntaxError::Usage(ANSWER)),
        "#answer" => Ok(Directive::Answer { summary: arguments }),
        "/answer" if arguments.is_empty() => Ok(Directive::AnswerEnd),
        "/answer" => Err(SyntaxError::Usage(ANSWER_END)),
        "#toy" => {
            let (lab, name) = arguments
                .split_once(' ')
                .and_then(|(lab, name)| Some((lab, one_word(name.trim())?)))
                .ok_or(SyntaxError::Usage(TOY))?;
            Ok(Directive::Toy { lab, name })
        }
        "#covered" if arguments.is_empty() => Ok(Directive::Covered),
        "#covered" => Err(SyntaxError::Usage(COVERED)),
        "/covered" if arguments.is_empty() => Ok(Directive::CoveredEnd),
        "/covered" => Err(SyntaxError::Usage(COVERED_END)),
        "#fold" if arguments.is_empty() => Err(SyntaxError::Usage(FOLD)),
        "#fold" => Ok(Directive::Fold { summary: arguments }),
        "/fold" if arguments.is_empty() => Ok(Directive::FoldEnd),
        "/fold" => Err(SyntaxError::Usage(FOLD_END)),
        unknown => Err(SyntaxError::Unknown(unknown.to_owned())),
    }
}

/// `NAME | TEXT`
fn name_and_text<'a>(
    arguments: &'a str,
    usage: &'static str,
) -> Result<(&'a str, &'a str), SyntaxError> {
    arguments
        .split_once('|')
        .and_then(|(name, text)| Some((one_word(name.trim())?, text.trim())))
        .filter(|(_, text)| !text.is_empty())
        .ok_or(SyntaxError::Usage(usage))
}

fn first_word(text: &str) -> &str {
    text.split_whitespace().next().unwrap_or_default()
}

fn one_word(text: &str) -> Option<&str> {
    (!text.is_empty() && !text.contains(char::is_whitespace)).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::{Directive, Line, SyntaxError, parse};

    fn directive(line: &str) -> Directive<'_> {
        match parse(line) {
            Ok(Line::Directive { directive, .. }) => directive,
            other => panic!("{line} is read as {other:?}"),
        }
    }

    #[test]
    fn each_directive_is_read_with_its_arguments() {
        assert_eq!(
            directive("{{#figure outage | The same *outage*, twice: a | b.}}"),
            Directive::Figure { name: "outage", caption: "The same *outage*, twice: a | b." }
        );
        assert_eq!(
            directive("{{#checks 02-circuit-breaker 3}}"),
            Directive::Checks { exercise: "02-circuit-breaker", step: 3 }
        );
        assert_eq!(
            directive("{{#mistakes 02-circuit-breaker 3}}"),
            Directive::Mistakes { exercise: "02-circuit-breaker", step: 3 }
        );
        assert_eq!(
            directive("{{#shipped 02-circuit-breaker}}"),
            Directive::Shipped { exercise: "02-circuit-breaker" }
        );
        assert_eq!(
            directive("{{#steps 02-circuit-breaker}}"),
            Directive::Steps { exercise: "02-circuit-breaker" }
        );
        assert_eq!(
            directive("{{#answer Which one, and *why*?}}"),
            Directive::Answer { summary: "Which one, and *why*?" }
        );
        assert_eq!(directive("{{/answer}}"), Directive::AnswerEnd);
        assert_eq!(
            directive("{{#toy circuit-breaker breaker}}"),
            Directive::Toy { lab: "circuit-breaker", name: "breaker" }
        );
        assert_eq!(
            directive("{{#sketch outage | What does it do?}}"),
            Directive::Sketch { name: "outage", question: "What does it do?" }
        );
        assert_eq!(directive("{{#covered}}"), Directive::Covered);
        assert_eq!(directive("{{/covered}}"), Directive::CoveredEnd);
        assert_eq!(directive("{{#fold All rows}}"), Directive::Fold { summary: "All rows" });
        assert_eq!(directive("{{/fold}}"), Directive::FoldEnd);
    }

    #[test]
    fn a_directive_in_a_list_keeps_its_indentation() {
        let line = parse("   {{/answer}}  ");
        assert_eq!(line, Ok(Line::Directive { indent: "   ", directive: Directive::AnswerEnd }));
    }

    #[test]
    fn mdbooks_includes_stay_and_are_reported() {
        let line = parse("a {{#include a.rs:x}} and {{#include b.rs}}");
        assert_eq!(line, Ok(Line::Text { includes: vec!["a.rs:x", "b.rs"] }));
    }

    #[test]
    fn braces_without_a_sign_or_behind_a_backslash_are_text() {
        for line in ["format!(\"{{x}}\")", r"write \{{#figure x | y}} for a figure"] {
            assert_eq!(parse(line), Ok(Line::Text { includes: vec![] }), "{line}");
        }
    }

    #[test]
    fn what_looks_like_a_directive_and_is_none_is_an_error() {
        let unknown = |name: &str| SyntaxError::Unknown(name.to_owned());
        let cases = [
            ("{{#figrue a | b}}", unknown("#figrue")),
            ("{{/figure}}", unknown("/figure")),
            ("{{#}}", unknown("#")),
            ("{{#figure a | b", SyntaxError::Unclosed("figure".into())),
            ("{{#figure a}}", SyntaxError::Usage(super::FIGURE)),
            ("{{#figure a | }}", SyntaxError::Usage(super::FIGURE)),
            ("{{#figure a b | c}}", SyntaxError::Usage(super::FIGURE)),
            ("{{#checks a}}", SyntaxError::Usage(super::CHECKS)),
            ("{{#checks a three}}", SyntaxError::Usage(super::CHECKS)),
            ("{{#mistakes a}}", SyntaxError::Usage(super::MISTAKES)),
            ("{{#shipped}}", SyntaxError::Usage(super::SHIPPED)),
            ("{{#fold }}", SyntaxError::Usage(super::FOLD)),
            ("{{/fold x}}", SyntaxError::Usage(super::FOLD_END)),
            ("{{#steps a b}}", SyntaxError::Usage(super::STEPS)),
            ("{{#answer }}", SyntaxError::Usage(super::ANSWER)),
            ("{{/answer x}}", SyntaxError::Usage(super::ANSWER_END)),
            ("{{#sketch outage}}", SyntaxError::Usage(super::SKETCH)),
            ("{{#toy breaker}}", SyntaxError::Usage(super::TOY)),
            ("{{#toy a b c}}", SyntaxError::Usage(super::TOY)),
            ("{{#covered x}}", SyntaxError::Usage(super::COVERED)),
            ("{{/covered x}}", SyntaxError::Usage(super::COVERED_END)),
            ("{{#include }}", SyntaxError::Usage(super::INCLUDE)),
            ("see {{#steps a}}", SyntaxError::NotAlone("{{#steps …}}".into())),
        ];
        for (line, error) in cases {
            assert_eq!(parse(line), Err(error), "{line}");
        }
    }
}
