//! Step 4: the limit finds itself.

use std::collections::{BTreeSet, VecDeque};
use std::fmt::Write as _;
use std::future::pending;
use std::task::Poll;
use std::time::Duration;

use load_shedding::Outcome::{Done, Overloaded};
use load_shedding::{Aimd, Config, Gradient, Limit, Outcome, Permit, Request, Shedder, Snapshot};
use tokio::time::timeout;

use super::{Caller, Diary, MILLISECOND, NANOSECOND, SECOND, at_once, begun, shedder, take, wait};

fn aimd(initial: usize) -> Aimd {
    Aimd { initial, min: 1, max: 1_000, decrease: 0.9 }
}

fn adapting(aimd: Aimd) -> Shedder {
    shedder(Config { limit: Limit::Aimd(aimd), ..Config::default() })
}

/// Ends so many requests while so many run: for each that ends, another begins. Those that run at the end are
/// cancelled.
fn stream(shedder: &Shedder, running: usize, requests: usize, outcome: Outcome) {
    let mut permits = VecDeque::from(take(shedder, running));
    for _ in 0..requests {
        permits.pop_front().expect("one at least runs").finish(outcome);
        permits.push_back(begun(shedder, Request::default()));
    }
}

fn limit(shedder: &Shedder) -> usize {
    shedder.snapshot().limit
}

/// Begins so many requests, and ends them together, after so much time.
async fn round(shedder: &Shedder, requests: usize, time: Duration) {
    let now = limit(shedder);
    assert!(
        now >= requests,
        "by the rules the limit would be {requests} or more here, but it is {now}: it has fallen too far, or did not rise"
    );
    let permits = take(shedder, requests);
    wait(time).await;
    end(permits, Done);
}

fn end(permits: Vec<Permit>, outcome: Outcome) {
    for permit in permits {
        permit.finish(outcome);
    }
}

#[tokio::test(start_paused = true)]
async fn a_limit_of_good_requests_raises_it_by_one() {
    let shedder = adapting(Aimd { max: 7, ..aimd(4) });
    let mut table = String::new();
    let mut before = limit(&shedder);
    for ended in 1..=100 {
        stream(&shedder, 4, 1, Done);
        if limit(&shedder) != before {
            before = limit(&shedder);
            writeln!(table, "after {ended:>2}: {before}").unwrap();
        }
    }

    insta::assert_snapshot!(
        table,
        "a limit of 4 is raised after 4 good requests, one of 5 after 5 more, and so on up to `max`, 7: by one for each \
         round, not for each request",
        @r"
        after  4: 5
        after  9: 6
        after 15: 7
        "
    );

    let shedder = adapting(aimd(1));
    let called = shedder.call(Request::default(), || std::future::ready("an answer")).await;
    assert_eq!(
        (called, limit(&shedder)),
        (Ok("an answer"), 2),
        "the work of a `call` came to its end, so it is `Done`, and a good request as any other"
    );

    let shedder = adapting(aimd(4));
    let old = take(&shedder, 2);
    stream(&shedder, 2, 4, Done);
    let more = take(&shedder, 3);
    end(old, Done);
    stream(&shedder, 2, 3, Done);
    assert_eq!(
        limit(&shedder),
        6,
        "the limit is 5, and five good requests end, two of which began when it was 4. A cut makes older requests say \
         nothing; a raise doesn't"
    );
    drop(more);

    let shedder = adapting(aimd(1));
    let runs = take(&shedder, 1);
    let mut callers =
        ["Ada", "Barbara"].map(|name| Caller::waits(name, &shedder, Request::default()));
    end(runs, Done);
    assert!(
        callers.iter_mut().all(|caller| caller.poll().is_ready()),
        "one place came free and one was added: both who wait begin"
    );
}

#[tokio::test(start_paused = true)]
async fn a_limit_that_is_not_used_does_not_grow() {
    let shedder = adapting(aimd(10));

    stream(&shedder, 4, 10_000, Done);
    assert_eq!(
        limit(&shedder),
        10,
        "with 4 at a time 10,000 good requests say nothing about a limit of 11. A limit that grows all night is no limit \
         in the morning"
    );
    stream(&shedder, 5, 9, Done);
    stream(&shedder, 4, 100, Done);
    let nearly = limit(&shedder);
    stream(&shedder, 5, 1, Done);
    assert_eq!(
        (nearly, limit(&shedder)),
        (10, 11),
        "with half of it in use, it grows: after nine such requests, and a tenth. A hundred of a quiet minute in between don't \
         count, and take nothing from what was counted"
    );
    stream(&shedder, 5, 1_000, Done);
    assert_eq!(limit(&shedder), 11, "5 are less than half of 11");
}

