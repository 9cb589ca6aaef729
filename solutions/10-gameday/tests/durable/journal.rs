//! The journal: what was acknowledged is there, and what was not is whole or not there.

use gameday_solution::journal::{Journal, Record, State};

use crate::disk::World;

fn record(number: u32) -> Record {
    Record { order: format!("order-{number}"), amount_cents: 100 * number, state: State::Paid }
}

fn open(world: &World) -> (Journal, Vec<Record>) {
    Journal::on(world.clone(), &world.on_disk()).unwrap()
}

#[tokio::test]
async fn an_acknowledged_record_is_synced() {
    let world = World::without_end();
    let (journal, _) = open(&world);

    for number in 1..=3 {
        journal.append(&record(number)).await.unwrap();

        let (_, read) = Journal::on(World::without_end(), &world.on_disk()).unwrap();
        assert_eq!(
            read.last(),
            Some(&record(number)),
            "record {number} was acknowledged, and a power cut would lose it: sync before the answer"
        );
    }
}

#[tokio::test]
async fn a_file_that_ends_anywhere_is_read_up_to_its_last_whole_record_and_goes_on_from_there() {
    let world = World::without_end();
    let (journal, _) = open(&world);
    let mut ends = vec![0];
    for number in 1..=3 {
        journal.append(&record(number)).await.unwrap();
        ends.push(world.on_disk().len());
    }
    let whole = world.on_disk();

    for length in 0..=whole.len() {
        let before = ends.iter().filter(|end| **end <= length).count() - 1;
        let cut_off = World::without_end().after_restart(&whole[..length]);
        let (journal, read) = open(&cut_off);
        journal.append(&record(9)).await.unwrap();

        let mut expected: Vec<_> = (1..=3).take(before).map(record).collect();
        assert_eq!(read, expected, "of a file that ends after {length} bytes");
        expected.push(record(9));
        assert_eq!(open(&cut_off).1, expected, "written after {length} bytes");
    }
}

#[tokio::test]
async fn a_full_disk_fails_the_record_and_leaves_no_half_of_it() {
    let world = World::without_end();
    let (journal, _) = open(&world);
    journal.append(&record(1)).await.unwrap();

    world.has_room_for(Some(10));
    let refused = journal.append(&record(2)).await;
    let while_full = world.survives(|unsynced| unsynced);
    world.has_room_for(None);
    journal.append(&record(3)).await.unwrap();

    assert!(refused.is_err(), "ten bytes of a record are no record");
    assert_eq!(Journal::on(World::without_end(), &while_full).unwrap().1, [record(1)]);
    assert!(while_full.ends_with(b"\n"), "half a record was left: cut it off at once");
    assert_eq!(open(&world).1, [record(1), record(3)]);
}

#[tokio::test]
async fn nothing_is_written_behind_half_a_record() {
    let world = World::without_end();
    let (journal, _) = open(&world);
    world.has_room_for(Some(10));
    world.cuts_fail(true);
    journal.append(&record(1)).await.unwrap_err();

    world.has_room_for(None);
    let refused = journal.append(&record(2)).await;
    world.cuts_fail(false);
    journal.append(&record(3)).await.unwrap();

    assert!(refused.is_err(), "a record behind half a record is one damaged line");
    assert_eq!(open(&world).1, [record(3)]);
}

#[tokio::test]
async fn a_damaged_line_costs_that_record_alone() {
    let world = World::without_end();
    let (journal, _) = open(&world);
    for number in 1..=3 {
        journal.append(&record(number)).await.unwrap();
    }
    let mut content = world.on_disk();
    let in_the_second = content.len() / 2;
    content[in_the_second] ^= 1;

    let (_, read) = Journal::on(World::without_end(), &content).unwrap();

    assert_eq!(read, [record(1), record(3)]);
}

#[tokio::test]
async fn a_file_on_disk_is_found_again() {
    let folder = tempfile::tempdir().unwrap();
    let journal = folder.path().join("a");
    let (open, read) = Journal::open(&journal).unwrap();
    assert_eq!(read, []);
    open.append(&record(1)).await.unwrap();
    drop(open);

    assert_eq!(Journal::open(&journal).unwrap().1, [record(1)]);
}
