//! The fast delays: under the exercise's own spec, and against the readable ones.

use std::time::Duration;

use proptest::prelude::*;
use rand::Rng;

// So that the spec's `backoff::Backoff` is the fast one.
extern crate self as backoff;
pub use backoff_solution::fast::*;

/// The steps about delays. The others are about the loop, of which there is only one.
#[path = "../../../exercises/03-backoff/tests/steps"]
mod steps {
    use std::time::Duration;

    use backoff::{Backoff, Config, Jitter};
    use rand::SeedableRng;
    use rand::rngs::Xoshiro256PlusPlus;

    mod step_1_grow;
    mod step_2_jitter;
    mod step_5_herd;

    const MS: Duration = Duration::from_millis(1);
    const SECOND: Duration = Duration::from_secs(1);

    fn rng() -> Xoshiro256PlusPlus {
        Xoshiro256PlusPlus::seed_from_u64(7)
    }

    fn backoff(config: Config) -> Backoff {
        Backoff::new(config).expect("this configuration is valid")
    }

    fn jittered(jitter: Jitter) -> Backoff {
        backoff(Config { jitter, ..Config::default() })
    }

    fn plain() -> Backoff {
        jittered(Jitter::None)
    }
}

/// Of all sizes, the largest included.
fn duration() -> impl Strategy<Value = Duration> {
    prop_oneof![
        (1..2_000_000_000_u64).prop_map(Duration::from_nanos),
        (1..100_000_u64).prop_map(Duration::from_millis),
        (any::<u64>(), 1..1_000_000_000_u32).prop_map(|(secs, nanos)| Duration::new(secs, nanos)),
        Just(Duration::MAX),
    ]
}

fn config() -> impl Strategy<Value = Config> {
    let jitter = (0..5_u8, duration());
    (duration(), prop_oneof![1..5_u32, any::<u32>()], duration(), jitter).prop_filter_map(
        "a valid configuration",
        |(base, factor, cap, (jitter, additive))| {
            let jitter = match jitter {
                0 => Jitter::None,
                1 => Jitter::Additive(additive),
                2 => Jitter::Full,
                3 => Jitter::Equal,
                _ => Jitter::Decorrelated,
            };
            let config = Config { base, factor, cap, jitter };
            Backoff::new(config).is_ok().then_some(config)
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 5_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn it_draws_what_the_readable_one_draws(config in config(), seed in any::<u64>()) {
        let readable = backoff_solution::Backoff::new(config).expect("valid");
        let fast = Backoff::new(config).expect("valid");
        let (mut one, mut other) = (client_rng(seed, 0), client_rng(seed, 0));

        let expected: Vec<_> = readable.delays(&mut one).take(150).collect();
        let delays: Vec<_> = fast.delays(&mut other).take(150).collect();

        prop_assert_eq!(delays, expected);
        prop_assert_eq!(other.next_u64(), one.next_u64(), "nor is more drawn than there");
    }
}
