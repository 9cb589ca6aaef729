//! Step 3: the delay follows what originals take.

use std::time::Duration;

use hedging::{Attempt, Delay, Hedger};
use tokio::time::{sleep, timeout};

use super::{
    Act, Diary, Fails, Good, Hangs, MILLISECOND, Panics, SECOND, call, hedges, outcome, play,
    plenty,
};

fn percentile(percent: usize, window: usize, min_samples: usize) -> Hedger {
    let delay = Delay::Percentile { percent, window, min_samples };
    Hedger::new(delay, plenty()).expect("this configuration is valid")
}

/// Calls whose originals take so many milliseconds. A hedge of theirs hangs.
async fn learn(hedger: &Hedger, latencies: impl IntoIterator<Item = u64>) {
    for latency in latencies {
        let (outcome, took) = call(hedger, Good(latency), Hangs).await;
        assert_eq!(outcome, "original's answer");
        assert_eq!(took, Duration::from_millis(latency), "a check of the check");
    }
}

/// The numbers from 1 to 100 in another order.
fn mixed() -> impl Iterator<Item = u64> {
    (1..=100).map(|number| number * 37 % 101)
}

/// So many milliseconds, as `delay` returns them.
#[allow(clippy::unnecessary_wraps, reason = "what `delay` returns")]
fn ms(milliseconds: u64) -> Option<Duration> {
    Some(Duration::from_millis(milliseconds))
}

#[tokio::test(start_paused = true)]
async fn until_there_are_enough_samples_no_call_is_late() {
    let hedger = percentile(95, 100, 20);
    assert_eq!(hedger.delay(), None, "nothing is known yet");
    learn(&hedger, [10; 19]).await;
    assert_eq!(hedger.delay(), None, "19 samples are not 20");

    let twentieth = call(&hedger, Good(500), Good(1)).await;

    assert_eq!(
        twentieth.0, "original's answer",
        "a percentile of a handful of samples is a guess: while there are fewer than `min_samples`, nothing is hedged"
    );
    assert_eq!(
        hedger.delay(),
        ms(10),
        "19 samples of 10 ms and one of 500 are 20, as many as `min_samples`: with so many there is a delay"
    );
    let next = call(&hedger, Good(500), Good(1)).await;
    assert_eq!(
        next,
        ("hedge's answer".to_owned(), 11 * MILLISECOND),
        "from then on calls are hedged"
    );
}

#[tokio::test(start_paused = true)]
async fn the_delay_is_the_percentile_of_the_window() {
    for (percent, expected) in [(95, 95), (50, 50), (99, 99), (1, 1), (7, 7), (57, 57)] {
        let hedger = percentile(percent, 100, 1);
        learn(&hedger, mixed()).await;
        assert_eq!(
            hedger.delay(),
            ms(expected),
            "of 1 to 100 ms, in any order, {percent} of 100 are at or below the {percent}th percentile. In floats \
             0.07 × 100 is more than 7"
        );
    }
    for (percent, samples, expected) in
        [(95, 20, 19), (95, 7, 7), (95, 21, 20), (95, 12, 12), (50, 4, 2), (50, 5, 3), (1, 5, 1)]
    {
        let hedger = percentile(percent, 100, 1);
        learn(&hedger, 1..=samples).await;
        assert_eq!(
            hedger.delay(),
            ms(expected),
            "of {samples} samples, 1 to {samples} ms: the shortest of them that at least {percent} % don't exceed"
        );
    }
    let hedger = percentile(95, 100, 1);
    let took = Duration::new(0, 1_234_567);
    let answer = hedger.call(async |_| {
        tokio::time::advance(took).await;
        Ok::<_, ()>(())
    });
    assert_eq!(answer.await, Ok(()));
    assert_eq!(
        hedger.delay(),
        Some(took),
        "to the nanosecond: of a cache that answers in 0.2 ms, whole milliseconds make 0"
    );
}

#[tokio::test(start_paused = true)]
async fn the_oldest_sample_makes_room_for_the_newest() {
    let hedger = percentile(95, 100, 20);
    learn(&hedger, [10; 100]).await;

    let mut delays = Vec::new();
    for slow in 1..=7 {
        learn(&hedger, [50]).await;
        delays.push((slow, hedger.delay()));
    }
    assert_eq!(
        delays[3..],
        [(4, ms(10)), (5, ms(10)), (6, ms(50)), (7, ms(50))],
        "of the last 100 originals 5 took 50 ms, then 6: more than a twentieth"
    );

    learn(&hedger, [20; 93]).await;
    assert_eq!(hedger.delay(), ms(50), "7 of the last 100 took 50 ms");
    learn(&hedger, [20; 2]).await;
    assert_eq!(
        hedger.delay(),
        ms(20),
        "5 of the last 100 did: the oldest goes first, not the shortest or the longest"
    );
    learn(&hedger, mixed().map(|latency| latency + 100)).await;
    assert_eq!(hedger.delay(), ms(195), "nothing of the old times is left");
}

