//! The storm over real sockets, in real time: a real HTTP client, and a flaky server on loopback for
//! each way to divide the places. All three run at once, under the same plan and seed.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

use anyhow::Context as _;
use flaky::{Flaky, Plan};
use storm::{Failure, Load, Report, StormError, Table};

use crate::pools::{Places, Pools, Target, Whose};

const LENGTH: Duration = Duration::from_secs(16);
const SLOW: Range<Duration> = Duration::from_secs(4)..Duration::from_secs(12);
const REQUESTS_PER_SECOND: f64 = 100.0;
const GOOD_WITHIN: Duration = Duration::from_millis(250);
/// A timeout that is longer than what it should guard against, as in the storm in virtual time.
const TIME_OUT: Duration = Duration::from_secs(5);
const PLACES: Places = Places([4, 8]);

const PLAN: &str = r#"
[[rule]]
match = { path = "/payments" }
window = { from = "4s", for = "8s" }
fault.timing.latency.fixed = "2s"

[[rule]]
fault.timing.latency.log_normal = { median = "5ms", p99 = "20ms" }
"#;

pub fn run(seed: u64) -> anyhow::Result<Vec<Result<Report, StormError>>> {
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
            .map(|(whose, server)| scope.spawn(move || one(whose, server, seed)))
            .collect();
        threads.into_iter().map(|thread| thread.join().expect("a run catches panics")).collect()
    });
    for server in servers {
        runtime.block_on(server.stop());
    }
    Ok(runs)
}

fn one(whose: Whose, server: &Flaky, seed: u64) -> Result<Report, StormError> {
    let load = Load {
        rate_per_second: REQUESTS_PER_SECOND,
        length: LENGTH,
        good_within: GOOD_WITHIN,
        seed,
        ..Load::default()
    };
    let urls = ["payments", "inventory/sku-3"]
        .map(|path| Arc::<str>::from(format!("http://{}/{path}", server.addr())));
    storm::run_live(whose.name(), &load, |scene| {
        server.begin();
        let pools = Pools::new(whose, PLACES);
        let client =
            reqwest::Client::builder().timeout(TIME_OUT).build().expect("a client without TLS");
        let good = Target::ALL.map(|target| {
            let good = Arc::new(AtomicU64::new(0));
            let count = Arc::clone(&good);
            scene.gauge(target.name(), move || count.load(Relaxed) as f64);
            good
        });
        move |request| {
            let target = Target::of(request.id);
            let (pools, client) = (pools.clone(), client.clone());
            let (url, good) =
                (Arc::clone(&urls[target as usize]), Arc::clone(&good[target as usize]));
            async move {
                pools.call(target, || ask(&client, &url, target, request.id)).await?;
                good.fetch_add(u64::from(request.due.elapsed() <= GOOD_WITHIN), Relaxed);
                Ok(())
            }
        }
    })
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

pub fn table(reports: &[Report]) -> Table<'_> {
    let rate =
        |report: &Report, target| format!("{:.1}", crate::slow::goodput(report, target, SLOW));
    Table::new(reports)
        .row("inventory, good/s while payments are slow", |report| rate(report, Target::Inventory))
        .row("payments, good/s while they are slow", |report| rate(report, Target::Payments))
        .outcomes()
        .waits()
}

pub fn parameters(seed: u64) -> String {
    let Places([payments, inventory]) = PLACES;
    format!(
        "{REQUESTS_PER_SECOND} real requests/s for {} s to flaky servers on loopback; every fourth pays, the \
         others ask for stock. From {} s to {} s a payment takes 2 s. One pool has {} places, or payments \
         have {payments} and inventory {inventory}; half as many may wait, for {} s. Seed {seed}.",
        LENGTH.as_secs(),
        SLOW.start.as_secs(),
        SLOW.end.as_secs(),
        payments + inventory,
        super::MAX_WAIT.as_secs(),
    )
}
