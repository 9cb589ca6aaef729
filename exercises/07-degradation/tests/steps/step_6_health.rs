//! Step 6: what the calls come to feeds the level, and each change is told once.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use degradation::{Change, Config, Degradation, DependencyHealth, Level, Limit, MOST_CALLS};
use tokio::runtime::{Builder, Runtime};
use tokio::time::{Instant, advance};

use super::{MILLISECOND, NANOSECOND, SECOND, wait, without_panic};

/// The window of the default configuration.
const WINDOW: Duration = Duration::from_secs(10);
const QUICK: Duration = Duration::from_millis(5);

fn shop(dependencies: &[&str]) -> Degradation {
    Degradation::new(Config::default(), dependencies).expect("the default configuration is valid")
}

#[track_caller]
fn record(shop: &Degradation, dependency: &str, calls: usize, succeeded: bool) {
    for _ in 0..calls {
        shop.record(dependency, succeeded, QUICK).expect("a dependency of this shop");
    }
}

#[track_caller]
fn error_rate(shop: &Degradation, dependency: &str) -> String {
    format!("{:.4}", shop.health(dependency).expect("a dependency of this shop").error_rate)
}

/// A shop, and the changes that its listener was told of, one a line.
fn observed(dependencies: &[&str]) -> (Degradation, Arc<Mutex<String>>) {
    let told = Arc::new(Mutex::new(String::new()));
    let begun = Instant::now();
    let listener = {
        let told = Arc::clone(&told);
        move |change: &Change| {
            let at = format!("{:.3}s", change.at.duration_since(begun).as_secs_f64());
            writeln!(told.lock().unwrap(), "{at:<8} {change} (change {})", change.number).unwrap();
        }
    };
    (shop(dependencies).on_change(listener), told)
}

#[tokio::test(start_paused = true)]
async fn the_error_rate_is_that_of_the_last_window() {
    let (shop, quiet) = (shop(&["search", "reviews"]), shop(&["search"]));
    let mut table = String::new();

    for (succeeded, failed) in [(40, 0), (20, 20), (0, 60), (100, 0), (100, 0), (0, 0)] {
        record(&shop, "search", succeeded, true);
        record(&shop, "search", failed, false);
        writeln!(table, "{}", error_rate(&shop, "search")).unwrap();
        wait(4 * SECOND).await;
    }

    insta::assert_snapshot!(
        table,
        "a look every 4 s, so three of them are within 10 s: 20 of 80 calls failed, 80 of 140, 80 of 200, \
         60 of 260, and then none of 200. A rate over all time would remember the failures for good",
        @"
        0.0000
        0.2500
        0.5714
        0.4000
        0.2308
        0.0000
        "
    );
    assert_eq!(error_rate(&shop, "reviews"), "0.0000", "each dependency has a window of its own");

    record(&quiet, "search", 100, false);
    wait(WINDOW - NANOSECOND).await;
    let young = error_rate(&quiet, "search");
    wait(NANOSECOND).await;
    let old = error_rate(&quiet, "search");

    assert_eq!(
        (young.as_str(), old.as_str()),
        ("1.0000", "0.0000"),
        "nobody has called since: what is 10 s old is forgotten when somebody asks, and not when the \
         next call comes"
    );
}

