//! The storm over real sockets, in real time: each breaker guards a real HTTP client, which calls a
//! flaky server of its own on loopback. All three run at once, under the same plan and seed.

use std::ops::Range;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use circuit_breaker_lab::{Fault, GUARDS, MakeGuard, NEEDS, Setting};
use flaky::Flaky;
use lab_kit::{Comparison, Knob, Lab, Runs, Scene, Shown, Table, Values, rounded};
use storm::{Load, Report};

static LAB: Lab = Lab {
    name: "circuit-breaker --live",
    about: "An outage over real HTTP, without a breaker, with yours, and with the reference",
    scenes: &[&SCENE],
    figures: None,
    toys: &[],
};

static SCENE: Scene = Scene {
    name: "outage",
    about: "A server of which half of the answers never come, and the others are errors",
    knobs: &[OPEN_FOR],
    figures: &[],
    needs: Some(NEEDS),
    parameters,
    run: |values| {
        let runs = lab_kit::live(PLAN, values, GUARDS, |guard, server| one(guard, server, values))?;
        Ok(Shown::new(&runs, table(&runs)))
    },
};

/// Shorter than in the storm in virtual time, as is all the rest.
const OPEN_FOR: Knob = Knob::number(
    "open-for",
    "How long should a breaker stay open before it probes?",
    1..=86_400,
    1,
    "s",
);

fn main() -> ExitCode {
    lab_kit::main(&LAB)
}

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

/// The gauge of requests that were sent.
const SENT: &str = "sent";

fn one(guard: MakeGuard, server: &Flaky, values: &Values) -> anyhow::Result<Report> {
    let load = Load {
        rate_per_second: REQUESTS_PER_SECOND,
        length: LENGTH,
        good_within: PATIENCE,
        seed: values.seed(),
        ..Load::default()
    };
    let url: Arc<str> = format!("http://{}/payments", server.addr()).into();
    let sent = Arc::new(AtomicU64::new(0));
    let client = reqwest::Client::builder().timeout(PATIENCE).build()?;
    let setting = Setting::open_for(values.seconds(&OPEN_FOR));
    let report = storm::run_live("live", &load, |scene| {
        server.begin();
        let count = Arc::clone(&sent);
        scene.gauge(SENT, move || count.load(Relaxed) as f64);
        let guard = guard(setting, values.seed(), &scene.timeline());
        let sent = Arc::clone(&sent);
        move |request| {
            let (client, url, sent) = (client.clone(), url.clone(), sent.clone());
            guard(Box::pin(async move {
                sent.fetch_add(1, Relaxed);
                charge(&client, &url, request.id).await
            }))
        }
    })?;
    Ok(report)
}

async fn charge(client: &reqwest::Client, url: &str, id: u64) -> Result<(), Fault> {
    let request = client
        .post(url)
        .header("x-request-id", id.to_string())
        .header("content-type", "application/json")
        .body(r#"{"amount":1250}"#);
    match request.send().await.and_then(reqwest::Response::error_for_status) {
        Ok(_) => Ok(()),
        Err(_) => Err(Fault::Failed),
    }
}

fn table(runs: &Runs<Report>) -> Table {
    let sent_until = |report: &Report, moment: Duration| {
        let sent = report.gauge(SENT).into_iter();
        sent.take_while(|(second, _)| *second <= moment.as_secs_f64()).last().map_or(0.0, |it| it.1)
    };
    Comparison::new(runs.done())
        .outcomes()
        .waits()
        .row("requests sent in the outage", |report| {
            rounded(sent_until(report, OUTAGE.end) - sent_until(report, OUTAGE.start))
        })
        .well_after("recovered after the outage, s", OUTAGE.end)
        .table()
}

fn parameters(values: &Values) -> String {
    format!(
        "{REQUESTS_PER_SECOND} real requests/s for {} s, each with a timeout of {} ms, to flaky servers on \
         loopback. From {} s to {} s half of the requests hang and the others get a 503. Breakers have \
         their defaults, but are open for {}. Seed {}.",
        LENGTH.as_secs(),
        PATIENCE.as_millis(),
        OUTAGE.start.as_secs(),
        OUTAGE.end.as_secs(),
        values.show(&OPEN_FOR),
        values.seed(),
    )
}
