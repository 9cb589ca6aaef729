//! Step 4: the permit lives as long as the work.

use std::future::{pending, poll_fn, ready};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, mpsc};
use std::task::Poll;

use bulkhead::{Bulkhead, Config, Rejected};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use super::{MILLISECOND, SECOND, bulkhead, free, full, settle, sized, take, wait};

/// Blocking work that has begun, and goes on until it is told to stop.
async fn blocking_work(bulkhead: &Bulkhead) -> (mpsc::Sender<()>, JoinHandle<&'static str>) {
    let (stop, stopped) = mpsc::channel::<()>();
    let (tell, told) = oneshot::channel();
    let work = move || {
        let _ = tell.send(());
        // Also ends when the sender is dropped, so that a check that fails doesn't hang.
        let _ = stopped.recv();
        "done"
    };
    let handle = bulkhead.spawn_blocking(work).await.expect("a place is free");
    told.await.expect("there is a place, so the work begins");
    (stop, handle)
}

#[tokio::test(start_paused = true)]
async fn a_call_holds_its_place_while_the_operation_runs() {
    let bulkhead = sized(2, 0);

    let inside = bulkhead.call(|| async {
        sleep(SECOND).await;
        free(&bulkhead)
    });

    assert_eq!(
        inside.await,
        Ok(1),
        "two places, and one is taken by the operation that is asking. `let _ = permit` drops it on the \
         spot; it takes a name to keep it"
    );
    assert_eq!(free(&bulkhead), 2, "the operation is over, and its place is free again");
}

#[tokio::test(start_paused = true)]
async fn the_operation_of_a_rejected_call_is_not_begun() {
    let bulkhead = sized(1, 0);
    let _holder = take(&bulkhead, 1);
    let begun = AtomicBool::new(false);

    let answer = bulkhead.call(|| {
        begun.store(true, SeqCst);
        ready(())
    });

    assert_eq!(answer.await, Err(full(1, 1, 0, 0)));
    assert!(
        !begun.load(SeqCst),
        "a call that is rejected must not even build its operation's future"
    );

    let bulkhead = sized(1, 2);
    let holder = take(&bulkhead, 1);
    let call = || {
        bulkhead.call(|| {
            begun.store(true, SeqCst);
            ready(())
        })
    };
    let mut gives_up = Box::pin(timeout(20 * SECOND, call()));
    let mut goes_on = Box::pin(call());
    assert!(timeout(MILLISECOND, &mut gives_up).await.is_err(), "it waits");
    wait(5 * SECOND).await;
    assert!(timeout(MILLISECOND, &mut goes_on).await.is_err(), "it waits too");
    let answer = gives_up.await.expect("it gives up after 10 s");
    assert_eq!(answer, Err(Rejected::WaitedTooLong { max_wait: 10 * SECOND }));
    assert!(
        !begun.load(SeqCst),
        "nor must a call that has to wait: until it has a place it does nothing, and it may never have one"
    );
    drop(holder);
    assert_eq!(goes_on.await, Ok(()), "the other one has its place in time");
    assert!(begun.load(SeqCst), "and now it begins");
}

#[tokio::test(start_paused = true)]
async fn a_call_may_run_for_longer_than_it_may_wait() {
    let bulkhead = bulkhead(Config { max_concurrent: 1, max_waiting: 1, max_wait: SECOND });
    let holder = take(&bulkhead, 1);
    tokio::spawn(async move {
        sleep(900 * MILLISECOND).await;
        drop(holder);
    });

    let answer = bulkhead.call(|| sleep(60 * SECOND)).await;

    assert_eq!(
        answer,
        Ok(()),
        "max_wait limits the wait for a place, here 0.9 s of 1 s. How long the work may take is another \
         question, and somebody else's: a timeout inside of the operation"
    );
}

/// Looks at the bulkhead when it is dropped.
struct Witness<'a>(&'a Bulkhead, &'a AtomicBool);

