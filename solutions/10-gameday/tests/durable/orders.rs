//! Orders: whatever happens at whatever moment, what a client was told stays true.

use std::future::pending;

use gameday_solution::journal::{Journal, State};
use gameday_solution::orders::{NotTaken, Orders, Outcome};

use crate::disk::World;

const KEY: &str = "order-1";
const AMOUNT: u32 = 995;

/// What becomes of a payment.
#[derive(Debug, Clone, Copy)]
enum Fate {
    Answered,
    /// It arrives, and its answer does not.
    AnswerLost,
    NotSent,
}

/// What a power cut leaves of the bytes that were not synced.
const SURVIVORS: [fn(usize) -> usize; 3] = [|_| 0, |unsynced| unsynced / 2, |unsynced| unsynced];

fn open(world: &World) -> Orders {
    let (journal, records) = Journal::on(world.clone(), &world.on_disk()).unwrap();
    Orders::new(journal, records)
}

/// A payment, event by event.
async fn pay(world: &World, fate: Fate) -> Outcome {
    let (_, on_disk) = Journal::on(World::without_end(), &world.on_disk()).unwrap();
    assert!(
        on_disk.iter().any(|order| order.order == KEY),
        "money moves, and the order is not on disk: after a crash nobody knows of it"
    );
    if let Fate::NotSent = fate {
        return Outcome::NotCharged;
    }
    if !world.goes_on() {
        return pending().await;
    }
    world.charge(KEY, AMOUNT);
    if !world.goes_on() {
        return pending().await;
    }
    match fate {
        Fate::AnswerLost => Outcome::Unknown,
        _ => Outcome::Paid,
    }
}

/// What the client is told, unless the machine goes off first.
async fn order(world: &World, fate: Fate) -> Option<Result<State, NotTaken>> {
    let orders = open(world);
    let at_work = orders.enter(KEY).await;
    let told = tokio::select! {
        told = orders.place(&at_work, AMOUNT, pay(world, fate)) => Some(told),
        () = world.crashed() => None,
    };
    told.filter(|_| !world.has_ended())
}

/// Settles what is pending, as the shop does after a restart.
async fn settle(world: &World, orders: &Orders) {
    for key in orders.pending() {
        let (at_work, order) = orders.take_up(&key).expect("nobody else works on it");
        world.charge(&order.order, order.amount_cents);
        orders.settle(&at_work, Outcome::Paid).await;
    }
}

/// Calls `check` for a crash after each number of events, with each survivor of the disk and each fate.
async fn at_every_crash(check: impl AsyncFn(Option<Result<State, NotTaken>>, World, String)) {
    for events in 0..=8 {
        for (number, survives) in SURVIVORS.into_iter().enumerate() {
            for fate in [Fate::Answered, Fate::AnswerLost, Fate::NotSent] {
                let world = World::ending_after(events);
                let told = order(&world, fate).await;
                let after = world.after_restart(&world.survives(survives));
                let when = format!("{fate:?}, a crash after {events} events, survivor {number}");
                check(told, after, when).await;
            }
        }
    }
}

#[tokio::test]
async fn what_was_acknowledged_is_paid_once_in_the_end() {
    at_every_crash(async |told, world, when| {
        let orders = open(&world);
        let known = orders.find(KEY).map(|order| order.state);
        settle(&world, &orders).await;

        if let Some(Ok(told)) = told {
            assert!(known.is_some(), "told {told:?}, and it is forgotten: {when}");
            assert_eq!(orders.find(KEY).unwrap().state, State::Paid, "{when}");
            assert_eq!(world.charges(), [(KEY.to_owned(), AMOUNT)], "{when}");
        }
    })
    .await;
}

#[tokio::test]
async fn what_was_refused_is_not_charged_and_not_owed() {
    at_every_crash(async |told, world, when| {
        let orders = open(&world);
        settle(&world, &orders).await;

        if let Some(Err(_)) = told {
            assert_eq!(world.charges(), [], "{when}");
            assert_eq!(orders.find(KEY), None, "{when}");
        }
    })
    .await;
}

#[tokio::test]
async fn what_was_charged_is_known_whoever_was_told() {
    at_every_crash(async |_, world, when| {
        let orders = open(&world);
        settle(&world, &orders).await;

        for (key, _) in world.charges() {
            let state = orders.find(&key).map(|order| order.state);
            assert_eq!(state, Some(State::Paid), "charged, and nobody knows of an order: {when}");
        }
        assert!(orders.pending().is_empty(), "{when}");
    })
    .await;
}

#[tokio::test]
async fn every_crash_was_among_them() {
    let world = World::ending_after(6);
    assert_eq!(order(&world, Fate::Answered).await, None);
    let world = World::ending_after(7);
    assert_eq!(
        order(&world, Fate::Answered).await,
        Some(Ok(State::Paid)),
        "an order is six events: two writes, two syncs, a payment and its answer; does one more come in \
         `at_every_crash`?"
    );
}

#[tokio::test]
async fn an_order_that_can_not_be_written_is_not_charged() {
    let world = World::without_end();
    world.has_room_for(Some(5));

    let told = order(&world, Fate::Answered).await;

    assert!(matches!(told, Some(Err(NotTaken::NotWritten(_)))), "{told:?}");
    assert_eq!(world.charges(), []);
}

#[tokio::test]
async fn a_payment_that_can_not_be_noted_leaves_a_pending_order() {
    let world = World::without_end();
    let orders = open(&world);
    let at_work = orders.enter(KEY).await;
    let pay_and_fill = async {
        let outcome = pay(&world, Fate::Answered).await;
        world.has_room_for(Some(5));
        outcome
    };

    let told = orders.place(&at_work, AMOUNT, pay_and_fill).await;

    assert_eq!(told, Ok(State::Pending), "on disk it is pending: that is what can be promised");
    world.has_room_for(None);
    drop(at_work);
    settle(&world, &orders).await;
    assert_eq!(orders.find(KEY).unwrap().state, State::Paid);
}

#[tokio::test]
async fn two_requests_for_one_key_are_one_after_the_other() {
    let orders = open(&World::without_end());
    let first = orders.enter(KEY).await;

    let mut second = Box::pin(orders.enter(KEY));
    tokio::select! {
        biased;
        _ = &mut second => panic!("two work on one order at the same time"),
        () = std::future::ready(()) => {}
    }
    drop(first);
    second.await;
}

#[tokio::test]
async fn an_order_that_was_given_up_since_the_list_was_made_is_not_settled() {
    let orders = open(&World::without_end());
    let at_work = orders.enter(KEY).await;
    let pending_meanwhile = std::cell::OnceCell::new();
    let not_charged = async {
        pending_meanwhile.set(orders.pending()).unwrap();
        assert!(orders.take_up(KEY).is_none(), "its request is still working on it");
        Outcome::NotCharged
    };

    let told = orders.place(&at_work, AMOUNT, not_charged).await;
    drop(at_work);

    assert_eq!(told, Err(NotTaken::NotCharged));
    assert_eq!(pending_meanwhile.into_inner().unwrap(), [KEY]);
    assert!(
        orders.take_up(KEY).is_none(),
        "its client was told that nothing is owed: settling it now charges for nothing"
    );
}
