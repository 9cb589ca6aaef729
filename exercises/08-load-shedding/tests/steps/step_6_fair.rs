//! Step 6: a flood keeps to its own bucket.

use std::time::Duration;

use load_shedding::{Fair, FairConfig, OverShare};

use super::{MILLISECOND, NANOSECOND, SECOND, wait};

/// 100 a second, and 20 at once.
fn fair(max_tenants: usize) -> Fair {
    let config = FairConfig { per_second: 100, burst: 20, max_tenants };
    Fair::new(&config).expect("this configuration is valid")
}

/// How many requests of this tenant are admitted, of so many.
fn admitted(fair: &Fair, tenant: &str, requests: usize) -> usize {
    (0..requests).filter(|_| fair.try_admit(tenant).is_ok()).count()
}

#[tokio::test(start_paused = true)]
async fn a_burst_and_then_the_rate() {
    let fair = fair(10);
    assert_eq!(admitted(&fair, "ada", 100), 20, "a bucket of 20 is full at first");

    let refused = fair.try_admit("ada");
    wait(10 * MILLISECOND - NANOSECOND).await;
    let early = fair.try_admit("ada");
    wait(NANOSECOND).await;
    let in_time = fair.try_admit("ada");

    assert_eq!(
        (refused, early, in_time),
        (
            Err(OverShare { retry_after: 10 * MILLISECOND }),
            Err(OverShare { retry_after: NANOSECOND }),
            Ok(())
        ),
        "at 100 a second a token takes 10 ms: at once, a nanosecond too early, in time. Who is told when to come back is \
         admitted then"
    );
}

#[tokio::test(start_paused = true)]
async fn a_refused_request_costs_nothing() {
    let fair = fair(10);
    admitted(&fair, "ada", 20);

    let mut count = 0;
    for _ in 0..1_000 {
        wait(MILLISECOND).await;
        count += admitted(&fair, "ada", 5);
    }

    assert_eq!(
        count, 100,
        "in one second, with 5,000 requests: if a refusal took something too, who knocks often would never be let in"
    );
}

#[tokio::test(start_paused = true)]
async fn an_idle_bucket_holds_no_more_than_a_burst() {
    let fair = fair(10);
    admitted(&fair, "ada", 20);
    wait(150 * MILLISECOND).await;
    assert_eq!(admitted(&fair, "ada", 100), 15, "15 tokens in 150 ms");

    wait(3_600 * SECOND).await;
    assert_eq!(admitted(&fair, "ada", 100), 20, "a night's tokens aren't saved up for the morning");
}

#[tokio::test(start_paused = true)]
async fn a_flood_takes_nothing_from_another_tenant() {
    let fair = fair(10);
    let (mut flood, mut other) = (0, 0);
    for tick in 0..10_000 {
        flood += admitted(&fair, "flood", 10);
        if tick % 20 == 0 {
            other += admitted(&fair, "ada", 1);
        }
        wait(MILLISECOND).await;
    }

    assert_eq!(
        (flood, other),
        (1_019, 500),
        "10 s: one tenant asks 10,000 times a second, and gets its burst and its rate. The other asks 50 times a second, \
         and gets all"
    );
}

#[tokio::test(start_paused = true)]
async fn the_first_bucket_that_is_full_makes_room() {
    let fair = fair(2);
    assert_eq!(admitted(&fair, "ada", 1), 1, "her bucket is full again at 10 ms");
    wait(5 * MILLISECOND).await;
    assert_eq!(admitted(&fair, "bob", 1), 1, "and his at 15 ms");
    assert_eq!(
        admitted(&fair, "others", 100),
        20,
        "until then the others share a bucket, now empty"
    );
    wait(5 * MILLISECOND).await;

    assert_eq!(
        admitted(&fair, "cy", 100),
        20,
        "at 10 ms one tenant of two has a bucket that isn't full, so there is room for one more. The first bucket that is \
         full makes it, and not the last"
    );
}

