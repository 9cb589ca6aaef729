//! The six layers, in an order of the reader's.

use lab_kit::{Play, Seen, Toy};

use crate::orders::Column::{Calls, Errors, Fallbacks, Full, Recovery, Wait};
use crate::orders::{ALL_LAYERS, Layer, Order};
use crate::outage;

/// That of the chapter's tables.
const SEED: u64 = 7;

pub static TOY: Toy = Toy {
    name: "order",
    about: "The six layers, in your order: from the outermost to the innermost",
    play: Play::Order {
        of: &[
            ("fallback", "fallback"),
            ("deadline", "deadline"),
            ("retry", "retry"),
            ("breaker", "breaker"),
            ("bulkhead", "bulkhead"),
            ("timeout", "timeout"),
        ],
        seen,
    },
    sheet: None,
};

fn seen(order: &[usize]) -> anyhow::Result<Seen> {
    let layers: Vec<Layer> = order.iter().map(|place| ALL_LAYERS.layers[*place]).collect();
    let said = meaning(&layers);
    // Orders live as long as the program, and it runs a few of them.
    let run = outage::run(Order { layers: layers.leak(), ..ALL_LAYERS }, SEED)?;
    let columns = [Calls, Full, Fallbacks, Errors, Wait, Recovery];
    Ok(columns
        .iter()
        .fold(Seen::new(said), |seen, column| seen.fact(column.heading(), run.cell(*column))))
}

/// What is different from the book's order.
fn meaning(layers: &[Layer]) -> String {
    use Layer::{Breaker, Bulkhead, Deadline, Fallback, Retry, Timeout};
    let place = |layer| layers.iter().position(|its| *its == layer);
    let outside = |outer, inner| place(outer) < place(inner);
    let sentences = [
        (place(Fallback) > Some(0), "What is outside the fallback hears of no failure."),
        (outside(Retry, Deadline), "The deadline starts over with each try."),
        (outside(Breaker, Retry), "The breaker hears what became of a request, not of each try."),
        (outside(Bulkhead, Retry), "A place is held from the first try to the last."),
        (outside(Bulkhead, Breaker), "A place is held for calls that the breaker rejects, too."),
        (outside(Timeout, Retry), "The timeout of one try is one over all of them."),
        (
            outside(Timeout, Breaker),
            "The breaker hears nothing of a call that hangs: the timeout drops both.",
        ),
    ];
    let said: Vec<&str> =
        sentences.iter().filter(|(differs, _)| *differs).map(|(_, said)| *said).collect();
    match said.as_slice() {
        [] if outside(Timeout, Bulkhead) => {
            "The bulkhead is dropped with a call that hangs, which frees the place.".to_owned()
        }
        [] => "This is the book's order.".to_owned(),
        all => all.join(" "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_books_order_is_the_one_that_the_chapter_ends_with() {
        let all: Vec<usize> = (0..ALL_LAYERS.layers.len()).collect();
        let run = outage::run(ALL_LAYERS, SEED).unwrap();
        let columns = [Calls, Full, Fallbacks, Errors, Wait, Recovery];
        let facts = columns.map(|column| [column.heading().to_owned(), run.cell(column)]);
        let expected = serde_json::json!({ "said": "This is the book's order.", "facts": facts });
        assert_eq!(serde_json::to_value(seen(&all).unwrap()).unwrap(), expected);
    }

    #[test]
    fn each_swap_of_two_neighbours_has_a_meaning_of_its_own() {
        let mut said: Vec<String> = (1..ALL_LAYERS.layers.len())
            .map(|place| {
                let mut layers = ALL_LAYERS.layers.to_vec();
                layers.swap(place - 1, place);
                meaning(&layers)
            })
            .chain([meaning(ALL_LAYERS.layers)])
            .collect();
        said.sort_unstable();
        said.dedup();
        assert_eq!(said.len(), ALL_LAYERS.layers.len(), "{said:#?}");
    }
}
