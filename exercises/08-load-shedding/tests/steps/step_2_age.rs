//! Step 2: what has waited too long isn't begun.

use std::task::Poll;

use load_shedding::{Permit, Reason, Request, Shedder};
use tokio::time::{Instant, timeout};

use super::{
    Caller, Diary, INTERVAL, MILLISECOND, NANOSECOND, SECOND, TARGET, begun, refusal, sized, take,
    until, wait,
};

#[tokio::test(start_paused = true)]
async fn what_has_expired_is_refused_though_a_place_is_free() {
    let shedder = sized(1, 0);
    let now = Instant::now();

    let at_its_deadline = refusal(&shedder, until(now));
    let in_time = begun(&shedder, until(now + NANOSECOND));
    let and_full = refusal(&shedder, until(now));

    drop(in_time);
    assert_eq!(
        (at_its_deadline, and_full),
        (Reason::Expired, Reason::Expired),
        "nobody waits for the answer any more, from the deadline itself on; with a nanosecond left somebody does"
    );
}

#[tokio::test(start_paused = true)]
async fn work_is_not_begun_after_its_deadline() {
    let shedder = sized(1, 5);
    let runs = take(&shedder, 1);
    let deadline = Instant::now() + 10 * MILLISECOND + MILLISECOND / 2;
    let mut diary = Diary::begin();
    let mut callers = vec![
        Caller::waits("Ada", &shedder, until(deadline)),
        Caller::waits("Barbara", &shedder, until(deadline + NANOSECOND)),
    ];

    // No timer ticks at half a millisecond.
    wait(10 * MILLISECOND + MILLISECOND / 2).await;
    drop(runs);
    diary.ask(&mut callers);

    insta::assert_snapshot!(
        diary.text,
        "a place is given back at the very moment of Ada's deadline: look at the clock just before work begins, and \
         give the place to the next",
        @r"
        0.011s   Ada       refused: its deadline has passed
        0.011s   Barbara   begins
        "
    );
}

#[tokio::test(start_paused = true)]
async fn a_queue_that_is_not_standing_is_patient() {
    let shedder = sized(1, 5);
    let runs = take(&shedder, 1);
    let mut diary = Diary::begin();
    let mut callers = Vec::new();
    for name in ["Ada", "Barbara", "Edsger"] {
        callers.push(Caller::waits(name, &shedder, Request::default()));
        wait(20 * MILLISECOND).await;
    }

    wait(40 * MILLISECOND - NANOSECOND).await;
    diary.note("a place is given back");
    drop(runs);
    diary.ask(&mut callers);

    insta::assert_snapshot!(
        diary.text,
        "somebody has been waiting for a nanosecond less than 100 ms: this is a burst, and the queue is there for \
         bursts. First come, first served, and nobody is too old",
        @r"
        0.100s   a place is given back
        0.100s   Ada       begins
        0.100s   Barbara   begins
        0.100s   Edsger    begins
        "
    );
}

/// A shedder with one place, which is taken, and in whose queue somebody has always been waiting for an interval,
/// each for a short time only: now it is Zoe.
async fn standing() -> (Shedder, Vec<Permit>, Caller) {
    let shedder = sized(1, 3);
    let runs = take(&shedder, 1);
    let mut last = Caller::waits("somebody", &shedder, Request::default());
    for _ in 0..INTERVAL.as_millis() / 2 - 1 {
        wait(2 * MILLISECOND).await;
        // The next comes before the last one goes: the queue is never empty.
        last = Caller::waits("somebody", &shedder, Request::default());
    }
    wait(2 * MILLISECOND).await;
    let zoe = Caller::waits("Zoe", &shedder, Request::default());
    drop(last);
    (shedder, runs, zoe)
}

#[tokio::test(start_paused = true)]
async fn a_standing_queue_serves_the_newest_first() {
    let (shedder, runs, zoe) = standing().await;
    let mut diary = Diary::begin();
    let ada = Caller::waits("Ada", &shedder, Request::default());
    let barbara = Caller::waits("Barbara", &shedder, Request::default());
    let mut callers = vec![zoe, ada, barbara];

    drop(runs);
    diary.ask(&mut callers);

    insta::assert_snapshot!(
        diary.text,
        "for just 100 ms the queue has not been empty for a moment. Nobody in it is old, and it is an overload all the \
         same: the newest has the longest time left, so it is the one that is worth serving",
        @r"
        0.000s   Barbara   begins
        0.000s   Ada       begins
        0.000s   Zoe       begins
        "
    );
}

#[tokio::test(start_paused = true)]
async fn a_standing_queue_drops_what_has_waited_for_the_target() {
    let (shedder, runs, zoe) = standing().await;
    let mut diary = Diary::begin();
    wait(NANOSECOND).await;
    let mut callers = vec![zoe, Caller::waits("Ada", &shedder, Request::default())];

    wait(TARGET - NANOSECOND).await;
    drop(runs);
    diary.ask(&mut callers);

    insta::assert_snapshot!(
        diary.text,
        "the target is 5 ms. Zoe has waited for just that, which is too long in a standing queue; Ada for a \
         nanosecond less",
        @r"
        0.005s   Zoe       refused: waited for too long
        0.005s   Ada       begins
        "
    );
}

