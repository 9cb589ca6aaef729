//! Step 3: the least important goes first.

use std::fmt::Write as _;

use load_shedding::Priority::{Critical, CriticalPlus, Sheddable, SheddablePlus};
use load_shedding::{Config, Limit, Priority, Reason, Request, Shedder};
use tokio::time::Instant;

use super::{Caller, Diary, INTERVAL, MILLISECOND, begun, of, refusal, shedder, sized, take, wait};

#[test]
fn a_priority_is_read_as_it_is_written() {
    let written = Priority::ALL.map(|priority| {
        let header = priority.as_str();
        let shouted = header.to_ascii_uppercase();
        (
            Priority::from_header(Some(header.as_bytes())),
            Priority::from_header(Some(shouted.as_bytes())),
        )
    });
    let others: [Option<&[u8]>; 6] = [
        None,
        Some(b""),
        Some(b"urgent"),
        Some(b"critical-plus "),
        Some(b"critical-"),
        Some(b"\xff"),
    ];

    assert_eq!(
        written,
        Priority::ALL.map(|priority| (priority, priority)),
        "each is read as what it is, in letters of any case"
    );
    assert_eq!(
        others.map(Priority::from_header),
        [Critical; 6],
        "no header, and whatever else it may say, is `Critical`: a misspelt header must not make a request the first \
         to go, nor the last"
    );
}

#[test]
fn a_call_is_never_more_important_than_its_request() {
    let mut table = String::new();
    for request in Priority::ALL {
        let calls = Priority::ALL.map(|own| request.for_call(own).as_str());
        writeln!(
            table,
            "{:<15}{}",
            request.as_str(),
            calls.map(|call| format!("{call:<15}")).concat().trim_end()
        )
        .unwrap();
    }

    insta::assert_snapshot!(
        table,
        "a row for a request, a column for what a call would have alone. A call may matter less than its request, as a \
         prefetch does; never more, or a batch job takes users' places one service further down",
        @r"
        critical-plus  critical-plus  critical       sheddable-plus sheddable
        critical       critical       critical       sheddable-plus sheddable
        sheddable-plus sheddable-plus sheddable-plus sheddable-plus sheddable
        sheddable      sheddable      sheddable      sheddable      sheddable
        "
    );
}

#[tokio::test(start_paused = true)]
async fn the_highest_class_begins_first() {
    let shedder = sized(1, 10);
    let runs = take(&shedder, 1);
    let mut diary = Diary::begin();
    let mut callers = [
        ("batch", Sheddable),
        ("user 1", Critical),
        ("report", SheddablePlus),
        ("payment", CriticalPlus),
        ("user 2", Critical),
    ]
    .map(|(name, priority)| Caller::waits(name, &shedder, of(priority)))
    .into();

    drop(runs);
    diary.ask(&mut callers);

    insta::assert_snapshot!(
        diary.text,
        "the classes from the highest to the lowest, and in a class first come, first served",
        @r"
        0.000s   payment   begins
        0.000s   user 1    begins
        0.000s   user 2    begins
        0.000s   report    begins
        0.000s   batch     begins
        "
    );
}

