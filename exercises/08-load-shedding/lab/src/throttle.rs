//! Clients that hold back: what K costs.

use std::time::Duration;

use lab_kit::{Needs, Runs, Scene, Shown, Table, Values, Whose, thousands};
use tokio::runtime::Builder;
use tokio::time::advance;

use crate::code::{Code, NAIVE};
use crate::reference;
#[cfg(feature = "yours")]
use crate::yours;

/// Requests a second that the server serves: one a millisecond.
const CAPACITY: u64 = 1_000;
const WINDOW: Duration = Duration::from_secs(30);
const WARM: u64 = 60_000;
const LENGTH: u64 = 90_000;
pub const KS: [f64; 3] = [1.1, 1.5, 2.0];
pub const TIMES: [u64; 4] = [1, 2, 4, 10];

const CONTESTANTS: &[(Whose, &str, Code)] = &[
    (Whose::Naive, "all ask", NAIVE),
    #[cfg(feature = "yours")]
    (Whose::Yours, "yours", yours::parts::CODE),
    (Whose::Reference, "reference", reference::parts::CODE),
];

pub static SCENE: Scene = Scene {
    name: "throttle",
    about: "Clients that hold back: what K costs",
    knobs: &[],
    figures: &[],
    needs: Some(Needs { step: 5, text: "It needs the throttle of step 5." }),
    parameters,
    run: |values| {
        let runs = runs(values)?;
        Ok(Shown::new(&runs, table(&runs)))
    },
};

/// Requests a second that reach the server, and those of them that it serves, by K and by load.
pub type Cells = Vec<(u64, u64)>;

pub fn runs(values: &Values) -> anyhow::Result<Runs<Cells>> {
    Runs::of(values, CONTESTANTS.iter().copied(), |_, code| {
        let cells = KS.into_iter().flat_map(|k| TIMES.map(|times| (k, times)));
        cells.map(|(k, times)| reach(code, k, times, values.seed())).collect()
    })
}

pub fn reach(parts: Code, k: f64, times: u64, seed: u64) -> anyhow::Result<(u64, u64)> {
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build()?;
    Ok(runtime.block_on(async {
        let client = (parts.client)(k, WINDOW, seed);
        let (mut reached, mut served, mut room) = (0, 0, 0);
        for millisecond in 0..LENGTH {
            // Of the time in which nobody came, it can make good what 20 requests take.
            room = (room + 1).min(20);
            let asked = (0..times).filter(|_| client.may_ask()).count() as u64;
            let taken = asked.min(room);
            room -= taken;
            (0..taken).for_each(|_| client.was_accepted());
            if millisecond >= WARM {
                reached += asked;
                served += taken;
            }
            advance(Duration::from_millis(1)).await;
        }
        let seconds = (LENGTH - WARM) / 1_000;
        (reached / seconds, served / seconds)
    }))
}

pub fn table(runs: &Runs<Cells>) -> Table {
    let names = runs.done().map(|(name, _)| format!("{name}: reach it, served"));
    let heads = ["K".to_owned(), "offered, 1/s".to_owned()];
    let mut table = Table::new(heads.into_iter().chain(names)).align("rr");
    for (index, (k, times)) in
        KS.into_iter().flat_map(|k| TIMES.map(|times| (k, times))).enumerate()
    {
        let cells = runs.done().map(|(_, cells)| {
            let (reached, served) = cells[index];
            format!("{}, {}", thousands(reached), thousands(served))
        });
        table.row([format!("{k:.1}"), thousands(times * CAPACITY)].into_iter().chain(cells));
    }
    table
}

pub fn parameters(values: &Values) -> String {
    format!(
        "A server serves {} requests/s, and refuses the others. The requests of clients that share one throttle, spread evenly; a \
         window of {} s. Averages of the last {} of {} s of virtual time. Seed {}.",
        thousands(CAPACITY),
        WINDOW.as_secs(),
        (LENGTH - WARM) / 1_000,
        LENGTH / 1_000,
        values.seed(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// *Site Reliability Engineering*, chapter 21: K = 2 lets about twice the capacity through, K = 1.1 about 1.1 times.
    #[test]
    fn the_published_loads_are_met() {
        for (k, published) in [(2.0, 2_000.0), (1.1, 1_100.0)] {
            for times in [4, 10] {
                let (reached, _) = reach(reference::parts::CODE, k, times, 7).unwrap();
                let off = reached as f64 / published - 1.0;
                assert!(
                    off.abs() <= 0.15,
                    "K = {k} at {times} times: {reached}, published {published}"
                );
            }
        }
    }
}