#[tokio::test(start_paused = true)]
async fn an_overload_cuts_the_limit_by_a_share() {
    let shedder = adapting(Aimd { min: 60, ..aimd(100) });
    let limits = [(); 6].map(|()| {
        stream(&shedder, 1, 1, Overloaded);
        limit(&shedder)
    });
    assert_eq!(
        limits,
        [90, 81, 72, 64, 60, 60],
        "nine tenths, rounded down, and no less than `min`"
    );

    let shedder = adapting(aimd(10));
    stream(&shedder, 10, 9, Done);
    stream(&shedder, 1, 1, Overloaded);
    stream(&shedder, 9, 8, Done);
    let nearly = limit(&shedder);
    stream(&shedder, 9, 1, Done);
    assert_eq!(
        (nearly, limit(&shedder)),
        (9, 10),
        "9 good requests, an overload, and then 8 and 9 good ones: a cut begins a new count"
    );

    let shedder = adapting(Aimd { min: 10, ..aimd(10) });
    stream(&shedder, 10, 9, Done);
    stream(&shedder, 1, 1, Overloaded);
    stream(&shedder, 10, 9, Done);
    let nearly = limit(&shedder);
    stream(&shedder, 10, 1, Done);
    assert_eq!(
        (nearly, limit(&shedder)),
        (10, 11),
        "a limit that is at `min` can't be cut any further, but the overload begins a new count all the same"
    );
}

