//! Step 1: so many at once, a short queue, and a quick no.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::future::{pending, ready};
use std::sync::{Arc, mpsc};
use std::task::Wake;
use std::thread;
use std::time::Duration;

use load_shedding::{Config, Limit, Reason, Request, Shed, Shedder, Snapshot};
use tokio::runtime::{Builder, Handle};
use tokio::time::{sleep, timeout};

use super::{Caller, Diary, MILLISECOND, SECOND, at_once, begun, refusal, shedder, sized, take};

#[tokio::test(start_paused = true)]
async fn no_more_run_at_once_than_the_limit() {
    let shedder = sized(3, 0);
    let mut permits = take(&shedder, 3);

    assert_eq!(
        refusal(&shedder, Request::default()),
        Reason::Full,
        "three places, and all are taken"
    );
    permits.pop();

    let _again = begun(&shedder, Request::default());
    assert_eq!(
        (refusal(&shedder, Request::default()), shedder.snapshot()),
        (Reason::Full, Snapshot { limit: 3, running: 3, waiting: 0 }),
        "one ended, so one more could begin: one, and no second"
    );
}

#[tokio::test(start_paused = true)]
async fn the_limit_holds_between_threads() {
    let shedder = sized(3, 0);
    let clock = Handle::current();

    let permits: usize = std::thread::scope(|scope| {
        let caller = || {
            let _paused_clock = clock.enter();
            let permits = (0..25).filter_map(|_| at_once(&shedder, Request::default()).ok());
            permits.map(std::mem::forget).count()
        };
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(caller)).collect();
        threads.into_iter().map(|thread| thread.join().expect("no caller panics")).sum()
    });

    assert_eq!(permits, 3, "8 threads ask for 3 places: comparing and counting must be one step");
}

#[tokio::test(start_paused = true)]
async fn a_full_queue_refuses_at_once() {
    let shedder = sized(1, 2);
    let _runs = take(&shedder, 1);
    let _first = Caller::waits("Ada", &shedder, Request::default());
    let _second = Caller::waits("Barbara", &shedder, Request::default());

    let third = refusal(&shedder, Request::default());

    assert_eq!(
        (third, shedder.snapshot()),
        (Reason::Full, Snapshot { limit: 1, running: 1, waiting: 2 }),
        "one runs, two wait, and so many may: the next is refused at its first poll, and takes no chair. A queue \
         without an end is where an overload stays when its cause has gone"
    );
}

#[tokio::test(start_paused = true)]
async fn work_is_begun_in_a_place_and_not_without_one() {
    let shedder = sized(1, 0);
    let ran = Cell::new(0);
    let work = || {
        ran.set(ran.get() + 1);
        ready(shedder.snapshot().running)
    };

    let served = shedder.call(Request::default(), work).await;
    let runs = take(&shedder, 1);
    let refused = shedder.call(Request::default(), work).await.map_err(|shed| shed.reason);
    drop(runs);

    assert_eq!(
        served,
        Ok(1),
        "the work itself sees one running: `let _ = permit` drops it on the spot"
    );
    assert_eq!((refused, ran.get()), (Err(Reason::Full), 1), "refused work isn't even called");
    assert_eq!(shedder.snapshot().running, 0, "and all places are free again");
}

#[tokio::test(start_paused = true)]
async fn the_first_to_come_is_the_first_to_begin() {
    let shedder = sized(1, 5);
    let mut diary = Diary::begin();
    let runs = take(&shedder, 1);
    let names = ["Ada", "Barbara", "Edsger", "Grace"];
    let mut callers = names.map(|name| Caller::waits(name, &shedder, Request::default())).into();

    diary.ask(&mut callers);
    diary.note("a place is given back");
    drop(runs);
    diary.ask(&mut callers);

    insta::assert_snapshot!(
        diary.text,
        "they came in the order of the alphabet, and each ends at once and makes room for the next",
        @r"
        0.000s   a place is given back
        0.000s   Ada       begins
        0.000s   Barbara   begins
        0.000s   Edsger    begins
        0.000s   Grace     begins
        "
    );
}

#[tokio::test(start_paused = true)]
async fn a_waiter_is_woken() {
    let shedder = sized(1, 5);
    let runs = take(&shedder, 1);
    tokio::spawn(async move {
        sleep(20 * MILLISECOND).await;
        drop(runs);
    });

    let answer = timeout(50 * MILLISECOND, shedder.acquire(Request::default())).await;

    assert!(
        answer.is_ok_and(|answer| answer.is_ok()),
        "the place was given back after 20 ms, and the request that waits for it was not woken: who gives a place \
         back has to tell the next"
    );
}

/// A waker that asks the shedder for its numbers when it is woken, as an executor's task may.
struct Asks(Shedder);

impl Wake for Asks {
    fn wake(self: Arc<Self>) {
        self.0.snapshot();
    }
}

