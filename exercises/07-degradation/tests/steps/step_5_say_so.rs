//! Step 5: an answer that is less than it was says so, to caches and to people.

use std::fmt::Write as _;
use std::time::Duration;

use degradation::{Features, SHOP, Source, Sourced};

use super::{MILLISECOND, NANOSECOND, SECOND};

const MINUTE: Duration = Duration::from_secs(60);
const OLD: Source = Source::Cached { age: Duration::from_secs(90) };
const OLDER: Source = Source::Cached { age: Duration::from_secs(91) };

fn headers(source: Source, fresh_for: Duration) -> String {
    let fields: Vec<_> = source
        .headers(fresh_for)
        .into_iter()
        .map(|(name, value)| format!("{name}: {value}"))
        .collect();
    fields.join(", ")
}

#[test]
fn a_value_keeps_its_source_when_it_is_changed() {
    let mut sources = Vec::new();

    for source in [Source::Fresh, OLD, Source::Static] {
        let length = Sourced { value: "stock: 3", source }.map(str::len);
        assert_eq!(length.value, 8, "the value is changed");
        sources.push(length.source);
    }

    assert_eq!(sources, [Source::Fresh, OLD, Source::Static], "where it comes from isn't");
}

#[test]
fn an_answer_is_as_degraded_as_its_worst_part() {
    let order = [Source::Fresh, OLD, OLDER, Source::Static];
    let mut wrong = Vec::new();

    for (left, a) in order.into_iter().enumerate() {
        for (right, b) in order.into_iter().enumerate() {
            let joined =
                Sourced { value: left, source: a }.join(Sourced { value: right, source: b });
            assert_eq!(joined.value, (left, right), "both values, in their order");
            if joined.source != order[left.max(right)] {
                wrong.push((a, b, joined.source));
            }
        }
    }

    assert_eq!(
        wrong,
        [],
        "a page of a fresh price and a stock count of 90 s ago is 90 s old, on whichever side it stands"
    );
}

#[test]
fn only_a_fresh_answer_may_be_stored() {
    let mut table = String::new();

    for source in [Source::Fresh, OLD, Source::Static] {
        writeln!(table, "{}", headers(source, MINUTE)).unwrap();
    }

    insta::assert_snapshot!(
        table,
        "a cache on the way that stores a degraded answer serves it for as long as a fresh one, when the \
         dependency has recovered. Saying nothing doesn't help: then the cache may choose a lifetime for itself",
        @"
        cache-control: max-age=60
        cache-control: no-store, age: 90, degraded: cached
        cache-control: no-store, degraded: static
        "
    );
}

#[test]
fn no_answer_is_said_to_be_younger_than_it_is() {
    let mut table = String::new();

    for age in [
        Duration::ZERO,
        NANOSECOND,
        999 * MILLISECOND,
        SECOND,
        SECOND + NANOSECOND,
        86_399 * SECOND + NANOSECOND,
        86_400 * SECOND,
    ] {
        writeln!(table, "{age:?} old: {}", headers(Source::Cached { age }, MINUTE)).unwrap();
    }
    for fresh_for in [2 * SECOND - NANOSECOND, SECOND - NANOSECOND] {
        writeln!(table, "fresh for {fresh_for:?}: {}", headers(Source::Fresh, fresh_for)).unwrap();
    }

    insta::assert_snapshot!(
        table,
        "the age is in whole seconds, and is rounded up; for how long it may be stored is rounded down",
        @"
        0ns old: cache-control: no-store, age: 0, degraded: cached
        1ns old: cache-control: no-store, age: 1, degraded: cached
        999ms old: cache-control: no-store, age: 1, degraded: cached
        1s old: cache-control: no-store, age: 1, degraded: cached
        1.000000001s old: cache-control: no-store, age: 2, degraded: cached
        86399.000000001s old: cache-control: no-store, age: 86400, degraded: cached
        86400s old: cache-control: no-store, age: 86400, degraded: cached
        fresh for 1.999999999s: cache-control: max-age=1
        fresh for 999.999999ms: cache-control: max-age=0
        "
    );
}

#[test]
fn the_user_is_told_what_is_simplified() {
    let features = Features::new(&SHOP).expect("the table of the shop is right");
    let mut told = String::new();

    for (name, source) in [
        ("search", Some(Source::Fresh)),
        ("search", Some(OLD)),
        ("pricing", Some(Source::Static)),
        ("inventory", Some(Source::Cached { age: Duration::ZERO })),
        ("checkout", None),
    ] {
        let notice = features.notice(name, source).expect("a feature of the table");
        writeln!(told, "{name}: {}", notice.unwrap_or("-")).unwrap();
    }
    let unknown =
        [Some(Source::Fresh), Some(OLD), None].map(|source| features.notice("serach", source));

    insta::assert_snapshot!(
        told,
        "a user forgives a limitation that he knows of; a copy is a copy, be it from this moment; and of what \
         isn't there (off, or without an answer) he is told as well",
        @"
        search: -
        search: Search is temporarily simplified.
        pricing: Prices are those of our list. Offers return soon.
        inventory: The stock shown may be out of date. We confirm it with your order.
        checkout: Orders are not possible at the moment. Your basket is kept.
        "
    );
    assert!(
        unknown.into_iter().all(|notice| notice.is_err_and(|error| error.name == "serach")),
        "an unknown feature is an error here as well, and not a feature without a notice"
    );
}
