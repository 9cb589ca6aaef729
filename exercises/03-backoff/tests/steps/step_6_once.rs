//! Step 6: an attempt whose answer is lost may have done its work. Doing it again must not do it twice.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};

use backoff::{IdempotencyKey, Jitter, Limits, Retry, Verdict, client_rng};
use rand::rngs::Xoshiro256PlusPlus;
use tokio::time::{Instant, sleep};

use super::{Diary, MS, SECOND, attempts, jittered, retry, rng};

/// A shop that charges a key once, and whose first answers are lost on the way back: after the charge.
struct Shop {
    charged: RefCell<BTreeMap<IdempotencyKey, u32>>,
    answers_to_lose: Cell<u32>,
}

impl Shop {
    fn losing(answers: u32) -> Self {
        Self { charged: RefCell::default(), answers_to_lose: Cell::new(answers) }
    }

    async fn charge(&self, key: IdempotencyKey, cents: u32) -> Result<u32, &'static str> {
        sleep(10 * MS).await;
        let charged = *self.charged.borrow_mut().entry(key).or_insert(cents);
        let lost = self.answers_to_lose.get();
        if lost > 0 {
            self.answers_to_lose.set(lost - 1);
            return Err("connection reset");
        }
        Ok(charged)
    }

    fn total(&self) -> u32 {
        self.charged.borrow().values().sum()
    }
}

