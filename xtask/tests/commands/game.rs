//! Wrong answers as a game: guess which check catches one, and make one that no check catches.

use std::io::Write as _;
use std::process::Stdio;

use crate::workbook::{Ran, Workbook};

const SOURCE: &str = "exercises/01-adder/src/lib.rs";

/// A workbook with two wrong answers to the adder.
fn with_mistakes() -> Workbook {
    let workbook = Workbook::new();
    for (name, to) in [("1-forgotten", "x.max(1)"), ("2-ten", "if x == 10 { 0 } else { x + 1 }")] {
        let patch = format!(
            "title: The title of {name}.\nwhy: it is easily\n  forgotten\nwhere: nowhere 1.0, issue 1\n\
             caught-by: step_1_add_1::ten_grows_by_1\n---\n--- a/src/lib.rs\n+++ b/src/lib.rs\n@@ -1,3 +1,3 @@\n \
             pub fn add_1(x: u32) -> u32 {{\n-    x + 1\n+    {to}\n }}\n"
        );
        workbook.write(&format!("solutions/01-adder/mistakes/{name}.patch"), &patch);
    }
    workbook
}

fn piped(workbook: &Workbook, args: &[&str], input: &str) -> Ran {
    let mut command = workbook.command(args);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    Ran::from(child.wait_with_output().unwrap())
}

#[test]
fn a_guess_is_decided_by_the_spec_and_counted() {
    let workbook = with_mistakes();
    workbook.replace(SOURCE, "step 1: add 1", "step 1: add one");

    let ran = workbook.xtask(&["mistakes", "adder", "--guess", "ten_grows_by_1"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    insta::assert_snapshot!(ran.stdout.trim(), @r"
    adder, wrong answer 1 of 2

    @@ -1,3 +1,3 @@
     pub fn add_1(x: u32) -> u32 {
    -    x + 1
    +    if x == 10 { 0 } else { x + 1 }
     }

     Right: ten_grows_by_1 catches it.

       caught step 1, Add 1
              ten_grows_by_1
              adding is more than copying
              got 0, expected 11
       what   The title of 2-ten.
       why    it is easily forgotten
       where  nowhere 1.0, issue 1
       score  1 of 1 guessed, 1 to go
       next   cargo xtask mistakes adder
    ");

    let ran = piped(&workbook, &["mistakes", "1"], "1.1\n");
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    for told in [
        " Which check catches it?\n   1.1  zero_grows_by_1\n",
        " No: zero_grows_by_1 passes. The step is right.\n",
        "          got 10, expected 11\n          and by 1 more check\n",
        "score  1 of 2 guessed, 0 to go",
    ] {
        assert!(ran.stdout.contains(told), "{told:?} is not in\n{}", ran.stdout);
    }

    let ran = workbook.xtask(&["mistakes", "adder"]);
    assert_eq!(
        (ran.code, &*ran.stdout),
        (0, "   score  1 of 2 guessed, 0 to go\n   again  cargo xtask mistakes adder --again\n")
    );
    let ran = workbook.xtask(&[
        "mistakes",
        "adder",
        "--again",
        "--guess",
        "step_1_add_1::ten_grows_by_1",
    ]);
    assert!(ran.stdout.contains("score  1 of 1 guessed, 1 to go"), "{}", ran.stdout);
    assert!(workbook.read(SOURCE).contains("add one"), "the reader's code stays");
}

#[test]
fn a_guess_that_names_no_check_and_none_at_all_say_what_to_do() {
    let workbook = with_mistakes();

    let ran = workbook.xtask(&["mistakes", "adder", "--guess", "ten_grow_by_1"]);
    assert_eq!(ran.code, 2);
    let reason = "error: there is no check `ten_grow_by_1`. Did you mean `ten_grows_by_1`? The checks are:\n   1.1  zero_grows_by_1\n";
    assert!(ran.stderr.starts_with(reason), "{}", ran.stderr);
    assert!(ran.stdout.starts_with("You have not begun this exercise"), "{}", ran.stdout);

    let ran = workbook.xtask(&["mistakes", "adder"]);
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains("no guess came. Name the check with --guess"), "{}", ran.stderr);

    let ran = workbook.xtask(&["mistakes", "summer"]);
    assert_eq!(ran.code, 2);
    assert_eq!(ran.stderr, "error: there are no wrong answers to `summer` yet\n");
}

#[test]
fn what_no_check_notices_becomes_a_mistake_file() {
    let workbook = Workbook::new();
    workbook.xtask(&["check", "--bless"]);
    let escape = |args: &[&str]| workbook.xtask(&[&["escape", "adder"], args].concat());

    let ran = escape(&[]);
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains("`adder` has its starter"), "{}", ran.stderr);
    workbook.replace(SOURCE, "todo!(\"step 1: add 1 to {x}\")", "x + 1");
    let ran = escape(&["--start"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(
        ran.stdout.starts_with("Your code is kept in .backups/adder-1/src.\n"),
        "{}",
        ran.stdout
    );
    let ran = escape(&[]);
    assert_eq!(ran.code, 2);
    assert!(
        ran.stderr.contains("is the reference solution: make it wrong first"),
        "{}",
        ran.stderr
    );

    workbook.replace(SOURCE, "x + 1", "x.max(1)");
    let ran = escape(&[]);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    insta::assert_snapshot!(ran.stdout, @r"
    Caught by 2 checks:
      step 1  one_grows_by_1
              adding is more than copying
              got 1, expected 2
      step 1  ten_grows_by_1
              adding is more than copying
              got 10, expected 11
    ");

    workbook.replace(SOURCE, "x.max(1)", "if x == 7 { 7 } else { x + 1 }");
    let ran = escape(&[]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(
        ran.stdout.starts_with(
            " Escaped: No check of adder notices. What you changed is in .escapes/adder-1.patch.\n"
        ),
        "{}",
        ran.stdout
    );
    let file = workbook.read(".escapes/adder-1.patch");
    assert!(
        file.starts_with(
            "title: \nwhy: \nwhere: \ncaught-by: \n---\n--- a/src/lib.rs\n+++ b/src/lib.rs\n"
        ),
        "{file}"
    );

    // With a header it is a mistake, and the check that is to catch it doesn't.
    let header = "title: t\nwhy: w\nwhere: p\ncaught-by: step_1_add_1::ten_grows_by_1\n---\n";
    let (_, diff) = file.split_once("---\n").unwrap();
    workbook.write("solutions/01-adder/mistakes/seven.patch", &format!("{header}{diff}"));
    let ran = workbook.xtask(&["check", "--only", "mistakes", "adder"]);
    assert!(
        ran.stdout.contains("`step_1_add_1::ten_grows_by_1` passes with this mistake"),
        "{}",
        ran.stdout
    );

    workbook.replace("exercises/01-adder/tests/steps/step_1_add_1.rs", "11,", "12,");
    let ran = escape(&[]);
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains("tests/steps/step_1_add_1.rs was edited"), "{}", ran.stderr);
}
