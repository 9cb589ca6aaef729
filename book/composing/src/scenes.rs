//! The questions as scenes: a run for each order, a table and a chart.

use lab_kit::chart::{Chart, Panel};
use lab_kit::{Knob, Runs, Scene, Shown, Table, Values, Whose};

use crate::orders::{Column, DRAWN, Order, QUESTIONS, Question};
use crate::outage::{self, DEPENDENCY, LENGTH, OUTAGE, Run};

const LUCK: Knob =
    Knob::number("luck", "How many calls in a hundred may be refused by bad luck?", 0..=50, 1, "%")
        .at(&[0, 1, 2, 5, 10, 20, 30, 50]);
const PERMITS: Knob = Knob::number(
    "permits",
    "How many calls may the bulkhead let out at once?",
    1..=1_000,
    30,
    "permits",
)
.at(&[5, 10, 14, 20, 30, 50, 100]);

/// The orders of the figure, in other weather.
pub static FIGURE: Scene = Scene {
    name: "outage",
    about: "Four of the orders, with more or less bad luck and room",
    knobs: &[LUCK, PERMITS],
    figures: &["composing"],
    needs: None,
    parameters: |values| {
        let (luck, permits) = (values.show(&LUCK), values.show(&PERMITS));
        let parameters = outage::parameters(values.seed());
        format!("{parameters} Here {luck} of the calls are, and it has {permits}.")
    },
    run: |values| {
        let runs = drawn(values)?;
        let columns = [Column::Calls, Column::Full, Column::Lost, Column::Recovery];
        Ok(Shown::new(&runs, of_orders(&columns, &runs)).chart(chart(&runs, values)))
    },
};

/// The lines of the figure.
pub fn drawn(values: &Values) -> anyhow::Result<Runs<Run>> {
    let bad_luck = values.number(&LUCK) as f64 / 100.0;
    let permits = usize::try_from(values.number(&PERMITS))?;
    let orders =
        DRAWN.map(|(label, order)| (Whose::Reference, label, Order { permits, bad_luck, ..order }));
    Runs::of(values, orders, |_, order| outage::run(order, values.seed()))
}

pub const fn scene(question: &'static Question) -> Scene {
    Scene {
        name: question.name,
        about: question.about,
        knobs: &[],
        figures: &[],
        needs: None,
        parameters: |values| {
            let parameters = outage::parameters(values.seed());
            match asked(values).setting {
                "" => parameters,
                setting => format!("{parameters} Here: {setting}."),
            }
        },
        run: |values| {
            let question = asked(values);
            let runs = runs(question, values)?;
            Ok(Shown::new(&runs, table(question, &runs)).chart(chart(&runs, values)))
        },
    }
}

fn asked(values: &Values) -> &'static Question {
    let named = |question: &&Question| question.name == values.scene_name();
    QUESTIONS.iter().find(named).expect("each scene is a question")
}

pub fn runs(question: &Question, values: &Values) -> anyhow::Result<Runs<Run>> {
    let orders = question.orders.iter().map(|order| (Whose::Reference, order.name(), *order));
    Runs::of(values, orders, |_, order| outage::run(order, values.seed()))
}

/// A row for each order.
pub fn table(question: &Question, runs: &Runs<Run>) -> Table {
    of_orders(question.columns, runs)
}

fn of_orders(columns: &[Column], runs: &Runs<Run>) -> Table {
    let headings = columns.iter().map(|column| column.heading());
    let mut table = Table::new(["from the outermost"].into_iter().chain(headings));
    for (name, run) in runs.done() {
        let cells = columns.iter().map(|column| run.cell(*column));
        table.row([name.to_owned()].into_iter().chain(cells));
    }
    table
}

pub fn chart(runs: &Runs<Run>, values: &Values) -> Chart {
    let sentences = runs.done().map(|(label, run)| {
        format!(
            "{label}: {} calls in the outage, {} requests answered in full, seconds until recovered: {}",
            run.cell(Column::Calls),
            run.cell(Column::Full),
            run.recovery(),
        )
    });
    let description = format!(
        "Two panels over {} s of virtual time, with the dependency hanging from {} s to {} s. Above, the requests \
         that are answered in full; below, the calls that reach the dependency. {}. {}",
        LENGTH.as_secs(),
        OUTAGE.start.as_secs(),
        OUTAGE.end.as_secs(),
        sentences.collect::<Vec<_>>().join("; "),
        outage::parameters(values.seed()),
    );
    Chart::new("composing", "The same outage, through the same layers in other orders", LENGTH)
        .description(&description)
        .command(&values.command())
        .band(OUTAGE.start, OUTAGE.end, "dependency hangs")
        .panel(
            Panel::new("answered in full, requests/s").lines(runs.done(), |run| {
                run.report.per_second(|second| second.counts.good as f64)
            }),
        )
        .panel(
            Panel::new("calls reaching the dependency, 1/s")
                .log()
                .lines(runs.done(), |run| run.report.calls_per_second(DEPENDENCY)),
        )
}
