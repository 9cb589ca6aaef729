//! Step 5: a client that holds back.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::future::{pending, ready};
use std::sync::mpsc;
use std::thread;

use load_shedding::{CallError, Throttle, ThrottleConfig, Throttled};
use tokio::runtime::Builder;
use tokio::time::timeout;

use super::{MILLISECOND, SECOND, wait};

fn throttle(k: f64) -> Throttle {
    Throttle::seeded(&ThrottleConfig { k, ..ThrottleConfig::default() }, 7).expect("it is valid")
}

/// Asks so often, and counts who may go on.
fn ask(throttle: &Throttle, requests: usize) -> usize {
    (0..requests).filter(|_| throttle.try_request().is_ok()).count()
}

fn accept(throttle: &Throttle, requests: usize) {
    (0..requests).for_each(|_| throttle.record_accepted());
}

#[tokio::test(start_paused = true)]
async fn the_probability_is_that_of_the_formula() {
    let mut table = String::new();
    for (k, requests, accepted) in [
        (2.0, 0, 0),
        (2.0, 1, 0),
        (2.0, 100, 100),
        (2.0, 100, 50),
        (2.0, 100, 49),
        (2.0, 100, 25),
        (2.0, 100, 0),
        (1.1, 100, 100),
        (1.1, 100, 90),
        (1.1, 100, 50),
        (1.0, 100, 99),
    ] {
        let throttle = throttle(k);
        ask(&throttle, requests);
        accept(&throttle, accepted);
        let p = throttle.reject_probability();
        writeln!(table, "K = {k:.1}, {accepted:>3} of {requests:>3} accepted: {p:.4}").unwrap();
    }

    insta::assert_snapshot!(
        table,
        "max(0, (requests − K × accepted) / (requests + 1))",
        @r"
        K = 2.0,   0 of   0 accepted: 0.0000
        K = 2.0,   0 of   1 accepted: 0.5000
        K = 2.0, 100 of 100 accepted: 0.0000
        K = 2.0,  50 of 100 accepted: 0.0000
        K = 2.0,  49 of 100 accepted: 0.0198
        K = 2.0,  25 of 100 accepted: 0.4950
        K = 2.0,   0 of 100 accepted: 0.9901
        K = 1.1, 100 of 100 accepted: 0.0000
        K = 1.1,  90 of 100 accepted: 0.0099
        K = 1.1,  50 of 100 accepted: 0.4455
        K = 1.0,  99 of 100 accepted: 0.0099
        "
    );
}

#[tokio::test(start_paused = true)]
async fn the_first_request_is_never_held_back() {
    let held_back = (0..200).filter(|seed| {
        let throttle = Throttle::seeded(&ThrottleConfig::default(), *seed).unwrap();
        throttle.try_request().is_err()
    });

    assert_eq!(
        held_back.count(),
        0,
        "nothing is known of the server. A request that is counted before it is judged judges itself: 1 of 1 not \
         accepted"
    );
}

#[tokio::test(start_paused = true)]
async fn all_that_is_asked_for_is_counted_when_it_is_asked_for() {
    let throttle = throttle(2.0);

    let gone_on = ask(&throttle, 1_000);

    let p = throttle.reject_probability();
    assert!(
        (p - 1_000.0 / 1_001.0).abs() < 1e-9,
        "1,000 were asked for, and none has been answered: p is 1,000 / 1,001, but is {p}. Who counts when the answer comes \
         sees nothing while the server hangs; who doesn't count what is held back forgets the overload"
    );
    assert!(
        (1..30).contains(&gone_on),
        "the n-th goes on with a probability of 1 / n: about 7 of 1,000, but {gone_on} have. A few always do, or nobody \
         would ever learn that the server has recovered"
    );
}

#[tokio::test(start_paused = true)]
async fn what_is_held_back_is_as_much_as_the_formula_says() {
    let throttle = throttle(2.0);
    ask(&throttle, 100_000);
    accept(&throttle, 20_000);
    assert!((throttle.reject_probability() - 0.6).abs() < 0.001);

    let gone_on = ask(&throttle, 1_000);

    let twins = [(); 2].map(|()| self::throttle(2.0));
    let answers =
        twins.map(|twin| (0..200).map(|_| twin.try_request().is_ok()).collect::<Vec<_>>());
    assert_eq!(answers[0], answers[1], "the same seed holds back the same requests");
    let of_new = |_| {
        let throttle = Throttle::new(&ThrottleConfig::default()).expect("it is valid");
        (0..200).map(|_| throttle.try_request().is_ok()).collect::<Vec<_>>()
    };
    let unseeded = (0..20).map(of_new).collect::<BTreeSet<_>>().len();
    assert!(
        unseeded >= 10,
        "of 20 throttles that `new` made only {unseeded} hold back other requests than the rest: each is seeded by the \
         operating system, or all clients go on together"
    );
    assert!(
        (340..460).contains(&gone_on),
        "with p = 0.6 about 400 of 1,000 go on, here {gone_on}: six standard deviations are 93. A threshold lets all go \
         on, or none"
    );
}

