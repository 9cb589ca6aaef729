//! Over real sockets: payments to the flaky server, which commits them and then loses some of its
//! answers. Its ledger tells what was really paid.

/// One text for two crates: `retrying.rs` is compiled for yours, and for the reference.
#[cfg(feature = "yours")]
#[path = "."]
mod yours {
    use backoff as subject;
    pub mod retrying;
}
#[path = "."]
mod reference {
    use backoff_solution as subject;
    pub mod retrying;
}

use std::collections::BTreeMap;
use std::pin::Pin;
use std::process::ExitCode;

use backoff_solution::client_rng;
use flaky::{Flaky, Payment};
use lab_kit::{Comparison, Lab, Needs, Runs, Scene, Shown, Values, Whose};
use rand::rngs::Xoshiro256PlusPlus;
use reqwest::StatusCode;
use tokio::runtime;

static LAB: Lab = Lab {
    name: "backoff --live",
    about: "Real HTTP payments to a flaky server: who pays twice?",
    scenes: &[&SCENE],
    figures: None,
    toys: &[],
};

static SCENE: Scene = Scene {
    name: "payments",
    about: "Payments whose answers get lost",
    knobs: &[],
    figures: &[],
    needs: Some(Needs { step: 6, text: "Your row needs `run_once` (step 6)." }),
    parameters,
    run: |values| {
        let runs = runs(values)?;
        let table = Comparison::new(runs.done())
            .row("purchases", |_| PURCHASES)
            .row("confirmed", |outcome: &Outcome| outcome.confirmed)
            .row("payments made", |outcome| outcome.ledger.len())
            .row("purchases paid more than once", Outcome::paid_twice)
            .table();
        Ok(Shown::new(&runs, table))
    },
};

fn main() -> ExitCode {
    lab_kit::main(&LAB)
}

const PURCHASES: u64 = 200;
/// The payment is made, and the connection is reset in the middle of the answer; or the shop is busy.
const PLAN: &str = r#"
[[rule]]
match = { method = "POST", path = "/payments" }
share = 0.3
fault.crash = "reset_during_response"

[[rule]]
match = { method = "POST", path = "/payments" }
share = 0.2
fault.response.status = 503
"#;

/// What has an idempotency key of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Keys {
    None,
    EachAttempt,
    EachPurchase,
}

type Bought = Pin<Box<dyn Future<Output = bool>>>;
type Buy = fn(Shop, Keys, u64, Xoshiro256PlusPlus, Xoshiro256PlusPlus) -> Bought;

const CONTESTANTS: &[(Whose, &str, (Keys, Buy))] = &[
    (Whose::Naive, "no key", (Keys::None, reference::retrying::buy)),
    (Whose::Naive, "a key an attempt", (Keys::EachAttempt, reference::retrying::buy)),
    (Whose::Reference, "a key a purchase", (Keys::EachPurchase, reference::retrying::buy)),
    #[cfg(feature = "yours")]
    (Whose::Yours, "yours", (Keys::EachPurchase, yours::retrying::buy)),
];

/// What came of the purchases.
struct Outcome {
    /// Those that the customer was told are paid.
    confirmed: usize,
    ledger: Vec<Payment>,
}

impl Outcome {
    /// Purchases that were paid more than once.
    fn paid_twice(&self) -> usize {
        let mut times: BTreeMap<&str, u32> = BTreeMap::new();
        for payment in &self.ledger {
            *times.entry(&payment.request_id).or_default() += 1;
        }
        times.values().filter(|times| **times > 1).count()
    }
}

fn runs(values: &Values) -> anyhow::Result<Runs<Outcome>> {
    lab_kit::live(PLAN, values, CONTESTANTS, |(keys, buy), server| {
        let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(runtime.block_on(purchases(keys, buy, server, values.seed())))
    })
}

async fn purchases(keys: Keys, buy: Buy, server: &Flaky, seed: u64) -> Outcome {
    let url = format!("http://{}/payments", server.addr());
    let shop = Shop { http: reqwest::Client::new(), url };
    let mut confirmed = 0;
    for purchase in 0..PURCHASES {
        let [rng, attempts] = [seed, seed + 1].map(|seed| client_rng(seed, purchase));
        confirmed += usize::from(buy(shop.clone(), keys, purchase, rng, attempts).await);
    }
    Outcome { confirmed, ledger: server.ledger() }
}

/// Where to pay.
#[derive(Clone)]
struct Shop {
    http: reqwest::Client,
    url: String,
}

/// Why an attempt failed.
enum Failed {
    Reset,
    /// 503.
    Busy,
    /// Another error, which another attempt won't mend.
    Status,
}

async fn pay(shop: &Shop, purchase: u64, attempt: u32, key: Option<String>) -> Result<(), Failed> {
    let mut request = shop
        .http
        .post(&shop.url)
        .header("content-type", "application/json")
        .header("x-request-id", purchase.to_string())
        .header("x-attempt", attempt.to_string())
        .body(r#"{"amount":1250}"#);
    if let Some(key) = key {
        request = request.header("idempotency-key", key);
    }
    let response = request.send().await.map_err(|_| Failed::Reset)?;
    let status = response.status();
    response.bytes().await.map_err(|_| Failed::Reset)?;
    match status {
        StatusCode::SERVICE_UNAVAILABLE => Err(Failed::Busy),
        status if status.is_success() => Ok(()),
        _ => Err(Failed::Status),
    }
}

fn parameters(values: &Values) -> String {
    format!(
        "{PURCHASES} payments to flaky servers on loopback, up to five attempts each. Of the attempts, 30 % are \
         paid and lose their answer to a reset; 20 % of the others get a 503. Seed {}.",
        values.seed(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn with_one_key_a_purchase_nobody_pays_twice_and_with_any_other_somebody_does() {
        let runs = runs(&LAB.defaults()).expect("the servers start");
        let [none, each_attempt, each_purchase] =
            ["no key", "a key an attempt", "a key a purchase"].map(|name| runs.get(name).unwrap());

        assert!(none.paid_twice() > 0 && each_attempt.paid_twice() > 0);
        assert_eq!(each_purchase.paid_twice(), 0);
        assert!(each_purchase.ledger.len() >= each_purchase.confirmed, "what is confirmed is paid");
        assert_eq!(none.confirmed, each_purchase.confirmed, "the same answers are lost");
    }
}
