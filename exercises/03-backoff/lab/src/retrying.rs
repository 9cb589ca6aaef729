//! Requests with retries around their attempts.

use rand::rngs::Xoshiro256PlusPlus;

use super::subject::{
    Backoff, Config, GaveUp, IdempotencyKey, Jitter, Limits, Retry, Verdict, retry_after,
};
use crate::requests::{Answer, Attempt, Done, Setting};

pub fn request(setting: Setting, rng: Xoshiro256PlusPlus, attempt: Attempt) -> Done {
    let Setting { base, additive, max_attempts, max_total, once } = setting;
    let jitter = additive.map_or(Jitter::Full, Jitter::Additive);
    let backoff = Backoff::new(Config { base, jitter, ..Config::default() }).expect("valid");
    let retry = Retry::new(backoff, Limits { max_attempts, max_total }).expect("valid");
    let classify = |answer: &Answer| match answer {
        Answer::Lost => Verdict::Retry,
        Answer::Wrong => Verdict::Stop,
        Answer::Busy { retry_after: value, now } => {
            retry_after(value, *now).map_or(Verdict::Retry, Verdict::RetryAfter)
        }
    };
    Box::pin(async move {
        let done: Result<(), GaveUp<Answer>> = if once {
            let operation = |number, key: IdempotencyKey| attempt(number, Some(key.to_string()));
            retry.run_once(rng, operation, classify).await
        } else {
            retry.run(rng, |number| attempt(number, None), classify).await
        };
        done.is_ok()
    })
}
