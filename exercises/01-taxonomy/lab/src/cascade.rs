//! The cascade: ten slow seconds of a database that an outage without end grows from.
//!
//! Users call an API; the API takes one of its pooled connections and queries a database. The
//! database is slow for ten seconds. Queries pile up, the pool runs dry, users' requests time out, and
//! the one thing that decides whether the shop comes back is what the users' clients do then.
//!
//! The arithmetic: 20 queries at a time of 25 ms each are 800 queries/s that the database can answer.
//! 500 are asked for, so what has piled up is worked off at 300/s once the slowness is over. But when
//! every request times out, and each is tried three times, 1,500 queries/s are asked for. That is more
//! than 800, so the queue that makes every request time out keeps itself alive.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use lab_kit::chart::{Chart, Panel};
use lab_kit::{Comparison, Knob, Runs, Scene, Shown, Table, Values, Whose};
use storm::{
    Dependency, DependencyError, Failure, Load, Model, Outage, OutageKind, Report, ServiceTime,
    StormError,
};
use tokio::sync::Semaphore;
use tokio::time::timeout;

const LENGTH: Duration = Duration::from_secs(60);
/// How long a client waits for an answer before it hangs up.
const PATIENCE: Duration = Duration::from_secs(1);
const CONNECTIONS: usize = 50;
const DATABASE_SERVERS: u32 = 20;
const QUERY: Duration = Duration::from_millis(25);
const SLOW_FROM: Duration = Duration::from_secs(10);
const SLOW_TO: Duration = Duration::from_secs(20);

/// The last ten seconds.
const END: Range<Duration> = Duration::from_secs(50)..LENGTH;

const DATABASE: &str = "database";
const IN_USE: &str = "connections in use";

const RATE: Knob = Knob::number(
    "rate",
    "How close to what the database can answer, 800, may the load be?",
    10..=800,
    500,
    "requests/s",
)
.step(10)
.at(&[100, 200, 300, 400, 450, 500, 550, 600, 650, 700, 750, 800]);
const TRIES: Knob =
    Knob::number("tries", "How often may a client try before the outage stays?", 1..=5, 3, "times");
const SLOWER_BY: Knob =
    Knob::number("slower", "How slow must the database get?", 1..=20, 5, "times")
        .at(&[1, 2, 3, 4, 5, 6, 8, 10, 15, 20]);

pub static SCENE: Scene = Scene {
    name: "cascade",
    about: "How ten slow seconds of a database become an outage without end",
    knobs: &[RATE, TRIES, SLOWER_BY],
    figures: &["cascade"],
    needs: None,
    parameters,
    run: |values| {
        let runs = runs(values)?;
        Ok(Shown::new(&runs, table(&runs)).chart(chart(&runs, values)))
    },
};

/// Clients that try once, and clients that try several times.
pub fn runs(values: &Values) -> anyhow::Result<Runs<Report>> {
    let clients = [("no retries", 1), ("naive retries", small(values, &TRIES))];
    let clients = clients.map(|(name, tries)| (Whose::Naive, name, tries));
    Runs::of(values, clients, |name, tries| shop(name, tries, values))
}

fn small(values: &Values, knob: &Knob) -> u32 {
    u32::try_from(values.number(knob)).unwrap_or(u32::MAX)
}

pub fn table(runs: &Runs<Report>) -> Table {
    let before = Duration::ZERO..SLOW_FROM;
    let slow = SLOW_FROM..SLOW_TO;
    let goodput = |window: Range<Duration>| {
        move |report: &Report| report.counts_between(window.clone()).good / 10
    };
    let queries =
        |window: Range<Duration>| move |report: &Report| queries(report, window.clone()) / 10;
    Comparison::new(runs.done())
        .outcomes()
        .counts("goodput before (0–10 s), requests/s", goodput(before.clone()))
        .counts("goodput while slow (10–20 s), requests/s", goodput(slow.clone()))
        .counts("goodput at the end (50–60 s), requests/s", goodput(END))
        .counts("queries reaching the database before, per second", queries(before))
        .counts("queries reaching the database while slow, per second", queries(slow))
        .counts("queries reaching the database at the end, per second", queries(END))
        .row("all recovered at second", |report| match recovered(report) {
            Some(at) => at.as_secs().to_string(),
            None => "never".to_owned(),
        })
        .table()
}

/// The figure: goodput, queries that reach the database, and connections in use, over time.
pub fn chart(runs: &Runs<Report>, values: &Values) -> Chart {
    let slow = format!("database {} slower", values.show(&SLOWER_BY));
    Chart::new("cascade", "A slow database, with and without retries", LENGTH)
        .description(&description(runs, values))
        .command(&values.command())
        .band(SLOW_FROM, SLOW_TO, &slow)
        .panel(
            Panel::new("goodput, requests/s")
                .lines(runs.done(), |report| report.per_second(|second| second.counts.good as f64)),
        )
        .panel(
            Panel::new("queries reaching the database, per second")
                .lines(runs.done(), |report| report.calls_per_second(DATABASE)),
        )
        .panel(
            Panel::new(&format!("{IN_USE}, of {CONNECTIONS}"))
                .lines(runs.done(), |report| report.gauge(IN_USE)),
        )
}

