//! Over real sockets: payments to the flaky server, which commits them and then loses some of its
//! answers. Its ledger tells what was really paid.

use std::collections::BTreeMap;

use anyhow::Context as _;
use flaky::{Flaky, Payment, Plan};
use reqwest::StatusCode;
use storm::lab::catch_panic;

use crate::strategy::{Whose, client_rng};
use crate::table::table;

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

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Keys {
    None,
    EachAttempt,
    EachPurchase(Whose),
}

impl Keys {
    const ALL: [Self; 4] = [
        Self::None,
        Self::EachAttempt,
        Self::EachPurchase(Whose::Reference),
        Self::EachPurchase(Whose::Yours),
    ];

    fn name(self) -> &'static str {
        match self {
            Keys::None => "no key",
            Keys::EachAttempt => "a key an attempt",
            Keys::EachPurchase(Whose::Reference) => "a key a purchase",
            Keys::EachPurchase(Whose::Yours) => "yours",
        }
    }
}

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

pub fn run(seed: u64) -> anyhow::Result<String> {
    let head = ["keys", "purchases", "confirmed", "payments made", "purchases paid more than once"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    let mut missing = String::new();
    for keys in Keys::ALL {
        match catch_panic(|| purchases(keys, seed)) {
            Ok(outcome) => {
                let outcome = outcome?;
                let numbers = [outcome.confirmed, outcome.ledger.len(), outcome.paid_twice()];
                let cells = numbers.map(|number| number.to_string());
                rows.push(
                    [vec![keys.name().to_owned(), PURCHASES.to_string()], cells.to_vec()].concat(),
                );
            }
            Err(message) => missing = format!("\n{}: not there yet: {message}\n", keys.name()),
        }
    }
    Ok(table(&rows) + &missing)
}

pub fn parameters(seed: u64) -> String {
    format!(
        "{PURCHASES} payments to flaky servers on loopback, up to five attempts each. Of the attempts, 30 % are \
         paid and lose their answer to a reset; 20 % of the others get a 503. Seed {seed}."
    )
}

#[tokio::main(flavor = "current_thread")]
async fn purchases(keys: Keys, seed: u64) -> anyhow::Result<Outcome> {
    let plan = Plan::from_toml(PLAN).context("the plan of this lab")?;
    let shop = Flaky::start(plan, seed).await.context("the flaky server")?;
    let url = format!("http://{}/payments", shop.addr());
    let http = reqwest::Client::new();
    let mut confirmed = 0;
    for purchase in 0..PURCHASES {
        confirmed += usize::from(buy(&http, &url, keys, seed, purchase).await);
    }
    let ledger = shop.ledger();
    shop.stop().await;
    Ok(Outcome { confirmed, ledger })
}

async fn buy(http: &reqwest::Client, url: &str, keys: Keys, seed: u64, purchase: u64) -> bool {
    let mut rng = client_rng(Whose::Reference, seed, purchase);
    let pay = |attempt, key| pay(http, url, purchase, attempt, key);
    // Two crates with the same names.
    macro_rules! retry {
        ($library:ident) => {{
            use std::time::Duration;
            use $library::{Backoff, Config, Jitter, Limits, Retry};
            let base = Duration::from_millis(1);
            let backoff = Backoff::new(Config { base, jitter: Jitter::Full, ..Config::default() });
            let limits = Limits { max_attempts: 5, ..Limits::default() };
            Retry::new(backoff.expect("valid"), limits).expect("valid")
        }};
    }
    macro_rules! classify {
        ($library:ident) => {
            |failed: &Failed| match failed {
                Failed::Reset | Failed::Status(StatusCode::SERVICE_UNAVAILABLE) => {
                    $library::Verdict::Retry
                }
                Failed::Status(_) => $library::Verdict::Stop,
            }
        };
    }
    match keys {
        Keys::None => {
            let retry = retry!(backoff_solution);
            let pay = |attempt| pay(attempt, None);
            retry.run(rng, pay, classify!(backoff_solution)).await.is_ok()
        }
        Keys::EachAttempt => {
            let retry = retry!(backoff_solution);
            let mut new_key = {
                let mut rng = client_rng(Whose::Reference, seed + 1, purchase);
                move || backoff_solution::IdempotencyKey::new(&mut rng).to_string()
            };
            let pay = |attempt| pay(attempt, Some(new_key()));
            retry.run(rng, pay, classify!(backoff_solution)).await.is_ok()
        }
        Keys::EachPurchase(Whose::Reference) => {
            let pay = |attempt, key: backoff_solution::IdempotencyKey| {
                pay(attempt, Some(key.to_string()))
            };
            let retry = retry!(backoff_solution);
            retry.run_once(&mut rng, pay, classify!(backoff_solution)).await.is_ok()
        }
        Keys::EachPurchase(Whose::Yours) => {
            let pay = |attempt, key: backoff::IdempotencyKey| pay(attempt, Some(key.to_string()));
            retry!(backoff).run_once(&mut rng, pay, classify!(backoff)).await.is_ok()
        }
    }
}

enum Failed {
    Reset,
    Status(StatusCode),
}

async fn pay(
    http: &reqwest::Client,
    url: &str,
    purchase: u64,
    attempt: u32,
    key: Option<String>,
) -> Result<(), Failed> {
    let mut request = http
        .post(url)
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
    if status.is_success() { Ok(()) } else { Err(Failed::Status(status)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn with_one_key_a_purchase_nobody_pays_twice_and_with_any_other_somebody_does() {
        let [none, each_attempt, each_purchase] =
            [Keys::None, Keys::EachAttempt, Keys::EachPurchase(Whose::Reference)]
                .map(|keys| purchases(keys, 7).expect("the server starts"));

        assert!(none.paid_twice() > 0 && each_attempt.paid_twice() > 0);
        assert_eq!(each_purchase.paid_twice(), 0);
        assert!(each_purchase.ledger.len() >= each_purchase.confirmed, "what is confirmed is paid");
        assert_eq!(none.confirmed, each_purchase.confirmed, "the same answers are lost");
    }
}
