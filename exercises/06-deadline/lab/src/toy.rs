//! A chain of the reader's own, audited.

use std::time::Duration;

use deadline_solution::{Chain, Link};
use lab_kit::{Knob, Play, Seen, Toy, Values};

const SECONDS: &[u64] = &[1, 2, 3, 5, 10, 15, 20, 30, 60];
const fn waits(name: &'static str, question: &'static str, default: u64) -> Knob {
    Knob::number(name, question, 1..=3_600, default, "s").at(SECONDS)
}

const USER: Knob = waits("user", "How long does the user wait?", 30);
const SERVICE: Knob =
    waits("service", "How long does the front wait for one try of the service?", 20);
const DATABASE: Knob =
    waits("database", "How long does the service wait for one try of the database?", 10);
const TRIES: Knob = Knob::number(
    "each-tries",
    "How often does each of them try, the first time included?",
    1..=10,
    2,
    "",
)
.at(&[1, 2, 3]);

pub static TOY: Toy = Toy {
    name: "chain",
    about: "Your chain, audited",
    play: Play::Numbers { knobs: &[USER, SERVICE, DATABASE, TRIES], seen },
    sheet: Some("timeout"),
};

fn seen(values: &Values) -> anyhow::Result<Seen> {
    let tries = u32::try_from(values.number(&TRIES))?;
    let link = |name, knob, tries| Link { tries, ..Link::new(name, values.seconds(knob)) };
    let links = vec![
        link("front", &USER, 1),
        link("service", &SERVICE, tries),
        link("database", &DATABASE, tries),
    ];
    let audit = Chain::new(links)?.audit();
    let verdict = |outer: &str, has: Duration| {
        let found = audit.iter().find(|violation| violation.outer == outer);
        found.map_or_else(
            || format!("{} s: enough", has.as_secs()),
            |it| {
                let (has, needs) = (it.has.as_secs(), it.needs.as_secs());
                format!("{has} s: too short, needs more than {needs} s ({})", it.rule)
            },
        )
    };
    let said = match audit.len() {
        0 => "Each waits longer than what it calls may take.",
        1 => "One gives up while what it calls is still trying: work for nobody.",
        _ => "Both give up while what they call is still trying: work for nobody.",
    };
    Ok(Seen::new(said)
        .fact("the user, for the front", verdict("front", values.seconds(&USER)))
        .fact("the front, for the service", verdict("service", values.seconds(&SERVICE))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_of_the_chapter_are_too_short_with_two_tries() {
        let values = crate::LAB.defaults();
        let said = |values: &Values| serde_json::to_value(seen(values).unwrap()).unwrap();
        assert_eq!(
            said(&values)["facts"][0][1],
            "30 s: too short, needs more than 40 s (outer > inner × tries + backoff)"
        );
        assert_eq!(
            said(&values.with(&TRIES, 1))["said"],
            "Each waits longer than what it calls may take."
        );
    }
}
