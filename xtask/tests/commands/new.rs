use crate::workbook::{Ran, Workbook};

/// What the template takes from the workspace; what a lab and a bench need is not built here.
fn with_the_workspace_of_the_template() -> Workbook {
    let workbook = Workbook::new();
    let manifest = workbook.read("Cargo.toml");
    workbook.write(
        "Cargo.toml",
        &format!(
            "{}[workspace.package]\nversion = \"0.1.0\"\nedition = \"2024\"\nrust-version = \"1.95\"\nlicense = \"MIT\"\npublish = false\n\
             [workspace.dependencies]\nanyhow.path = \"fixtures/anyhow\"\ntokio.path = \"fixtures/tokio\"\nwitness.path = '{}'\n\
             [workspace.lints.rust]\nunsafe_code = \"forbid\"\nmissing_docs = \"warn\"\n",
            manifest.replace("    \"solutions/*\"", "    \"fixtures/*\",\n    \"solutions/*\""),
            Workbook::witness().display(),
        ),
    );
    for (name, feature) in [
        ("anyhow", "std"),
        ("lab-kit", "lab"),
        ("stopwatch", "x"),
        ("storm", "x"),
        ("tokio", "time"),
    ] {
        let manifest = format!(
            "[package]\nname = \"{name}\"\nedition = \"2024\"\n[features]\n{feature} = []\n"
        );
        workbook.write(&format!("fixtures/{name}/Cargo.toml"), &manifest);
        workbook.write(&format!("fixtures/{name}/src/lib.rs"), "");
    }
    workbook
}

fn ok(ran: &Ran) -> &str {
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    &ran.stdout
}

#[test]
fn a_new_exercise_is_a_draft_that_check_accepts() {
    let workbook = with_the_workspace_of_the_template();
    ok(&workbook.xtask(&["check", "--bless"]));

    let ran = workbook.xtask(&["new", "03-load-shedding"]);
    insta::assert_snapshot!(ok(&ran), @r"
    03-load-shedding is a draft: lists leave it out, and so does `verify` without a name.
       Cargo.toml
       book/src/SUMMARY.md
       book/src/load-shedding/begin.md
       book/src/load-shedding/lab.md
       book/src/load-shedding/production.md
       book/src/load-shedding.md
       exercises/03-load-shedding/Cargo.toml
       exercises/03-load-shedding/bench/Cargo.toml
       exercises/03-load-shedding/bench/benches/load-shedding.rs
       exercises/03-load-shedding/exercise.toml
       exercises/03-load-shedding/lab/Cargo.toml
       exercises/03-load-shedding/lab/src/main.rs
       exercises/03-load-shedding/src/lib.rs
       exercises/03-load-shedding/tests/spec.rs
       exercises/03-load-shedding/tests/steps/mod.rs
       exercises/03-load-shedding/tests/steps/step_1_begin.rs
       solutions/03-load-shedding/Cargo.toml
       solutions/03-load-shedding/mistakes/one-too-many.patch
       solutions/03-load-shedding/src/lib.rs
       solutions/03-load-shedding/src/root.rs
       solutions/03-load-shedding/tests/spec.rs

     look     cargo xtask verify load-shedding
     hold     cargo xtask check load-shedding
     storm    cargo xtask lab load-shedding
     renew    cargo xtask check --bless load-shedding, after each change of its starter or its spec
     publish  remove `draft = true` from exercises/03-load-shedding/exercise.toml, then cargo xtask check --bless
    ");
    let contents = workbook.read("book/src/SUMMARY.md");
    let nested = "- [Load shedding](load-shedding.md)\n  - [As many as there is room for](load-shedding/begin.md)\n";
    assert!(contents.contains(nested), "{contents}");
    let members = workbook.read("Cargo.toml");
    assert!(
        members.contains("\"exercises/02-summer\",\n    \"exercises/03-load-shedding\",\n"),
        "{members}"
    );

    let ran = workbook.xtask(&["check", "load-shedding"]);
    insta::assert_snapshot!(ok(&ran), @r"
    1. exercise.toml, spec, chapter, .starter and spec.sum agree
       in order

    2. Each starter compiles, and its checks fail by their todo!
       load-shedding: 1 check
       in order

    3. Each solution passes every check, in the place of the reader's code too
       load-shedding: 1 check
       in order

    4. Each right answer of another design passes every check
       load-shedding: 0 right answers
       in order

    5. Each mistake is caught by the check that it names
       load-shedding: 1 mistake
       in order

    6. The solutions hold under loom
       load-shedding-solution: no tests/loom.rs
       in order

    check: 6 parts in order
    ");
    let ran = workbook.xtask(&["verify", "load-shedding"]);
    insta::assert_snapshot!(ran.stdout, @r"
    03 load-shedding   not started, a draft

    Every check fails until you write its code: that is the starting point.
    Open exercises/03-load-shedding/src/lib.rs, replace the todo!() of step 1,
    and run `cargo xtask verify` again.

    next: step 1, begin                exercises/03-load-shedding/src/lib.rs:11
      to do   the_last_place_is_given_and_no_more
              step 1: admit a call, or don't, while 0 of 3 run
      read    cargo xtask book --open load-shedding/begin
      hint    cargo xtask hint load-shedding 1
    ");
    let ran = workbook.xtask(&["verify"]);
    assert!(
        !ran.stdout.contains("load-shedding"),
        "a draft is no reader's business: {}",
        ran.stdout
    );

    // A published exercise has to be whole.
    workbook.replace("exercises/03-load-shedding/exercise.toml", "draft = true", "draft = false");
    let ran = workbook.xtask(&["check", "--only", "format,starters", "load-shedding"]);
    assert_eq!(ran.code, 1);
    assert!(ran.stdout.contains("1 steps; join or split them to have 5 to 7"), "{}", ran.stdout);
    assert!(ran.stdout.contains("step_1_begin: 1 check; a step has 3 to 12"), "{}", ran.stdout);
}

#[test]
fn what_is_there_already_is_not_written_over() {
    let workbook = with_the_workspace_of_the_template();
    for (folder, reason) in [
        ("02-load-shedding", "02-summer has this number already"),
        ("03-summer", "there is an exercise `summer` already: 02-summer"),
        ("load-shedding", "is not a number of two digits and an id"),
    ] {
        let ran = workbook.xtask(&["new", folder]);
        assert_eq!(ran.code, 2, "{folder}");
        assert!(ran.stderr.contains(reason), "{}", ran.stderr);
    }
    workbook.write("book/src/load-shedding.md", "# Mine\n");
    let ran = workbook.xtask(&["new", "03-load-shedding"]);
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains("book/src/load-shedding.md exists already"), "{}", ran.stderr);
    assert!(!workbook.path("exercises/03-load-shedding").exists(), "nothing is begun");
}
