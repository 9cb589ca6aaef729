//! Step 6: what hedging does, and what it hides.

use std::fmt::Write as _;
use std::panic::resume_unwind;
use std::sync::mpsc;
use std::sync::{Arc, Mutex, OnceLock};
use std::thread;
use std::time::Duration;

use hedging::{Attempt, Delay, Ended, Hedger, Pool, Report, Request, Snapshot};
use tokio::time::{sleep, timeout};

use super::{
    Answer, Broken, DELAY, Diary, Fails, Good, Hangs, MILLISECOND, Panics, SECOND, bucket, call,
    fixed, outcome, play, plenty,
};

const READ: Request<'static> = Request { method: "GET", key: None };

/// A hedger with a listener, and what that was told, a line a report.
fn observed() -> (Hedger, Arc<Mutex<String>>) {
    let told = Arc::new(Mutex::new(String::new()));
    let hedger = {
        let told = Arc::clone(&told);
        fixed(DELAY).on_attempt(move |report| writeln!(told.lock().unwrap(), "{report}").unwrap())
    };
    (hedger, told)
}

#[tokio::test(start_paused = true)]
async fn a_hedge_that_was_sent_is_won_or_wasted() {
    let hedger = fixed(DELAY);
    let seen = Mutex::new(Vec::new());
    let counts = |what| {
        let Snapshot { calls, late, sent, won, wasted, .. } = hedger.snapshot();
        seen.lock().unwrap().push(format!("{what:<26} {calls} {late} {sent} {won} {wasted}"));
    };
    let acts = [
        ("answered in time", Good(5), Hangs),
        ("failed in time", Fails(5), Hangs),
        ("the hedge is first", Good(500), Good(5)),
        ("the original is first", Good(12), Good(5)),
        ("the hedge fails", Good(500), Fails(5)),
        ("the hedge panics", Good(500), Panics(5)),
        ("the original fails late", Fails(12), Good(50)),
        ("both fail", Fails(12), Fails(5)),
    ];
    for (what, original, hedge) in acts {
        call(&hedger, original, hedge).await;
        counts(what);
    }
    let diary = Diary::new();
    let unmade = hedger.call(|attempt| {
        if attempt == Attempt::Hedge {
            resume_unwind(Box::new(Broken("hedge")));
        }
        play(&diary, "original", Good(500))
    });
    outcome(unmade).await;
    counts("its making panics");
    let unmade = hedger.call(|_| -> std::future::Pending<Answer> {
        resume_unwind(Box::new(Broken("original")));
    });
    assert_eq!(outcome(unmade).await, "original's panic");
    counts("that of the original does");
    let under_way = async {
        sleep(20 * MILLISECOND).await;
        counts("a hedge is out");
    };
    let (_, ()) = tokio::join!(timeout(30 * MILLISECOND, call(&hedger, Hangs, Hangs)), under_way);
    counts("the user has gone");

    insta::assert_snapshot!(
        seen.into_inner().unwrap().join("\n"),
        "calls, late, sent, won, wasted. A hedge is won if its answer is the call's, and wasted if it ends in any other way; \
         until it ends it is neither. A call has begun before its original is made, so one whose making panics is a call",
        @"
        answered in time           1 0 0 0 0
        failed in time             2 0 0 0 0
        the hedge is first         3 1 1 1 0
        the original is first      4 2 2 1 1
        the hedge fails            5 3 3 1 2
        the hedge panics           6 4 4 1 3
        the original fails late    7 5 5 2 3
        both fail                  8 6 6 2 4
        its making panics          9 7 7 2 5
        that of the original does  10 7 7 2 5
        a hedge is out             11 8 8 2 5
        the user has gone          11 8 8 2 6
        "
    );
}