#[tokio::test(start_paused = true)]
async fn all_attempts_have_the_same_key() {
    let seen = RefCell::new(Vec::new());
    let operation = async |attempt, key: IdempotencyKey| {
        seen.borrow_mut().push((attempt, key));
        Err::<(), _>("503")
    };

    let _ = retry(attempts(4)).run_once(rng(), operation, |_| Verdict::Retry).await;

    let seen = seen.into_inner();
    let numbers: Vec<u32> = seen.iter().map(|(attempt, _)| *attempt).collect();
    let keys: BTreeSet<IdempotencyKey> = seen.iter().map(|(_, key)| *key).collect();
    assert_eq!(numbers, [1, 2, 3, 4], "run_once retries as run does");
    assert_eq!(
        keys.len(),
        1,
        "the key names the purchase, not the attempt: a new one each time makes each attempt a purchase. {keys:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn the_key_is_drawn_from_the_generator_of_the_caller() {
    let key_from = async |rng: &mut Xoshiro256PlusPlus| {
        let echo = async |_, key: IdempotencyKey| Ok::<_, &str>(key);
        retry(attempts(1)).run_once(rng, echo, |_| Verdict::Stop).await.unwrap()
    };
    let mut generator = rng();
    let mut keys = Vec::new();
    for _ in 0..1_000 {
        keys.push(key_from(&mut generator).await);
    }

    assert_eq!(
        key_from(&mut rng()).await,
        keys[0],
        "a generator in the same state makes the same key: a counter, or a generator of `run_once`'s \
         own, begins again when the process does"
    );
    for quarter in 0..4 {
        // Two of 1,000 numbers of 32 bits are the same once in 8,600 runs.
        let texts: BTreeSet<String> =
            keys.iter().map(|key| key.to_string()[quarter * 8..][..8].to_owned()).collect();
        assert!(
            texts.len() >= 999,
            "all 128 bits of a key are random, but quarter {quarter} of 1,000 keys has {} values",
            texts.len()
        );
    }
}

#[tokio::test(start_paused = true)]
async fn it_obeys_classify_the_limits_and_the_jitter_as_run_does() {
    let full = jittered(Jitter::Full);
    let answers = [Err("503"), Err("429"), Err("404"), Ok(())];
    let asked = RefCell::new(Vec::new());
    let classify = |error: &&'static str| {
        asked.borrow_mut().push(*error);
        match *error {
            "503" => Verdict::Retry,
            "429" => Verdict::RetryAfter(300 * MS),
            _ => Verdict::Stop,
        }
    };
    for (max_attempts, max_total) in
        [(5, None), (2, None), (5, Some(SECOND)), (5, Some(350 * MS)), (5, Some(50 * MS))]
    {
        for seed in 0..10 {
            let retry = Retry::new(full, Limits { max_attempts, max_total }).unwrap();
            let mut rng = client_rng(seed, 0);
            let once = Diary::begin(10 * MS, &answers);
            let end = retry.run_once(&mut rng, |n, _| once.attempt(n), classify).await;
            let once = (once.end(&end), asked.take());

            // The key is drawn first, and the delays are what the generator draws next.
            let mut rng = client_rng(seed, 0);
            let _ = IdempotencyKey::new(&mut rng);
            let run = Diary::begin(10 * MS, &answers);
            let end = retry.run(rng, |n| run.attempt(n), classify).await;
            let run = (run.end(&end), asked.take());

            assert_eq!(
                once, run,
                "`run_once` is `run` with a key: it asks `classify` as often, grants a 429 its 300 ms, ends \
                 with the 404 of the third attempt, or by max_attempts ({max_attempts}) or max_total \
                 ({max_total:?}), and the pauses are jittered"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_payment_whose_answer_was_lost_is_made_once() {
    let shop = Shop::losing(2);

    let paid = retry(Limits::default())
        .run_once(rng(), |_, key| shop.charge(key, 4_200), |_| Verdict::Retry)
        .await;

    assert_eq!(paid, Ok(4_200), "the third answer arrives");
    assert_eq!(shop.total(), 4_200, "three attempts reached the shop, and the customer pays once");
}

#[tokio::test(start_paused = true)]
async fn two_payments_of_the_same_amount_are_two() {
    let shop = Shop::losing(0);
    let mut rng = rng();

    for _ in 0..1_000 {
        let pay = |_, key| shop.charge(key, 5);
        retry(Limits::default()).run_once(&mut rng, pay, |_| Verdict::Retry).await.unwrap();
    }

    assert_eq!(
        shop.total(),
        5_000,
        "each operation has a key of its own: with a key for the client, or for the amount, the second \
         payment is taken for a repetition of the first and never made"
    );
}

#[tokio::test(start_paused = true)]
async fn no_two_clients_share_a_key() {
    let shop = Shop::losing(0);

    for client in 0..1_000 {
        let pay = |_, key| shop.charge(key, 5);
        retry(Limits::default())
            .run_once(client_rng(7, client), pay, |_| Verdict::Retry)
            .await
            .unwrap();
    }

    assert_eq!(shop.total(), 5_000, "1,000 clients that fail together are 1,000 customers");
}

#[tokio::test(start_paused = true)]
async fn it_gives_up_as_run_does_and_the_effect_may_be_there() {
    let shop = Shop::losing(3);
    let begun = Instant::now();

    let gave_up = retry(Limits::default())
        .run_once(rng(), |_, key| shop.charge(key, 4_200), |_| Verdict::Retry)
        .await
        .expect_err("the shop loses three answers");

    assert_eq!(
        (gave_up.attempts, begun.elapsed()),
        (3, 330 * MS),
        "three calls of 10 ms, pauses of 100 and 200 ms, no third pause"
    );
    assert_eq!(
        shop.total(),
        4_200,
        "an error is no proof that nothing happened, and three are none"
    );
}

#[tokio::test(start_paused = true)]
async fn a_key_that_was_kept_with_the_order_outlives_the_retries() {
    let shop = Shop::losing(3);
    let key = IdempotencyKey::new(rng());
    let retry = retry(Limits::default());
    let pay = || retry.run(rng(), |_| shop.charge(key, 4_200), |_| Verdict::Retry);

    let today = pay().await;
    let tomorrow = pay().await;

    assert!(today.is_err() && tomorrow == Ok(4_200), "given up today, tried again tomorrow");
    assert_eq!(shop.total(), 4_200, "with the same key it is still the same purchase");
}
