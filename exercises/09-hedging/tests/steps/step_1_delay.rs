//! Step 1: a second request when the first one is late.

use std::cell::Cell;
use std::time::Duration;

use hedging::Attempt;
use tokio::task::yield_now;
use tokio::time::{Instant, sleep};

use super::{DELAY, Diary, Fails, Good, MILLISECOND, SECOND, call, fixed, outcome, play};

/// One call whose attempts answer after so long: what was sent, and what came of it.
async fn sent(delay: Duration, original: u64, hedge: u64) -> String {
    let (diary, unread) = (Diary::new(), Diary::new());
    let hedger = fixed(delay);
    let call = hedger.call(|attempt| {
        let (name, takes) = match attempt {
            Attempt::Original => ("original", original),
            Attempt::Hedge => ("hedge", hedge),
        };
        diary.note(&format!("{name} sent"));
        play(&unread, name, Good(takes))
    });
    let outcome = outcome(call).await;
    diary.note(&outcome);
    sleep(10 * SECOND).await;
    diary.read()
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_late_takes_the_first_good_answer() {
    insta::assert_snapshot!(
        sent(DELAY, 500, 5).await,
        "the original is late at 10 ms; its hedge is sent then, and answers after 5 ms of its own",
        @"
        0.000s   original sent
        0.010s   hedge sent
        0.015s   hedge's answer
        "
    );
    insta::assert_snapshot!(
        sent(DELAY, 12, 5).await,
        "a late original may still be the first to answer: giving it up when the hedge is sent makes the caller wait longer",
        @"
        0.000s   original sent
        0.010s   hedge sent
        0.012s   original's answer
        "
    );
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_not_late_is_sent_once() {
    insta::assert_snapshot!(
        sent(DELAY, 9, 1).await,
        "19 calls of 20 are like this one, and must cost nothing: no hedge, not even after the answer",
        @"
        0.000s   original sent
        0.009s   original's answer
        "
    );
    // A hundred times: a coin that is tossed each time shows both sides.
    for _ in 0..100 {
        let log = sent(DELAY, 10, 1).await;
        assert!(
            !log.contains("hedge"),
            "an answer that is there when the delay is over is not late: look at the original before the timer\n{log}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_sends_one_hedge_and_no_more() {
    insta::assert_snapshot!(
        sent(DELAY, 1_000, 2_000).await,
        "a hundred delays pass, and there are two requests: a third and a fourth would hit a dependency that is slow \
         because it has too much to do",
        @"
        0.000s   original sent
        0.010s   hedge sent
        1.000s   original's answer
        "
    );
}

#[tokio::test(start_paused = true)]
async fn each_call_waits_for_its_own_delay() {
    let hedger = fixed(DELAY);
    let diary = Diary::new();
    let one = async |name: &'static str, begins: u32| {
        sleep(begins * MILLISECOND).await;
        let unread = Diary::new();
        let answer = hedger.call(|attempt| {
            if attempt == Attempt::Hedge {
                diary.note(&format!("hedge of the {name} call"));
            }
            play(&unread, name, if attempt == Attempt::Hedge { Good(20) } else { Good(500) })
        });
        answer.await.expect("a good answer");
    };

    tokio::join!(one("first", 0), one("second", 4), one("third", 7));

    insta::assert_snapshot!(
        diary.read(),
        "three calls at once, which begin at 0, 4 and 7 ms: the delay of each begins when it does, and none waits for another",
        @"
        0.010s   hedge of the first call
        0.014s   hedge of the second call
        0.017s   hedge of the third call
        "
    );
}

#[tokio::test(start_paused = true)]
async fn a_failure_before_the_delay_is_the_answer() {
    let hedger = fixed(DELAY);
    let sent = Cell::new(0);
    let begun = Instant::now();

    let answer = hedger
        .call(|_| {
            sent.set(sent.get() + 1);
            async {
                sleep(3 * MILLISECOND).await;
                Err::<(), _>("refused")
            }
        })
        .await;

    assert_eq!(answer, Err("refused"), "the original's own error");
    assert_eq!(
        begun.elapsed(),
        3 * MILLISECOND,
        "hedging is for what is slow. What fails is for retries, with their pauses. Waiting for the delay here makes \
         every failure a slow one"
    );
    sleep(SECOND).await;
    assert_eq!(sent.get(), 1, "an original that has failed is no longer late");
    let (outcome, took) = call(&hedger, Fails(10), Good(1)).await;
    assert_eq!(
        (outcome.as_str(), took),
        ("original's error", DELAY),
        "a failure that is there when the delay is over is an answer too"
    );
}

/// Finds out when the check runs whether a value may move to another thread: a bound would keep all checks from
/// compiling.
struct Probe<T>(T);

#[allow(dead_code, reason = "of a call that may move, the method below is found first")]
trait Stays {
    fn may_move(&self) -> bool {
        false
    }
}

impl<T> Stays for Probe<T> {}

#[allow(clippy::unused_self, reason = "it is found before the one of the trait, which is a method")]
impl<T: Send> Probe<T> {
    fn may_move(&self) -> bool {
        true
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_may_run_on_another_thread() {
    let hedger = fixed(DELAY);
    let call = Probe(hedger.call(async |_| Ok::<_, ()>(7)));

    assert!(
        call.may_move(),
        "`tokio::spawn` asks for a future that is `Send`, and every service calls it: no `Rc`, `Cell` or `RefCell` is to be \
         alive across an `await` of yours"
    );
    assert_eq!(call.0.await, Ok(7));
}

#[tokio::test(start_paused = true)]
async fn any_delay_will_do() {
    let year = 365 * 24 * 3_600 * 1_000;
    let (outcome, _) = call(&fixed(Duration::MAX), Good(year), Good(1)).await;
    assert_eq!(
        outcome, "original's answer",
        "a delay without end is never over, and its sum with now is no panic"
    );
    insta::assert_snapshot!(
        sent(Duration::ZERO, 8, 5).await,
        "a delay of 0 sends the hedge along with the original",
        @"
        0.000s   original sent
        0.000s   hedge sent
        0.005s   hedge's answer
        "
    );
    let sent = Cell::new(0);
    let at_once = fixed(Duration::ZERO);
    let answer = at_once.call(|_| {
        sent.set(sent.get() + 1);
        async { Ok::<_, ()>("cached") }
    });
    assert_eq!(answer.await, Ok("cached"));
    assert_eq!(sent.get(), 1, "an answer that is there at once is not late, whatever the delay");
    let hedger = fixed(DELAY);
    let answer = hedger.call(async |attempt| {
        // It has to be polled three times, and takes no time.
        yield_now().await;
        yield_now().await;
        Ok::<_, ()>(attempt)
    });
    assert_eq!(answer.await, Ok(Attempt::Original), "looked at as often as it asks to be");
}
