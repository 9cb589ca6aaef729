//! Step 6: many services are unhealthy, and one of them is why.

use std::collections::BTreeMap;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use taxonomy::{Service, UnknownDependency, roots};

/// A healthy service and what it depends on.
const fn well<'a>(name: &'a str, depends_on: &'a [&'a str]) -> (&'a str, Service<'a>) {
    (name, Service { healthy: true, depends_on })
}

/// An unhealthy service and what it depends on.
const fn ill<'a>(name: &'a str, depends_on: &'a [&'a str]) -> (&'a str, Service<'a>) {
    (name, Service { healthy: false, depends_on })
}

/// The roots as text, a group in brackets: `[cache, queue] [disk]`.
fn roots_of<const N: usize>(services: [(&str, Service<'_>); N]) -> String {
    match roots(&BTreeMap::from(services)) {
        Ok(groups) => {
            let groups = groups.iter().map(|group| format!("[{}]", group.join(", ")));
            groups.collect::<Vec<_>>().join(" ")
        }
        Err(unknown) => unknown.to_string(),
    }
}

#[test]
fn the_root_is_the_unhealthy_service_without_an_unhealthy_dependency() {
    assert_eq!(
        roots_of([
            ill("api", &["database", "search"]),
            ill("database", &[]),
            ill("page", &["api"]),
            well("search", &[]),
        ]),
        "[database]",
        "the page has the complaints and the api has the errors, but both stand on the database"
    );
    assert_eq!(
        roots_of([ill("api", &["database", "database"]), ill("database", &[])]),
        "[database]",
        "and if a dependency is listed twice, it is still one"
    );
}

#[test]
fn a_service_that_fails_by_itself_is_its_own_root() {
    assert_eq!(
        roots_of([ill("api", &["database"]), well("database", &[]), well("page", &["api"])]),
        "[api]",
        "everything that it depends on is well, and what depends on it bears with it"
    );
    assert_eq!(roots_of([well("api", &["database"]), well("database", &[])]), "", "nothing is ill");
    assert_eq!(roots_of([]), "", "nor is there in no services at all");
}

#[test]
fn two_failures_at_once_have_two_roots() {
    assert_eq!(
        roots_of([
            ill("api", &["database", "search"]),
            ill("database", &["disk"]),
            ill("disk", &[]),
            ill("page", &["api"]),
            ill("search", &[]),
        ]),
        "[disk] [search]",
        "an incident with two causes isn't over when one of them is mended"
    );
}

#[test]
fn a_healthy_service_between_two_failures_separates_them() {
    assert_eq!(
        roots_of([ill("page", &["api"]), well("api", &["database"]), ill("database", &[])]),
        "[database] [page]",
        "the api is well without the database, from a cache for example: so the database is not why \
         the page fails"
    );
    assert_eq!(
        roots_of([ill("auth", &["config"]), ill("config", &["store"]), well("store", &["auth"])]),
        "[config]",
        "nor does the failure of auth come round to config, for the store between them is well"
    );
}

#[test]
fn a_circle_of_unhealthy_services_is_one_root() {
    assert_eq!(
        roots_of([
            ill("auth", &["config"]),
            ill("config", &["store"]),
            ill("page", &["auth"]),
            well("search", &[]),
            ill("store", &["auth"]),
        ]),
        "[auth, config, store]",
        "each of the three has an unhealthy dependency, so none of them is a root alone, and yet it \
         began there. The page leans on the circle and is no part of it"
    );
    assert_eq!(roots_of([ill("cron", &["cron"])]), "[cron]", "a circle of one is a root as well");
    assert_eq!(
        roots_of([ill("a", &["z"]), ill("b", &["c"]), ill("c", &["b"]), ill("z", &["a"])]),
        "[a, z] [b, c]",
        "two circles that have nothing to do with each other, in ascending order"
    );
    assert_eq!(
        roots_of([ill("a", &["b", "c"]), ill("b", &["a"]), ill("c", &["a"])]),
        "[a, b, c]",
        "two circles that meet in a are one group: each of the three depends on both others"
    );
    assert_eq!(
        roots_of([ill("a", &["b"]), ill("b", &["a"]), ill("z", &[])]),
        "[a, b] [z]",
        "a circle and a service alone are both roots, in ascending order of their first names"
    );
}

#[test]
fn a_circle_that_stands_on_something_unhealthy_is_no_root() {
    assert_eq!(
        roots_of([
            ill("auth", &["config"]),
            ill("config", &["store"]),
            ill("disk", &[]),
            ill("store", &["auth", "disk"]),
        ]),
        "[disk]",
        "each of the circle depends on the disk by way of the others"
    );
    assert_eq!(
        roots_of([ill("cron", &["cron", "disk"]), ill("disk", &[])]),
        "[disk]",
        "nor is a circle of one, if there is more beneath it than itself"
    );
    assert_eq!(
        roots_of([ill("a", &["b"]), ill("b", &["a", "c"]), ill("c", &["d"]), ill("d", &["c"])]),
        "[c, d]",
        "a and b are a circle that stands on the circle of c and d: only the lower one is a root"
    );
}

/// Every graph of these services, all unhealthy, in which none depends on itself.
fn every_graph_of<const N: usize>(names: [&str; N]) -> impl Iterator<Item = Vec<Vec<&str>>> {
    (0..1_u32 << (N * (N - 1))).map(move |arrows| {
        let others = |from: usize| (0..N).filter(move |to| *to != from).enumerate();
        let calls = |from: usize, place: usize| arrows >> (from * (N - 1) + place) & 1 == 1;
        let depends_on = |from: usize| {
            others(from).filter(move |(place, _)| calls(from, *place)).map(|(_, to)| names[to])
        };
        (0..N).map(|from| depends_on(from).collect()).collect()
    })
}

#[test]
fn in_every_graph_a_root_is_a_smallest_group_that_stands_on_nothing_else() {
    const NAMES: [&str; 4] = ["a", "b", "c", "d"];

    for graph in every_graph_of(NAMES) {
        let services = NAMES.iter().zip(&graph).map(|(name, depends_on)| ill(name, depends_on));
        // A group stands on nothing else if all that its members depend on is in it.
        let stands_alone = |group: &Vec<&str>| {
            let members = NAMES.iter().zip(&graph).filter(|(name, _)| group.contains(name));
            members.flat_map(|(_, depends_on)| depends_on).all(|name| group.contains(name))
        };
        let groups = (1..1_usize << NAMES.len()).map(|members| {
            (0..NAMES.len()).filter(|at| members >> at & 1 == 1).map(|at| NAMES[at]).collect()
        });
        let mut groups: Vec<Vec<&str>> = groups.filter(stands_alone).collect();
        groups.sort_unstable_by_key(Vec::len);
        let mut expected: Vec<Vec<&str>> = Vec::new();
        for group in groups {
            if !expected.iter().any(|smaller| smaller.iter().all(|name| group.contains(name))) {
                expected.push(group);
            }
        }
        expected.sort_unstable();

        assert_eq!(
            roots(&services.collect()),
            Ok(expected),
            "a, b, c and d are unhealthy, and depend on {graph:?}, in this order. Where something is \
             unhealthy there is a root, and from every service a way leads down to one. If one is missing, look at \
             what is remembered of a service while a circle through it is still being walked"
        );
    }
}

#[test]
fn a_service_that_is_reached_in_many_ways_is_looked_at_once() {
    // So many layers of two services, each of which depends on both of the next.
    fn roots_of_layers(layers: usize) -> String {
        let names: Vec<[String; 2]> =
            (0..layers).map(|layer| ["a", "b"].map(|side| format!("{layer:02}{side}"))).collect();
        let names: Vec<[&str; 2]> = names.iter().map(|[a, b]| [a.as_str(), b.as_str()]).collect();
        let mut services = BTreeMap::new();
        for (layer, pair) in names.iter().enumerate() {
            let depends_on = names.get(layer + 1).map_or(&[][..], |next| &next[..]);
            services.extend(pair.map(|name| ill(name, depends_on)));
        }
        format!("{:?}", roots(&services))
    }

    assert_eq!(roots_of_layers(3), r#"Ok([["02a"], ["02b"]])"#, "both of the lowest layer");

    // On a thread of its own, so that there is an answer also if this never ends.
    let (answer, answered) = mpsc::channel();
    thread::spawn(move || answer.send(roots_of_layers(40)));
    // Less than `verify` gives a check, so that this sentence is what is shown.
    assert_eq!(
        answered.recv_timeout(Duration::from_secs(4)),
        Ok(r#"Ok([["39a"], ["39b"]])"#.to_owned()),
        "80 services, and 2^39 ways from the top to the bottom: don't walk all of them, but remember \
         which services were found. It is over in some milliseconds then"
    );
}

#[test]
fn an_unknown_name_is_an_error_and_not_a_healthy_service() {
    let services = BTreeMap::from([
        well("api", &["search", "serach", "databse"]),
        ill("page", &["cahce"]),
        well("search", &[]),
    ]);

    assert_eq!(
        roots(&services),
        Err(UnknownDependency { service: "api".to_owned(), dependency: "serach".to_owned() }),
        "the first service in ascending order, and what comes first in its list. A slip in a name would \
         hide what lies beneath. Healthy services are checked too: the graph is wrong before it is \
         needed"
    );
    assert_eq!(
        roots_of([well("api", &["databse"])]),
        "api depends on databse, which is not in the graph: add it, or mend the name",
        "all are healthy, and the graph is wrong all the same"
    );
}