fn description(runs: &Runs<Report>, values: &Values) -> String {
    let reports: Vec<&Report> = runs.done().map(|(_, report)| report).collect();
    let [without, with] = reports[..] else { return String::new() };
    let goodput = |report: &Report, window| report.counts_between(window).good / 10;
    let back = |report| match recovered(report) {
        Some(at) => format!("all has recovered from {} s on", at.as_secs()),
        None => "it never comes back".to_owned(),
    };
    format!(
        "Three panels over {} s of virtual time. While the database is slow, goodput falls to {} requests/s without \
         retries and {} with them. Without retries {}; in the last 10 s goodput is {} requests/s with {} queries/s at \
         the database. With naive retries {} although the database has recovered: in the last 10 s goodput is \
         {} requests/s, while {} queries/s reach the database and all {CONNECTIONS} connections \
         are in use. Parameters: {}",
        LENGTH.as_secs(),
        goodput(without, SLOW_FROM..SLOW_TO),
        goodput(with, SLOW_FROM..SLOW_TO),
        back(without),
        goodput(without, END),
        queries(without, END) / 10,
        back(with),
        goodput(with, END),
        queries(with, END) / 10,
        parameters(values),
    )
}

/// The parameters, in a sentence or two.
pub fn parameters(values: &Values) -> String {
    format!(
        "{}; clients hang up after {} s, and with retries try up to {} at \
         once; the API has {CONNECTIONS} connections; the database serves {DATABASE_SERVERS} queries at a time, {} ms \
         each on average (exponential), and takes {} as long from {} s to {} s; seed {}.",
        values.show(&RATE),
        PATIENCE.as_secs(),
        values.show(&TRIES),
        QUERY.as_millis(),
        values.show(&SLOWER_BY),
        SLOW_FROM.as_secs(),
        SLOW_TO.as_secs(),
        values.seed(),
    )
}

fn queries(report: &Report, window: Range<Duration>) -> u64 {
    report.dependency(DATABASE).map_or(0, |database| database.calls_between(window))
}

/// From which moment of the run on all had recovered; `None` for never.
pub fn recovered(report: &Report) -> Option<Duration> {
    report.well_from(SLOW_TO)
}

/// One run of the shop with clients that try so many times.
fn shop(name: &str, tries: u32, values: &Values) -> Result<Report, StormError> {
    let load = Load {
        rate_per_second: values.number(&RATE) as f64,
        length: LENGTH,
        good_within: PATIENCE * small(values, &TRIES),
        seed: values.seed(),
        ..Load::default()
    };
    let kind = OutageKind::Slow(values.number(&SLOWER_BY) as f64);
    let database = Model::new(DATABASE_SERVERS, ServiceTime::Exponential { mean: QUERY })
        .and_then(|model| model.with_outage(Outage { from: SLOW_FROM, to: SLOW_TO, kind }))
        .expect("the ranges of the knobs make sense");
    storm::run(name, &load, |scene| {
        let pool = Arc::new(Semaphore::new(CONNECTIONS));
        let api = Api { pool: Arc::clone(&pool), database: scene.dependency(DATABASE, &database) };
        scene.gauge(IN_USE, move || (CONNECTIONS - pool.available_permits()) as f64);
        move |_request| client(api.clone(), tries)
    })
}

async fn client(api: Api, tries: u32) -> Result<(), Failure> {
    for _ in 0..tries {
        // The API is another process: it goes on with a request when the client has hung up.
        let answer = tokio::spawn(api.clone().handle());
        if let Ok(Ok(Ok(()))) = timeout(PATIENCE, answer).await {
            return Ok(());
        }
    }
    Err(Failure::Failed)
}

#[derive(Clone)]
struct Api {
    pool: Arc<Semaphore>,
    database: Dependency,
}

impl Api {
    async fn handle(self) -> Result<(), DependencyError> {
        let _connection = self.pool.acquire().await;
        self.database.call().await
    }
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use super::*;

    static RUNS: LazyLock<Runs<Report>> = LazyLock::new(|| runs(&crate::LAB.defaults()).unwrap());

    #[test]
    fn without_retries_the_shop_recovers_and_with_naive_retries_it_never_does() {
        let [without, with] =
            ["no retries", "naive retries"].map(|name| recovered(RUNS.get(name).unwrap()));
        assert!(
            without.is_some_and(|at| (20..40).contains(&at.as_secs())),
            "without retries: {without:?}"
        );
        assert_eq!(with, None, "with naive retries");
    }

    #[test]
    fn the_outage_that_stays_is_one_of_a_busy_database() {
        let with = RUNS.get("naive retries").unwrap();
        assert_eq!(with.counts_between(END).good, 0);
        let rate = queries(with, END) / 10;
        assert!(
            (780..820).contains(&rate),
            "the most that the database can do is 800/s, it does {rate}"
        );
        let in_use = with.gauge(IN_USE);
        assert!(in_use[50..60].iter().all(|&(_, in_use)| in_use > 49.5), "{in_use:?}");
    }
}
