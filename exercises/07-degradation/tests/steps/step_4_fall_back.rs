//! Step 4: a fresh answer, or a cached one, or a fixed one, or the reason why there is none.

use std::cell::Cell;
use std::future::{Ready, pending, ready};
use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use degradation::{Cached, Fallback, FallbackConfig, Fault, Mode, Source, Sourced, Unavailable};
use tokio::time::{Instant, timeout};

use super::{MILLISECOND, NANOSECOND, SECOND};

type Answer = Result<Sourced<&'static str>, Unavailable<&'static str>>;

/// Neither is a default.
const TIMEOUT: Duration = Duration::from_millis(1_750);
const MAX_AGE: Duration = Duration::from_secs(7);
/// Who takes so long hangs: no check waits longer.
const HANGS: Duration = Duration::from_secs(3_600);

/// The ways to the cache, and the error if nothing is there.
const WAYS: [(Mode, Unavailable<&str>); 2] =
    [(Mode::Full, Unavailable::Transient("503")), (Mode::Reduced, Unavailable::Reduced)];

fn fallback(limit: usize) -> Fallback {
    let config = FallbackConfig { limit, timeout: TIMEOUT, max_age: MAX_AGE };
    Fallback::new(config).expect("this configuration is valid")
}

fn fails() -> Ready<Result<&'static str, Fault<&'static str>>> {
    ready(Err(Fault::Transient("503")))
}

fn copy(age: Duration) -> Ready<Option<Cached<&'static str>>> {
    ready(Some(Cached { value: "copy", age }))
}

fn empty() -> Ready<Option<Cached<&'static str>>> {
    ready(None)
}

fn fresh(value: &'static str) -> Sourced<&'static str> {
    Sourced { value, source: Source::Fresh }
}

fn cached(age: Duration) -> Sourced<&'static str> {
    Sourced { value: "copy", source: Source::Cached { age } }
}

