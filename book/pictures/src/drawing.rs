//! Boxes, arrows and words, as SVG that stands inline in a page and takes its colours from the page's style.

use std::fmt::Write as _;

/// In units of the view box, as wide as the charts: at the width at which a page shows it, 12 units are the size of the text.
const WIDTH: u32 = 480;
const FONT: u32 = 12;
const LINE: i32 = 15;

/// A colour of the page's style, as `--series-1` and so on.
#[derive(Clone, Copy)]
pub enum Colour {
    Text,
    Series(u8),
}

impl Colour {
    fn css(self) -> String {
        match self {
            Self::Text => "currentColor".to_owned(),
            Self::Series(number) => format!("var(--series-{number}, currentColor)"),
        }
    }
}

pub struct Drawing {
    /// The file's name without its ending. It begins the ids in the SVG.
    pub name: &'static str,
    title: &'static str,
    /// The text alternative.
    says: &'static str,
    height: u32,
    body: String,
}

impl Drawing {
    pub fn new(name: &'static str, title: &'static str, says: &'static str, height: u32) -> Self {
        Self { name, title, says, height, body: String::new() }
    }

    /// A box with its words, a line each, in the middle.
    pub fn boxed(mut self, at: [i32; 4], colour: Colour, words: &[&str]) -> Self {
        let [x, y, width, height] = at;
        let colour = colour.css();
        let _ = writeln!(
            self.body,
            "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" rx=\"6\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.5\"/>"
        );
        let lines = i32::try_from(words.len()).unwrap_or_default();
        let first = y + height / 2 - (lines - 1) * LINE / 2 + 4;
        for (line, word) in (0..).zip(words) {
            let weight = if line == 0 { "bold" } else { "normal" };
            let (x, y) = (x + width / 2, first + line * LINE);
            let _ = writeln!(
                self.body,
                "<text x=\"{x}\" y=\"{y}\" text-anchor=\"middle\" font-weight=\"{weight}\">{word}</text>"
            );
        }
        self
    }

    /// A filled bar.
    pub fn bar(mut self, at: [i32; 4], colour: Colour) -> Self {
        let [x, y, width, height] = at;
        let colour = colour.css();
        let _ = writeln!(
            self.body,
            "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" fill=\"{colour}\" fill-opacity=\"0.3\" stroke=\"{colour}\"/>"
        );
        self
    }

    /// A line from point to point that ends in an arrow.
    pub fn arrow(self, points: &[[i32; 2]]) -> Self {
        let name = self.name;
        self.path(points, &format!("marker-end=\"url(#{name}-head)\""))
    }

    /// A dashed line from point to point.
    pub fn dashed(self, points: &[[i32; 2]]) -> Self {
        self.path(points, "stroke-dasharray=\"3 3\"")
    }

    fn path(mut self, points: &[[i32; 2]], end: &str) -> Self {
        let points: Vec<_> = points.iter().map(|[x, y]| format!("{x} {y}")).collect();
        let d = points.join("L");
        let _ = writeln!(
            self.body,
            "<path d=\"M{d}\" fill=\"none\" stroke=\"currentColor\" stroke-width=\"1.2\" {end}/>"
        );
        self
    }

    /// Words, of which `x` is the start, the middle or the end.
    pub fn words(mut self, [x, y]: [i32; 2], anchor: &str, words: &str) -> Self {
        let _ = writeln!(
            self.body,
            "<text x=\"{x}\" y=\"{y}\" text-anchor=\"{anchor}\">{words}</text>"
        );
        self
    }

    pub fn svg(&self) -> String {
        let Self { name, title, says, height, body } = self;
        format!(
            "<svg role=\"img\" viewBox=\"0 0 {WIDTH} {height}\" aria-labelledby=\"{name}-title {name}-desc\" \
             data-command=\"cargo xtask book --figures\">\n\
             <title id=\"{name}-title\">{title}</title>\n<desc id=\"{name}-desc\">{says}</desc>\n\
             <defs><marker id=\"{name}-head\" viewBox=\"0 0 10 10\" refX=\"9\" refY=\"5\" markerWidth=\"7\" markerHeight=\"7\" \
             orient=\"auto\"><path d=\"M0 0L10 5L0 10z\" fill=\"currentColor\"/></marker></defs>\n\
             <g font-family=\"sans-serif\" font-size=\"{FONT}\" fill=\"currentColor\">\n{body}</g>\n</svg>\n"
        )
    }
}