#[tokio::test(start_paused = true)]
async fn the_p99_is_what_99_of_100_calls_did_not_exceed() {
    let mut table = String::new();

    for calls in [20, 99, 100, 101, 200, 1_000] {
        let shop = shop(&["search"]);
        for _ in 0..50 {
            shop.record("search", true, 60 * SECOND).unwrap();
        }
        wait(WINDOW).await;
        for took in (1..=calls).rev() {
            shop.record("search", true, took * MILLISECOND).unwrap();
        }
        writeln!(table, "1 to {calls} ms: {:?}", shop.health("search").unwrap().p99).unwrap();
    }

    insta::assert_snapshot!(
        table,
        "the nearest rank: of n times, the one in place 0.99 n, rounded up, counted from 1. Of 100 that is \
         the 99th, not the longest. (50 calls of a minute each are too old to count)",
        @"
        1 to 20 ms: 20ms
        1 to 99 ms: 99ms
        1 to 100 ms: 99ms
        1 to 101 ms: 100ms
        1 to 200 ms: 198ms
        1 to 1000 ms: 990ms
        "
    );

    let shop = shop(&["search"]);
    record(&shop, "search", 98, true);
    for _ in 0..2 {
        shop.record("search", false, 90 * SECOND + NANOSECOND).unwrap();
    }
    assert_eq!(
        shop.health("search").unwrap().p99,
        90 * SECOND + NANOSECOND,
        "calls that failed took time as well, most of all those that ran into a timeout; and a time is what \
         it is, to the nanosecond"
    );

    let slow = self::shop(&["search", "reviews"]);
    record(&slow, "search", 20, true);
    for _ in 0..20 {
        slow.record("reviews", true, 195 * MILLISECOND).unwrap();
    }
    assert_eq!(
        slow.evaluate(),
        Level::Degraded,
        "no call failed, but a mean p99 of 100 ms is not below the limit of normal: evaluate assesses all \
         that health says"
    );
    let why = "a call may have taken any time that a Duration holds";
    let longest = without_panic(why, || {
        for dependency in ["search", "reviews"] {
            for _ in 0..20 {
                slow.record(dependency, true, Duration::MAX).unwrap();
            }
        }
        (slow.health("search").unwrap().p99, slow.evaluate())
    });
    assert_eq!(longest, (Duration::MAX, Level::Degraded), "{why}");
}

#[tokio::test(start_paused = true)]
async fn few_calls_say_nothing_and_of_many_the_newest_count() {
    let shop = shop(&["search", "reviews"]);
    let mut table = "calls      healthy  error_rate  p99\n".to_owned();

    for (seconds, calls, succeeded) in [
        (0, 0, false),
        (0, 19, false),
        (0, 1, false),
        (0, 20, true),
        (0, 1, true),
        (10, 19, false),
        (0, 5_000, true),
        (0, MOST_CALLS / 4, false),
    ] {
        wait(seconds * SECOND).await;
        record(&shop, "reviews", 10, false);
        record(&shop, "search", calls, succeeded);
        let DependencyHealth { healthy, error_rate, p99 } = shop.health("search").unwrap();
        writeln!(table, "{calls:<4} more  {healthy:<7}  {error_rate:<10.4}  {p99:?}").unwrap();
    }

    insta::assert_snapshot!(
        table,
        "at night one failed call of one is no outage: min_calls of 20 in the window make it known, and \
         unhealthy while half of them fail. 10 s later 19 are in the window, and the 41 before them are \
         forgotten. Of the last 5,250 calls the newest MOST_CALLS count",
        @"
        calls      healthy  error_rate  p99
        0    more  true     0.0000      0ns
        19   more  true     0.0000      0ns
        1    more  false    1.0000      5ms
        20   more  false    0.5000      5ms
        1    more  true     0.4878      5ms
        19   more  true     0.0000      0ns
        5000 more  true     0.0000      5ms
        250  more  true     0.2500      5ms
        "
    );
    assert_eq!(
        error_rate(&shop, "reviews"),
        "1.0000",
        "5,250 calls of search push no call of reviews out: each dependency has MOST_CALLS of its own"
    );
}