#[test]
fn a_waiter_that_is_told_may_ask_the_shedder() {
    let (tell, told) = mpsc::channel();
    // A thread that waits for a lock that it holds itself waits for ever: it is a thread of its own.
    thread::spawn(move || {
        let clock = Builder::new_current_thread().enable_time().start_paused(true).build();
        let _entered = clock.as_ref().expect("a runtime").enter();
        let shedder = sized(1, 1);
        let runs = take(&shedder, 1);
        let mut waits = Caller::waits("Ada", &shedder, Request::default());
        let looked = waits.poll_with(&Arc::new(Asks(shedder)).into());
        drop(runs);
        let _ = tell.send(looked.is_pending() && waits.poll().is_ready());
    });

    assert_eq!(
        told.recv_timeout(5 * SECOND),
        Ok(true),
        "a place was given back, and who waits for it asks for a `snapshot` when it is woken: this waits for the lock. \
         Collect what is to be told while you hold the lock, and tell it afterwards"
    );
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_has_gone_leaves_no_trace() {
    let shedder = sized(1, 2);
    let runs = take(&shedder, 1);
    let mut leaves = Caller::waits("Ada", &shedder, Request::default());
    let given = Caller::waits("Barbara", &shedder, Request::default());

    let polled = leaves.poll().is_pending();
    drop(leaves);
    assert!(polled, "nobody gave a place back");
    assert_eq!(
        shedder.snapshot().waiting,
        1,
        "Ada has gone, and her chair is free. A client that gave up must not keep out those who didn't"
    );
    let next = Caller::waits("Edsger", &shedder, Request::default());
    drop(runs);
    drop(given);

    let mut diary = Diary::begin();
    diary.ask(&mut vec![next]);
    insta::assert_snapshot!(
        diary.text,
        "Barbara was given the place, and was dropped before she could see it: it goes to the next, or it is lost \
         for ever",
        @"0.000s   Edsger    begins"
    );
    assert_eq!(shedder.snapshot(), Snapshot { limit: 1, running: 0, waiting: 0 });
}

#[tokio::test(start_paused = true)]
async fn cancelled_and_panicking_work_gives_its_place_back() {
    let shedder = sized(1, 0);

    let hangs = shedder.call(Request::default(), pending::<()>);
    assert!(timeout(MILLISECOND, hangs).await.is_err(), "the work hangs, and its caller goes");
    assert_eq!(
        shedder.snapshot().running,
        0,
        "the place of dropped work is free: what is written after an `await` doesn't run when the future is dropped, a `Drop` \
         does"
    );

    let mine = shedder.clone();
    let bug = async || std::panic::resume_unwind(Box::new("a bug"));
    let ended = tokio::spawn(async move { mine.call(Request::default(), bug).await }).await;
    let _: Result<Shed, _> = ended.map(|answer: Result<(), _>| answer.expect_err("it panics"));
    assert_eq!(shedder.snapshot().running, 0, "and so is that of work that panicked");
}

/// What so many refused callers are told to wait.
fn told(shedder: &Shedder, callers: usize) -> Vec<Duration> {
    let refused = |_| at_once(shedder, Request::default()).expect_err("it is full").retry_after;
    (0..callers).map(refused).collect()
}

#[tokio::test(start_paused = true)]
async fn a_refusal_says_when_to_come_back_and_not_to_all_the_same() {
    let config = Config { limit: Limit::Fixed(1), max_waiting: 0, ..Config::default() };
    let (one, other) = (shedder(config.clone()), shedder(config.clone()));
    let _both_are_full = (take(&one, 1), take(&other, 1));

    let (times, again) = (told(&one, 500), told(&other, 500));

    let (shortest, longest) = (*times.iter().min().unwrap(), *times.iter().max().unwrap());
    assert!(
        shortest >= SECOND && longest <= 2 * SECOND,
        "`retry_after` is 1 s: from that to twice as long, but these are told {shortest:?} to {longest:?}"
    );
    let different = times.iter().collect::<BTreeSet<_>>().len();
    assert!(
        different > 450 && longest - shortest > 900 * MILLISECOND,
        "500 who are refused together come back together, unless each draws a time of its own: of these only \
         {different} are different, from {shortest:?} to {longest:?}"
    );
    let mean = times.iter().sum::<Duration>() / 500;
    assert!(
        (1_400..1_600).contains(&mean.as_millis()),
        "the times lie evenly between 1 and 2 s, but their mean is {mean:?}"
    );
    assert_eq!(
        times, again,
        "two shedders with one seed: all chance comes from the generator that it made"
    );

    let of_new = |_| {
        let shedder = Shedder::new(config.clone()).expect("this configuration is valid");
        let _full = take(&shedder, 1);
        told(&shedder, 1)
    };
    let unseeded = (0..20).map(of_new).collect::<BTreeSet<_>>().len();
    assert!(
        unseeded >= 19,
        "20 shedders that `new` made tell the first whom they refuse {unseeded} times: each is seeded by the operating \
         system, or all instances of a service say the same"
    );
}

#[tokio::test(start_paused = true)]
async fn retry_after_in_whole_seconds_is_rounded_up() {
    let nanos = [1, 200_000_000, 1_000_000_000, 1_000_000_001, 59_999_999_999];
    let seconds = nanos.map(|nanos| {
        let shed = Shed { reason: Reason::Full, retry_after: Duration::from_nanos(nanos) };
        shed.retry_after_seconds()
    });

    assert_eq!(
        seconds,
        [1, 1, 1, 2, 60],
        "the header has whole seconds. 0.2 s that are cut to `Retry-After: 0` say: come back at once"
    );
}