#[tokio::test(start_paused = true)]
async fn a_count_ends_with_the_window() {
    let throttle = throttle(2.0);
    ask(&throttle, 100);
    wait(108 * SECOND - MILLISECOND).await;
    let inside = throttle.reject_probability();
    wait(12 * SECOND + MILLISECOND).await;
    let outside = throttle.reject_probability();

    assert!(
        inside > 0.9,
        "100 of 100 not accepted, for nine tenths of the window at least: {inside}"
    );
    assert!(
        outside.abs() < 1e-9,
        "the window is 120 s long, and nothing was asked for in it: p is 0, but is {outside}. The overload of an hour ago \
         is no reason to hold back now"
    );
}

#[tokio::test(start_paused = true)]
async fn accepted_is_what_the_server_worked_on() {
    let throttle = throttle(1.0);
    // 404 is an answer like any other, 503 is a refusal.
    let took_it_on = |answer: &Result<u16, u16>| *answer != Err(503);
    let mut answers = Vec::new();
    for answer in [Ok(200), Err(404), Err(503)] {
        answers.push((
            throttle.call(|| ready(answer), took_it_on).await,
            throttle.reject_probability(),
        ));
    }

    assert_eq!(
        answers,
        [
            (Ok(200), 0.0),
            (Err(CallError::Operation(404)), 0.0),
            (Err(CallError::Operation(503)), 0.25)
        ],
        "the answers, and the probability after each: the caller says what was taken on, and its own error comes back"
    );

    // The first request of a throttle: chance has no say in it.
    let throttle = self::throttle(1.0);
    let hangs = throttle.call(pending::<Result<u16, u16>>, took_it_on);
    assert!(
        timeout(SECOND, hangs).await.is_err(),
        "the first request is made, and has no answer before its caller goes"
    );
    assert!(
        (throttle.reject_probability() - 0.5).abs() < 1e-9,
        "0 of 1 accepted: a request that was dropped without an answer stays counted, and was not accepted, so p is 1 / 2, \
         but it is {}",
        throttle.reject_probability()
    );
}

#[tokio::test(start_paused = true)]
async fn what_is_held_back_is_not_run() {
    let throttle = throttle(1.0);
    ask(&throttle, 1_000);
    let ran = Cell::new(0);
    let mut held_back = 0;

    for _ in 0..100 {
        let operation = || {
            ran.set(ran.get() + 1);
            ready(Err::<(), _>("503"))
        };
        match throttle.call(operation, |_| false).await {
            Err(CallError::Throttled(Throttled)) => held_back += 1,
            answer => assert_eq!(answer, Err(CallError::Operation("503"))),
        }
    }

    assert_eq!(ran.get() + held_back, 100, "each is either run or held back");
    assert!(held_back >= 95, "p is 0.999, but only {held_back} of 100 were held back");
}

#[test]
fn what_a_caller_hands_over_may_ask_the_throttle() {
    let (tell, told) = mpsc::channel();
    // A thread that waits for a lock that it holds itself waits for ever: it is a thread of its own.
    thread::spawn(move || {
        let clock = Builder::new_current_thread().enable_time().start_paused(true).build();
        let clock = clock.expect("a runtime");
        let throttle = throttle(2.0);
        let ask = || throttle.reject_probability();
        let answer = clock.block_on(async {
            let operation = async || Ok::<_, ()>(ask());
            throttle.call(operation, |_| ask() > 0.0).await
        });
        let _ = tell.send(answer);
    });

    assert_eq!(
        told.recv_timeout(5 * SECOND),
        Ok(Ok(0.5)),
        "the operation and `accepted` are somebody else's code, and may ask the throttle, which waits for its lock: neither \
         runs while you hold it. And one request is out, of which nobody knows yet whether it is accepted: 1 / 2"
    );
}

/// Requests a second that reach a server of 100 a second, when so many times as many are asked for.
async fn reach(k: f64, times: usize) -> usize {
    let config = ThrottleConfig { k, window: 10 * SECOND };
    let throttle = Throttle::seeded(&config, 7).unwrap();
    let (mut reached, mut room) = (0, 0);
    for tick in 0..6_000 {
        // The server can serve one more in each hundredth of a second, and 20 at once if it was idle.
        room = (room + 1).min(20);
        let come = ask(&throttle, times);
        let served = come.min(room);
        room -= served;
        accept(&throttle, served);
        if tick >= 2_000 {
            reached += come;
        }
        wait(10 * MILLISECOND).await;
    }
    reached / 40
}

#[tokio::test(start_paused = true)]
async fn k_is_how_many_times_its_capacity_reaches_the_server() {
    for (k, times, expected) in
        [(2.0, 1, 100), (2.0, 4, 200), (2.0, 10, 200), (1.1, 4, 110), (1.1, 10, 110)]
    {
        let reached = reach(k, times).await;
        let off = reached.abs_diff(expected);
        assert!(
            off * 100 <= expected * 6,
            "K = {k}, offered {times} times the capacity of 100 a second: about {expected} a second should reach the \
             server, but {reached} do"
        );
    }
}