#[tokio::test(start_paused = true)]
async fn an_outage_goes_through_the_levels_and_each_change_is_told_once() {
    let dependencies = ["search", "reviews", "pricing", "checkout"];
    let (shop, told) = observed(&dependencies);
    let mut levels = String::new();

    for second in 0..140 {
        for dependency in dependencies {
            let failing = dependency == "search" && (20..40).contains(&second);
            record(&shop, dependency, 10, !failing);
        }
        wait(SECOND).await;
        let level = shop.evaluate();
        assert_eq!(shop.level(), level, "the level is what was evaluated last");
        levels.push(['n', 'd', 'm', 'e'][level as usize]);
    }

    insta::assert_snapshot!(
        told.lock().unwrap(),
        "search fails all its calls from 20 s to 40 s. Of the last 9 s (a call of 10 s ago is forgotten) \
         a ninth has failed at 21 s, a mean of 2.8 %; then 5.6 %; and 8 of 9 are a mean of 22 % at 28 s. It is \
         below 20 % again at 42 s, and from then on a dwell of 30 s leads one step up",
        @"
        21.000s  normal → degraded (change 1)
        22.000s  degraded → minimal (change 2)
        28.000s  minimal → emergency (change 3)
        72.000s  emergency → minimal (change 4)
        102.000s minimal → degraded (change 5)
        132.000s degraded → normal (change 6)
        "
    );
    assert_eq!(levels.matches('e').count(), 44, "from 28 s to 71 s: {levels}");
}

#[tokio::test(start_paused = true)]
async fn dependencies_are_those_that_were_named() {
    let ten = shop(&["search", "b", "c", "d", "e", "f", "g", "h", "i", "j"]);
    let twice = shop(&["search", "b", "c", "d", "e", "search"]);

    let unknown = ten.record("serach", false, QUICK).map_err(|error| error.to_string());
    let levels = [&ten, &twice].map(|shop| {
        record(shop, "search", 100, false);
        shop.evaluate()
    });

    assert_eq!(
        unknown,
        Err("there is no dependency \"serach\": name it when you make the controller".to_owned()),
        "failures that go into a window that nobody looks at are an outage that nobody sees"
    );
    assert!(ten.health("serach").is_err(), "and a window that doesn't exist is not a healthy one");
    assert_eq!(
        levels,
        [Level::Minimal, Level::Emergency],
        "one of ten fails all its calls, and that is a mean of 10 %: those that nobody calls count as \
         well ones. One of five is a mean of 20 %: a name that is given twice is one dependency"
    );
}

#[tokio::test(start_paused = true)]
async fn only_evaluate_changes_the_level_and_each_listener_hears_it_once() {
    let (mut shop, first) = observed(&["search"]);
    let others = Arc::new(Mutex::new(Vec::new()));
    for name in ["second", "third"] {
        let others = Arc::clone(&others);
        shop = shop.on_change(move |_| others.lock().unwrap().push((name, thread::current().id())));
    }

    record(&shop, "search", 100, false);
    let mut before = Vec::new();
    for seconds in [0, 0, 0, 10, 30] {
        wait(seconds * SECOND).await;
        shop.health("search").expect("a dependency of this shop");
        before.push((shop.level(), first.lock().unwrap().lines().count()));
        shop.evaluate();
    }

    assert_eq!(
        before,
        [
            (Level::Normal, 0),
            (Level::Emergency, 1),
            (Level::Emergency, 1),
            (Level::Emergency, 1),
            (Level::Emergency, 1)
        ],
        "the level, and how many changes were told, before each evaluation: record, health and level change \
         nothing, however bad the calls were and however long they have been good"
    );
    insta::assert_snapshot!(
        first.lock().unwrap(),
        "two changes, each told once, however often somebody looks",
        @"
        0.000s   normal → emergency (change 1)
        40.000s  emergency → minimal (change 2)
        "
    );
    let here = thread::current().id();
    let mut others = others.lock().unwrap().clone();
    others.sort_unstable_by_key(|(name, _)| *name);
    assert_eq!(
        others,
        [("second", here), ("second", here), ("third", here), ("third", here)],
        "each listener hears as much as the first, on the thread that evaluates"
    );
}

