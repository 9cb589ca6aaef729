//! Step 6: numbers that agree with each other, and a registry.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, mpsc};
use std::thread;

use bulkhead::{Bulkhead, Config, ConfigError, Counts, Permit, Registry, RegistryError, Snapshot};
use tokio::runtime::Handle;

use super::between::{MOMENTS, between};
use super::{Caller, MILLISECOND, SECOND, bulkhead, chase, clock, sized, take, wait};

/// A table that grows by a row for each moment.
struct Table(String);

impl Table {
    fn new() -> Self {
        Self("moment               active waiting | admitted finished rejected timed out cancelled\n".into())
    }

    fn row(&mut self, moment: &str, bulkhead: &Bulkhead) {
        let Snapshot { active, waiting, counts, .. } = bulkhead.snapshot();
        let Counts { admitted, finished, rejected, timed_out, cancelled } = counts;
        writeln!(
            self.0,
            "{moment:<20} {active:>6} {waiting:>7} | {admitted:>8} {finished:>8} {rejected:>8} {timed_out:>9} {cancelled:>9}"
        )
        .unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_tells_who_is_where_and_what_became_of_the_others() {
    let bulkhead = bulkhead(Config { max_concurrent: 2, max_waiting: 3, max_wait: SECOND });
    let mut table = Table::new();

    table.row("nobody came", &bulkhead);
    let mut holders = take(&bulkhead, 2);
    table.row("two are in", &bulkhead);
    let mut first = Caller::queued(&bulkhead);
    wait(500 * MILLISECOND).await;
    let mut second = Caller::queued(&bulkhead);
    let third = Caller::queued(&bulkhead);
    table.row("three wait", &bulkhead);
    let _ = bulkhead.try_acquire();
    let _ = Caller::of(&bulkhead);
    table.row("two are turned away", &bulkhead);
    holders.pop();
    table.row("one goes", &bulkhead);
    let permit = first.permit("a place was given back");
    table.row("the first has looked", &bulkhead);
    drop(third);
    table.row("the third gives up", &bulkhead);
    let fourth = Caller::queued(&bulkhead);
    table.row("a fourth waits", &bulkhead);
    wait(SECOND).await;
    let _ = second.poll();
    table.row("the second's is over", &bulkhead);
    drop(fourth); // Its time is over as well, but it never looked.
    table.row("the fourth is gone", &bulkhead);
    drop((permit, holders));
    table.row("all go", &bulkhead);
    drop((first, second));
    table.row("all is dropped", &bulkhead);

    insta::assert_snapshot!(
        table.0,
        "a place that passes from hand to hand is never free: one more finished, one more admitted, and \
         as many active as before. Each caller ends in exactly one of admitted, rejected, timed out and \
         cancelled; who is dropped before it is told is cancelled, though its time was over",
        @"
        moment               active waiting | admitted finished rejected timed out cancelled
        nobody came               0       0 |        0        0        0         0         0
        two are in                2       0 |        2        0        0         0         0
        three wait                2       3 |        2        0        0         0         0
        two are turned away       2       3 |        2        0        2         0         0
        one goes                  2       2 |        3        1        2         0         0
        the first has looked      2       2 |        3        1        2         0         0
        the third gives up        2       1 |        3        1        2         0         1
        a fourth waits            2       2 |        3        1        2         0         1
        the second's is over      2       1 |        3        1        2         1         1
        the fourth is gone        2       0 |        3        1        2         1         2
        all go                    0       0 |        3        3        2         1         2
        all is dropped            0       0 |        3        3        2         1         2
        "
    );
    let Snapshot { max_concurrent, max_waiting, .. } = bulkhead.snapshot();
    assert_eq!((max_concurrent, max_waiting), (2, 3), "a dashboard shows 2 of 2, and not just 2");
}

#[tokio::test(start_paused = true)]
async fn a_waiter_that_was_granted_a_place_and_is_gone_is_counted_once() {
    let bulkhead = sized(1, 5);
    let mut holder = take(&bulkhead, 1);
    let (first, second) = (Caller::queued(&bulkhead), Caller::queued(&bulkhead));

    holder.clear();
    drop((first, second));

    let Snapshot { active, waiting, counts, .. } = bulkhead.snapshot();
    assert_eq!((active, waiting), (0, 0), "all have gone");
    assert_eq!(
        counts,
        Counts { admitted: 3, finished: 3, ..Counts::default() },
        "the holder gave the place to the first waiter, and its drop to the second, whose drop freed it. \
         Three were given a place, so none of them is cancelled: a caller ends in one count"
    );
}

/// What is wrong with these numbers, if so many callers have come, or one more.
fn disagreement(now: &Snapshot, come: u64) -> Option<&'static str> {
    let Snapshot { active, max_concurrent, waiting, counts, .. } = *now;
    let Counts { admitted, finished, rejected, timed_out, cancelled } = counts;
    let told = waiting as u64 + admitted + rejected + timed_out + cancelled;
    if admitted.checked_sub(finished) != Some(active as u64) {
        Some("admitted less finished are not the active ones")
    } else if waiting > 0 && active < max_concurrent {
        Some("somebody waits beside a free place")
    } else if told < come || told > come + 1 {
        Some("a caller is in no count, or in two")
    } else {
        None
    }
}

type Op = fn(Bulkhead, Vec<Permit>, Vec<Caller>);

#[test]
fn the_numbers_agree_in_the_middle_of_everything() {
    // With one place taken and so many waiting: what is done, while a dashboard looks.
    let ops: [(&str, usize, Op); 8] = [
        ("a caller is turned away", 2, |bulkhead, _holder, _waiters| drop(Caller::of(&bulkhead))),
        ("nobody waits for the place", 0, |_, holder, _| drop(holder)),
        ("somebody waits for the place", 2, |_, holder, _waiters| drop(holder)),
        ("a waiter is dropped", 2, |_, _holder, mut waiters| drop(waiters.remove(0))),
        ("a waiter's time is over", 2, |_, _holder, mut waiters| {
            Handle::current().block_on(wait(11 * SECOND));
            drop(waiters[1].poll());
        }),
        ("a waiter is dropped that has been granted the place", 2, |_, holder, mut waiters| {
            drop(holder);
            drop(waiters.remove(0));
        }),
        ("a caller finds a free place", 0, |bulkhead, holder, _| {
            drop(holder);
            drop(Caller::of(&bulkhead));
        }),
        ("a caller queues", 1, |bulkhead, _holder, _waiters| drop(Caller::of(&bulkhead))),
    ];
    let mut wrong = String::new();
    for (what, waiters, op) in ops {
        for moment in 0..MOMENTS {
            let runtime = clock();
            let _entered = runtime.enter();
            let bulkhead = sized(1, 2);
            let holder = take(&bulkhead, 1);
            let waiters: Vec<_> = (0..waiters).map(|_| Caller::queued(&bulkhead)).collect();
            let come = 1 + waiters.len() as u64;
            let (tell, told) = mpsc::channel();
            let dashboard = bulkhead.clone();
            let look = move || tell.send(dashboard.snapshot()).expect("this check listens");
            let mine = bulkhead.clone();
            let ((), in_between) = between(moment, look, move || op(mine, holder, waiters));
            let now = told.recv().expect("the dashboard has looked");
            if let Some(what_disagrees) = disagreement(&now, come) {
                writeln!(wrong, "{what}: {what_disagrees}, {now:?}").unwrap();
            }
            if !in_between {
                break;
            }
        }
    }
    // And the other way round: what is done in the middle of a look.
    for moment in 0..MOMENTS {
        let runtime = clock();
        let _entered = runtime.enter();
        let bulkhead = sized(1, 1);
        let holder = take(&bulkhead, 1);
        let waiter = Caller::queued(&bulkhead);
        let (now, in_between) =
            between(moment, move || drop((holder, waiter)), || bulkhead.snapshot());
        if let Some(what_disagrees) = disagreement(&now, 2) {
            writeln!(wrong, "all go while a dashboard looks: {what_disagrees}, {now:?}").unwrap();
        }
        if !in_between {
            break;
        }
    }

    assert_eq!(
        wrong, "",
        "admitted less finished are the active ones, nobody waits while a place is free, and each caller is in one \
         count: at every instant, not just when all is quiet. Numbers that change together change in one visit, and \
         one visit reads them all"
    );
}

#[test]
fn the_numbers_agree_at_every_instant() {
    // Long enough for all threads to run at the same time for a while, on a busy machine too.
    let until = std::time::Instant::now() + 300 * MILLISECOND;
    let runtime = clock();
    let bulkhead = sized(2, 2);
    let (begun, over) = (AtomicUsize::new(0), AtomicBool::new(false));

    let (asked, wrong) = thread::scope(|scope| {
        let caller = || {
            let _entered = runtime.enter();
            begun.fetch_add(1, SeqCst);
            let mut asked = 0;
            while !over.load(SeqCst) {
                // Some look again before they leave, and some don't.
                let (mut caller, answer) = Caller::of(&bulkhead);
                asked += 1;
                if answer.is_pending() && asked % 2 == 0 {
                    let _ = caller.poll();
                }
                drop((answer, caller));
            }
            asked
        };
        let callers = [scope.spawn(caller), scope.spawn(caller), scope.spawn(caller)];
        let wrong = scope.spawn(|| {
            while begun.load(SeqCst) < 3 {
                thread::yield_now();
            }
            let while_there_is_time = |_: &_| std::time::Instant::now() < until;
            let looks = std::iter::repeat_with(|| bulkhead.snapshot());
            looks.take_while(while_there_is_time).find(|now| {
                let agree = now.counts.admitted.checked_sub(now.counts.finished)
                    == Some(now.active as u64)
                    && now.active <= 2
                    && now.waiting <= 2
                    && (now.waiting == 0 || now.active == 2);
                !agree
            })
        });
        let wrong = wrong.join();
        over.store(true, SeqCst);
        let asked: u64 =
            callers.map(|caller| caller.join().expect("no caller panics")).iter().sum();
        (asked, wrong.expect("a snapshot doesn't panic"))
    });

    assert_eq!(
        wrong, None,
        "admitted less finished are the active ones, and nobody waits while a place is free: at every \
         instant, not just when all is quiet. Numbers that change together change in one visit, and one \
         visit reads them all"
    );
    let Snapshot { active, waiting, counts, .. } = bulkhead.snapshot();
    assert_eq!((active, waiting), (0, 0), "all have gone");
    assert_eq!(
        counts.admitted + counts.rejected + counts.timed_out + counts.cancelled,
        asked,
        "each caller ended in one of the four: {counts:?}"
    );
}

#[test]
fn a_name_is_one_bulkhead() {
    let registry = Registry::new();
    let config = Config { max_concurrent: 1, ..Config::default() };

    let first = registry.get_or_create("payments", config).expect("it is made");
    let again = registry.get_or_create("payments", config).expect("it is found");
    let other = registry.get_or_create("inventory", config).expect("it is made");
    let nearly = ["Payments", " payments", "payments.", ""]
        .map(|name| registry.get_or_create(name, config).expect("it is made"));
    let _permit = take(&first, 1);

    assert!(again.try_acquire().is_err(), "the same name means the same places");
    assert!(
        other.try_acquire().is_ok(),
        "another name means other places: that is what they are for"
    );
    assert!(
        nearly.iter().all(|bulkhead| bulkhead.try_acquire().is_ok()),
        "a name is the same if each letter of it is"
    );
}

#[test]
fn a_bulkhead_is_made_once_however_many_ask() {
    const NAMES: usize = 10_000;
    let config = Config { max_concurrent: 1, ..Config::default() };
    for moment in 0..MOMENTS {
        let registry = Arc::new(Registry::new());
        let (other, (tell, told)) = (Arc::clone(&registry), mpsc::channel());
        let asks_too =
            move || tell.send(other.get_or_create("payments", config)).expect("this check listens");
        let (first, in_between) =
            between(moment, asks_too, || registry.get_or_create("payments", config));
        let second = told.recv().expect("it has asked").expect("both ask for the same");
        let _permit = take(&first.expect("both ask for the same"), 1);
        assert!(
            second.try_acquire().is_err(),
            "one asks for a name while another does, and each has a bulkhead of its own: to look and to insert must be \
             one step"
        );
        if !in_between {
            break;
        }
    }
    let registry = Registry::new();
    let admitted = AtomicUsize::new(0);

    chase(NAMES, |number| {
        let bulkhead = registry.get_or_create(&number.to_string(), config);
        let permit = bulkhead.expect("all ask for the same").try_acquire();
        admitted.fetch_add(usize::from(permit.map(std::mem::forget).is_ok()), SeqCst);
    });

    assert_eq!(
        admitted.load(SeqCst),
        NAMES,
        "each name is a bulkhead with one place. If more got in, two threads found nothing under a name, \
         and each made one: to look and to insert must be one step"
    );
    assert_eq!(registry.snapshots().len(), NAMES, "and each is listed");
}

#[test]
fn another_configuration_under_the_same_name_is_refused() {
    let registry = Registry::new();
    let existing = Config { max_concurrent: 10, ..Config::default() };
    let _made = registry.get_or_create("payments", existing).expect("it is made");

    for asked in [
        Config { max_concurrent: 50, ..existing },
        Config { max_waiting: 50, ..existing },
        Config { max_wait: 50 * SECOND, ..existing },
        // Out of range as well, but what the caller has to know is that there is another.
        Config { max_concurrent: 0, ..existing },
    ] {
        let differs = registry.get_or_create("payments", asked).map(drop);

        assert_eq!(
            differs,
            Err(RegistryError::Differs { name: "payments".into(), existing, asked }),
            "to give back the one that is there would look like success, and one limit would be in the code \
             and another in production"
        );
    }
    assert!(registry.get_or_create("payments", existing).is_ok(), "the first one is as it was");
}

#[test]
fn a_refused_configuration_leaves_nothing_behind() {
    let registry = Registry::new();
    let none = Config { max_concurrent: 0, ..Config::default() };

    let refused = registry.get_or_create("payments", none).map(drop);

    assert_eq!(
        refused,
        Err(RegistryError::Config { name: "payments".into(), source: ConfigError::NoPlaces })
    );
    assert_eq!(registry.snapshots(), [], "nothing was made");
    assert!(
        registry.get_or_create("payments", Config::default()).is_ok(),
        "the name is still free"
    );
}

#[test]
fn all_are_listed_by_name_each_with_its_own_numbers() {
    let registry = Registry::new();
    let make = |name| registry.get_or_create(name, Config::default()).expect("it is made");
    let (payments, inventory, audit) = (make("payments"), make("inventory"), make("audit"));
    let permits = (take(&payments, 3), take(&inventory, 1));

    let listed: Vec<_> =
        registry.snapshots().into_iter().map(|(name, snapshot)| (name, snapshot.active)).collect();

    assert_eq!(
        listed,
        [("audit".to_owned(), 0), ("inventory".to_owned(), 1), ("payments".to_owned(), 3)],
        "a list for people is in an order that stays the same"
    );

    drop((payments, inventory, audit, permits));
    let finished: Vec<_> = registry
        .snapshots()
        .into_iter()
        .map(|(name, snapshot)| (name, snapshot.counts.finished))
        .collect();
    assert_eq!(
        finished,
        [("audit".to_owned(), 0), ("inventory".to_owned(), 1), ("payments".to_owned(), 3)],
        "nobody has a handle any more, and the registry keeps them all the same: numbers that start over \
         whenever the last handle goes are of no use on a dashboard"
    );
}
