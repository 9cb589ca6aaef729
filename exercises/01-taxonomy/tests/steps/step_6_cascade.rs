//! Step 6: many services are unhealthy, and one of them is why.

use std::collections::BTreeMap;

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
}

#[test]
fn where_all_are_healthy_there_is_no_root() {
    assert_eq!(roots_of([well("api", &["database"]), well("database", &[])]), "", "nothing is ill");
    assert_eq!(roots_of([]), "", "nor is there in no services at all");
}

#[test]
fn a_service_that_fails_by_itself_is_its_own_root() {
    assert_eq!(
        roots_of([ill("api", &["database"]), well("database", &[]), well("page", &["api"])]),
        "[api]",
        "everything that it depends on is well, and what depends on it bears with it"
    );
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
}

#[test]
fn an_unknown_name_is_an_error_and_not_a_healthy_service() {
    let services = BTreeMap::from([
        well("api", &["search"]),
        ill("page", &["api", "databse", "serach"]),
        well("search", &[]),
        well("zoo", &["kepeer"]),
    ]);

    assert_eq!(
        roots(&services),
        Err(UnknownDependency { service: "page".to_owned(), dependency: "databse".to_owned() }),
        "a slip in the graph would make the page the root of everything that the database does. Healthy \
         services are checked too: the graph is wrong before it is needed"
    );
    assert_eq!(
        roots_of([well("api", &["databse"])]),
        "api depends on databse, which is not in the graph: add it, or mend the name",
        "all are healthy, and the graph is wrong all the same"
    );
}
