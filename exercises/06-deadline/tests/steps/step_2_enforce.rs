//! Step 2: work ends with its deadline.

use std::cell::Cell;
use std::future::pending;
use std::pin::pin;
use std::time::Duration;

use deadline::{Deadline, Expired, RunError};
use tokio::task::yield_now;
use tokio::time::{Instant, sleep, timeout};

use super::{Diary, Dropped, MILLISECOND, NANOSECOND, SECOND, wait};

#[tokio::test(start_paused = true)]
async fn work_that_is_done_in_time_returns_its_own_result() {
    let deadline = Deadline::after(SECOND);

    let value = deadline.run(async || Ok::<_, &str>("paid")).await;
    let error = deadline.run(async || Err::<(), _>("card refused")).await;
    let short = Deadline::after(NANOSECOND);
    let work = async || {
        yield_now().await;
        Ok::<_, &str>(())
    };
    let in_two_looks = short.run(work).await;

    assert_eq!(value, Ok("paid"), "the value");
    assert_eq!(
        error,
        Err(RunError::Work("card refused")),
        "the work's own error is not the deadline's"
    );
    assert_eq!(
        in_two_looks,
        Ok(()),
        "a nanosecond is left, and stays so while the clock stands still: cut to the milliseconds of a timer it is nothing"
    );
}