#[tokio::test(start_paused = true)]
async fn a_late_call_without_a_hedge_says_why() {
    let hedger = Hedger::new(Delay::Fixed(DELAY), bucket(0, 1)).unwrap();
    let (one, two) = (Pool::new(1, 8).unwrap(), Pool::new(2, 8).unwrap());
    let ask = async |request: Request<'static>, pool: &Pool| {
        let answer = hedger.call_among(request, pool, async |instance| {
            sleep(if instance == 0 { 50 * MILLISECOND } else { MILLISECOND }).await;
            Ok::<_, ()>(instance)
        });
        answer.await.expect("a good answer")
    };

    hedger.hold(100 * MILLISECOND);
    ask(READ, &two).await;
    sleep(SECOND).await;
    ask(READ, &two).await;
    ask(READ, &one).await;
    ask(READ, &two).await;
    ask(READ, &two).await;
    ask(READ, &two).await;
    ask(Request { method: "POST", key: None }, &two).await;
    ask(Request { method: "POST", key: None }, &two).await;
    hedger.hold(SECOND);
    ask(READ, &one).await;
    sleep(SECOND).await;
    ask(READ, &one).await;

    assert_eq!(
        hedger.snapshot(),
        Snapshot {
            delay: Some(DELAY),
            calls: 10,
            late: 6,
            sent: 1,
            won: 1,
            wasted: 0,
            held: 2,
            nowhere: 2,
            unpaid: 1
        },
        "10 calls, of which 7 were slower than the delay; one of these is a payment, and not late, for it may not be repeated. Of \
         the others 2 were held back by a pushback, one of which had nowhere to go besides; 2 had nowhere to go, the last \
         one when the token was spent besides; 1 was sent; 1 came when the token was spent. The pause is asked first, then \
         the pool, then the budget"
    );
}

#[tokio::test(start_paused = true)]
async fn the_snapshot_has_the_delay_of_now() {
    let delay = Delay::Percentile { percent: 95, window: 10, min_samples: 2 };
    let hedger = Hedger::new(delay, plenty()).unwrap();

    assert_eq!(
        hedger.snapshot(),
        Snapshot::default(),
        "nothing has happened, and no delay is known"
    );
    call(&hedger, Good(7), Hangs).await;
    call(&hedger, Good(9), Hangs).await;
    let expected = Snapshot { delay: Some(9 * MILLISECOND), calls: 2, ..Snapshot::default() };
    assert_eq!(hedger.snapshot(), expected, "two samples are enough here");
}

#[tokio::test(start_paused = true)]
async fn the_listener_hears_how_each_attempt_ended() {
    let (hedger, told) = observed();
    let acts = [
        (Good(5), Hangs),
        (Fails(5), Hangs),
        (Panics(5), Hangs),
        (Good(500), Good(5)),
        (Good(12), Good(5)),
        (Good(500), Fails(5)),
        (Panics(12), Good(50)),
        (Fails(30), Panics(5)),
    ];
    for (original, hedge) in acts {
        call(&hedger, original, hedge).await;
        *told.lock().unwrap() += "\n";
    }
    let (payment, pool) = (Request { method: "POST", key: None }, Pool::new(2, 8).unwrap());
    let diary = Diary::new();
    let sent_once = hedger.call_among(payment, &pool, |_| play(&diary, "payment", Good(50)));
    assert_eq!(sent_once.await, Ok("payment"));
    for broken in ["original", "hedge"] {
        *told.lock().unwrap() += "\n";
        let unmade = hedger.call(|attempt| {
            if (attempt == Attempt::Original) == (broken == "original") {
                resume_unwind(Box::new(Broken(broken)));
            }
            play(&diary, "original", Good(20))
        });
        outcome(unmade).await;
    }
    let unmade = hedger.call_among(READ, &pool, |_| -> std::future::Pending<Answer> {
        resume_unwind(Box::new(Broken("original")));
    });
    outcome(unmade).await;

    insta::assert_snapshot!(
        told.lock().unwrap(),
        "one report for each attempt, with the time that this attempt was out, and none for a hedge that was never sent. What \
         is dropped is reported like what has answered, and so is, in the last lines, what panicked while it was made",
        @"
        original: good after 5ms

        original: failed after 5ms

        original: panicked after 5ms

        hedge: good after 5ms
        original: overtaken after 15ms

        original: good after 12ms
        hedge: overtaken after 2ms

        hedge: failed after 5ms
        original: good after 500ms

        original: panicked after 12ms
        hedge: good after 50ms

        hedge: panicked after 5ms
        original: failed after 30ms

        original to 0: good after 50ms

        original: panicked after 0ns

        hedge: panicked after 0ns
        original: good after 20ms
        original to 1: panicked after 0ns
        "
    );
}