#[tokio::test(start_paused = true)]
async fn the_configuration_is_the_one_that_was_given() {
    let lax = Limit { unhealthy: 1, error_rate: 0.3, p99: None };
    let limits = [lax, Limit { error_rate: 0.9, ..lax }, Limit { error_rate: 1.0, ..lax }];
    let quarter = SECOND / 4 + 500 * NANOSECOND;
    let config =
        Config { limits, dwell: SECOND + quarter, window: 3 * SECOND + quarter, min_calls: 4 };
    let new = |dependencies: &[&str]| Degradation::new(config, dependencies).expect("it is valid");
    let (one, two) = (new(&["search"]), new(&["search", "reviews"]));

    record(&one, "search", 3, true);
    let few = (error_rate(&one, "search"), one.evaluate());
    record(&one, "search", 1, false);
    let a_quarter = (error_rate(&one, "search"), one.evaluate());
    record(&one, "search", 4, false);
    let more = (error_rate(&one, "search"), one.evaluate());
    wait(config.window - NANOSECOND).await;
    let young = error_rate(&one, "search");
    wait(NANOSECOND).await;
    let old = error_rate(&one, "search");

    assert_eq!(
        [few, a_quarter, more],
        [("0.0000", Level::Normal), ("0.2500", Level::Normal), ("0.6250", Level::Degraded)]
            .map(|(rate, level)| (rate.to_owned(), level)),
        "min_calls is 4; and these limits put up with a quarter at normal, and with 0.625 at degraded"
    );
    assert_eq!(
        (young.as_str(), old.as_str()),
        ("0.6250", "0.0000"),
        "a call counts for {:?}, until it is exactly that old: ages aren't whole milliseconds",
        config.window
    );

    record(&two, "search", 10, false);
    two.evaluate();
    wait(config.window).await;
    record(&two, "search", 1, false);
    record(&two, "search", 3, true);
    let mut before = vec![two.evaluate()];
    wait(SECOND).await;
    before.push(two.evaluate());
    wait(quarter).await;
    let after = (two.evaluate(), error_rate(&two, "search"));

    assert_eq!(
        (before, after),
        (vec![Level::Degraded; 2], (Level::Normal, "0.2500".to_owned())),
        "a dwell of {:?}; and a change of the level forgets no call",
        config.dwell
    );
}

#[test]
fn a_listener_may_call_the_controller() {
    let (tell, told) = mpsc::channel();
    let clock = clock(Duration::ZERO);
    let shop = Arc::new_cyclic(|weak: &std::sync::Weak<Degradation>| {
        let weak = weak.clone();
        let at_once = Config { dwell: Duration::ZERO, ..Config::default() };
        at(&clock, || Degradation::new(at_once, &["search"]).expect("it is valid")).on_change(
            move |change| {
                let shop = weak.upgrade().expect("the controller is alive");
                tell.send((change.number, shop.level())).unwrap();
                if change.to < change.from {
                    shop.evaluate();
                }
            },
        )
    });
    at(&clock, || record(&shop, "search", 100, false));

    // On a thread of its own: a controller that holds a lock while it tells waits for itself.
    thread::spawn(move || {
        at(&clock, || shop.evaluate());
        clock.block_on(advance(WINDOW));
        at(&clock, || shop.evaluate());
    });
    let heard: Vec<_> =
        (0..4).map_while(|_| told.recv_timeout(Duration::from_secs(2)).ok()).collect();

    assert_eq!(
        heard,
        [(1, Level::Emergency), (2, Level::Minimal), (3, Level::Degraded), (4, Level::Normal)],
        "a listener that asks for the level gets the new one, and one that evaluates may cause the next change. \
         If some are missing, a lock was held: tell after it is released"
    );
}

const THREADS: usize = 2;
const ROUNDS: u64 = 6;
const DEPENDENCIES: usize = 5;

/// A paused clock of its own, which is so much ahead.
fn clock(ahead: Duration) -> Runtime {
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(advance(ahead));
    runtime
}

/// Does `act` under another clock.
fn at<R>(clock: &Runtime, act: impl FnOnce() -> R) -> R {
    let _entered = clock.enter();
    act()
}

