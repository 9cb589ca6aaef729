//! The table of the chapter, by the reference.

use std::fmt::Write as _;
use std::path::Path;

use flaky::Fault;
use storm::lab::{numbers, write_figure};

use crate::scene::{Evidence, LIMIT, PATIENCE, REPLICAS};
use crate::{class, kinds, reference, yes_or_no};

pub fn write(directory: &Path, cases: &[(Fault, Evidence)]) -> anyhow::Result<()> {
    let mut table =
        String::from("| Injected | The client finds | Paid? | Ledger |\n|---|---|---|---|\n");
    for (fault, evidence) in cases {
        let seen = reference::diagnose(evidence);
        let _ = writeln!(
            table,
            "| `{}`{} | {}: {} | {} | {} |",
            fault.name(),
            kinds::detail(fault),
            class(&seen),
            seen.because,
            seen.payment,
            yes_or_no(evidence.charged),
        );
    }
    let _ = write!(table, "\n{}\n", parameters());
    write_figure(directory, "taxonomy-kinds.md", &table)?;
    let doubtful: Vec<_> = cases
        .iter()
        .filter(|(_, evidence)| reference::diagnose(evidence).payment == "unknown")
        .map(|(_, evidence)| evidence.charged)
        .collect();
    let paid = doubtful.iter().filter(|charged| **charged).count();
    let text = numbers([
        ("kinds", cases.len().to_string()),
        ("unknown", doubtful.len().to_string()),
        ("unknown-paid", paid.to_string()),
    ]);
    write_figure(directory, "taxonomy-kinds.txt", &text)?;
    Ok(())
}

pub fn parameters() -> String {
    format!(
        "{REPLICAS} replicas of a shop, of which the first has the fault; real sockets on loopback. A client \
         waits {} s for an answer, and calls it late after {} s.",
        PATIENCE.as_secs_f64(),
        LIMIT.as_secs_f64(),
    )
}