/// What becomes of those who come to a queue, one after the other, and of those who are there.
fn come(
    shedder: &Shedder,
    mut callers: Vec<Caller>,
    newcomers: &[(&'static str, Priority)],
) -> (Diary, Vec<Caller>) {
    let mut diary = Diary::begin();
    for (name, priority) in newcomers {
        diary.note(&format!("{name} comes"));
        callers.push(Caller::comes_and_stays(name, shedder, of(*priority)));
        diary.ask(&mut callers);
    }
    (diary, callers)
}

#[tokio::test(start_paused = true)]
async fn a_full_queue_gives_the_least_important_chair_away() {
    let shedder = sized(1, 2);
    let runs = take(&shedder, 1);

    let (mut diary, mut callers) = come(
        &shedder,
        vec![],
        &[
            ("batch 1", Sheddable),
            ("batch 2", Sheddable),
            ("batch 3", Sheddable),
            ("user 1", Critical),
            ("report", SheddablePlus),
            ("user 2", Critical),
            ("user 3", Critical),
            ("batch 4", Sheddable),
            ("payment", CriticalPlus),
        ],
    );
    drop(runs);
    diary.ask(&mut callers);

    insta::assert_snapshot!(
        diary.text,
        "two may wait. When a third comes, the one goes whose turn would come last: of the lowest class the newest, \
         which may be the one that comes. Among equals nobody gives way",
        @r"
        0.000s   batch 1 comes
        0.000s   batch 2 comes
        0.000s   batch 3 comes
        0.000s   batch 3   refused: no room
        0.000s   user 1 comes
        0.000s   batch 2   refused: gave way to another
        0.000s   report comes
        0.000s   batch 1   refused: gave way to another
        0.000s   user 2 comes
        0.000s   report    refused: gave way to another
        0.000s   user 3 comes
        0.000s   user 3    refused: no room
        0.000s   batch 4 comes
        0.000s   batch 4   refused: no room
        0.000s   payment comes
        0.000s   user 2    refused: gave way to another
        0.000s   payment   begins
        0.000s   user 1    begins
        "
    );

    let shedder = sized(1, 1);
    let _runs = take(&shedder, 1);
    let hurry = Request { deadline: Some(Instant::now() + MILLISECOND), ..of(Sheddable) };
    let batch = Caller::waits("batch", &shedder, hurry);
    wait(2 * MILLISECOND).await;
    let (diary, _) = come(&shedder, vec![batch], &[("payment", CriticalPlus)]);

    insta::assert_snapshot!(
        diary.text,
        "the batch job gives way to the payment, and its deadline has passed: that is the reason that it is told, whatever \
         else would have been one",
        @r"
        0.000s   payment comes
        0.000s   batch     refused: its deadline has passed
        "
    );
}

#[tokio::test(start_paused = true)]
async fn in_a_standing_queue_the_oldest_of_the_lowest_class_gives_way() {
    let config = Config { limit: Limit::Fixed(1), max_waiting: 3, ..Config::default() };
    let shedder = shedder(Config { target: 50 * MILLISECOND, ..config });
    let runs = take(&shedder, 1);
    let mut user = Caller::waits("user 0", &shedder, of(Critical));
    for _ in 0..4 {
        wait(INTERVAL / 4).await;
        user = Caller::waits("user 0", &shedder, of(Critical));
    }
    wait(MILLISECOND).await;
    let batch = Caller::waits("batch 0", &shedder, of(Sheddable));

    let (mut diary, mut callers) = come(
        &shedder,
        vec![user, batch],
        &[
            ("user 1", Critical),
            ("batch 1", Sheddable),
            ("user 2", Critical),
            ("payment", CriticalPlus),
            ("batch 2", Sheddable),
        ],
    );
    diary.note("a place is given back");
    drop(runs);
    diary.ask(&mut callers);

    insta::assert_snapshot!(
        diary.text,
        "the queue has stood for 100 ms, so in each class the newest is served first, and the oldest last. But the class \
         decides before the age does: a newcomer that would come last itself is refused",
        @r"
        0.000s   user 1 comes
        0.000s   batch 1 comes
        0.000s   batch 0   refused: gave way to another
        0.000s   user 2 comes
        0.000s   batch 1   refused: gave way to another
        0.000s   payment comes
        0.000s   user 0    refused: gave way to another
        0.000s   batch 2 comes
        0.000s   batch 2   refused: no room
        0.000s   a place is given back
        0.000s   payment   begins
        0.000s   user 2    begins
        0.000s   user 1    begins
        "
    );

    let shedder = sized(1, 3);
    let runs = take(&shedder, 1);
    let batch = Caller::waits("batch", &shedder, of(Sheddable));
    wait(INTERVAL - 2 * MILLISECOND).await;
    let user_1 = Caller::waits("user 1", &shedder, of(Critical));
    drop(batch);
    wait(2 * MILLISECOND).await;
    let user_2 = Caller::waits("user 2", &shedder, of(Critical));
    let mut diary = Diary::begin();
    drop(runs);
    diary.ask(&mut vec![user_1, user_2]);

    insta::assert_snapshot!(
        diary.text,
        "a batch job waited for 98 ms, and went after a user had come: somebody has been waiting for 100 ms, though nobody \
         of one class has. It is the queue that stands, not a class",
        @r"
        0.000s   user 2    begins
        0.000s   user 1    begins
        "
    );
}

#[tokio::test(start_paused = true)]
async fn the_reserve_is_for_the_highest_class_alone() {
    let config = Config { limit: Limit::Fixed(5), reserve: 2, ..Config::default() };
    let shedder = shedder(config);
    let mut users = take(&shedder, 3);
    let mut diary = Diary::begin();
    let mut callers = vec![Caller::waits("user 4", &shedder, of(Critical))];

    let payments = [begun(&shedder, of(CriticalPlus)), begun(&shedder, of(CriticalPlus))];
    diary.note(&format!("{} run", shedder.snapshot().running));
    drop(payments);
    diary.ask(&mut callers);
    diary.note("the payments have ended");
    users.pop();
    diary.ask(&mut callers);

    insta::assert_snapshot!(
        diary.text,
        "of five places three are for everybody. A payment begins at once, though a user waits, and when it ends, its \
         place is the next payment's: who waits begins when one of the three ends",
        @r"
        0.000s   5 run
        0.000s   the payments have ended
        0.000s   user 4    begins
        "
    );
}

#[tokio::test(start_paused = true)]
async fn no_class_starves_while_there_is_room() {
    let all = sized(4, 0);
    let batch: Vec<_> = (0..4).map(|_| begun(&all, of(Sheddable))).collect();
    assert_eq!(
        refusal(&all, of(CriticalPlus)),
        Reason::Full,
        "nobody else was there, so a batch job may have all places. And work that runs is not taken back"
    );
    drop(batch);

    let config = Config { limit: Limit::Fixed(2), max_waiting: 0, reserve: 5, ..Config::default() };
    let reserved = shedder(config);
    let one = begun(&reserved, of(Sheddable));
    assert_eq!(
        (refusal(&reserved, of(Sheddable)), reserved.snapshot().running),
        (Reason::Full, 1),
        "the reserve is larger than the limit, and one place is for everybody even so"
    );
    drop(one);
}
