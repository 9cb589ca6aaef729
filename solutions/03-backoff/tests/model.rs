//! The delays and the loop against plainer ones: multiplied one retry after the other, and planned
//! ahead from the answers.

use std::time::Duration;

use backoff_solution::{Backoff, Config, Jitter, Limits, Retry, Verdict, Why, client_rng};
use proptest::prelude::*;
use tokio::time::{Instant, sleep};

fn duration() -> impl Strategy<Value = Duration> {
    prop_oneof![
        (1..2_000_000_000_u64).prop_map(Duration::from_nanos),
        (1..100_000_u64).prop_map(Duration::from_millis),
        (any::<u64>(), 1..1_000_000_000_u32).prop_map(|(secs, nanos)| Duration::new(secs, nanos)),
    ]
}

fn config() -> impl Strategy<Value = Config> {
    let jitter = prop_oneof![
        Just(Jitter::None),
        duration().prop_map(Jitter::Additive),
        Just(Jitter::Full),
        Just(Jitter::Equal),
        Just(Jitter::Decorrelated),
    ];
    (duration(), prop_oneof![1..5_u32, any::<u32>()], duration(), jitter)
        .prop_map(|(base, factor, cap, jitter)| Config { base, factor, cap, jitter })
        .prop_filter("a valid configuration", |config| Backoff::new(*config).is_ok())
}

/// What one attempt does: how long it takes, and how it ends.
type Answer = (Duration, Option<Verdict>);

fn answer() -> impl Strategy<Value = Answer> {
    let millis = |range: std::ops::Range<u64>| range.prop_map(Duration::from_millis);
    let end = prop_oneof![
        6 => Just(Some(Verdict::Retry)),
        3 => millis(0..3_000).prop_map(|asked| Some(Verdict::RetryAfter(asked))),
        1 => Just(Some(Verdict::Stop)),
        1 => Just(None),
    ];
    (millis(0..500), end)
}

/// When each attempt begins, when all is over, and why.
type Story = (Vec<Duration>, Duration, Option<Why>);

/// The model: delays of 100 ms × 2ʳ up to 2 s, nothing at random.
fn planned(limits: Limits, answers: &[Answer]) -> Story {
    let (mut now, mut own) = (Duration::ZERO, Duration::from_millis(100));
    let mut begun = Vec::new();
    for (takes, end) in answers {
        begun.push(now);
        now += *takes;
        let asked = match end {
            None => return (begun, now, None),
            Some(Verdict::Stop) => return (begun, now, Some(Why::NotWorthIt)),
            Some(Verdict::Retry) => Duration::ZERO,
            Some(Verdict::RetryAfter(asked)) => *asked,
        };
        if begun.len() == limits.max_attempts as usize {
            return (begun, now, Some(Why::AttemptsUsed));
        }
        if asked > Duration::from_secs(2) {
            return (begun, now, Some(Why::AskedToWait { asked }));
        }
        if let Some(max_total) = limits.max_total
            && now + asked + own >= max_total
        {
            return (begun, now, Some(Why::NoTimeLeft { max_total }));
        }
        now += asked + own;
        own = (2 * own).min(Duration::from_secs(2));
    }
    unreachable!("there are as many answers as attempts")
}

fn lived(limits: Limits, answers: &[Answer]) -> Story {
    let cap = Duration::from_secs(2);
    let backoff = Backoff::new(Config { cap, jitter: Jitter::None, ..Config::default() });
    let retry = Retry::new(backoff.expect("valid"), limits).expect("valid");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let start = Instant::now();
        let mut begun = Vec::new();
        let operation = |attempt: u32| {
            begun.push(start.elapsed());
            let (takes, end) = answers[attempt as usize - 1];
            async move {
                sleep(takes).await;
                end.map_or(Ok(()), Err)
            }
        };
        let result = retry.run(client_rng(7, 0), operation, |verdict| *verdict).await;
        (begun, start.elapsed(), result.err().map(|gave_up| gave_up.why))
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn each_delay_is_the_one_before_times_the_factor(config in config(), retry in 0..200_u32) {
        let mut expected = config.base;
        for _ in 0..retry {
            expected = expected.checked_mul(config.factor).unwrap_or(Duration::MAX).min(config.cap);
        }
        prop_assert_eq!(Backoff::new(config).expect("valid").exponential(retry), expected);
    }

    #[test]
    fn no_delay_is_outside_its_bounds(config in config(), seed in any::<u64>()) {
        let backoff = Backoff::new(config).expect("valid");
        for (retry, delay) in (0..).zip(backoff.delays(client_rng(seed, 0)).take(50)) {
            let exponential = backoff.exponential(retry);
            let (low, high) = match config.jitter {
                Jitter::None => (exponential, exponential),
                Jitter::Additive(jitter) => {
                    (exponential.min(config.cap - jitter), exponential.saturating_add(jitter))
                }
                Jitter::Full => (Duration::ZERO, exponential),
                Jitter::Equal => (exponential / 2, exponential),
                Jitter::Decorrelated => (config.base, config.cap),
            };
            prop_assert!(
                low <= delay && delay <= high.min(config.cap),
                "retry {}: {:?} is not from {:?} to {:?}", retry, delay, low, high
            );
        }
    }

    #[test]
    fn it_goes_as_planned(
        max_attempts in 1..8_u32,
        max_total in proptest::option::of((1..6_000_u64).prop_map(Duration::from_millis)),
        answers in prop::collection::vec(answer(), 8),
    ) {
        let limits = Limits { max_attempts, max_total };
        prop_assert_eq!(lived(limits, &answers), planned(limits, &answers));
    }
}
