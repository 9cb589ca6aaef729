//! Step 5: stop when nobody waits.

use std::fmt::Write as _;
use std::sync::{Arc, Barrier, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use axum::Router;
use axum::extract::FromRequestParts;
use axum::http::Request;
use axum::routing::get as on_get;
use deadline::{
    Checkpoint, Deadline, Expired, Gate, Limits, Rejected, Stopped, format_grpc_timeout,
};
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::{JoinHandle, spawn_blocking, yield_now};
use tokio::time::{Instant, sleep, timeout};

use super::{MILLISECOND, NANOSECOND, SECOND, gate, get, headers, serve, strict, wait, wall};

/// Lets the units of some work pass, one by one. Dropped, it lets no more pass.
type Pass = mpsc::Sender<()>;

/// Work in units: it reports each unit that it begins, and ends the unit when it is let pass.
fn units() -> (impl FnOnce(&Checkpoint) -> Result<(), Stopped>, UnboundedReceiver<u32>, Pass) {
    let (tell, begun) = unbounded_channel();
    let (pass, passed) = mpsc::channel();
    let work = move |checkpoint: &Checkpoint| {
        for unit in 1.. {
            checkpoint.check()?;
            let _ = tell.send(unit);
            if passed.recv().is_err() {
                break;
            }
        }
        Ok(())
    };
    (work, begun, pass)
}

/// Whether the call is over now, with no more time passing.
async fn is_over<T>(call: &JoinHandle<T>) -> bool {
    for _ in 0..10 {
        yield_now().await;
    }
    call.is_finished()
}

#[tokio::test(start_paused = true)]
async fn no_unit_of_work_is_begun_after_the_deadline() {
    let (work, mut begun, pass) = units();
    let call = tokio::spawn(Deadline::after(SECOND).run_blocking(work));
    assert_eq!(begun.recv().await, Some(1), "the work begins");
    wait(999 * MILLISECOND).await;
    pass.send(()).unwrap();
    assert_eq!(begun.recv().await, Some(2), "a millisecond before the deadline it goes on");

    wait(MILLISECOND).await;
    assert!(
        is_over(&call).await,
        "the caller waits for a thread that is busy with its second unit: the deadline ends the waiting at once, and \
         the work at its next unit"
    );
    let answer = call.await.expect("no panic");
    pass.send(()).unwrap();
    drop(pass);

    assert_eq!(answer, Err(Expired::Cancelled), "it was begun, and may have had its effect");
    assert_eq!(
        begun.recv().await,
        None,
        "a thread can't be dropped as a future can: what it does not ask, nobody tells it"
    );
}

/// A runtime whose only thread for blocking work does one thing after the other.
fn one_thread() -> Runtime {
    let mut builder = Builder::new_current_thread();
    builder.enable_time().start_paused(true).max_blocking_threads(1).build().unwrap()
}

/// Until the only thread has done all that it was given before.
async fn thread_is_done() {
    spawn_blocking(|| ()).await.expect("no panic");
}

#[test]
fn work_for_which_no_thread_was_free_in_time_is_not_called() {
    let (called, were_called) = mpsc::channel();
    one_thread().block_on(async {
        let late = Deadline::after(Duration::ZERO).run_blocking(|_| Ok("late")).await;
        assert_eq!(late, Err(Expired::NotStarted), "it had passed before");
        let (release, held) = mpsc::channel::<()>();
        let busy = spawn_blocking(move || held.recv());
        let queued = |budget, who| {
            let called = called.clone();
            Box::pin(Deadline::after(budget).run_blocking(move |_| Ok(called.send(who))))
        };
        let mut gone = queued(60 * SECOND, "for a caller who has gone");
        let mut unpolled = queued(SECOND, "for a caller whose timer nobody has looked at");
        assert!(timeout(Duration::ZERO, &mut gone).await.is_err(), "it waits for a thread");
        assert!(timeout(Duration::ZERO, &mut unpolled).await.is_err(), "it waits for a thread");
        drop(gone);
        let call = tokio::spawn(queued(SECOND, "for a caller who was told that it is over"));
        yield_now().await;
        wait(SECOND).await;
        assert!(
            is_over(&call).await,
            "the caller waits for a thread though its deadline has passed"
        );
        let answer = call.await.expect("no panic");
        assert_eq!(
            answer.err(),
            Some(Expired::Cancelled),
            "the only thread is busy with something else"
        );
        drop(release);
        let _ = busy.await;
        thread_is_done().await;
        assert_eq!(
            unpolled.await.err(),
            Some(Expired::Cancelled),
            "the deadline passed after the call: it is the same error, whether the thread or the timer noticed it"
        );
    });

    let were_called: Vec<_> = were_called.try_iter().collect();
    assert!(
        were_called.is_empty(),
        "the thread became free when nobody waited any more: ask before the first unit as well, for the deadline \
         and for the caller. Work was called {were_called:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn the_error_is_the_same_whether_the_timer_or_the_work_notices_the_deadline() {
    let deadline = Deadline::after(SECOND);
    let short = Deadline::after(NANOSECOND);
    let done = short.run_blocking(|checkpoint| checkpoint.check().map(|()| "done")).await;
    let said = deadline.run_blocking(|_| Err::<(), _>(Stopped)).await;
    let panics = |_: &Checkpoint| -> Result<(), Stopped> { panic!("a bug") };
    let panicked = tokio::spawn(deadline.run_blocking(panics)).await;
    let (work, mut begun, pass) = units();
    let mut call = Box::pin(deadline.run_blocking(work));
    // Polled once: the thread works, and nobody looks at the caller's timer until it has ended.
    assert!(timeout(Duration::ZERO, &mut call).await.is_err(), "the work goes on");
    assert_eq!(begun.recv().await, Some(1), "the work begins");
    wait(SECOND).await;
    pass.send(()).unwrap();
    drop(pass);

    assert_eq!(
        begun.recv().await,
        None,
        "the thread looks at the clock itself, and waits for nobody to tell it"
    );
    assert_eq!(
        call.await,
        Err(Expired::Cancelled),
        "the thread noticed it before the timer did: which of the two is first is a matter of luck, and no caller can \
         make anything of it"
    );
    assert_eq!(
        said,
        Err(Expired::Cancelled),
        "work that says `Stopped` was begun, and may have had its effect"
    );
    assert_eq!(done, Ok("done"), "with a nanosecond left work goes on, and returns its value");
    assert!(
        panicked.is_err_and(|error| error.is_panic()),
        "a panic of the work is a bug, and no deadline: the caller panics"
    );
}

#[test]
fn what_the_thread_has_said_counts_though_the_deadline_is_there_too() {
    one_thread().block_on(async {
        let (tell, mut begun) = unbounded_channel();
        // Begun before the deadline, done after it, and looked at after that.
        let mut late = async |end: fn() -> &'static str| {
            let tell = tell.clone();
            let (release, held) = mpsc::channel::<()>();
            let mut call = Box::pin(Deadline::after(SECOND).run_blocking(move |_| {
                let _ = tell.send(());
                let _ = held.recv();
                Ok(end())
            }));
            assert!(timeout(Duration::ZERO, &mut call).await.is_err(), "the work goes on");
            begun.recv().await.expect("the work begins");
            wait(SECOND).await;
            drop(release);
            thread_is_done().await;
            tokio::spawn(call).await
        };

        let done = late(|| "done").await.expect("no panic");
        let panicked = late(|| panic!("a bug")).await;

        assert_eq!(
            done,
            Ok("done"),
            "the work asked nobody and is done: a result that is thrown away makes the caller try again"
        );
        assert!(
            panicked.is_err_and(|error| error.is_panic()),
            "a bug is a bug, also after the deadline: the caller waits still, and hears of it"
        );
    });
}

/// Reports that it was dropped.
struct Gone(UnboundedSender<()>);

impl Drop for Gone {
    fn drop(&mut self) {
        let _ = self.0.send(());
    }
}

#[tokio::test]
async fn a_closed_connection_stops_the_work() {
    // Once without a server: a todo!, or a panic, shows itself here.
    assert_eq!(
        Deadline::after(60 * SECOND).run_blocking(|_| Ok(1)).await,
        Ok(1),
        "work that is done"
    );
    // And once with a future that is dropped by hand, as the server does it below.
    let (work, mut begun, pass) = units();
    let call = tokio::spawn(Deadline::after(60 * SECOND).run_blocking(work));
    assert_eq!(begun.recv().await, Some(1), "the work begins");
    call.abort();
    assert!(call.await.is_err_and(|error| error.is_cancelled()), "the caller has gone");
    pass.send(()).unwrap();
    drop(pass);
    assert_eq!(begun.recv().await, None, "nobody waits for the second unit, with a minute left");

    let (work, mut begun, pass) = units();
    let work = Arc::new(Mutex::new(Some(work)));
    let (handler_gone, mut is_gone) = unbounded_channel();
    let handler = move |deadline: Deadline| async move {
        let _gone = Gone(handler_gone);
        let work = work.lock().unwrap().take().expect("there is one request");
        format!("{:?}", deadline.run_blocking(work).await)
    };
    let address = serve(Router::new().route("/", on_get(handler)).with_state(gate(strict()))).await;

    let user = tokio::spawn(get(address, headers([("grpc-timeout", "30S")])));
    assert_eq!(begun.recv().await, Some(1), "the work begins");
    user.abort();
    is_gone.recv().await.expect("the server notices the closed connection and drops the handler");
    pass.send(()).unwrap();
    drop(pass);

    assert_eq!(
        begun.recv().await,
        None,
        "the user closed the page, hyper dropped the handler, and the thread must hear of it: half a minute is left"
    );
}

/// Whether a request with this timeout is rejected.
fn rejected(gate: &Gate, timeout: &str) -> bool {
    match gate.admit(&headers([("grpc-timeout", timeout)]), wall()) {
        Ok(_) => false,
        Err(Rejected::Expired) => true,
        Err(malformed) => panic!("{malformed}"),
    }
}

#[tokio::test(start_paused = true)]
async fn at_most_a_fifth_of_the_requests_is_rejected_as_expired() {
    let lots = |gate: &Gate, timeouts: &[&str]| -> String {
        timeouts.iter().map(|timeout| if rejected(gate, timeout) { 'x' } else { '.' }).collect()
    };
    let (all_expired, one_late) = (gate(Limits::default()), gate(Limits::default()));

    let all = lots(&all_expired, &["0n"; 20]);
    let late = lots(&one_late, &["5S", "5S", "5S", "0n", "5S", "0n", "0n", "5S", "5S", "0n"]);
    let third = lots(&gate(Limits { max_rejected_percent: 30, ..Limits::default() }), &["0n"; 10]);
    let most_good = gate(Limits::default());
    let good = lots(&most_good, &["5S"; 38]);
    let tenth = lots(&most_good, &["0n"; 10]);
    insta::assert_snapshot!(
        format!("{all}\n{late}\n{third}\n{good}\n{tenth}"),
        "x is a rejection: the request itself counts among the requests, so of 5 that have expired the fifth is the first \
         to go, and a single one among 5 goes; with 30 % the fourth goes. Of 48 a fifth is 9.6: nine, for the tenth would be \
         more than a fifth. What is not rejected is served",
        @"
        ....x....x....x....x
        .....x...x
        ...x..x..x
        ......................................
        xxxxxxxxx.
        "
    );
    let either = gate(Limits { default_budget: 7 * SECOND, ..Limits::default() });
    let passed = [("grpc-timeout", "0n"), ("x-deadline", "2024-01-15T10:29:00Z")];
    for (request, header) in (1..=10).zip(passed.into_iter().cycle()) {
        let expected = if request % 5 == 0 { Err(Rejected::Expired) } else { Ok(7 * SECOND) };
        assert_eq!(
            either.admit(&headers([header]), wall()).map(Deadline::remaining),
            expected,
            "request {request} of those that arrive expired, by {} this time: the quota is one for all of them, and those \
             that are served get the default, or serving them would do nothing",
            header.0
        );
    }
    let after_malformed = gate(Limits::default());
    for name in ["grpc-timeout", "x-deadline"].repeat(10) {
        let malformed = after_malformed.admit(&headers([(name, "soon")]), wall());
        assert!(malformed.is_err(), "`soon` is no deadline");
    }
    assert_eq!(
        lots(&after_malformed, &["0n"; 4]),
        "....",
        "what can't be read is no request that allows for a rejection"
    );
    let without_header = gate(Limits::default());
    for _ in 0..4 {
        let deadline = without_header.admit(&headers([]), wall());
        assert!(deadline.is_ok(), "it has the default");
    }
    assert!(
        rejected(&without_header, "0n"),
        "a request without a header is a request: it is one of 5"
    );
    for header in [("other", ""), ("grpc-timeout", "5S"), ("x-deadline", "9999-12-31T23:59:59Z")] {
        let asked_twice = gate(Limits::default());
        for _ in 0..2 {
            let mut request = Request::get("/").body(()).unwrap().into_parts().0;
            request.headers = headers([header]);
            for _ in 0..2 {
                let deadline = Deadline::from_request_parts(&mut request, &asked_twice).await;
                assert!(deadline.is_ok(), "it has time");
            }
        }
        assert!(
            !rejected(&asked_twice, "0n"),
            "a middleware and a handler have asked for the deadlines of two requests, {header:?}: it is one of 3, and not of 5"
        );
    }
    let none = gate(Limits { max_rejected_percent: 0, ..Limits::default() });
    assert_eq!(lots(&none, &["0n"; 20]), ".".repeat(20), "0 % is none");
    assert_eq!(lots(&gate(strict()), &["0n"; 20]), "x".repeat(20), "100 % is all of them");
}

#[tokio::test(start_paused = true)]
async fn what_was_seen_in_an_earlier_window_does_not_count() {
    let begun = Instant::now();
    let gate = gate(Limits::default());
    let mut diary = String::new();
    let mut ask = |expired: usize| {
        let rejected = (0..expired).filter(|_| rejected(&gate, "0n")).count();
        let at = format!("{:.1}s", begun.elapsed().as_secs_f64());
        writeln!(diary, "{at:<8} {rejected} of {expired}").unwrap();
    };

    wait(3 * SECOND).await;
    (0..96).for_each(|_| assert!(!rejected(&gate, "5S"), "this one has time"));
    ask(4);
    wait(6_900 * MILLISECOND).await;
    ask(4);
    wait(100 * MILLISECOND).await;
    ask(4);
    // The window that began at 10 s ends at 20 s, and one that nobody looked at began then.
    wait(15 * SECOND).await;
    ask(4);
    wait(4_900 * MILLISECOND).await;
    ask(5);
    wait(100 * MILLISECOND).await;
    ask(1);
    // 45 s in which nobody asks: the present one is the window from 70 s on.
    wait(45 * SECOND).await;
    ask(10);
    wait(SECOND).await;
    ask(10);

    insta::assert_snapshot!(
        diary,
        "100 requests allow for 20 rejections, but only within their own ten seconds; windows follow each other from \
         when the gate was made, and don't begin when somebody looks",
        @"
        3.0s     4 of 4
        9.9s     4 of 4
        10.0s    0 of 4
        25.0s    0 of 4
        29.9s    1 of 5
        30.0s    0 of 1
        75.0s    2 of 10
        76.0s    2 of 10
        "
    );

    let quiet = super::gate(Limits::default());
    (0..100).for_each(|_| assert!(!rejected(&quiet, "5S"), "this one has time"));
    wait(10_100 * MILLISECOND).await;
    (0..3).for_each(|_| assert!(!rejected(&quiet, "5S"), "this one has time"));
    assert!(!rejected(&quiet, "0n"), "it is one of 4 in the second window, and not one of 104");
    assert!(
        rejected(&quiet, "0n"),
        "it is one of 5: those with time begin a window, and count in it"
    );
}

/// Four threads ask the gate, each so often, with this timeout; how many requests were rejected.
fn threads_ask(gate: &Gate, each: usize, timeout: &str) -> usize {
    const THREADS: usize = 4;
    let runtime = Handle::current();
    let headers = headers([("grpc-timeout", timeout)]);
    // They begin together: of threads that follow each other none meets another.
    let begin = Barrier::new(THREADS);
    let asks = || {
        // The time of the check, which stands still, on this thread too.
        let _clock = runtime.enter();
        begin.wait();
        (0..each).filter(|_| gate.admit(&headers, wall()) == Err(Rejected::Expired)).count()
    };
    thread::scope(|scope| {
        let threads = [(); THREADS].map(|()| scope.spawn(asks));
        threads.map(|thread| thread.join().expect("no panic")).iter().sum()
    })
}

#[tokio::test(start_paused = true)]
async fn the_share_holds_for_many_threads_at_once() {
    const EACH: usize = 20_000;
    // Once without a thread: a todo!, or a panic, shows itself here.
    assert!(!rejected(&gate(Limits::default()), "0n"), "a single one is served");
    let half = gate(Limits { max_rejected_percent: 50, ..Limits::default() });

    let with_time = threads_ask(&half, EACH, "5S");
    let left = (0..=4 * EACH).find(|_| !rejected(&half, "0n"));
    let rejected = threads_ask(&gate(Limits::default()), EACH, "0n");

    assert_eq!(with_time, 0, "they have time");
    assert_eq!(
        left,
        Some(4 * EACH),
        "four threads had 80,000 requests with time counted, so with 50 % as many expired ones are rejected, and the next is \
         served: what is counted outside the lock is lost where threads meet"
    );
    assert_eq!(
        rejected,
        4 * EACH / 5,
        "a fifth of the 80,000 expired requests of four threads: a request is counted and decided on in one step, under the lock"
    );
}

/// A service that has just been started: its first answer takes 3 s, all others take 10 ms. It serves one request
/// after the other. Each 100 ms come two requests, which have a second each. How many are answered in
/// time in each of the first 20 seconds.
async fn cold_start(max_rejected_percent: u32) -> Vec<u32> {
    let gate = gate(Limits { max_rejected_percent, ..Limits::default() });
    let begun = Instant::now();
    let mut warm = false;
    let mut answered = vec![0; 20];
    for request in 0..400 {
        let sent = begun + request / 2 * (SECOND / 10);
        tokio::time::sleep_until(sent).await;
        // What is left of its second when its turn comes. No relative header is less by the time in line of itself:
        // here somebody in front takes that off, a proxy with a queue say, as x-deadline would do by the clocks.
        let left = SECOND.saturating_sub(sent.elapsed());
        let headers = headers([("grpc-timeout", &format_grpc_timeout(left))]);
        let Ok(deadline) = gate.admit(&headers, wall()) else { continue };
        let takes = if warm { SECOND / 100 } else { 3 * SECOND };
        let work = async || {
            sleep(takes).await;
            Ok::<_, ()>(())
        };
        if deadline.run(work).await.is_ok() {
            warm = true;
            let second = usize::try_from(begun.elapsed().as_secs()).unwrap();
            if sent.elapsed() <= SECOND && second < answered.len() {
                answered[second] += 1;
            }
        }
    }
    answered
}

#[tokio::test(start_paused = true)]
async fn a_cold_service_warms_up_if_not_all_is_rejected() {
    let (all, fifth) = (cold_start(100).await, cold_start(20).await);

    assert_eq!(
        all.iter().sum::<u32>(),
        0,
        "a check of the check: with a second for each and all that is late rejected, nothing is ever finished"
    );
    assert_eq!(
        fifth[10..],
        [20; 10],
        "some of those that have expired are served with 5 s, which is enough for the first answer; from then on the \
         service is warm, and answers all 20 requests of each second: {fifth:?}"
    );
}
