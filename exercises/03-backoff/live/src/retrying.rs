//! A purchase that is tried up to five times.

use std::time::Duration;

use rand::rngs::Xoshiro256PlusPlus;

use super::subject::{Backoff, Config, IdempotencyKey, Jitter, Limits, Retry, Verdict};
use crate::{Bought, Failed, Keys, Shop, pay};

/// Whether the customer was told that it is paid. `rng` draws the pauses and the purchase's key, `attempts` the
/// keys of attempts.
pub fn buy(
    shop: Shop,
    keys: Keys,
    purchase: u64,
    mut rng: Xoshiro256PlusPlus,
    mut attempts: Xoshiro256PlusPlus,
) -> Bought {
    let base = Duration::from_millis(1);
    let backoff = Backoff::new(Config { base, jitter: Jitter::Full, ..Config::default() });
    let limits = Limits { max_attempts: 5, ..Limits::default() };
    let retry = Retry::new(backoff.expect("valid"), limits).expect("valid");
    let classify = |failed: &Failed| match failed {
        Failed::Reset | Failed::Busy => Verdict::Retry,
        Failed::Status => Verdict::Stop,
    };
    Box::pin(async move {
        let pay = |attempt, key: Option<IdempotencyKey>| {
            pay(&shop, purchase, attempt, key.map(|key| key.to_string()))
        };
        match keys {
            Keys::None => retry.run(rng, |attempt| pay(attempt, None), classify).await.is_ok(),
            Keys::EachAttempt => {
                let pay = |attempt| pay(attempt, Some(IdempotencyKey::new(&mut attempts)));
                retry.run(rng, pay, classify).await.is_ok()
            }
            Keys::EachPurchase => {
                let pay = |attempt, key| pay(attempt, Some(key));
                retry.run_once(&mut rng, pay, classify).await.is_ok()
            }
        }
    })
}
