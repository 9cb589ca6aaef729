use std::path::Path;

use crate::workbook::Workbook;

fn mistake(workbook: &Workbook, name: &str, header: &str, from: &str, to: &str) {
    let diff = format!(
        "--- a/src/lib.rs\n+++ b/src/lib.rs\n@@ -1,3 +1,3 @@\n pub fn add_1(x: u32) -> u32 {{\n-    {from}\n+    {to}\n }}\n"
    );
    workbook.write(
        &format!("solutions/01-adder/mistakes/{name}.patch"),
        &format!("{header}\n---\n{diff}"),
    );
}

fn header(caught_by: &str) -> String {
    format!(
        "title: One is forgotten.\nwhy: it is easily\n  forgotten\nwhere: nowhere 1.0, issue 1\ncaught-by: {caught_by}"
    )
}

#[test]
fn a_sound_workbook_is_in_order() {
    let workbook = Workbook::new();
    let caught_by = header("step_1_add_1::zero_grows_by_1");
    mistake(&workbook, "forgotten", &caught_by, "x + 1", "x");

    workbook.xtask(&["check", "--bless"]);
    let ran = workbook.xtask(&["check"]);

    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    insta::assert_snapshot!(ran.stdout.trim(), @r"
    1. exercise.toml, spec, chapter, .starter and spec.sum agree
       in order

    2. Each starter compiles, and its checks fail by their todo!
       adder: 15 checks
       summer: 15 checks
       in order

    3. Each solution passes every check, in the place of the reader's code too
       adder: 15 checks
       summer: 15 checks
       in order

    4. Each right answer of another design passes every check
       adder: 0 right answers
       summer: 0 right answers
       in order

    5. Each mistake is caught by the check that it names
       adder: 1 mistake
       summer: 0 mistakes
       in order

    6. The solutions hold under loom
       adder-solution: no tests/loom.rs
       summer-solution: no tests/loom.rs
       in order

    7. What `cargo test` leaves out passes too, the claims about published libraries in it
       every package is a default member
       in order

    8. The figures are current
       0 files
       in order

    9. The book is sound
       there is no book/builder: nothing to run
       in order

    check: 9 parts in order
    ");
    assert!(
        workbook.read("solutions/01-adder/src/lib.rs").contains("x + 1"),
        "only the copy was changed"
    );
}

#[test]
fn a_mistake_that_was_caught_is_tried_again_when_something_has_changed_or_its_exercise_is_named() {
    let workbook = Workbook::new();
    let caught_by = header("step_1_add_1::zero_grows_by_1");
    mistake(&workbook, "forgotten", &caught_by, "x + 1", "x");
    let check = |args: &[&str]| {
        let ran = workbook.xtask(&[&["check", "--only", "mistakes"], args].concat());
        ran.stdout
            .lines()
            .find(|line| line.contains("adder: "))
            .unwrap_or_default()
            .trim()
            .to_owned()
            + ran.stdout.lines().last().unwrap()
    };
    let (again, in_order) = ("adder: 1 mistake", "check: 1 part in order");
    let before = "adder: 1 mistake, 1 of them caught before in the same code";

    assert_eq!(check(&[]), format!("{again}{in_order}"));
    assert_eq!(check(&[]), format!("{before}{in_order}"));
    assert_eq!(check(&["adder"]), format!("{again}{in_order}"));

    let steps = "exercises/01-adder/tests/steps/step_1_add_1.rs";
    workbook.replace(steps, "assert_eq!(add_1(0), 1,", "assert_eq!(add_1(1), 1 + 1,");
    assert_eq!(check(&[]), format!("{again}{in_order}"), "the spec has changed");
    workbook.replace(steps, "assert_eq!(add_1(1), 1 + 1,", "assert_ne!(add_1(1), 5,");
    assert_eq!(check(&[]), format!("{again}check: 1 finding to mend"));
    assert_eq!(
        check(&[]),
        format!("{again}check: 1 finding to mend"),
        "what was not caught is tried again"
    );
}

#[test]
fn a_hint_that_holds_a_line_of_the_solution_is_a_finding() {
    let workbook = Workbook::new();
    let line = "x.checked_add(1).expect(\"a small number\")";
    workbook.replace("solutions/01-adder/src/lib.rs", "x + 1", line);
    let toml = "exercises/01-adder/exercise.toml";
    workbook.replace(toml, "\"c\"]", "'It is `x.checked_add(1)` and `expect`.']");
    let check = || workbook.xtask(&["check", "--only", "format", "adder"]).stdout;
    assert!(!check().contains("holds a line"), "a call by its name is a push: {}", check());

    workbook.replace(toml, "`x.checked_add(1)` and `expect`", &format!("`{line}`"));
    let told = "a hint of step `add-1` holds a line of the solution, `x.checked_add(1).expect(\"a small number\")`";
    assert!(check().contains(told), "{}", check());
}

#[test]
fn a_mistake_that_its_check_does_not_catch_is_a_finding() {
    let workbook = Workbook::new();
    workbook.xtask(&["check", "--bless"]);
    let caught_by = header("step_1_add_1::zero_grows_by_1");
    mistake(&workbook, "caught", &caught_by, "x + 1", "x");
    mistake(&workbook, "does-not-apply", &caught_by, "x - 1", "x");
    mistake(&workbook, "does-not-compile", &caught_by, "x + 1", "x + y");
    mistake(&workbook, "hangs", &caught_by, "x + 1", "loop { std::thread::park() }");
    mistake(&workbook, "incomplete", "title: One is forgotten.", "x + 1", "x");
    mistake(&workbook, "not-caught", &caught_by, "x + 1", "if x == 10 { 0 } else { x + 1 }");
    mistake(&workbook, "panics", &caught_by, "x + 1", "x.checked_sub(100).unwrap()");
    mistake(&workbook, "unknown-check", &header("step_1_add_1::no_such"), "x + 1", "x");

    let ran = workbook.xtask(&["check", "--only", "mistakes", "adder"]);

    assert_eq!(ran.code, 1, "{}", ran.stderr);
    insta::assert_snapshot!(ran.stdout.trim(), @r"
    1. Each mistake is caught by the check that it names
       adder: 8 mistakes
       wrong  01-adder/mistakes/does-not-apply.patch: rewrite the patch against the solution, to which it does not apply: error applying hunk #1
       wrong  01-adder/mistakes/incomplete.patch: the header needs `why: …`
       wrong  01-adder/mistakes/unknown-check.patch: caught-by: step 1 has no check `no_such`
       wrong  01-adder/mistakes/does-not-compile.patch: it does not compile:
              error[E0425]: cannot find value `y` in this scope
               --> solutions/01-adder/src/lib.rs:2:9
                |
              2 |     x + y
                |         ^
                |
              help: a local variable with a similar name exists
                |
              2 -     x + y
              2 +     x + x
                |
       wrong  01-adder/mistakes/hangs.patch: `step_1_add_1::zero_grows_by_1` fails with this mistake in place, but not by its assertion; have the check assert what the mistake breaks:
              stopped after 10 s, still waiting: an await, a lock or a channel that nobody completes?
                also       step_1_add_1::one_grows_by_1
                also       step_1_add_1::ten_grows_by_1
       wrong  01-adder/mistakes/not-caught.patch: `step_1_add_1::zero_grows_by_1` passes with this mistake in place: sharpen the check, or name the one that catches it
                also       step_1_add_1::ten_grows_by_1
       wrong  01-adder/mistakes/panics.patch: `step_1_add_1::zero_grows_by_1` fails with this mistake in place, but not by its assertion; have the check assert what the mistake breaks:
              called `Option::unwrap()` on a `None` value
              at solutions/01-adder/src/lib.rs:2
                also       step_1_add_1::one_grows_by_1
                also       step_1_add_1::ten_grows_by_1

    check: 7 findings to mend
    ");
}

#[test]
fn every_other_finding_says_what_to_do_too() {
    let workbook = Workbook::new();
    workbook.xtask(&["check", "--bless"]);
    // A check that the starter passes, an exemption no longer needed, a solution that fails, a
    // starter with a warning, a heading that is gone, a module too many, a spec that is not blessed.
    let exercise = "exercises/02-summer";
    workbook.replace(
        &format!("{exercise}/tests/steps/step_1_add_1.rs"),
        "assert_eq!(add_1(0), 1",
        "assert_eq!(0, 0",
    );
    workbook.replace(
        &format!("{exercise}/exercise.toml"),
        "hints = [\"a\", \"b\", \"c\"]",
        "hints = [\"a\", \"b\", \"c\"]\npasses_on_starter = [\"one_grows_by_1\"]",
    );
    workbook.replace("solutions/02-summer/src/lib.rs", "x + 3", "x + 4");
    workbook.replace(&format!("{exercise}/.starter/src/lib.rs"), "\"step 2:", "\"step 4:");
    workbook.replace(
        &format!("{exercise}/.starter/src/lib.rs"),
        "pub fn add_5",
        "fn unused() {}\npub fn add_5",
    );
    std::fs::remove_file(workbook.path("book/src/summer/add-4.md")).unwrap();
    workbook.replace("book/src/SUMMARY.md", "(summer/add-5.md)", "(summer/add-6.md)");
    workbook.write(&format!("{exercise}/tests/steps/step_6_add_6.rs"), "");
    workbook.replace(&format!("{exercise}/Cargo.toml"), "path = \"src/lib.rs\"\n", "");
    workbook.write("exercises/03-stray/exercise.toml", "");

    let ran = workbook.xtask(&["check"]);

    assert_eq!(ran.code, 1, "{}", ran.stderr);
    insta::assert_snapshot!(parts(&ran.stdout, "1.", "2."), @r#"
    1. exercise.toml, spec, chapter, .starter and spec.sum agree
       wrong  exercises/03-stray has an exercise.toml, and Cargo.toml doesn't name it: add it to `members`, or move it away
       wrong  exercises/02-summer/Cargo.toml: give `path = "src/lib.rs"` in [lib], so that cargo starts without that file too
       wrong  exercises/02-summer/tests/steps/step_6_add_6.rs belongs to no step of exercise.toml: declare it or rename it
       wrong  exercises/02-summer/exercise.toml: there is no book/src/summer/add-4.md
       wrong  exercises/02-summer/exercise.toml: book/src/SUMMARY.md has no line with (summer/add-5.md)
       wrong  exercises/02-summer/.starter/src/lib.rs is not current: it is a copy of the exercise's; `cargo xtask reset summer` if you solved the exercise, `cargo xtask check --bless` if you changed the starter
       wrong  exercises/02-summer/.starter/spec.sum is not current: run `cargo xtask check --bless`
    "#);
    insta::assert_snapshot!(parts(&ran.stdout, "2.", "4."), @r"
    2. Each starter compiles, and its checks fail by their todo!
       adder: 15 checks
       summer: 15 checks
       wrong  summer compiles with a warning:
              warning: function `unused` is never used
                --> exercises/02-summer/src/lib.rs:13:4
                 |
              13 | fn unused() {}
                 |    ^^^^^^
                 |
                 = note: `#[warn(dead_code)]` (part of `#[warn(unused)]`) on by default
       wrong  summer, step_1_add_1::one_grows_by_1 fails on the starter: take it out of passes_on_starter
       wrong  summer, step_1_add_1::zero_grows_by_1 passes on the untouched starter: it proves nothing; make it need the reader's code, or declare it in passes_on_starter
       wrong  summer, step_2_add_2::one_grows_by_2 comes to the task of a later step: step 4: add 2 to 1
       wrong  summer, step_2_add_2::ten_grows_by_2 comes to the task of a later step: step 4: add 2 to 10
       wrong  summer, step_2_add_2::zero_grows_by_2 comes to the task of a later step: step 4: add 2 to 0

    3. Each solution passes every check, in the place of the reader's code too
       adder: 15 checks
       summer: 15 checks
       wrong  summer-solution, step_3_add_3::one_grows_by_3 fails on the solution:
              adding is more than copying
              got 5, expected 4
       wrong  summer-solution, step_3_add_3::ten_grows_by_3 fails on the solution:
              adding is more than copying
              got 14, expected 13
       wrong  summer-solution, step_3_add_3::zero_grows_by_3 fails on the solution:
              adding is more than copying
              got 4, expected 3
    ");
    assert!(ran.stdout.ends_with("check: 16 findings to mend\n"), "{}", ran.stdout);
}

#[test]
fn a_right_answer_that_the_spec_refuses_is_a_finding() {
    let workbook = Workbook::new();
    workbook.xtask(&["check", "--bless"]);
    let right = "solutions/01-adder/right";
    let reference = workbook.read("solutions/01-adder/src/lib.rs");
    let other = reference.replace("x + 1", "1 + x");
    workbook.write(
        &format!("{right}/turned.rs"),
        &format!("//! right: the other way round\n\n{other}"),
    );
    workbook.write(&format!("{right}/untitled.rs"), &other);
    let diff = |to: &str| {
        format!(
            "--- a/src/lib.rs\n+++ b/src/lib.rs\n@@ -1,3 +1,3 @@\n pub fn add_1(x: u32) -> u32 {{\n-    x + 1\n+    {to}\n }}\n"
        )
    };
    let title = "title: By hand\n---\n";
    workbook.write(
        &format!("{right}/counted.patch"),
        &(title.to_owned() + &diff("(0..=x).map(|_| 1).sum()")),
    );
    workbook.write(&format!("{right}/refused.patch"), &(title.to_owned() + &diff("x.max(1)")));
    workbook.write(&format!("{right}/untitled.patch"), &("---\n".to_owned() + &diff("1 + x")));
    workbook.write(&format!("{right}/broken.patch"), &(title.to_owned() + &diff("y")));

    let ran = workbook.xtask(&["check", "--only", "right"]);

    assert_eq!(ran.code, 1, "{}", ran.stderr);
    insta::assert_snapshot!(ran.stdout.replace("error[E0425]: ", ""), @"
    1. Each right answer of another design passes every check
       adder: 4 right answers
       summer: 0 right answers
       wrong  01-adder/right/untitled.patch: the header needs `title: what is different about the design`
       wrong  01-adder/right/untitled.rs: the first line must be `//! right: what is different about the design`
       wrong  01-adder/right/broken.patch: it does not compile:
              cannot find value `y` in this scope
               --> exercises/01-adder/src/lib.rs:2:5
                |
              2 |     y
                |     ^
                |
              help: a local variable with a similar name exists
                |
              2 -     y
              2 +     x
                |
       wrong  01-adder/right/refused.patch: `step_1_add_1::one_grows_by_1` refuses this right answer: loosen the check, or the answer breaks a sentence of the contract and is a mistake
              adding is more than copying
              got 1, expected 2

    check: 4 findings to mend
    ");
    assert!(
        workbook.read("solutions/01-adder/src/lib.rs") == reference,
        "only the copy was changed"
    );
}

#[test]
fn the_bare_starter_is_derived_from_the_guided_one_and_checked_as_a_starter() {
    let workbook = Workbook::new();
    workbook.replace("Cargo.toml", "members = [", "members = [\"xtask/bare\", ");
    workbook
        .write("xtask/bare/Cargo.toml", "[package]\nname = \"bare-starter\"\nedition = \"2024\"\n");
    workbook.write(
        "xtask/bare/src/main.rs",
        "fn main() {
             let guided = std::env::args().nth(1).unwrap() + \"/.starter/src/lib.rs\";
             print!(\"{}fn structure() {{}}\\n\", std::fs::read_to_string(guided).unwrap());
         }",
    );
    let bare = "exercises/01-adder/.starter/bare/src/lib.rs";

    workbook.xtask(&["check", "--bless"]);
    assert!(workbook.read(bare).ends_with("fn structure() {}\n"));
    let ran = workbook.xtask(&["check", "--only", "starters", "adder"]);
    assert!(ran.stdout.contains("adder (bare): 15 checks"), "{}", ran.stdout);
    assert!(ran.stdout.contains("warning: function `structure` is never used"), "{}", ran.stdout);

    workbook.write(bare, "// by hand\n");
    let ran = workbook.xtask(&["check", "--only", "format"]);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert!(ran.stdout.contains(&format!("{bare} is not current")), "{}", ran.stdout);

    workbook.xtask(&["check", "--bless"]);
    workbook.xtask(&["reset", "adder", "--bare"]);
    let ran = workbook.xtask(&["check", "--bless"]);
    assert!(ran.stdout.contains("adder has its bare starter"), "{}", ran.stdout);
    assert!(!workbook.read("exercises/01-adder/.starter/src/lib.rs").contains("structure"));
}

#[test]
fn a_solution_that_needs_files_of_its_own_will_not_do_for_the_reader() {
    let workbook = Workbook::new();
    workbook.write("solutions/01-adder/src/fast.rs", "");
    workbook.replace("solutions/01-adder/src/lib.rs", "pub fn add_1", "mod fast;\npub fn add_1");

    let ran = workbook.xtask(&["check", "adder", "--only", "solutions"]);

    assert_eq!(ran.code, 1, "{}", ran.stderr);
    let finding =
        "in the place of the reader's lib.rs, the solution's won't do: adder does not compile:";
    assert!(ran.stdout.contains(finding), "{}", ran.stdout);
    assert!(ran.stdout.contains("file not found for module `fast`"), "{}", ran.stdout);
}

#[test]
fn what_a_suite_says_of_its_failure_is_told_with_the_part() {
    let workbook = Workbook::new();
    workbook.replace(
        "Cargo.toml",
        "members = [",
        "default-members = [\"solutions/*\"]\nmembers = [\"notes\", ",
    );
    workbook.write("notes/Cargo.toml", "[package]\nname = \"notes\"\nedition = \"2024\"\n");
    let holds = "#[test]\nfn holds() { assert_eq!(1 + 1, 2, \"it is said to be two\"); }\n";
    workbook.write("notes/src/lib.rs", holds);
    let check = || workbook.xtask(&["check", "--only", "suites"]);

    let ran = check();
    assert_eq!(
        (ran.code, ran.stdout.contains("   notes\n   in order\n")),
        (0, true),
        "{}",
        ran.stdout
    );

    workbook.replace("notes/src/lib.rs", "2,", "3,");
    let ran = check();
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert!(
        ran.stdout.contains("wrong  `cargo test --quiet --package notes` failed:"),
        "{}",
        ran.stdout
    );
    assert!(ran.stdout.contains("it is said to be two"), "{}", ran.stdout);
}

#[test]
fn lab_and_book_pass_their_arguments_on_and_check_compares_the_figures() {
    let workbook = Workbook::new();
    workbook.replace(
        "Cargo.toml",
        "members = [",
        "members = [\"book/builder\", \"book/composing\", \"exercises/01-adder/lab\", ",
    );
    let manifest = |name| format!("[package]\nname = \"{name}\"\nedition = \"2024\"\n");
    let role =
        |of| format!("[package.metadata.workbook]\nrole = [\"lab\", \"figures\"]\nof = \"{of}\"\n");
    workbook.write("exercises/01-adder/lab/Cargo.toml", &(manifest("storms") + &role("adder")));
    workbook.write("book/builder/Cargo.toml", &manifest("book-builder"));
    workbook.write("book/composing/Cargo.toml", &(manifest("orders") + &role("composing")));
    workbook.write(
        "book/composing/src/main.rs",
        "fn main() { if std::env::args().nth(1).unwrap() != \"--figures\" { println!(\"composed\") } }",
    );
    workbook.write(
        "exercises/01-adder/lab/src/main.rs",
        "fn main() {
             let args: Vec<_> = std::env::args().skip(1).collect();
             if args[0] == \"--fail\" { std::process::exit(1) }
             if args[0] != \"--figures\" { return println!(\"lab {args:?}\") }
             std::fs::create_dir_all(&args[1]).unwrap();
             for name in [\"a\", \"b\"] { std::fs::write(format!(\"{}/{name}.svg\", args[1]), name).unwrap() }
         }",
    );
    workbook.write(
        "book/builder/src/main.rs",
        "fn main() { println!(\"book {:?}\", std::env::args().skip(1).collect::<Vec<_>>()) }",
    );

    let lab = workbook.xtask(&["lab", "1", "--seed", "7", "--help"]);
    assert_eq!((lab.code, &*lab.stdout), (0, "lab [\"--seed\", \"7\", \"--help\"]\n"));
    let first = "Compiling the lab of adder, this first time: about half a minute on two cores.";
    assert!(lab.stderr.contains(first), "{}", lab.stderr);
    assert!(!workbook.xtask(&["lab", "1", "--seed", "7"]).stderr.contains("first time"));
    let lab = workbook.xtask(&["lab", "1", "--live"]);
    assert_eq!((lab.code, lab.stderr.contains("the exercise `adder` has no live lab")), (2, true));
    let lab = workbook.xtask(&["lab", "composing", "--seed", "7"]);
    assert_eq!(
        (lab.code, &*lab.stdout),
        (0, "composed\n"),
        "the lab of a chapter without an exercise"
    );
    let program = workbook.xtask(&["lab", "1", "--program", "--without-yours"]);
    let built = program.stdout.trim_end();
    assert!(program.code == 0 && Path::new(built).is_file(), "{built} is the lab's program");
    let book = workbook.xtask(&["book", "--static", "--open=adder/add-1"]);
    assert_eq!((book.code, &*book.stdout), (0, "book [\"build\", \"--open=adder/add-1\"]\n"));
    let book = workbook.xtask(&["book", "--port", "4000", "--open"]);
    let arguments = book.stdout.strip_prefix("book [\"serve\", \"--xtask=");
    assert!(
        arguments.is_some_and(|rest| rest.ends_with("\", \"--port=4000\", \"--open=\"]\n")),
        "served, with the program that verifies: {}",
        book.stdout
    );

    // What could not do its work ends with 2; its own message stands above.
    let lab = workbook.xtask(&["lab", "1", "--fail"]);
    assert_eq!(lab.code, 2);
    let reason = "error: the lab of adder did not run to its end: the reason is above\n";
    assert!(lab.stderr.ends_with(reason), "{}", lab.stderr);
    let builder = workbook.read("book/builder/src/main.rs");
    workbook.write("book/builder/src/main.rs", "fn main() { std::process::exit(1) }");
    let book = workbook.xtask(&["book"]);
    assert_eq!(book.code, 2);
    let reason = "error: the book did not run to its end: the reason is above\n";
    assert!(book.stderr.ends_with(reason), "{}", book.stderr);
    workbook.write("book/builder/src/main.rs", &builder);

    assert!(
        !workbook.path("book/src/figures").exists(),
        "no lab is compiled for a reader of the book"
    );
    let book = workbook.xtask(&["book", "--figures"]);
    assert_eq!((book.code, &*book.stdout), (0, ""), "the figures alone");
    assert_eq!(workbook.read("book/src/figures/a.svg"), "a");
    workbook.write("book/src/figures/a.svg", "by hand");
    workbook.write("book/src/figures/c.svg", "from a program that is gone");
    let ran = workbook.xtask(&["check", "--only", "figures,book"]);
    insta::assert_snapshot!(parts(&ran.stdout, "1.", "check:"), @r#"
    1. The figures are current
       2 files
       wrong  book/src/figures/a.svg is not current: run `cargo xtask book --figures`
       wrong  book/src/figures/c.svg comes from nothing any more: run `cargo xtask book --figures`

    2. The book is sound
       book ["check"]
       in order
    "#);
}

/// The report from the part of this number up to the other.
fn parts<'a>(report: &'a str, from: &str, to: &str) -> &'a str {
    let begin = report.find(&format!("\n{from}")).unwrap();
    report[begin..begin + report[begin..].find(&format!("\n{to}")).unwrap()].trim()
}