#[tokio::test(start_paused = true)]
async fn thirds_of_a_second_add_up() {
    let fair = Fair::new(&FairConfig { per_second: 3, burst: 1, max_tenants: 1 }).unwrap();
    let mut count = admitted(&fair, "ada", 1);
    assert_eq!(
        fair.try_admit("ada"),
        Err(OverShare { retry_after: Duration::from_nanos(333_333_333) }),
        "a third of a second, cut to the nanosecond. In whole milliseconds a tenant of 2,000 a second would have no limit"
    );
    for _ in 0..3_000 {
        wait(Duration::from_millis(100)).await;
        count += admitted(&fair, "ada", 1);
    }

    assert_eq!(
        count, 751,
        "asked every 100 ms, a tenant of 3 a second is admitted every 400 ms: in 300 s 750 times, and once at first"
    );
}

#[tokio::test(start_paused = true)]
async fn memory_is_bounded_whatever_names_come() {
    let fair = fair(100);
    for number in 0..5_000 {
        let _ = fair.try_admit(&format!("bot {number}"));
        assert!(
            fair.tenants() <= 100,
            "{} buckets after {} names: names are free, so memory for each is a way to take all of it",
            fair.tenants(),
            number + 1
        );
        if number % 500 == 0 {
            wait(20 * MILLISECOND).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn nobody_gets_rid_of_an_empty_bucket() {
    let fair = fair(100);
    assert_eq!(admitted(&fair, "flood", 100), 20, "its bucket is empty");

    for number in 0..1_000 {
        let _ = fair.try_admit(&format!("bot {number}"));
    }

    assert_eq!(
        admitted(&fair, "flood", 100),
        0,
        "1,000 new names later it is still empty. If the oldest made room, a flood would change its name until its bucket \
         was forgotten, and come back to a full one"
    );
}

#[tokio::test(start_paused = true)]
async fn when_there_is_no_room_newcomers_share_a_bucket() {
    let fair = fair(2);
    admitted(&fair, "ada", 20);
    admitted(&fair, "barbara", 10);

    let newcomers: usize = (0..1_000).map(|n| admitted(&fair, &format!("bot {n}"), 1)).sum();

    assert_eq!(
        (newcomers, admitted(&fair, "barbara", 100), fair.tenants()),
        (20, 10, 2),
        "two tenants have their buckets. A thousand others have one for all of them, of 20; and those two keep theirs"
    );
    assert_eq!(
        fair.try_admit("one more"),
        Err(OverShare { retry_after: 10 * MILLISECOND }),
        "the shared bucket has a token again in 10 ms, as any other"
    );
    wait(50 * MILLISECOND).await;
    let more: usize = (0..1_000).map(|n| admitted(&fair, &format!("other bot {n}"), 1)).sum();
    assert_eq!(more, 5, "which fills as any other does: 5 in 50 ms");
}

#[tokio::test(start_paused = true)]
async fn a_full_bucket_makes_room() {
    let fair = fair(2);
    admitted(&fair, "ada", 20);
    wait(100 * MILLISECOND).await;
    admitted(&fair, "barbara", 20);
    admitted(&fair, "newcomers", 20);

    wait(100 * MILLISECOND - NANOSECOND).await;
    let early = (admitted(&fair, "edsger", 100), fair.tenants());
    wait(NANOSECOND).await;
    let in_time = admitted(&fair, "edsger", 100);

    assert_eq!(
        early,
        (9, 2),
        "Ada's bucket is not full for another nanosecond: a newcomer has what is in the shared one"
    );
    assert_eq!(
        (in_time, admitted(&fair, "barbara", 100), fair.tenants()),
        (20, 10, 2),
        "now Ada's is full, and a full bucket is as good as none: Edsger has one of his own, and Barbara keeps hers"
    );
    assert_eq!(
        admitted(&fair, "ada", 100),
        1,
        "Ada is a newcomer now. In the shared bucket one token has come since it was emptied a nanosecond ago"
    );
}

#[tokio::test(start_paused = true)]
async fn whichever_bucket_is_full_first_makes_room() {
    let fair = fair(2);
    admitted(&fair, "ada", 20);
    admitted(&fair, "barbara", 10);
    wait(100 * MILLISECOND).await;
    admitted(&fair, "edsger", 5);
    assert_eq!(admitted(&fair, "newcomers", 100), 20, "Ada and Edsger have the two buckets");

    wait(50 * MILLISECOND).await;

    assert_eq!(
        admitted(&fair, "grace", 100),
        20,
        "of two tenants that have one, Ada came first, and hers is full in 50 ms; Edsger's is full now. So Grace has one of her \
         own, and not the 5 tokens that are in the shared one. Whoever remembers when to look for a full bucket next has to \
         think of those that came since"
    );
}
