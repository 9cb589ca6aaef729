//! Step 5: a thousand clients fail together, and must not come back together.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use backoff::{Jitter, client_rng};
use rand::{Rng, RngExt};

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
/// of ten gets at least its tenth, and at most five of these more: 147.
#[test]
fn full_and_additive_jitter_spread_the_herd_over_100_ms() {
    for jitter in [Jitter::Full, Jitter::Additive(100 * MS)] {
        let peak = peak(jitter);
        assert!(
            (100..=147).contains(&peak),
            "{jitter:?}: {peak} of 1,000 clients arrive within 10 ms; streams of their own spread them \
             over 100 ms, ten times as thin"
        );
    }
}

/// The same sum for 200 ms: 50 ± 6.9, and the busiest of twenty is at most 50 + 5 × 6.9.
#[test]
fn decorrelated_jitter_spreads_the_herd_over_200_ms() {
    let peak = peak(Jitter::Decorrelated);

    assert!(
        (50..=84).contains(&peak),
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
    let numbers = [
        0,
        1,
        2,
        7,
        30,
        31,
        32,
        1_000,
        65_536,
        1 << 32,
        (1 << 32) + 7,
        1 << 53,
        (1 << 53) + 1,
        u64::MAX - 1,
        u64::MAX,
    ];
    let mut pairs = BTreeMap::new();

    for seed in numbers {
        for client in numbers {
            let other = pairs.insert(client_rng(seed, client).next_u64(), (seed, client));

            assert_eq!(
                other, None,
                "this pair of seed and client has the same stream as ({seed}, {client}): a sum, an xor, \
                 `seed * 31 + client` and `seed << 32 | client` are the same for two pairs. Mix the \
                 seed before you add the client"
            );
        }
    }
}

/// 200,000 numbers of 64 bits are all different, but for one in a billion sets of them. Of 32 bits, five
/// pairs are the same on average.
#[test]
fn two_hundred_thousand_pairs_have_as_many_streams() {
    let mut first: Vec<u64> = (0..500)
        .flat_map(|seed| (0..400).map(move |client| client_rng(seed, client).next_u64()))
        .collect();
    first.sort_unstable();
    first.dedup();

    assert_eq!(
        first.len(),
        200_000,
        "500 seeds with 400 clients each have {} different streams: somewhere on the way the seed and \
         the client have fewer than 64 bits",
        first.len()
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

    // By chance one of the 100 stays empty in one of 230 runs, and three practically never.
    assert!(first >= 98, "the first retries fill the 100 ms, ten to each: {first} of them");
    assert!(
        fourth > 500,
        "the fourth retries are spread over 1.5 s: 1,000 clients at only {fourth} different milliseconds"
    );
}
