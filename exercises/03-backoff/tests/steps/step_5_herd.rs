//! Step 5: a thousand clients fail together, and must not come back together.

use std::collections::BTreeSet;
use std::time::Duration;

use backoff::{Jitter, client_rng};
use rand::RngExt;

use super::{MS, jittered};

const CLIENTS: u64 = 1_000;

/// All clients fail at 0. How many of their first retries arrive in the busiest 10 ms?
fn peak(jitter: Jitter) -> u32 {
    let mut arrivals = vec![0_u32; 100];
    for client in 0..CLIENTS {
        let delay = jittered(jitter).delays(client_rng(7, client)).next().unwrap();
        arrivals[(delay.as_millis() / 10) as usize] += 1;
    }
    arrivals.into_iter().max().unwrap()
}

#[test]
fn without_jitter_a_thousand_clients_come_back_in_the_same_ten_milliseconds() {
    assert_eq!(client_rng(7, 0), client_rng(7, 0), "a client's chance is the same at every run");

    assert_eq!(
        peak(Jitter::None),
        1_000,
        "backoff alone moves the herd to a later time, in one piece"
    );
}

/// 1,000 first retries over 100 ms are 100 in each 10 ms, ± 9.5 (one standard deviation). The busiest
/// of ten is within three of these of it: fewer than 129.
#[test]
fn full_and_additive_jitter_cut_the_peak_to_an_eighth() {
    for jitter in [Jitter::Full, Jitter::Additive(100 * MS)] {
        let peak = peak(jitter);
        assert!(
            (100..=128).contains(&peak),
            "{jitter:?}: {peak} of 1,000 clients arrive within 10 ms; streams of their own spread them \
             over 100 ms, ten times as thin"
        );
    }
}

/// The same sum for 200 ms: 50 ± 6.9, and the busiest of twenty is below 50 + 3.5 × 6.9.
#[test]
fn decorrelated_jitter_cuts_the_peak_to_a_thirteenth() {
    let peak = peak(Jitter::Decorrelated);

    assert!(
        (50..=74).contains(&peak),
        "{peak} of 1,000 clients arrive within 10 ms; they draw from 100 to 300 ms, and should be about 50"
    );
}

#[test]
fn a_thousand_clients_draw_a_thousand_streams() {
    let draws: BTreeSet<u64> =
        (0..CLIENTS).flat_map(|client| client_rng(7, client).random_iter().take(10)).collect();

    assert_eq!(
        draws.len(),
        10_000,
        "ten numbers each, and no two the same: a generator that is cloned, or seeded alike, gives all \
         clients the same luck"
    );
}

#[test]
fn a_client_of_one_seed_is_no_client_of_another() {
    let first = |seed, client| -> Duration {
        jittered(Jitter::Full).delays(client_rng(seed, client)).next().unwrap()
    };

    let delays: BTreeSet<Duration> =
        (0..30).flat_map(|seed| (0..30).map(move |client| first(seed, client))).collect();

    // 900 of 100 million nanoseconds: two are the same once in 250 runs.
    assert!(
        delays.len() >= 899,
        "30 runs with 30 clients have {} different first delays: client 1 of seed 7 must not be client \
         0 of seed 8, as it is when the two numbers are just added, or client 0 of seed 6, as it is with xor",
        delays.len()
    );
}

/// All of what went before in one number: the delays that a herd of clients is given by the retries.
#[test]
fn later_retries_thin_the_herd_out_further() {
    let arrivals = |retry: usize| -> BTreeSet<u128> {
        let delay = |client| {
            jittered(Jitter::Full).delays(client_rng(7, client)).take(retry + 1).sum::<Duration>()
        };
        (0..CLIENTS).map(|client| delay(client).as_millis()).collect()
    };

    let (first, fourth) = (arrivals(0).len(), arrivals(3).len());

    assert_eq!(first, 100, "the first retries fill all of the 100 ms, ten to each");
    assert!(
        fourth > 500,
        "the fourth retries are spread over 1.5 s: 1,000 clients at only {fourth} different milliseconds"
    );
}
