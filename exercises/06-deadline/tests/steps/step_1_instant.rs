//! Step 1: a moment, not a duration.

use std::fmt::Write as _;
use std::time::Duration;

use deadline::Deadline;

use super::{BUFFER, Diary, MILLISECOND, NANOSECOND, SECOND, wait};

#[tokio::test(start_paused = true)]
async fn what_is_left_shrinks_as_time_passes() {
    let diary = Diary::new();
    let deadline = Deadline::after(2 * SECOND);

    for _ in 0..4 {
        diary.note(&format!("{:?} left, expired: {}", deadline.remaining(), deadline.is_expired()));
        wait(750 * MILLISECOND).await;
    }

    insta::assert_snapshot!(
        diary.read(),
        "a deadline is a moment: what is left of it follows from the clock, tokio's, and never goes below zero",
        @"
        0.000s   2s left, expired: false
        0.750s   1.25s left, expired: false
        1.500s   500ms left, expired: false
        2.250s   0ns left, expired: true
        "
    );
}

#[tokio::test(start_paused = true)]
async fn at_the_deadline_itself_it_has_passed() {
    let deadline = Deadline::after(SECOND);

    wait(SECOND - NANOSECOND).await;
    assert!(!deadline.is_expired(), "a nanosecond is left");
    assert_eq!(deadline.remaining(), NANOSECOND, "and is not rounded away");
    wait(NANOSECOND).await;

    assert!(deadline.is_expired(), "nothing is left, so nothing can be done any more");
}

#[tokio::test(start_paused = true)]
async fn a_budget_of_nothing_has_passed_at_once() {
    let deadline = Deadline::after(Duration::ZERO);

    assert!(deadline.is_expired(), "0 is no time, and not a word for \"no limit\"");
    assert_eq!(deadline.remaining(), Duration::ZERO, "nothing is left");
}

#[tokio::test(start_paused = true)]
async fn a_budget_without_end_does_not_end_at_once() {
    let endless = Deadline::after(Duration::MAX);

    assert!(
        !endless.is_expired(),
        "a sum that is too large must not become a moment that has passed"
    );
    assert_eq!(endless.remaining(), Deadline::LONGEST, "it is cut to 30 years");
    assert_eq!(
        Deadline::after(Deadline::LONGEST + SECOND).remaining(),
        Deadline::LONGEST,
        "so is a budget that a clock could hold"
    );
    wait(Deadline::LONGEST - SECOND).await;
    assert_eq!(endless.remaining(), SECOND, "29 years later it is still there");
}

#[tokio::test(start_paused = true)]
async fn a_call_gets_the_smaller_of_its_own_budget_and_what_is_left() {
    let request = Deadline::after(2 * SECOND);
    let mut table = String::new();

    for (budget, buffer) in [
        (500 * MILLISECOND, Duration::ZERO),
        (5 * SECOND, Duration::ZERO),
        (5 * SECOND, BUFFER),
        (Duration::MAX, BUFFER),
        (SECOND, BUFFER),
        (1_950 * MILLISECOND, BUFFER),
        (Duration::ZERO, BUFFER),
    ] {
        let left = request.child(budget, buffer).remaining();
        let budget = if budget == Duration::MAX { "MAX".to_owned() } else { format!("{budget:?}") };
        writeln!(table, "budget {budget:<7} buffer {buffer:<7?} child {left:?}").unwrap();
    }
    wait(1_400 * MILLISECOND).await;
    for budget in [300 * MILLISECOND, SECOND] {
        let left = request.child(budget, BUFFER).remaining();
        writeln!(table, "1.4 s later, budget {budget:<5?} child {left:?}").unwrap();
    }

    insta::assert_snapshot!(
        table,
        "2 s are left, and 0.6 s later on. The buffer is what the caller keeps of its own time: it comes off what is \
         left, and not off a budget that ends before that anyway",
        @"
        budget 500ms   buffer 0ns     child 500ms
        budget 5s      buffer 0ns     child 2s
        budget 5s      buffer 100ms   child 1.9s
        budget MAX     buffer 100ms   child 1.9s
        budget 1s      buffer 100ms   child 1s
        budget 1.95s   buffer 100ms   child 1.9s
        budget 0ns     buffer 100ms   child 0ns
        1.4 s later, budget 300ms child 300ms
        1.4 s later, budget 1s    child 500ms
        "
    );
}

#[tokio::test(start_paused = true)]
async fn a_buffer_that_takes_all_leaves_nothing() {
    let request = Deadline::after(3 * BUFFER);
    wait(2 * BUFFER).await;

    for buffer in [BUFFER, BUFFER + NANOSECOND, SECOND, Duration::MAX] {
        let child = request.child(SECOND, buffer);
        assert!(
            child.is_expired(),
            "{BUFFER:?} are left and {buffer:?} are kept: a child that has {:?} has time that nobody has",
            child.remaining()
        );
    }
    assert_eq!(
        request.child(SECOND, BUFFER - NANOSECOND).remaining(),
        NANOSECOND,
        "a nanosecond less is kept, and that is what it has"
    );
}

#[tokio::test(start_paused = true)]
async fn a_child_is_never_later_than_its_parent() {
    let requests = [Duration::ZERO, SECOND, Duration::MAX].map(Deadline::after);

    for moment in [Duration::ZERO, SECOND / 2, 2 * SECOND] {
        wait(moment).await;
        for request in requests {
            for budget in [Duration::ZERO, SECOND, Duration::MAX] {
                for buffer in [Duration::ZERO, BUFFER, Duration::MAX] {
                    assert!(
                        request.child(budget, buffer) <= request,
                        "a child with a budget of {budget:?} and a buffer of {buffer:?} outlives its parent, \
                         which has {:?} left",
                        request.remaining()
                    );
                }
            }
        }
    }
}