#[tokio::test(start_paused = true)]
async fn an_abandoned_attempt_is_not_an_overtaken_one() {
    let (hedger, told) = observed();
    // What became of another call makes no difference.
    call(&hedger, Good(500), Good(5)).await;
    told.lock().unwrap().clear();
    let pool = Pool::new(2, 8).unwrap();
    let leave = async |patience: Duration| {
        let diary = Diary::new();
        let call = hedger.call_among(READ, &pool, |_| play(&diary, "instance", Hangs));
        assert!(timeout(patience, outcome(call)).await.is_err(), "it hangs");
    };
    leave(4 * MILLISECOND).await;
    leave(25 * MILLISECOND).await;

    let mut told: Vec<_> = told.lock().unwrap().lines().map(str::to_owned).collect();
    told[1..].sort();
    assert_eq!(
        told,
        [
            "original to 0: abandoned after 4ms",
            "hedge to 0: abandoned after 15ms",
            "original to 1: abandoned after 25ms"
        ],
        "no attempt had an answer. That the user has gone says nothing about an instance; that another one was faster does"
    );

    let (hedger, told) = observed();
    for (original, hedge) in [(Fails(12), Hangs), (Hangs, Fails(2))] {
        assert!(
            timeout(25 * MILLISECOND, call(&hedger, original, hedge)).await.is_err(),
            "one fails, and the other hangs"
        );
    }
    assert_eq!(
        *told.lock().unwrap(),
        "original: failed after 12ms\nhedge: abandoned after 15ms\nhedge: failed after 2ms\noriginal: abandoned after 25ms\n",
        "an error overtakes nobody: only a good answer does. What is left is dropped because the caller left"
    );
}

/// A breaker in its simplest form: an instance that gave no good answer five times in a row is out.
#[derive(Default)]
struct Streaks(Mutex<[u32; 2]>);