impl Drop for Witness<'_> {
    fn drop(&mut self) {
        self.1.store(free(self.0) == 0, SeqCst);
    }
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_call_drops_its_work_and_then_gives_its_place_back() {
    let bulkhead = sized(1, 0);
    let taken_to_the_end = AtomicBool::new(false);
    let hangs = || async {
        let _witness = Witness(&bulkhead, &taken_to_the_end);
        pending::<()>().await;
    };

    let cancelled = timeout(SECOND, bulkhead.call(hangs)).await;

    assert!(cancelled.is_err(), "the caller gave up after a second");
    assert_eq!(
        free(&bulkhead),
        1,
        "its future was dropped: the code after an await doesn't run then, but `drop` does"
    );
    assert!(
        taken_to_the_end.load(SeqCst),
        "the place was free before the operation's future had been dropped: what that does in its \
         destructors is work as well"
    );
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_done_drops_its_work_and_then_gives_its_place_back() {
    let bulkhead = sized(1, 0);
    let taken_to_the_end = AtomicBool::new(false);
    let witness = Witness(&bulkhead, &taken_to_the_end);

    // Unlike an `async` block, this future keeps what it owns until it is dropped itself.
    let done = poll_fn(move |_| {
        let _still_here = &witness;
        Poll::Ready("done")
    });
    let answer = bulkhead.call(|| done).await;

    assert_eq!(answer, Ok("done"));
    assert!(
        taken_to_the_end.load(SeqCst),
        "the place was free before the finished future had been dropped: a future that is done may still hold \
         a connection, say, until its own `drop`"
    );
    assert_eq!(free(&bulkhead), 1, "and now it is free");
}

#[tokio::test(start_paused = true)]
async fn a_panicking_call_gives_its_place_back() {
    let bulkhead = sized(1, 0);

    let mine = bulkhead.clone();
    let task = tokio::spawn(async move {
        mine.call(|| async { std::panic::resume_unwind(Box::new("a bug in the operation")) }).await
    });
    let ended: Result<Result<(), _>, _> = task.await;

    let panic = ended.expect_err("the operation panics").into_panic();
    assert_eq!(
        panic.downcast_ref(),
        Some(&"a bug in the operation"),
        "the operation was reached, and its panic is the caller's to see"
    );
    assert_eq!(free(&bulkhead), 1, "unwinding dropped the permit");
}

#[tokio::test(start_paused = true)]
async fn blocking_work_keeps_its_place_when_its_caller_has_gone() {
    let bulkhead = sized(1, 1);
    let (stop, handle) = blocking_work(&bulkhead).await;

    // Time doesn't pass by itself while a thread works: this check has to move it.
    let abort = handle.abort_handle();
    let caller = tokio::spawn(timeout(SECOND, handle));
    settle().await;
    wait(SECOND).await;

    assert!(
        caller.await.is_ok_and(|ended| ended.is_err()),
        "the caller gave up, and its handle is gone"
    );
    assert_eq!(
        free(&bulkhead),
        0,
        "a thread can't be cancelled: the work goes on, and with it what it uses. A place that is free \
         while its work runs lets in one more than the limit, again and again. The permit belongs inside \
         the closure"
    );
    abort.abort();
    settle().await;
    assert_eq!(
        free(&bulkhead),
        0,
        "nor does it stop a thread to abort the handle. It does stop a task that waits for the thread, so \
         the permit doesn't belong there either"
    );
    drop(stop);
    assert!(bulkhead.acquire().await.is_ok(), "when the work is done, its place goes to who waits");
}

#[tokio::test(start_paused = true)]
async fn the_place_is_free_when_the_result_is_there() {
    let bulkhead = sized(1, 0);

    let (stop, handle) = blocking_work(&bulkhead).await;
    assert_eq!(free(&bulkhead), 0, "while it runs, the place is taken");
    drop(stop);
    assert_eq!(handle.await.ok(), Some("done"), "the handle has the result");
    assert_eq!(free(&bulkhead), 1, "the work is over, so its place is free");

    let panics = || std::panic::resume_unwind(Box::new("a bug in the work"));
    let handle: JoinHandle<()> = bulkhead.spawn_blocking(panics).await.expect("a place is free");
    assert!(handle.await.is_err_and(|error| error.is_panic()), "the handle has the panic");
    assert_eq!(free(&bulkhead), 1, "a panic ends the work too");
}

#[tokio::test(start_paused = true)]
async fn blocking_work_is_not_begun_without_a_place() {
    let bulkhead = sized(1, 1);
    let holder = take(&bulkhead, 1);
    let begun = Arc::new(AtomicUsize::new(0));
    let ask = || {
        let (bulkhead, begun) = (bulkhead.clone(), Arc::clone(&begun));
        async move { bulkhead.spawn_blocking(move || begun.fetch_add(1, SeqCst)).await }
    };

    let gone = tokio::spawn(ask());
    settle().await;
    gone.abort();
    settle().await;
    assert_eq!(
        bulkhead.try_acquire().map(drop),
        Err(full(1, 1, 0, 1)),
        "its caller was dropped while it waited, and so nobody waits any more"
    );

    let waits = tokio::spawn(ask());
    settle().await;
    let rejected = ask().await.map(drop);
    settle().await;

    assert_eq!(
        rejected,
        Err(full(1, 1, 1, 1)),
        "the place is taken, and somebody waits for it. Who acquires inside of what it has spawned has \
         spawned already: the runtime's queue is then the queue, and it has no limit"
    );
    assert_eq!(begun.load(SeqCst), 0, "there was no place: neither of the two may have begun");
    drop(holder);
    let handle =
        waits.await.expect("it doesn't panic").expect("it may wait, and the place came free");
    assert_eq!(handle.await.ok(), Some(0), "and now it is the first to run");
}
