//! A vote with liars.

use lab_kit::{Knob, Play, Seen, Toy, Values};
use taxonomy_solution::{Vote, vote};

const ANSWERS: &[(&str, &str)] =
    &[("20", "it says £20"), ("90", "it says £90"), ("silent", "it gives no answer")];
const REPLICAS: [Knob; 4] = [
    Knob::choice("first", "What does the first replica say?", ANSWERS),
    Knob::choice("second", "The second?", ANSWERS),
    Knob::choice("third", "The third?", ANSWERS),
    Knob::choice("fourth", "The fourth?", ANSWERS),
];
const FAULTY: Knob = Knob::number("faulty", "How many may lie, and be outvoted?", 0..=2, 1, "");

pub static TOY: Toy = Toy {
    name: "vote",
    about: "A vote among four replicas",
    play: Play::Numbers {
        knobs: &[REPLICAS[0], REPLICAS[1], REPLICAS[2], REPLICAS[3], FAULTY],
        seen,
    },
    sheet: None,
};

fn seen(values: &Values) -> anyhow::Result<Seen> {
    let replies: Vec<Option<u32>> =
        REPLICAS.iter().map(|knob| values.choice(knob).parse().ok()).collect();
    let faulty = usize::try_from(values.number(&FAULTY))?;
    let shown = |reply: &Option<u32>| reply.map_or("–".to_owned(), |amount| format!("£{amount}"));
    let said = match vote(&replies, faulty) {
        Vote::Decided { answer, dissenting } if dissenting.is_empty() => {
            format!("Decided: £{answer}, and nobody says anything else.")
        }
        Vote::Decided { answer, dissenting } => {
            let names = ["first", "second", "third", "fourth"];
            let names: Vec<_> = dissenting.iter().map(|place| names[*place]).collect();
            format!(
                "Decided: £{answer}. Somebody lies or is wrong: the {}.",
                names.join(" and the ")
            )
        }
        Vote::Undecided => {
            format!("Undecided: it takes {} equal answers, and only one such group.", faulty + 1)
        }
        Vote::TooFewReplicas { needed } => {
            format!("Too few replicas: to outvote {faulty}, it takes {needed}.")
        }
    };
    let all: Vec<String> = replies.iter().map(shown).collect();
    Ok(Seen::new(said).fact("the replicas say", all.join(", ")))
}