#[tokio::test(start_paused = true)]
async fn after_the_deadline_work_is_not_even_called() {
    let deadline = Deadline::after(SECOND);
    let called = Cell::new(false);

    for (since, late) in
        [(SECOND, "the deadline itself is too late"), (SECOND, "so is any time after it")]
    {
        wait(since).await;
        let work = || {
            called.set(true);
            async { Ok::<_, &str>(()) }
        };
        let result = deadline.run(work).await;

        assert_eq!(result, Err(RunError::Expired(Expired::NotStarted)), "{late}");
        assert!(
            !called.get(),
            "work that was called may have had its effect: look at the clock before that, for a time limit of \
             zero polls it once all the same"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn work_is_dropped_when_the_deadline_passes() {
    let diary = Diary::new();

    let result = Deadline::after(2 * SECOND)
        .run(async || {
            let _guard = Dropped(&diary);
            diary.note("the work begins");
            sleep(3 * SECOND).await;
            diary.note("the work goes on");
            Ok::<_, &str>(())
        })
        .await;
    diary.note(&format!("{result:?}"));
    sleep(5 * SECOND).await;

    insta::assert_snapshot!(
        diary.read(),
        "dropped at its await, the work can't do anything any more; and it is dropped before the caller hears of it",
        @"
        0.000s   the work begins
        2.000s   the work is dropped
        2.000s   Err(Expired(Cancelled))
        "
    );
}

#[tokio::test(start_paused = true)]
async fn of_a_result_and_a_deadline_at_the_same_time_the_result_counts() {
    // A hundred times: a coin that is tossed each time shows both sides.
    for _ in 0..100 {
        let deadline = Deadline::after(SECOND);
        let work = async || {
            sleep(SECOND).await;
            Ok::<_, &str>("paid")
        };
        assert_eq!(
            deadline.run(work).await,
            Ok("paid"),
            "the work is done, and its effect is there: a result that is thrown away makes the caller try again"
        );
        let deadline = Deadline::after(SECOND);
        let fails = async || {
            sleep(SECOND).await;
            Err::<(), _>("card refused")
        };
        assert_eq!(
            deadline.run(fails).await,
            Err(RunError::Work("card refused")),
            "an error is a result as well, and says more than that the time is over"
        );
    }
    let work = async || {
        sleep(SECOND).await;
        Ok::<_, &str>("paid")
    };
    let mut call = pin!(Deadline::after(SECOND).run(work));
    assert!(timeout(Duration::ZERO, &mut call).await.is_err(), "the work goes on");
    wait(5 * SECOND).await;
    assert_eq!(
        call.await,
        Ok("paid"),
        "work and deadline have both been there for 4 s when somebody looks at last: the result is as good as before"
    );
}

#[tokio::test(start_paused = true)]
async fn the_deadline_of_a_call_below_is_an_error_of_the_work() {
    let request = Deadline::after(2 * SECOND);
    let call = request.child(SECOND, Duration::ZERO);

    let result =
        request.run(async || call.run(async || pending::<Result<(), &str>>().await).await).await;

    assert_eq!(
        result,
        Err(RunError::Work(RunError::Expired(Expired::Cancelled))),
        "the call below ran out of time, the request has a second left: two deadlines, two errors"
    );
}

#[tokio::test(start_paused = true)]
async fn dropping_the_call_drops_the_work() {
    let diary = Diary::new();
    let request = Deadline::after(10 * SECOND);

    let user = timeout(
        SECOND,
        request.run(async || {
            let _guard = Dropped(&diary);
            pending::<Result<(), &str>>().await
        }),
    );
    let gone = user.await.is_err();
    diary.note(&format!("the user has gone: {gone}"));

    insta::assert_snapshot!(
        diary.read(),
        "a user who closes the page ends what is done for him, long before the deadline",
        @"
        1.000s   the work is dropped
        1.000s   the user has gone: true
        "
    );
}

#[tokio::test(start_paused = true)]
async fn a_pause_that_leaves_no_time_is_not_begun() {
    let diary = Diary::new();
    let deadline = Deadline::after(SECOND);

    for _ in 0..5 {
        diary.note("a try fails");
        if let Err(expired) = deadline.sleep(300 * MILLISECOND).await {
            diary.note(&format!("{expired:?}"));
            break;
        }
    }

    insta::assert_snapshot!(
        diary.read(),
        "at 0.9 s a pause of 300 ms would end after the deadline: the caller hears at once that there is no \
         other try, and has a tenth of a second to do something about it",
        @"
        0.000s   a try fails
        0.300s   a try fails
        0.600s   a try fails
        0.900s   a try fails
        0.900s   NotStarted
        "
    );
}

#[tokio::test(start_paused = true)]
async fn a_pause_may_end_just_before_the_deadline() {
    let begun = Instant::now();
    let deadline = Deadline::after(SECOND);

    assert_eq!(
        deadline.sleep(SECOND).await,
        Err(Expired::NotStarted),
        "it would end with the deadline"
    );
    assert_eq!(deadline.sleep(Duration::MAX).await, Err(Expired::NotStarted), "or never");
    assert_eq!(begun.elapsed(), Duration::ZERO, "nobody has waited for that");
    assert_eq!(deadline.sleep(999 * MILLISECOND).await, Ok(()), "a millisecond is left after it");

    assert_eq!(begun.elapsed(), 999 * MILLISECOND, "as long as it was asked for");
    let short = Deadline::after(Duration::from_micros(1_900));
    assert_eq!(
        short.sleep(MILLISECOND).await,
        Ok(()),
        "nine tenths of a millisecond are left after it: they count, though timers tick in whole ones"
    );
    assert_eq!(short.sleep(Duration::ZERO).await, Ok(()), "a pause of 0 leaves all that is left");
    wait(MILLISECOND).await;
    assert_eq!(
        short.sleep(Duration::ZERO).await,
        Err(Expired::NotStarted),
        "after the deadline no pause leaves time, not even one of 0"
    );
    let begun = Instant::now();
    let pause = MILLISECOND + MILLISECOND / 2;
    assert_eq!(Deadline::after(SECOND).sleep(pause).await, Ok(()), "there is time for it");
    assert!(
        begun.elapsed() >= pause,
        "{:?} are less than the {pause:?} asked for",
        begun.elapsed()
    );
    wait(MILLISECOND / 2).await;
    let between_ticks = Deadline::after(Duration::from_micros(1_200));
    assert_eq!(between_ticks.sleep(MILLISECOND).await, Ok(()), "0.2 ms are left after it");
    assert!(
        between_ticks.is_expired(),
        "a check of the check: tokio's timer ends a pause with the next whole millisecond, here after the deadline, and \
         that was `Ok` all the same"
    );
}