fn fixed(value: &'static str) -> Sourced<&'static str> {
    Sourced { value, source: Source::Static }
}

/// The answer, and how long it took.
async fn timed<T>(future: impl Future<Output = T>) -> (Option<T>, Duration) {
    let begun = Instant::now();
    (timeout(HANGS, future).await.ok(), begun.elapsed())
}

#[tokio::test(start_paused = true)]
async fn a_fresh_answer_and_a_permanent_fault_need_no_cache() {
    let fallback = fallback(1);
    let reads = Cell::new(0);
    let cache = || {
        reads.set(reads.get() + 1);
        copy(SECOND)
    };
    let gone = || ready(Err(Fault::Permanent("404")));

    let fresh_one: Answer =
        fallback.get(Mode::Full, || ready(Ok("new")), cache, Some("fixed")).await;
    let permanent: Answer = fallback.get(Mode::Full, gone, cache, Some("fixed")).await;
    let without: Answer = fallback.get(Mode::Full, gone, cache, None).await;

    assert_eq!(fresh_one, Ok(fresh("new")), "the dependency has answered");
    assert_eq!(
        (permanent, without),
        (Err(Unavailable::Permanent("404")), Err(Unavailable::Permanent("404"))),
        "the product was withdrawn, and that is an answer too: a copy would go on selling it"
    );
    assert_eq!(reads.get(), 0, "and a cache that is read for each request needs a fallback itself");
}

#[tokio::test(start_paused = true)]
async fn a_transient_fault_is_answered_by_a_copy_up_to_its_greatest_age() {
    let fallback = fallback(1);

    for (mode, _) in WAYS {
        let mut answers = Vec::new();
        for age in [Duration::ZERO, 6 * SECOND, MAX_AGE, MAX_AGE + NANOSECOND] {
            answers.push(fallback.get(mode, fails, || copy(age), Some("fixed")).await);
        }
        assert_eq!(
            answers,
            [
                Ok(cached(Duration::ZERO)),
                Ok(cached(6 * SECOND)),
                Ok(cached(MAX_AGE)),
                Ok(fixed("fixed"))
            ],
            "{mode:?}: a copy is a copy, be it of this moment; one of 6 s ago says so; the greatest age is \
             included; an older copy is not served"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn the_fixed_value_comes_last() {
    let fallback = fallback(1);

    for (mode, cause) in WAYS {
        let with = fallback.get(mode, fails, empty, Some("popular")).await;
        let without = fallback.get(mode, fails, empty, None).await;
        let too_old = fallback.get(mode, fails, || copy(MAX_AGE * 2), None).await;

        assert_eq!(with, Ok(fixed("popular")), "{mode:?}: nothing is in the cache");
        assert_eq!(
            (without, too_old),
            (Err(cause), Err(cause)),
            "{mode:?}: and if there is no fixed value, the error is the reason why a fallback was needed"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn reduced_leaves_the_dependency_alone_and_off_calls_nothing() {
    let fallback = fallback(1);
    let (calls, reads) = (Cell::new(0), Cell::new(0));
    let dependency = || {
        calls.set(calls.get() + 1);
        ready(Ok("new"))
    };
    let cache = || {
        reads.set(reads.get() + 1);
        copy(SECOND)
    };

    let copied: Answer = fallback.get(Mode::Reduced, dependency, cache, Some("fixed")).await;
    let constant: Answer = fallback.get(Mode::Reduced, dependency, empty, Some("fixed")).await;
    let nothing: Answer = fallback.get(Mode::Reduced, dependency, empty, None).await;
    let off: Answer = fallback.get(Mode::Off, dependency, cache, Some("fixed")).await;

    assert_eq!(
        (copied, constant, nothing),
        (Ok(cached(SECOND)), Ok(fixed("fixed")), Err(Unavailable::Reduced)),
        "reduced is the same way down, without its first step"
    );
    assert_eq!(
        (off, reads.get()),
        (Err(Unavailable::Off), 1),
        "off: the page leaves this part out, and the one read was that of the first request"
    );
    assert_eq!(calls.get(), 0, "the level is what it is to take load off the dependency");
}

#[tokio::test(start_paused = true)]
async fn a_cache_that_hangs_costs_its_timeout_and_no_more() {
    let fallback = fallback(1);
    let slow = || async {
        tokio::time::sleep(TIMEOUT - 10 * MILLISECOND).await;
        copy(SECOND).await
    };

    for (mode, cause) in WAYS {
        let (answer, took) = timed(fallback.get(mode, fails, pending, Some("fixed"))).await;
        let (without, _) = timed(fallback.get(mode, fails, pending, None)).await;
        let (in_time, _) = timed(fallback.get(mode, fails, slow, Some("fixed"))).await;

        assert_eq!(
            answer,
            Some(Ok(fixed("fixed"))),
            "{mode:?}: the cache hangs as well, for both were in the same rack: without a timeout the \
             request waits for ever, and the fallback is the outage"
        );
        // tokio's timers tick in milliseconds.
        assert!(
            took <= TIMEOUT + MILLISECOND,
            "{mode:?}: it took {took:?}, of which {TIMEOUT:?} are allowed"
        );
        assert_eq!(
            without,
            Some(Err(cause)),
            "{mode:?}: the error says why a fallback was needed, and not what became of it"
        );
        assert_eq!(
            in_time,
            Some(Ok(cached(SECOND))),
            "{mode:?}: 10 ms before the timeout is in time, and the place is free"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_for_a_place_at_the_cache() {
    let fallback = fallback(2);

    for (mode, cause) in WAYS {
        let reads = Cell::new(0);
        let hangs = || {
            reads.set(reads.get() + 1);
            pending()
        };
        let request = |fixed| timed(fallback.get(mode, fails, hangs, fixed));
        let other = Some("fixed");

        let (first, second, third, fourth) =
            tokio::join!(request(other), request(other), request(other), request(None));

        assert_eq!(
            reads.get(),
            2,
            "{mode:?}: two places: the third and the fourth request read nothing"
        );
        assert_eq!(
            (third, fourth),
            ((Some(Ok(fixed("fixed"))), Duration::ZERO), (Some(Err(cause)), Duration::ZERO)),
            "{mode:?}: a queue for a cache that hangs is one more thing that hangs. So the third and the fourth \
             request wait for no place: they have the fixed value at once, or the cause where there is none"
        );
        assert_eq!(
            (first.0, second.0),
            (Some(Ok(fixed("fixed"))), Some(Ok(fixed("fixed")))),
            "{mode:?}: after the timeout"
        );
    }

    let (here, elsewhere) = (self::fallback(1), self::fallback(1));
    let reduced = || here.get(Mode::Reduced, fails, || copy(SECOND), Some("fixed"));
    let other = || elsewhere.get(Mode::Full, fails, || copy(SECOND), Some("fixed"));
    let hung = here.get(Mode::Full, fails, pending, Some("fixed"));
    let (_, reduced, other) = tokio::join!(hung, reduced(), other());
    assert_eq!(
        (reduced, other),
        (Ok(fixed("fixed")), Ok(cached(SECOND))),
        "one place, and a read that hangs has it. A reduced feature that reads the same cache finds none: \
         the limit is for the reads of this cache, whatever led to them. Another cache has its own"
    );
}

#[tokio::test(start_paused = true)]
async fn a_place_is_free_again_when_its_read_is_over() {
    let fallback = Arc::new(fallback(1));
    let (mut answers, mut expected) = (Vec::new(), Vec::new());

    for _ in 0..3 {
        let (hung, _) = timed(fallback.get(Mode::Full, fails, pending, Some("fixed"))).await;
        let found = fallback.get(Mode::Full, fails, || copy(SECOND), Some("fixed")).await;
        let given_up = fallback.get(Mode::Full, fails, pending, Some("fixed"));
        let given_up = timeout(10 * MILLISECOND, given_up).await;
        let again = fallback.get(Mode::Full, fails, || copy(SECOND), Some("fixed")).await;
        let nothing = fallback.get(Mode::Full, fails, empty, Some("fixed")).await;
        let old = fallback.get(Mode::Full, fails, || copy(MAX_AGE * 2), Some("fixed")).await;
        let last = fallback.get(Mode::Full, fails, || copy(SECOND), Some("fixed")).await;
        assert!(given_up.is_err(), "the client gave up before the cache did");
        answers.extend([hung, Some(found), Some(again), Some(nothing), Some(old), Some(last)]);
        let (fixed, cached) = (Some(Ok(fixed("fixed"))), Some(Ok(cached(SECOND))));
        expected.extend([fixed, cached, cached, fixed, fixed, cached]);
    }

    assert_eq!(
        answers, expected,
        "however a read ends (a copy, nothing, a copy that is too old, the timeout, a client that gives up), \
         the next one may read: the one place that there is was given back"
    );

    for at_once in [false, true] {
        let panics = {
            let fallback = Arc::clone(&fallback);
            async move {
                let cache = || {
                    assert!(!at_once, "the cache's client has a bug, and this check wants it");
                    async { panic!("the cache's client has a bug, and this check wants it") }
                };
                fallback.get(Mode::Full, fails, cache, Some("fixed")).await
            }
        };
        let panicked = tokio::spawn(panics).await.is_err();
        let after = fallback.get(Mode::Full, fails, || copy(SECOND), Some("fixed")).await;

        assert_eq!(
            (panicked, after),
            (true, Ok(cached(SECOND))),
            "and with a panic, before the read or in it: a bug in a client must not cost a place each time"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_dependency_takes_neither_place_nor_time_from_the_cache() {
    let fallback = fallback(1);
    let patient = || async {
        tokio::time::sleep(TIMEOUT * 3).await;
        Ok("new")
    };
    let fails_late = || async {
        tokio::time::sleep(TIMEOUT * 3).await;
        fails().await
    };
    let slow_read = || async {
        tokio::time::sleep(TIMEOUT - 10 * MILLISECOND).await;
        copy(SECOND).await
    };

    let patient: Answer = fallback.get(Mode::Full, patient, || copy(SECOND), Some("fixed")).await;
    let late = fallback.get(Mode::Full, fails_late, slow_read, Some("fixed")).await;

    assert_eq!(
        patient,
        Ok(fresh("new")),
        "the answer came after three times the timeout of the fallback, and that is the timeout of a read of \
         the cache: how long the dependency may take is said elsewhere"
    );
    assert_eq!(
        late,
        Ok(cached(SECOND)),
        "the dependency failed late, and the read of the cache was in time: it has its whole timeout, from \
         its own begin on"
    );

    let slow = || async {
        tokio::time::sleep(SECOND).await;
        fails().await
    };

    let (slow, quick) = tokio::join!(
        fallback.get(Mode::Full, slow, || copy(2 * SECOND), Some("fixed")),
        fallback.get(Mode::Full, fails, || copy(SECOND), Some("fixed"))
    );

    assert_eq!(
        (slow, quick),
        (Ok(cached(2 * SECOND)), Ok(cached(SECOND))),
        "a place is taken to read the cache, and not before: else the requests that wait for a hung \
         dependency hold all places, and those that failed at once get none"
    );
}

/// A call that holds something, a connection say, for as long as it is there.
struct Holding(#[expect(dead_code, reason = "it is dropped, and no more")] Rc<()>);

impl Future for Holding {
    type Output = Result<&'static str, Fault<&'static str>>;

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
        Poll::Ready(Err(Fault::Transient("503")))
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_dependency_held_is_free_before_the_cache_is_read() {
    let fallback = fallback(1);
    let connection = Rc::new(());
    let held: Weak<()> = Rc::downgrade(&connection);
    let still_held = Cell::new(None);
    let cache = || {
        still_held.set(Some(held.strong_count()));
        copy(SECOND)
    };

    let answer: Answer =
        fallback.get(Mode::Full, || Holding(connection), cache, Some("fixed")).await;

    assert_eq!(
        (answer, still_held.get()),
        (Ok(cached(SECOND)), Some(0)),
        "the call is over: while the cache is read, its connection is of use to another request"
    );
}
