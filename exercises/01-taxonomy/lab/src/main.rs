//! The lab of the taxonomy: each kind of failure that the flaky server can inject, over real
//! sockets, and which class the detectors recognise in it.

#[cfg(test)]
mod expected;
mod figures;
mod kinds;
mod reference;
mod scene;
mod yours;

use clap::Parser;
use flaky::Fault;
use storm::lab::{Options, catch_panic};
use tokio::task::JoinSet;

use scene::Evidence;

/// So many kinds are observed at the same time: each has four servers, and latencies count.
const AT_ONCE: usize = 12;

/// Each kind of failure for real, and what your detectors say of it
#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    options: Options,
}

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

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let Arguments { options: Options { seed, figures } } = Arguments::parse();
    let cases = observe_all(seed).await?;
    if let Some(directory) = figures {
        return figures::write(&directory, &cases);
    }
    println!("{}\n", figures::parameters());
    println!(
        "{:<36}{:<39}{:<11}{:<11}{:<9}{:<9}ledger",
        "injected", "found by the reference", "reference", "yours", "paid?", "yours"
    );
    let mut missing = None;
    for (fault, evidence) in &cases {
        let reference = reference::diagnose(evidence);
        let (class, payment) = match catch_panic(|| yours::diagnose(evidence)) {
            Ok(yours) => (class(&yours).to_owned(), yours.payment),
            Err(message) => {
                missing.get_or_insert(message);
                ("-".to_owned(), "-".to_owned())
            }
        };
        println!(
            "{:<36}{:<39}{:<11}{class:<11}{:<9}{payment:<9}{}",
            format!("{}{}", fault.name(), kinds::detail(fault)),
            reference.because,
            self::class(&reference),
            reference.payment,
            yes_or_no(evidence.charged),
        );
    }
    if let Some(message) = missing {
        println!("\nyours: not there yet: {message}");
    }
    Ok(())
}

/// Each kind with what was observed of it, in the order of the taxonomy.
async fn observe_all(seed: u64) -> anyhow::Result<Vec<(Fault, Evidence)>> {
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

fn class(diagnosis: &Diagnosis) -> &str {
    diagnosis.class.as_deref().unwrap_or("healthy")
}

fn yes_or_no(it: bool) -> &'static str {
    if it { "yes" } else { "no" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_kind_that_can_be_injected_is_recognised_by_the_reference() {
        let cases = observe_all(7).await.unwrap();

        for (fault, evidence) in &cases {
            let diagnosis = reference::diagnose(evidence);
            assert_eq!(
                class(&diagnosis),
                expected::seen_as(fault),
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

        let diagnosis = reference::diagnose(&evidence);

        let healthy =
            Diagnosis { class: None, because: "nothing".to_owned(), payment: "yes".to_owned() };
        assert_eq!(diagnosis, healthy);
        assert!(evidence.charged);
    }
}
