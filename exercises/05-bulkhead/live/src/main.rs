//! The storm over real sockets, in real time: a real HTTP client, and a flaky server on loopback for
//! each way to divide the places. All three run at once, under the same plan and seed.

use std::ops::Range;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use bulkhead_lab::{MAX_WAIT, MakePools, NEEDS, ON_WAITS, POOLS, Target, goodput};
use flaky::Flaky;
use lab_kit::{Comparison, Lab, Runs, Scene, Shown, Table, Values};
use storm::{Failure, Load, Report};

static LAB: Lab = Lab {
    name: "bulkhead --live",
    about: "A slow server beside a healthy one, over real HTTP, with one pool and with two bulkheads",
    scenes: &[&SCENE],
    figures: None,
    toys: &[],
};

static SCENE: Scene = Scene {
    name: "slow",
    about: "Payments slow down, and inventory is well",
    knobs: &[],
    figures: &[],
    needs: Some(NEEDS),
    parameters,
    run: |values| {
        let runs = lab_kit::live(PLAN, values, POOLS, |pools, server| one(pools, server, values))?;
        Ok(Shown::new(&runs, table(&runs)).note(ON_WAITS))
    },
};

fn main() -> ExitCode {
    lab_kit::main(&LAB)
}

const LENGTH: Duration = Duration::from_secs(16);
const SLOW: Range<Duration> = Duration::from_secs(4)..Duration::from_secs(12);
const REQUESTS_PER_SECOND: f64 = 100.0;
const GOOD_WITHIN: Duration = Duration::from_millis(250);
/// A timeout that is longer than what it should guard against, as in the storm in virtual time.
const TIME_OUT: Duration = Duration::from_secs(5);
/// For payments and for inventory.
const PLACES: [usize; 2] = [4, 8];

const PLAN: &str = r#"
[[rule]]
match = { path = "/payments" }
window = { from = "4s", for = "8s" }
fault.timing.latency.fixed = "2s"

[[rule]]
fault.timing.latency.log_normal = { median = "5ms", p99 = "20ms" }
"#;

fn one(pools: MakePools, server: &Flaky, values: &Values) -> anyhow::Result<Report> {
    let load = Load {
        rate_per_second: REQUESTS_PER_SECOND,
        length: LENGTH,
        good_within: GOOD_WITHIN,
        seed: values.seed(),
        ..Load::default()
    };
    let urls = ["payments", "inventory/sku-3"]
        .map(|path| Arc::<str>::from(format!("http://{}/{path}", server.addr())));
    let client = reqwest::Client::builder().timeout(TIME_OUT).build()?;
    let report = storm::run_live("live", &load, |scene| {
        server.begin();
        let pools = pools(PLACES);
        let good = Target::ALL.map(|target| {
            let good = Arc::new(AtomicU64::new(0));
            let count = Arc::clone(&good);
            scene.gauge(target.name(), move || count.load(Relaxed) as f64);
            good
        });
        move |request| {
            let target = Target::of(request.id);
            let (client, url) = (client.clone(), Arc::clone(&urls[target as usize]));
            let good = Arc::clone(&good[target as usize]);
            let ask = async move { ask(&client, &url, target, request.id).await };
            let answer = pools(target, Box::pin(ask));
            async move {
                answer.await?;
                good.fetch_add(u64::from(request.due.elapsed() <= GOOD_WITHIN), Relaxed);
                Ok(())
            }
        }
    })?;
    Ok(report)
}

async fn ask(client: &reqwest::Client, url: &str, target: Target, id: u64) -> Result<(), Failure> {
    let request = match target {
        Target::Payments => {
            client.post(url).header("content-type", "application/json").body(r#"{"amount":1250}"#)
        }
        Target::Inventory => client.get(url),
    };
    let request = request.header("x-request-id", id.to_string());
    match request.send().await.and_then(reqwest::Response::error_for_status) {
        Ok(_) => Ok(()),
        Err(_) => Err(Failure::Failed),
    }
}

fn table(runs: &Runs<Report>) -> Table {
    let rate = |report: &Report, target| format!("{:.1}", goodput(report, target, SLOW));
    Comparison::new(runs.done())
        .row("inventory, good/s while payments are slow", |report| rate(report, Target::Inventory))
        .row("payments, good/s while they are slow", |report| rate(report, Target::Payments))
        .outcomes()
        .waits()
        .table()
}

fn parameters(values: &Values) -> String {
    let [payments, inventory] = PLACES;
    format!(
        "{REQUESTS_PER_SECOND} real requests/s for {} s to flaky servers on loopback; every fourth pays, the \
         others ask for stock. From {} s to {} s a payment takes 2 s. One pool has {} places, or payments \
         have {payments} and inventory {inventory}; half as many may wait, for {} s. Seed {}.",
        LENGTH.as_secs(),
        SLOW.start.as_secs(),
        SLOW.end.as_secs(),
        payments + inventory,
        MAX_WAIT.as_secs(),
        values.seed(),
    )
}