#[tokio::test(start_paused = true)]
async fn each_visit_has_the_old_waiters_told() {
    let (shedder, _runs, mut zoe) = standing().await;
    wait(2 * TARGET).await;
    let ada = Caller::waits("Ada", &shedder, Request::default());

    let (waiting, told) = (shedder.snapshot().waiting, zoe.poll());
    drop(ada);

    assert_eq!(waiting, 1, "Zoe has waited for too long, and so takes no chair when Ada comes");
    assert!(
        told.is_ready(),
        "and she is told so then, though no place has come free: her caller could try another server by now"
    );
    let Poll::Ready(Err(shed)) = told else { panic!("Zoe is refused, and not served: {told:?}") };
    assert!(
        shed.reason == Reason::TooOld && (SECOND..=2 * SECOND).contains(&shed.retry_after),
        "she is told why, and when to come back, as any other: {shed:?}"
    );

    let (shedder, _runs, _zoe) = standing().await;
    let in_a_while = Instant::now() + TARGET;
    let mut ada = Caller::waits("Ada", &shedder, until(in_a_while));
    wait(2 * TARGET).await;
    shedder.snapshot();
    let Poll::Ready(Err(shed)) = ada.poll() else { panic!("Ada has waited for too long") };
    assert_eq!(
        shed.reason,
        Reason::Expired,
        "her deadline has passed too, and that is the reason that counts"
    );
}

#[tokio::test(start_paused = true)]
async fn an_empty_queue_is_patient_again() {
    for emptied in ["Zoe goes", "Zoe begins", "Zoe is too old"] {
        let (shedder, mut runs, mut zoe) = standing().await;
        match emptied {
            "Zoe goes" => drop(zoe),
            "Zoe begins" => {
                runs.pop();
                let Poll::Ready(Ok(permit)) = zoe.poll() else { panic!("a place was given back") };
                runs.push(permit);
            }
            _ => {
                wait(TARGET).await;
                shedder.snapshot();
                assert!(zoe.poll().is_ready(), "she has waited for the target");
            }
        }
        served_in_order(emptied, shedder, runs).await;
    }
}

async fn served_in_order(emptied: &str, shedder: Shedder, runs: Vec<Permit>) {
    let mut diary = Diary::begin();
    wait(NANOSECOND).await;
    let ada = Caller::waits("Ada", &shedder, Request::default());
    wait(50 * MILLISECOND).await;
    let barbara = Caller::waits("Barbara", &shedder, Request::default());

    drop(runs);
    diary.ask(&mut vec![ada, barbara]);

    assert_eq!(
        diary.text, "0.050s   Ada       begins\n0.050s   Barbara   begins\n",
        "{emptied}, and nobody waited for a moment: the overload is over. Ada has waited for 50 ms since, and is served \
         before Barbara"
    );
}

#[tokio::test(start_paused = true)]
async fn a_full_standing_queue_gives_the_oldest_chair_to_the_newcomer() {
    let (shedder, runs, zoe) = standing().await;
    let mut diary = Diary::begin();
    let mut callers = vec![zoe];
    for name in ["Ada", "Barbara", "Grace"] {
        wait(MILLISECOND).await;
        callers.push(Caller::waits(name, &shedder, Request::default()));
    }

    diary.ask(&mut callers);
    diary.note("a place is given back");
    drop(runs);
    diary.ask(&mut callers);

    insta::assert_snapshot!(
        diary.text,
        "three may wait, and Grace is the fourth. When more wait than may, the one goes whose turn would come last: \
         in a standing queue that is the oldest",
        @r"
        0.003s   Zoe       refused: gave way to another
        0.003s   a place is given back
        0.003s   Grace     begins
        0.003s   Barbara   begins
        0.003s   Ada       begins
        "
    );
}

#[tokio::test(start_paused = true)]
async fn a_waiter_is_told_in_time_though_no_place_comes_free() {
    let shedder = sized(1, 5);
    let _runs = take(&shedder, 1);
    let begun = Instant::now();
    let told = async |request| {
        let answer = timeout(SECOND, shedder.acquire(request)).await;
        let reason = answer.map(|answer| answer.map_err(|shed| shed.reason).map(drop));
        (reason, begun.elapsed().as_millis())
    };

    let (expired, too_old) =
        tokio::join!(told(until(begun + 40 * MILLISECOND)), told(Request::default()));

    assert_eq!(
        (expired, too_old),
        ((Ok(Err(Reason::Expired)), 40), (Ok(Err(Reason::TooOld)), 100)),
        "the work that runs hangs, and nobody comes: a request waits until its deadline at most, and for an interval \
         at most. (What each of the two is told, and after how many milliseconds.)"
    );
    assert_eq!(shedder.snapshot().waiting, 0, "and then it waits no more");
}