#[test]
fn a_late_thread_and_threads_at_once_do_no_harm() {
    let early = clock(Duration::ZERO);
    let (late, later) = (clock(60 * SECOND), clock(60 * SECOND + WINDOW / 2));
    let last = clock(60 * SECOND + WINDOW);
    let [search, evaluated, recorded] =
        [(); 3].map(|()| at(&early, || shop(&["search", "reviews"])));
    let (tell, changed) = mpsc::channel();
    let recorded = recorded.on_change(move |change| tell.send(change.at).unwrap());
    at(&late, || search.evaluate());
    at(&late, || record(&recorded, "reviews", 1, true));

    for shop in [&search, &evaluated, &recorded] {
        at(&early, || record(shop, "search", 100, false));
    }
    at(&early, || recorded.evaluate());

    assert_eq!(
        changed.try_recv().ok(),
        Some(at(&late, Instant::now)),
        "a call was recorded a minute later than this thread reads the clock, and then it evaluates: the \
         change happened at the newest time that the controller has seen"
    );
    assert_eq!(
        [&search, &recorded].map(|shop| at(&later, || error_rate(shop, "search"))),
        ["1.0000", "1.0000"],
        "a thread read the clock, was put off the processor for a minute, and came late with its calls: \
         they have just ended, and are not a minute old. The newest time was seen by evaluate in one case \
         and by record in the other"
    );

    // The window that is asked for is another one.
    for shop in [&search, &evaluated] {
        at(&last, || error_rate(shop, "reviews"));
    }
    assert_eq!(
        (at(&early, || error_rate(&search, "search")), at(&early, || evaluated.evaluate())),
        ("0.0000".to_owned(), Level::Normal),
        "and a thread that comes late to ask gets an answer of now: these calls are forgotten"
    );

    let told = Arc::new(Mutex::new(Vec::new()));
    let listener = Arc::clone(&told);
    // An evaluation of many dependencies takes long enough to be overtaken; one failed call is an emergency.
    let limits = [Limit { unhealthy: 0, error_rate: 1.0, p99: None }; 3];
    let at_once = Config { limits, dwell: Duration::ZERO, min_calls: 1, ..Config::default() };
    let names: Vec<_> = (0..DEPENDENCIES).map(|number| format!("{number}")).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    let shop = at(&early, || Degradation::new(at_once, &names).expect("it is valid"))
        .on_change(move |change| listener.lock().unwrap().push(change.number));
    let ended = AtomicBool::new(false);
    let looks: Vec<_> = (0..THREADS).map(|_| AtomicUsize::new(0)).collect();
    // Until each of the others has looked once more: what it had in hand by then is told by now.
    let all_have_looked = || {
        for looks in &looks {
            let before = looks.load(SeqCst);
            while looks.load(SeqCst) == before {
                thread::yield_now();
            }
        }
    };
    thread::scope(|scope| {
        for looks in &looks {
            let (shop, early, ended) = (&shop, &early, &ended);
            scope.spawn(move || {
                let _paused = early.enter();
                while !ended.load(SeqCst) {
                    shop.evaluate();
                    looks.fetch_add(1, SeqCst);
                }
            });
        }
        for _ in 0..ROUNDS {
            at(&early, || record(&shop, "0", 1, false));
            all_have_looked();
            early.block_on(advance(WINDOW));
            all_have_looked();
            for _ in 0..3 {
                at(&early, || shop.evaluate());
            }
        }
        ended.store(true, SeqCst);
    });

    let mut numbers = told.lock().unwrap().clone();
    numbers.sort_unstable();
    let each_once: Vec<_> = (1..=4 * ROUNDS).collect();
    assert!(
        numbers == each_once,
        "in each of {ROUNDS} rounds it goes down and three steps up, and {THREADS} threads look on: {} \
         changes were told, expected {}, each once. Between the look at the calls and the change that comes \
         of it no other evaluation may come, or an old look undoes what a newer one did",
        numbers.len(),
        each_once.len()
    );
}
