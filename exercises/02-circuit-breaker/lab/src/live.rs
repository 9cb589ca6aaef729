//! The storm over real sockets, in real time: each breaker guards a real HTTP client, which calls a
//! flaky server of its own on loopback. All three run at once, under the same plan and seed.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

use anyhow::Context as _;
use flaky::{Flaky, Plan};
use storm::{Failure, Load, Report, StormError, Table};

use crate::guard::{Guard, Whose};

const LENGTH: Duration = Duration::from_secs(16);
const OUTAGE: Range<Duration> = Duration::from_secs(4)..Duration::from_secs(10);
const REQUESTS_PER_SECOND: f64 = 100.0;
/// How long a client waits for an answer before it gives up.
const PATIENCE: Duration = Duration::from_millis(250);

/// The outage: half of the requests are never answered, the others get an error.
const PLAN: &str = r#"
[[rule]]
match = { path = "/payments" }
window = { from = "4s", for = "6s" }
share = 0.5
fault.omission.hang.ttl = "10s"

[[rule]]
match = { path = "/payments" }
window = { from = "4s", for = "6s" }
fault.response.status = 503

[[rule]]
match = { path = "/payments" }
fault.timing.latency.log_normal = { median = "5ms", p99 = "40ms" }
"#;

/// Requests that were sent during the outage, by the name of the run.
pub type Sent = BTreeMap<&'static str, u64>;

pub fn run(
    open_for: Duration,
    seed: u64,
) -> anyhow::Result<(Vec<Result<Report, StormError>>, Sent)> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let plan = Plan::from_toml(PLAN).context("the plan of this lab")?;
    let servers = Whose::ALL
        .map(|_| runtime.block_on(Flaky::start(plan.clone(), seed)).context("the flaky server"))
        .into_iter()
        .collect::<anyhow::Result<Vec<_>>>()?;

    let runs = thread::scope(|scope| {
        let threads: Vec<_> = Whose::ALL
            .into_iter()
            .zip(&servers)
            .map(|(whose, server)| scope.spawn(move || one(whose, server, open_for, seed)))
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().expect("a run catches panics"))
            .collect::<Vec<_>>()
    });
    for server in servers {
        runtime.block_on(server.stop());
    }
    let (runs, sent): (Vec<_>, Vec<_>) = runs.into_iter().unzip();
    let sent = Whose::ALL.map(Whose::name).into_iter().zip(sent).collect();
    Ok((runs, sent))
}

fn one(
    whose: Whose,
    server: &Flaky,
    open_for: Duration,
    seed: u64,
) -> (Result<Report, StormError>, u64) {
    let load = Load {
        rate_per_second: REQUESTS_PER_SECOND,
        length: LENGTH,
        good_within: PATIENCE,
        seed,
        ..Load::default()
    };
    let url: Arc<str> = format!("http://{}/payments", server.addr()).into();
    let sent = Arc::new(AtomicU64::new(0));
    let report = storm::run_live(whose.name(), &load, |scene| {
        server.begin();
        let begun = tokio::time::Instant::now();
        let guard = Guard::new(whose, open_for, seed, scene.timeline());
        let client =
            reqwest::Client::builder().timeout(PATIENCE).build().expect("a client without TLS");
        let sent = Arc::clone(&sent);
        move |request| {
            let (guard, client, url, sent) =
                (guard.clone(), client.clone(), url.clone(), sent.clone());
            async move {
                guard
                    .call(|| {
                        sent.fetch_add(u64::from(OUTAGE.contains(&begun.elapsed())), Relaxed);
                        charge(&client, &url, request.id)
                    })
                    .await
            }
        }
    });
    (report, sent.load(Relaxed))
}

async fn charge(client: &reqwest::Client, url: &str, id: u64) -> Result<(), Failure> {
    let request = client
        .post(url)
        .header("x-request-id", id.to_string())
        .header("content-type", "application/json")
        .body(r#"{"amount":1250}"#);
    match request.send().await.and_then(reqwest::Response::error_for_status) {
        Ok(_) => Ok(()),
        Err(_) => Err(Failure::Failed),
    }
}

pub fn table<'a>(reports: &'a [Report], sent: &Sent) -> Table<'a> {
    Table::new(reports)
        .outcomes()
        .waits()
        .counts("requests sent in the outage", |report| sent[report.name()])
        .row("well again after the outage, s", |report| match report.well_from(OUTAGE.end) {
            Some(at) => (at - OUTAGE.end).as_secs().to_string(),
            None => "never".to_owned(),
        })
}

pub fn parameters(open_for: Duration, seed: u64) -> String {
    format!(
        "{REQUESTS_PER_SECOND} real requests/s for {} s, each with a timeout of {} ms, to flaky servers on \
         loopback. From {} s to {} s half of the requests hang and the others get a 503. Breakers have \
         their defaults, but are open for {} s. Seed {seed}.",
        LENGTH.as_secs(),
        PATIENCE.as_millis(),
        OUTAGE.start.as_secs(),
        OUTAGE.end.as_secs(),
        open_for.as_secs(),
    )
}
