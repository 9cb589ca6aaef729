//! Each kind of failure, and what a set of detectors says of it: yours and the reference's.

use flaky::Fault;
use lab_kit::{Needs, Panic, Runs, Scene, Shown, Table, Values, Whose, attempt};
use tokio::task::JoinSet;

use crate::scene::{self, Evidence, LIMIT, PATIENCE, REPLICAS};
use crate::{kinds, reference};

/// So many kinds are observed at the same time: each has four servers, and latencies count.
const AT_ONCE: usize = 12;

pub static SCENE: Scene = Scene {
    name: "kinds",
    about: "Each kind of failure over real sockets, and what your detectors say of it",
    knobs: &[],
    figures: &["taxonomy-kinds"],
    needs: Some(Needs {
        step: 1,
        text: "A row is there when the steps are that recognise its kind.",
    }),
    parameters,
    run: |values| {
        let cases = observe_all(values.seed())?;
        let runs = runs(values, &cases);
        Ok(Shown::new(&runs, table(&cases, &runs)))
    },
};

/// What a set of detectors says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnosis {
    /// `None` if nothing was found.
    pub class: Option<String>,
    /// What was found.
    pub because: String,
    /// Whether the payment was made, as far as its caller knows: no, yes or unknown.
    pub payment: String,
}

impl Diagnosis {
    pub fn class(&self) -> &str {
        self.class.as_deref().unwrap_or("healthy")
    }
}

/// A diagnosis for each case, as far as the reader's code is there.
type Diagnoses = Vec<Option<Diagnosis>>;

type Diagnose = fn(&Evidence) -> Diagnosis;

const DETECTORS: &[(Whose, Diagnose)] = &[
    (Whose::Reference, reference::diagnosis::diagnose),
    #[cfg(feature = "yours")]
    (Whose::Yours, crate::yours::diagnosis::diagnose),
];

fn runs(values: &Values, cases: &[(Fault, Evidence)]) -> Runs<Diagnoses> {
    let mut runs = Runs::new(values);
    for (whose, diagnose) in DETECTORS {
        let mut missing: Option<Panic> = None;
        let one = |(_, evidence): &(Fault, Evidence)| match attempt(|| diagnose(evidence)) {
            Ok(diagnosis) => Some(diagnosis),
            Err(panic) => {
                missing.get_or_insert(panic);
                None
            }
        };
        let diagnoses = cases.iter().map(one).collect();
        runs.partly(*whose, whose.name(), diagnoses, missing);
    }
    runs
}

fn table(cases: &[(Fault, Evidence)], runs: &Runs<Diagnoses>) -> Table {
    let whose = || runs.done().map(|(name, _)| name);
    let heads = whose().flat_map(|name| [name.to_owned(), format!("paid, by {name}?")]);
    let found = ["injected".to_owned(), "found by the reference".to_owned()];
    let mut table = Table::new(found.into_iter().chain(heads).chain(["ledger".to_owned()]));
    table = table.align("llllllll");
    for (index, (fault, evidence)) in cases.iter().enumerate() {
        let because = runs.get("reference").and_then(|all| all[index].as_ref());
        let because = because.map_or_else(String::new, |diagnosis| diagnosis.because.clone());
        let said = runs.done().flat_map(|(_, all)| match &all[index] {
            Some(diagnosis) => [diagnosis.class().to_owned(), diagnosis.payment.clone()],
            None => ["-", "-"].map(str::to_owned),
        });
        let name = format!("{}{}", fault.name(), kinds::detail(fault));
        let ledger = yes_or_no(evidence.charged).to_owned();
        table.row([name, because].into_iter().chain(said).chain([ledger]));
    }
    table
}

/// Each kind with what was observed of it, in the order of the taxonomy.
#[tokio::main(flavor = "current_thread")]
pub async fn observe_all(seed: u64) -> anyhow::Result<Vec<(Fault, Evidence)>> {
    let mut waiting: Vec<_> = kinds::all().into_iter().enumerate().rev().collect();
    let (mut observing, mut cases) = (JoinSet::new(), Vec::new());
    loop {
        while observing.len() < AT_ONCE
            && let Some((place, fault)) = waiting.pop()
        {
            observing.spawn(async move {
                (place, fault.clone(), scene::observe(Some(fault), seed).await)
            });
        }
        let Some(observed) = observing.join_next().await else { break };
        let (place, fault, evidence) = observed?;
        cases.push((place, fault, evidence?));
    }
    cases.sort_by_key(|(place, ..)| *place);
    Ok(cases.into_iter().map(|(_, fault, evidence)| (fault, evidence)).collect())
}

pub fn yes_or_no(it: bool) -> &'static str {
    if it { "yes" } else { "no" }
}

pub fn parameters(values: &Values) -> String {
    format!("{} Seed {}.", setting(), values.seed())
}

pub fn setting() -> String {
    format!(
        "{REPLICAS} replicas of a shop, of which the first has the fault; real sockets on loopback. A client \
         waits {} s for an answer, and calls it late after {} s.",
        PATIENCE.as_secs_f64(),
        LIMIT.as_secs_f64(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_that_can_be_injected_is_recognised_by_the_reference() {
        let cases = observe_all(7).unwrap();

        for (fault, evidence) in &cases {
            let diagnosis = reference::diagnosis::diagnose(evidence);
            assert_eq!(
                diagnosis.class(),
                crate::expected::seen_as(fault),
                "{}: {diagnosis:?}",
                fault.name()
            );
            let truth = yes_or_no(evidence.charged);
            assert!(
                ["unknown", truth].contains(&diagnosis.payment.as_str()),
                "{}: whether the payment was made is {truth}: {diagnosis:?}",
                fault.name()
            );
        }
    }

    #[tokio::test]
    async fn in_a_healthy_server_nothing_is_found() {
        let evidence = scene::observe(None, 7).await.unwrap();

        let diagnosis = reference::diagnosis::diagnose(&evidence);

        let healthy =
            Diagnosis { class: None, because: "nothing".to_owned(), payment: "yes".to_owned() };
        assert_eq!(diagnosis, healthy);
        assert!(evidence.charged);
    }
}