#[tokio::test(start_paused = true)]
async fn an_original_that_is_overtaken_counts_with_the_time_that_it_was_out() {
    let hedger = percentile(95, 100, 100);
    learn(&hedger, [10; 100]).await;

    for overtaken in 1..=5 {
        assert_eq!(call(&hedger, Good(60_000), Good(3)).await.1, 13 * MILLISECOND, "late at 10 ms");
        assert_eq!(hedger.delay(), ms(10), "{overtaken} of 100 took longer");
    }
    call(&hedger, Good(60_000), Good(3)).await;

    assert_eq!(
        hedger.delay(),
        ms(13),
        "a sixth of 100 originals was out for 13 ms when its hedge won. How long it would have taken nobody knows, but no \
         less than that. Without it the slowest are missing in the window. The hedge's 3 ms are no original's"
    );
    let hedger = percentile(50, 10, 10);
    learn(&hedger, [20; 10]).await;
    for _ in 0..5 {
        assert_eq!(call(&hedger, Good(60_000), Good(3)).await.1, 23 * MILLISECOND, "late at 20 ms");
    }
    assert_eq!(
        hedger.delay(),
        ms(20),
        "five of 10 samples are of 20 ms and five of 23: one for each original, and none for a hedge, be it ever so fast"
    );
}

/// What a request takes, in milliseconds: one in ten is slow, and no two in a row are alike.
fn takes(number: u64) -> u64 {
    if number * 619 % 1_009 < 101 { 500 + number * 433 % 1_009 } else { 5 + number * 787 % 11 }
}

#[tokio::test(start_paused = true)]
async fn dropping_the_slow_ones_does_not_make_more_calls_late() {
    let hedger = percentile(95, 1_000, 100);
    let (mut late, mut in_all) = (0, 0);

    for number in 0..6_000 {
        let (original, hedge) = (takes(2 * number), takes(2 * number + 1));
        let delay = hedger.delay();
        call(&hedger, Good(original), Good(hedge)).await;
        if number >= 2_000 {
            in_all += 1;
            late += u32::from(delay.is_some_and(|delay| Duration::from_millis(original) > delay));
        }
    }
    let percent = 100.0 * f64::from(late) / f64::from(in_all);

    assert!(
        percent < 9.0,
        "one call in ten is slow, one in twenty should be late, and {percent:.1} % were. What the hedger does changes what it sees: \
         if the originals that it drops vanish from the window, the delay falls below the slow ones, and from then on all of \
         them are hedged"
    );
}

#[tokio::test(start_paused = true)]
async fn what_fails_is_no_sample() {
    let hedger = percentile(50, 10, 10);
    learn(&hedger, [20; 10]).await;

    for (original, hedge) in
        [(Fails(1), Hangs), (Panics(1), Hangs), (Fails(25), Good(9)), (Fails(25), Fails(1))]
    {
        for _ in 0..10 {
            call(&hedger, original, hedge).await;
        }
        assert_eq!(
            hedger.delay(),
            ms(20),
            "original: {original:?} ms, hedge: {hedge:?}. How fast a dependency fails says nothing about how long its answers \
             take: an instance that refuses all calls within a millisecond would have all others hedged after one"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_late_call_that_is_dropped_leaves_a_sample() {
    let hedger = percentile(50, 10, 10);
    let leave = async |patience: u32, hedge: Act| {
        let diary = Diary::new();
        let call = hedger.call(|attempt| match attempt {
            Attempt::Original => play(&diary, "original", Hangs),
            Attempt::Hedge => play(&diary, "hedge", hedge),
        });
        assert!(timeout(patience * MILLISECOND, outcome(call)).await.is_err(), "it hangs");
    };
    learn(&hedger, [20; 10]).await;

    for _ in 0..10 {
        leave(19, Hangs).await;
    }
    assert_eq!(
        hedger.delay(),
        ms(20),
        "a call that is dropped before its delay is over says nothing about the dependency: it may have been about to answer"
    );
    for _ in 0..6 {
        leave(40, Hangs).await;
    }
    assert_eq!(
        hedger.delay(),
        ms(40),
        "these waited for 40 ms, so their originals took at least that. Without them a dependency that is slower \
         than its callers are patient looks as fast as ever"
    );
}

#[tokio::test(start_paused = true)]
async fn the_delay_is_settled_when_a_call_begins() {
    let hedger = percentile(50, 10, 10);
    learn(&hedger, [30; 10]).await;

    let slow = call(&hedger, Good(500), Good(7));
    let others = async {
        sleep(5 * MILLISECOND).await;
        learn(&hedger, [1; 9]).await;
    };
    let ((outcome, took), ()) = tokio::join!(slow, others);

    assert_eq!(hedger.delay(), ms(1), "by now others have been fast");
    assert_eq!(
        (outcome.as_str(), took),
        ("hedge's answer", 37 * MILLISECOND),
        "a call keeps the delay that it began with, 30 ms here"
    );
    assert!(hedges(&hedger).await, "the next one has the new one");
    sleep(SECOND).await;

    let hedger = percentile(99, 10, 10);
    learn(&hedger, [30; 10]).await;
    let diary = Diary::new();
    let leaves = timeout(20 * MILLISECOND, hedger.call(|_| play(&diary, "original", Hangs)));
    let others = async {
        sleep(5 * MILLISECOND).await;
        learn(&hedger, [1; 10]).await;
    };
    let (left, ()) = tokio::join!(leaves, others);
    assert!(left.is_err(), "it hangs");
    assert_eq!(
        hedger.delay(),
        ms(1),
        "a caller left after 20 ms, before the 30 ms with which its call began were over: no sample. That a call which begins \
         now is late after 1 ms makes no difference"
    );
}