#[tokio::test(start_paused = true)]
async fn a_burst_of_overloads_cuts_it_once() {
    let shedder = adapting(aimd(100));
    let mut permits = take(&shedder, 60);
    let (good, later) = (permits.split_off(40), permits.split_off(20));

    end(permits, Overloaded);
    assert_eq!(
        limit(&shedder),
        90,
        "20 requests met the same overload side by side. A cut for each leaves 12 of 100, and the service idles"
    );
    end(later, Overloaded);
    assert_eq!(
        limit(&shedder),
        90,
        "these began before the cut too, and say nothing about a limit of 90"
    );
    end(good, Done);
    stream(&shedder, 60, 89, Done);
    let nearly = limit(&shedder);
    stream(&shedder, 60, 1, Done);
    assert_eq!((nearly, limit(&shedder)), (90, 91), "nor do good ones that began before it");
    stream(&shedder, 1, 1, Overloaded);
    assert_eq!(
        limit(&shedder),
        81,
        "a request that began after the cut, and meets an overload, cuts it again"
    );
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_request_says_nothing() {
    let shedder = adapting(aimd(10));

    drop(take(&shedder, 10));
    assert_eq!(
        limit(&shedder),
        10,
        "ten clients hung up. A user who leaves the page is no sign of an overload, and none of its absence"
    );
    stream(&shedder, 10, 9, Done);
    drop(take(&shedder, 10));
    assert_eq!(limit(&shedder), 10, "9 good ones and 10 cancelled ones are 9 good ones");
    stream(&shedder, 10, 1, Done);
    assert_eq!(limit(&shedder), 11, "and with the tenth it grows");

    let shedder = adapting(aimd(1));
    let leaves = timeout(SECOND, shedder.call(Request::default(), pending::<()>)).await;
    assert!(leaves.is_err(), "the work hangs");
    assert_eq!(
        limit(&shedder),
        1,
        "a `call` whose caller has gone: its work did not come to an end, so it is not `Done`"
    );

    let probing = following(Gradient { probe_calls: 1, ..gradient() });
    drop(take(&probing, 1));
    assert_eq!(
        limit(&probing),
        2,
        "nor is the time until it was cancelled a latency: the probe goes on"
    );
    let following = following(gradient());
    probe(&following).await;
    let cancelled = take(&following, 9);
    wait(SECOND).await;
    drop(cancelled);
    round(&following, 9, NO_LOAD).await;
    assert_eq!(
        limit(&following),
        12,
        "9 requests were cancelled after a second, and 9 took 10 ms, as without load: the first nine are no window"
    );
}

#[tokio::test(start_paused = true)]
async fn a_lower_limit_takes_no_place_away() {
    let shedder = adapting(Aimd { decrease: 0.5, ..aimd(10) });
    let mut permits = take(&shedder, 10);
    let mut waits = Caller::waits("Ada", &shedder, Request::default());

    permits.pop().expect("ten run").finish(Overloaded);

    assert_eq!(
        shedder.snapshot(),
        Snapshot { limit: 5, running: 9, waiting: 1 },
        "nine run on under a limit of 5: their work is half done"
    );
    permits.truncate(5);
    assert!(waits.poll().is_pending(), "with five running, nobody begins");
    permits.truncate(4);
    let Poll::Ready(Ok(permit)) = waits.poll() else { panic!("with four, the next does") };
    permit.finish(Overloaded);
    assert_eq!(
        limit(&shedder),
        2,
        "Ada came before the cut and began after it. The overload that she met is one of the limit of now, 5, and cuts it \
         again"
    );
}

// ---------------------------------------------------------------------------------------------
// By the gradient of the latency

/// A probe is three requests, and a step of the limit nine.
fn gradient() -> Gradient {
    Gradient {
        initial: 9,
        min: 2,
        max: 100,
        tolerance: 2.0,
        window: 9,
        probe_calls: 3,
        probe_every: 30 * SECOND,
        probe_jitter: 0.0,
    }
}

fn following(gradient: Gradient) -> Shedder {
    shedder(Config { limit: Limit::Gradient(gradient), ..Config::default() })
}

/// 10 ms is what a request takes without load.
const NO_LOAD: Duration = Duration::from_millis(10);

async fn probe(shedder: &Shedder) {
    for _ in 0..3 {
        round(shedder, 1, NO_LOAD).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_probe_is_at_the_lowest_limit_and_its_mean_latency_counts() {
    let shedder = following(gradient());
    let mut diary = Diary::begin();
    let note =
        |diary: &mut Diary, what: &str| diary.note(&format!("{what:<20} {}", limit(&shedder)));

    note(&mut diary, "begin");
    for time in [5, 10, 15] {
        round(&shedder, 1, time * MILLISECOND).await;
        note(&mut diary, &format!("{time} ms"));
    }
    round(&shedder, 9, 25 * MILLISECOND).await;
    note(&mut diary, "9 requests of 25 ms");
    // The probe ended 25 ms ago.
    wait(30 * SECOND - 25 * MILLISECOND - NANOSECOND).await;
    note(&mut diary, "nearly time");
    wait(NANOSECOND).await;
    note(&mut diary, "time for a probe");
    probe(&shedder).await;
    note(&mut diary, "it is over");
    for _ in 0..2 {
        round(&shedder, 9, NO_LOAD).await;
    }
    note(&mut diary, "18 of 10 ms");

    insta::assert_snapshot!(
        diary.text,
        "it begins with a probe, for nobody knows yet what a request takes without load: three requests at `min`, 10 ms on \
         average. Then the limit is `initial`. 20 ms are tolerated, so 25 ms make a gradient of 0.8: 9 × 0.8 + √9 = 10.2. \
         30 s after the probe there is another, and then the limit is again what it was, its fraction included: 10.2 + √10.2 \
         is 13.39, and that and its root is 17",
        @r"
        0.000s   begin                2
        0.005s   5 ms                 2
        0.015s   10 ms                2
        0.030s   15 ms                9
        0.055s   9 requests of 25 ms  10
        30.030s  nearly time          10
        30.030s  time for a probe     2
        30.060s  it is over           10
        30.080s  18 of 10 ms          17
        "
    );

    let shedder = following(gradient());
    probe(&shedder).await;
    wait(30 * SECOND).await;
    for _ in 0..3 {
        round(&shedder, 1, 3 * NO_LOAD).await;
    }
    round(&shedder, 9, 5 * NO_LOAD).await;
    assert_eq!(
        limit(&shedder),
        12,
        "what is below takes 30 ms now instead of 10, so 50 ms are well tolerated. The last probe alone says what is normal: \
         beside the shortest of all probes, or a mean of them, everything is slow for ever, and the limit falls"
    );
}

#[tokio::test(start_paused = true)]
async fn the_limit_follows_the_gradient_of_the_latency() {
    let shedder = following(Gradient { max: 19, ..gradient() });
    probe(&shedder).await;
    let mut table = String::new();

    for time in [10, 20, 20, 20, 25, 40, 1_000, 20, 25] {
        round(&shedder, 9, time * MILLISECOND).await;
        writeln!(table, "9 of {time:>4} ms: {}", limit(&shedder)).unwrap();
    }
    let floor = following(Gradient { min: 8, ..gradient() });
    probe(&floor).await;
    round(&floor, 9, SECOND).await;
    assert_eq!(limit(&floor), 8, "9 × 0.5 + √9 is less than `min`");
    let instant = following(gradient());
    for _ in 0..3 {
        round(&instant, 1, Duration::ZERO).await;
    }
    round(&instant, 9, Duration::ZERO).await;
    assert_eq!(
        limit(&instant),
        12,
        "no time without load, and no time under it, on a clock that is too coarse: that is as fast as without load"
    );
    let quick = following(gradient());
    for _ in 0..3 {
        round(&quick, 1, MILLISECOND * 2 / 5).await;
    }
    round(&quick, 9, MILLISECOND).await;
    assert_eq!(
        limit(&quick),
        10,
        "0.4 ms without load, 0.8 are tolerated, and 1 ms makes 9 × 0.8 + √9: in whole milliseconds a cache takes no time at \
         all"
    );
    let mut permits = take(&shedder, 9);
    wait(NO_LOAD).await;
    let slow = permits.split_off(8);
    end(permits, Done);
    wait(18 * NO_LOAD).await;
    end(slow, Done);
    writeln!(table, "8 of 10 and one of 190 ms: {}", limit(&shedder)).unwrap();

    insta::assert_snapshot!(
        table,
        "10 ms without load and a tolerance of 2: up to a mean of 20 ms the gradient is 1, at 25 ms 0.8, and from 40 ms \
         on 0.5, its lowest. Each window of 9 requests makes one step: limit × gradient + √limit, within `min` and `max`. \
         The limit keeps its fraction between the steps",
        @r"
        9 of   10 ms: 12
        9 of   20 ms: 15
        9 of   20 ms: 19
        9 of   20 ms: 19
        9 of   25 ms: 19
        9 of   40 ms: 13
        9 of 1000 ms: 10
        9 of   20 ms: 13
        9 of   25 ms: 14
        8 of 10 and one of 190 ms: 13
        "
    );
}

#[tokio::test(start_paused = true)]
async fn a_gradient_that_is_not_used_does_not_raise_the_limit() {
    let shedder = following(gradient());
    probe(&shedder).await;

    for _ in 0..900 {
        round(&shedder, 4, NO_LOAD).await;
    }
    assert_eq!(
        limit(&shedder),
        9,
        "with 4 at a time latency is as without load, whatever the limit. A limit that has grown to 100 meanwhile \
         protects nobody from the next burst"
    );
    // 900 × 4 are 400 windows.
    round(&shedder, 4, 100 * MILLISECOND).await;
    round(&shedder, 4, 100 * MILLISECOND).await;
    round(&shedder, 1, 100 * MILLISECOND).await;
    assert_eq!(limit(&shedder), 7, "but slow requests lower it, however few: 9 × 0.5 + √9");

    let shedder = following(gradient());
    probe(&shedder).await;
    round(&shedder, 1, NO_LOAD).await;
    round(&shedder, 8, NO_LOAD).await;
    assert_eq!(
        limit(&shedder),
        12,
        "the first request of this window ran alone, and then 8 ran at a time: one that ends with half of the limit in use is \
         enough"
    );
    for _ in 0..9 {
        round(&shedder, 4, NO_LOAD).await;
    }
    assert_eq!(
        limit(&shedder),
        12,
        "after that window come four in which at most 4 of 12 places were in use: each window is judged by its own requests"
    );
    let shedder = following(gradient());
    probe(&shedder).await;
    round(&shedder, 9, 25 * MILLISECOND).await;
    round(&shedder, 5, NO_LOAD).await;
    round(&shedder, 5, NO_LOAD).await;
    assert_eq!(
        limit(&shedder),
        13,
        "of a limit of 10.2 its whole part counts, 10 places, and 5 of them were in use: half of it"
    );
}

#[tokio::test(start_paused = true)]
async fn a_request_from_before_a_probe_says_nothing_in_it() {
    let shedder = following(gradient());
    probe(&shedder).await;
    let old = take(&shedder, 9);
    wait(31 * SECOND).await;
    assert_eq!(limit(&shedder), 2, "it is time for a probe");

    end(old, Done);
    assert_eq!(
        limit(&shedder),
        2,
        "nine end that began before the probe, when nine ran at a time. They took 31 s, and this is not what a request \
         takes without load"
    );
    let in_the_probe = take(&shedder, 1);
    probe(&shedder).await;
    assert_eq!(limit(&shedder), 9, "three that began in it make the probe");
    wait(10 * SECOND).await;
    end(in_the_probe, Done);
    round(&shedder, 9, NO_LOAD).await;
    assert_eq!(
        limit(&shedder),
        12,
        "one that began in the probe and ended after it says nothing about the limit of now, nor do its 10 s"
    );

    let shedder = following(gradient());
    probe(&shedder).await;
    round(&shedder, 5, SECOND).await;
    let mut old = take(&shedder, 9);
    wait(30 * SECOND).await;
    let oldest = old.split_off(8);
    end(old, Done);
    probe(&shedder).await;
    assert_eq!(
        limit(&shedder),
        9,
        "30 s after the last probe eight requests end, and nobody has come or asked since. It is time for a probe all the \
         same, and they began before it"
    );
    end(oldest, Done);
    round(&shedder, 9, NO_LOAD).await;
    assert_eq!(
        limit(&shedder),
        12,
        "nine requests of 10 ms are the first window after the probe. One that began before the probe and ends after it is \
         not in it, nor are the five before the probe, whose window the probe has cut off"
    );
}

/// How many tenths of a second 40 instances wait for their second probe, and for their third.
async fn probe_times(config: &Config) -> Vec<u32> {
    let mut times = Vec::new();
    for seed in 0..40 {
        let shedder = Shedder::seeded(config.clone(), seed).unwrap();
        for _ in 0..2 {
            round(&shedder, 1, NO_LOAD).await;
            let mut steps = 0;
            while limit(&shedder) > 2 && steps < 500 {
                wait(SECOND / 10).await;
                steps += 1;
            }
            times.push(steps);
        }
    }
    times
}

#[tokio::test(start_paused = true)]
async fn the_probes_of_many_instances_are_spread() {
    let config = Gradient { probe_calls: 1, probe_jitter: 0.5, ..gradient() };
    let config = Config { limit: Limit::Gradient(config), ..Config::default() };
    let (times, again) = (probe_times(&config).await, probe_times(&config).await);
    assert_eq!(times, again, "the same seeds draw the same times");

    let (first, last) = (*times.iter().min().unwrap(), *times.iter().max().unwrap());
    assert!(
        first >= 300 && last <= 450,
        "30 s and up to a half of it, but these probe after {first} to {last} tenths of a second"
    );
    let different = times.iter().collect::<BTreeSet<_>>().len();
    assert!(
        different >= 50 && last - first > 120,
        "40 instances begin together, and each probes twice. While one probes it serves next to nobody: all at once, and the \
         service is gone. Of these 80 times {different} are different, from {first} to {last} tenths of a second"
    );
    let twice = times.chunks(2).filter(|pair| pair[0] == pair[1]).count();
    assert!(twice <= 3, "{twice} of 40 instances waited for the same time twice: draw each time");
}

#[tokio::test(start_paused = true)]
async fn a_latency_is_the_time_of_work_that_was_done() {
    let shedder = following(gradient());
    // In a probe there are two places.
    let both = take(&shedder, 2);
    let mut third = Caller::waits("Ada", &shedder, Request::default());
    wait(NO_LOAD).await;
    end(both, Done);
    let Poll::Ready(Ok(permit)) = third.poll() else { panic!("there is a place for Ada now") };
    wait(NO_LOAD).await;
    permit.finish(Done);

    round(&shedder, 9, 25 * MILLISECOND).await;
    assert_eq!(
        limit(&shedder),
        10,
        "the three of the probe ran for 10 ms each, and the third waited for 10 ms before: a latency is the time of the work. \
         With the wait in it a queue of your own would look like a slow server. 20 ms are tolerated, so 25 ms make a gradient \
         of 0.8: 9 × 0.8 + √9 = 10.2"
    );

    let shedder = following(gradient());
    for _ in 0..10 {
        end(take(&shedder, 1), Overloaded);
    }
    assert_eq!(
        limit(&shedder),
        2,
        "what is below refuses at once. If that were the latency without load, all work would be slow beside it: the probe \
         goes on"
    );
    probe(&shedder).await;
    let mut permits = take(&shedder, 9);
    let refused = permits.split_off(1);
    wait(100 * MILLISECOND).await;
    end(refused, Overloaded);
    end(permits, Done);
    assert_eq!(
        limit(&shedder),
        9,
        "in a window they don't count either: this one has one request of nine"
    );
    for _ in 0..8 {
        round(&shedder, 1, 100 * MILLISECOND).await;
    }
    assert_eq!(limit(&shedder), 7, "and now it has nine, all of 100 ms: 9 × 0.5 + √9");
    assert!(at_once(&shedder, Request::default()).is_ok());
}