impl Streaks {
    fn note(&self, report: &Report) {
        let mut streaks = self.0.lock().unwrap();
        let streak = &mut streaks[report.instance.expect("these calls have a pool")];
        match (report.attempt, report.ended) {
            (_, Ended::Good) => *streak = 0,
            (_, Ended::Failed | Ended::Panicked) | (Attempt::Original, Ended::Overtaken) => {
                *streak += 1;
            }
            // The hedge had hardly any time, or the user has gone.
            (Attempt::Hedge, Ended::Overtaken) | (_, Ended::Abandoned) => {}
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_dead_instance_shows_behind_its_hedges() {
    let streaks = Arc::new(Streaks::default());
    let hedger = {
        let streaks = Arc::clone(&streaks);
        fixed(DELAY).on_attempt(move |report| streaks.note(report))
    };
    let pool = Pool::new(2, 8).unwrap();
    let acts = [Hangs, Good(2)];
    for _ in 0..10 {
        let diary = Diary::new();
        let call =
            hedger.call_among(READ, &pool, |instance| play(&diary, "instance", acts[instance]));
        assert_eq!(
            outcome(call).await,
            "instance's answer",
            "users see nothing of it, but for 12 ms"
        );
    }

    assert_eq!(
        *streaks.0.lock().unwrap(),
        [5, 0],
        "instance 0 hangs, and each of its five calls was dropped when the hedge won. A breaker around it sees no failure, only \
         calls that were cancelled, and never opens; reports are how it learns of them"
    );
}

#[tokio::test(start_paused = true)]
async fn a_listener_may_ask_the_hedger_and_finds_the_attempt_counted() {
    let cell: Arc<OnceLock<Hedger>> = Arc::default();
    let (answered, answers) = mpsc::channel();
    let hedger = {
        let cell = Arc::clone(&cell);
        let answered = Mutex::new(answered);
        fixed(DELAY).on_attempt(move |_| {
            // On a thread of its own, so that a hedger that holds its lock can be told from one that doesn't. Only in
            // the first case does this wait.
            let (done, asked) = mpsc::channel();
            let cell = Arc::clone(&cell);
            thread::spawn(move || done.send(cell.get().expect("it is there").snapshot().wasted));
            let wasted = asked.recv_timeout(Duration::from_secs(2)).ok();
            answered.lock().unwrap().send(wasted).unwrap();
        })
    };
    assert!(cell.set(hedger).is_ok(), "the only one");

    call(cell.get().unwrap(), Good(15), Fails(1)).await;

    let answers: Vec<_> = answers.try_iter().collect();
    assert_eq!(
        answers,
        [Some(1), Some(1)],
        "the listener asks for a snapshot, and gets one, in which the hedge that has just failed is wasted: count first, and \
         call nobody's code while you hold a lock"
    );
}

#[tokio::test(start_paused = true)]
async fn one_listener_is_told_where_the_attempt_ended() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let listener = |name: &'static str| {
        let told = Arc::clone(&told);
        move |_: &Report| told.lock().unwrap().push((name, thread::current().id()))
    };
    let hedger = fixed(DELAY).on_attempt(listener("the first")).on_attempt(listener("the second"));

    call(&hedger, Good(500), Good(5)).await;

    let here = thread::current().id();
    assert_eq!(
        *told.lock().unwrap(),
        [("the second", here), ("the second", here)],
        "two attempts ended, on this thread, and are reported on it to one listener: a second one takes the place of the first"
    );
}

#[tokio::test(start_paused = true)]
async fn the_attempt_is_gone_when_the_listener_hears_of_it() {
    let held = Arc::new(());
    let left = Arc::new(Mutex::new(Vec::new()));
    let hedger = {
        let (held, left) = (Arc::clone(&held), Arc::clone(&left));
        // Two are the check's own.
        fixed(DELAY).on_attempt(move |report| {
            left.lock().unwrap().push((report.attempt, Arc::strong_count(&held) - 2));
        })
    };
    let answer = hedger.call(|attempt| {
        let held = Arc::clone(&held);
        async move {
            match attempt {
                Attempt::Original => std::future::pending().await,
                Attempt::Hedge => sleep(5 * MILLISECOND).await,
            }
            drop(held);
            Ok::<_, ()>(())
        }
    });

    assert_eq!(answer.await, Ok(()));
    assert_eq!(
        *left.lock().unwrap(),
        [(Attempt::Hedge, 1), (Attempt::Original, 0)],
        "connections that are still held when a report comes: that of an attempt that has ended is free by then"
    );

    let pool = Arc::new(Pool::new(2, 1).unwrap());
    let taken = Arc::new(Mutex::new(Vec::new()));
    let hedger = {
        let (pool, taken) = (Arc::clone(&pool), Arc::clone(&taken));
        fixed(DELAY).on_attempt(move |report| {
            taken.lock().unwrap().push((report.attempt, pool.out()));
        })
    };
    let (diary, acts) = (Diary::new(), [Hangs, Good(5)]);
    let call = hedger.call_among(READ, &pool, |instance| play(&diary, "instance", acts[instance]));
    assert_eq!(outcome(call).await, "instance's answer");
    assert_eq!(
        *taken.lock().unwrap(),
        [(Attempt::Hedge, vec![1, 0]), (Attempt::Original, vec![0, 0])],
        "calls out at the two instances when a report comes: the place of an attempt that has ended is free by then"
    );
}
