//! Four replicas of a shop on loopback, of which the first has the fault, and what their client
//! observes. Nothing is judged here.

use std::time::Duration;

use flaky::observe::{Ending, Observation, Observer, Probe};
use flaky::{Fault, Flaky, HeaderMatch, Match, Plan, Rule};
use tokio::task::JoinSet;

/// 3f + 1, of which one may say anything.
pub const REPLICAS: usize = 4;
/// How long a client waits for each part of an answer.
pub const PATIENCE: Duration = Duration::from_millis(2500);
/// What takes longer is late.
pub const LIMIT: Duration = Duration::from_millis(500);
/// The order that is asked for.
pub const ORDER: u64 = 7;
const CLIENT_ID: &str = "x-client-id";
/// So many requests make a burst.
const AT_ONCE: usize = 24;
/// So many heartbeats are due after the first request.
const HEARTBEATS: usize = 6;

/// All that the client has to go on.
pub struct Evidence {
    /// The same order, asked of each replica.
    pub orders: Vec<Observation>,
    /// The same stock level, asked of each replica.
    pub stocks: Vec<Observation>,
    /// Whether each heartbeat came that the first replica owed after the first request.
    pub heartbeats: Vec<bool>,
    /// A payment at the first replica.
    pub payment: Observation,
    /// Many pages at once, each of which asks the first replica (the shop) and the second (the search).
    /// Without any if the shop didn't answer one request alone.
    pub pages: Vec<Page>,
    /// Whether the payment was made. This is no observation of the client's: it is in the ledger.
    pub charged: bool,
}

/// What a page waited for.
pub struct Page {
    pub shop: Observation,
    pub search: Observation,
}

impl Page {
    /// It is there when both are.
    pub fn took(&self) -> Duration {
        self.shop.total.max(self.search.total)
    }
}

/// Injects the fault, or none, and observes.
pub async fn observe(fault: Option<Fault>, seed: u64) -> anyhow::Result<Evidence> {
    let mut replicas = Vec::new();
    for _ in 0..REPLICAS {
        let replica = Flaky::start(Plan::default(), seed).await?;
        // A second version, so that the first is stale.
        let change = Probe::send("PUT", "/inventory/sku-3", r#"{"in_stock": 99}"#);
        observer(&replica).observe(&change).await;
        replicas.push(replica);
    }
    let suspect = &replicas[0];
    let guard = match fault {
        Some(fault) => Some(suspect.inject(rule(fault)).await?),
        None => None,
    };
    // Somebody else's request, which the fault spares: an answer that can be replayed.
    observer(suspect).observe(&Probe::get("/orders/5")).await;

    let orders = ask_each(&replicas, &format!("/orders/{ORDER}")).await;
    crashed(suspect).await;
    let (heartbeats, stocks, payment) = tokio::join!(
        heartbeats(suspect),
        ask_each(&replicas, "/inventory/sku-3"),
        ask(suspect, Probe::send("POST", "/payments", r#"{"amount": 1999}"#)),
    );
    let pages = match orders[0].ending {
        Ending::Complete { .. } => pages(suspect, &replicas[1]).await,
        _ => Vec::new(),
    };
    let charged = !suspect.ledger().is_empty();

    drop(guard);
    for replica in replicas {
        replica.stop().await;
    }
    Ok(Evidence { orders, stocks, heartbeats, payment, pages, charged })
}

/// The fault is for the caller that gives its name, or else for the whole server.
fn rule(fault: Fault) -> Rule {
    let whole_server = ["crash/refuse", "timing/full_backlog"].contains(&fault.name());
    let header = HeaderMatch { name: CLIENT_ID.to_owned(), value: None };
    let matching = Match { header: Some(header).filter(|_| !whole_server), ..Match::default() };
    Rule { matching, ..Rule::always(fault) }
}

fn observer(server: &Flaky) -> Observer {
    Observer { server: server.addr(), patience: PATIENCE }
}

async fn ask(server: &Flaky, probe: Probe) -> Observation {
    observer(server).observe(&probe.header(CLIENT_ID, "lab")).await
}

/// All at once; the answers are in the order of the replicas.
async fn ask_each(replicas: &[Flaky], path: &str) -> Vec<Observation> {
    let get = |server| ask(server, Probe::get(path));
    let [first, second, third, fourth] = replicas else { unreachable!("{REPLICAS} replicas") };
    let (first, second, third, fourth) =
        tokio::join!(get(first), get(second), get(third), get(fourth));
    vec![first, second, third, fourth]
}

/// A fault that ends the server has done so once nothing listens. This waits for it.
async fn crashed(server: &Flaky) {
    let ends = |name| ["crash/exit", "crash/restart"].contains(&name);
    if server.journal().iter().any(|entry| ends(entry.verdict.fault)) {
        while ask(server, Probe::get("/health")).await.ending != Ending::ConnectRefused {}
    }
}

async fn heartbeats(server: &Flaky) -> Vec<bool> {
    let mut due = JoinSet::new();
    for _ in 0..HEARTBEATS {
        let observer = observer(server);
        due.spawn(async move { observer.observe(&Probe::get("/health")).await });
    }
    let seen = due.join_all().await;
    seen.iter().map(|seen| seen.answer.as_ref().is_some_and(|it| it.status == 200)).collect()
}

async fn pages(shop: &Flaky, search: &Flaky) -> Vec<Page> {
    let mut pages = JoinSet::new();
    for _ in 0..AT_ONCE {
        let (shop, search) = (observer(shop), observer(search));
        let get = |path| Probe::get(path).header(CLIENT_ID, "lab");
        pages.spawn(async move {
            let (stock, found) = (get("/inventory/sku-3"), get("/catalogue"));
            let (shop, search) = tokio::join!(shop.observe(&stock), search.observe(&found));
            Page { shop, search }
        });
    }
    pages.join_all().await
}
