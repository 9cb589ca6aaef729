//! The herd: 1,000 clients fail at the same moment, and retry.

use std::time::Duration;

use lab_kit::chart::{Chart, Panel};
use lab_kit::{Knob, Needs, Runs, Scene, Shown, Table, Values, thousands};

use crate::strategy::{self, Strategy, Subject};

const STRATEGIES: [Strategy; 5] = [
    Strategy::Exponential,
    Strategy::Additive,
    Strategy::Equal,
    Strategy::Full,
    Strategy::Decorrelated,
];
const BIN: Duration = Duration::from_millis(10);
/// What the histogram shows.
const LENGTH: Duration = Duration::from_secs(2);
const CLIENTS: Knob =
    Knob::number("clients", "How large is the herd?", 1..=10_000, 1_000, "clients")
        .step(100)
        .at(&[1, 10, 100, 300, 1_000, 3_000, 10_000]);
/// The strategies of the figure, and their names in full.
pub const DRAWN: [(Strategy, &str); 3] = [
    (Strategy::Exponential, "no jitter"),
    (Strategy::Full, "full jitter"),
    (Strategy::Decorrelated, "decorrelated jitter"),
];

pub static SCENE: Scene = Scene {
    name: "herd",
    about: "Clients that fail at the same moment, and retry",
    knobs: &[CLIENTS, BASE],
    figures: &["backoff-herd"],
    needs: Some(Needs {
        step: 5,
        text: "The herd needs a generator for each client (step 5), and delays with jitter (step 2).",
    }),
    parameters,
    run: |values| {
        let runs = runs(values)?;
        Ok(Shown::new(&runs, table(&runs)).chart(chart(&runs, values)))
    },
};
const RETRIES: usize = 4;
const BASE: Knob = Knob::number("base", "How long should the first wait be?", 1..=1_000, 100, "ms")
    .at(&[1, 10, 30, 100, 200, 300, 500, 1_000]);
const CAP: Duration = Duration::from_secs(30);

/// How many retries arrive in each 10 ms.
pub struct Herd {
    /// All of the four retries of each client, up to `LENGTH`.
    pub arrivals: Vec<u64>,
    /// The busiest 10 ms of the first retries alone.
    pub first_peak: u64,
}

impl Herd {
    pub fn peak(&self) -> u64 {
        self.arrivals.iter().copied().max().unwrap_or(0)
    }
}

pub fn runs(values: &Values) -> anyhow::Result<Runs<Herd>> {
    strategy::runs(values, &STRATEGIES, |subject, strategy| run(subject, strategy, values))
}

fn run(subject: Subject, strategy: Strategy, values: &Values) -> Herd {
    let bins = usize::try_from(LENGTH.as_millis() / BIN.as_millis()).expect("a few hundred");
    let (mut arrivals, mut first) = (vec![0; bins], vec![0; bins]);
    for client in 0..values.number(&CLIENTS) {
        let mut at = Duration::ZERO;
        let base = Duration::from_millis(values.number(&BASE));
        let rng = (subject.client_rng)(values.seed(), client);
        let delays = strategy.delays(subject, base, CAP, rng);
        for (retry, delay) in delays.take(RETRIES).enumerate() {
            at += delay;
            let bin = usize::try_from(at.as_millis() / BIN.as_millis()).unwrap_or(usize::MAX);
            if let Some(count) = arrivals.get_mut(bin) {
                *count += 1;
                first[bin] += u64::from(retry == 0);
            }
        }
    }
    Herd { arrivals, first_peak: first.into_iter().max().unwrap_or(0) }
}

pub fn table(runs: &Runs<Herd>) -> Table {
    let mut table = Table::new(["busiest 10 ms", "of the first retries", "of all"]);
    for (name, herd) in runs.done() {
        table.row([name.to_owned(), thousands(herd.first_peak), thousands(herd.peak())]);
    }
    table
}

pub fn chart(runs: &Runs<Herd>, values: &Values) -> Chart {
    let drawn = DRAWN.iter().filter_map(|(strategy, label)| {
        Some((strategy.name(), *label, runs.get(strategy.name())?))
    });
    let peaks: Vec<String> = drawn
        .clone()
        .map(|(_, label, herd)| format!("{} with {label}", thousands(herd.peak())))
        .collect();
    let description = format!(
        "Three histograms of the same {} s. Without jitter all clients come at 0.1, 0.3, 0.7 and 1.5 s, and \
         at no other time; with jitter they come all the time, a few at once. In the busiest 10 ms there are \
         {}. The scales differ. {}",
        LENGTH.as_secs(),
        peaks.join(", "),
        parameters(values),
    );
    let title =
        format!("Retries of {} clients that failed together", thousands(values.number(&CLIENTS)));
    let chart = Chart::new("backoff-herd", &title, LENGTH)
        .description(&description)
        .command(&values.command());
    drawn.fold(chart, |chart, (name, label, herd)| {
        let title = format!("{label}: retries in 10 ms, at most {}", thousands(herd.peak()));
        let yours = format!("{name}, yours");
        let panel = Panel::new(&title).line(name, outline(herd));
        chart.panel(match runs.get(&yours) {
            Some(herd) => panel.line(&yours, outline(herd)),
            None => panel,
        })
    })
}

/// The upper edge of the bars.
fn outline(herd: &Herd) -> Vec<(f64, f64)> {
    let edge = |index: usize| index as f64 * BIN.as_secs_f64();
    let bars = herd.arrivals.iter().enumerate();
    bars.flat_map(|(index, &count)| [(edge(index), count as f64), (edge(index + 1), count as f64)])
        .collect()
}

pub fn parameters(values: &Values) -> String {
    format!(
        "{} clients fail at 0 s and retry {RETRIES} times: base {}, factor 2, cap {} s, additive jitter \
         {}. Counted in bins of {} ms, over the first {} s. Seed {}.",
        thousands(values.number(&CLIENTS)),
        values.show(&BASE),
        CAP.as_secs(),
        values.show(&BASE),
        BIN.as_millis(),
        LENGTH.as_secs(),
        values.seed(),
    )
}
