use crate::workbook::{STEPS, Workbook};

#[test]
fn each_call_of_hint_shows_one_level_more_and_the_last_says_where_to_go() {
    let workbook = Workbook::new();
    let hint = |args: &[&str]| {
        let ran = workbook.xtask(&[&["hint"], args].concat());
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        ran.stdout
    };

    insta::assert_snapshot!(hint(&["adder"]), @r"
    adder, step 1: Add 1
     hint 1 of 3
       a
     more  cargo xtask hint adder 1
    ");
    insta::assert_snapshot!(hint(&["adder", "1"]), @r"
    adder, step 1: Add 1
     hint 1 of 3
       a
     hint 2 of 3
       b
     more  cargo xtask hint adder 1
    ");
    let third = hint(&["1", "add-1"]);
    insta::assert_snapshot!(third, @r"
    adder, step 1: Add 1
     hint 1 of 3
       a
     hint 2 of 3
       b
     hint 3 of 3
       c
     That was the last hint. From here:
       read      cargo xtask book --open adder/add-1
       solution  cargo xtask solution adder --diff
    ");
    assert_eq!(hint(&["adder"]), third, "all three stay");
    assert!(hint(&["adder", "2"]).contains("hint 1 of 3"), "each step counts by itself");

    workbook.solve("01-adder");
    assert_eq!(workbook.xtask(&["reset", "adder"]).code, 0);
    assert!(hint(&["adder", "1"]).contains("more  cargo"), "a reset begins with the first hint");

    let ran = workbook.xtask(&["hint", "adder", "6"]);
    assert_eq!(ran.code, 2);
    insta::assert_snapshot!(ran.stderr, @r"
    error: `adder` has no step `6`. Its steps are:
      1  add-1
      2  add-2
      3  add-3
      4  add-4
      5  add-5
    ");
}

#[test]
fn hint_begins_where_verify_stood() {
    let workbook = Workbook::new();
    workbook.solve("01-adder");
    workbook.replace("exercises/01-adder/src/lib.rs", "x + 3", "x");
    workbook.xtask(&["verify"]);

    let ran = workbook.xtask(&["hint", "adder"]);

    assert!(ran.stdout.contains("step 3"), "{}", ran.stdout);
}

#[test]
fn reset_keeps_every_version_of_the_code() {
    let workbook = Workbook::new();
    let starter = workbook.read("exercises/01-adder/src/lib.rs");
    let reset = || {
        let ran = workbook.xtask(&["reset", "adder"]);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        assert_eq!(workbook.read("exercises/01-adder/src/lib.rs"), starter);
        ran.stdout
    };

    insta::assert_snapshot!(reset(), @r"exercises/01-adder/src is the starter already: nothing to do.");

    workbook.write("exercises/01-adder/src/lib.rs", "// first\n");
    workbook.write("exercises/01-adder/src/inner/more.rs", "// more\n");
    insta::assert_snapshot!(reset(), @r"
    Your code is kept in .backups/adder-1/src.
    To get it back, copy the files in there to exercises/01-adder/src again.
    exercises/01-adder/src is the starter again.
    ");
    assert!(!workbook.path("exercises/01-adder/src/inner/more.rs").exists());

    workbook.write("exercises/01-adder/src/lib.rs", "// second\n");
    assert!(reset().contains(".backups/adder-2/src"));
    assert_eq!(workbook.read(".backups/adder-1/src/lib.rs"), "// first\n");
    assert_eq!(workbook.read(".backups/adder-1/src/inner/more.rs"), "// more\n");
    assert_eq!(workbook.read(".backups/adder-2/src/lib.rs"), "// second\n");
}

#[cfg(unix)]
#[test]
fn reset_cuts_a_link_and_leaves_what_it_leads_to() {
    use std::fs;
    use std::os::unix::fs::symlink;

    let workbook = Workbook::new();
    let [src, lib] = ["exercises/01-adder/src", "exercises/01-adder/src/lib.rs"];
    let (starter, solution) = (workbook.read(lib), workbook.read("solutions/01-adder/src/lib.rs"));
    let reset = || {
        let ran = workbook.xtask(&["reset", "adder"]);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        assert_eq!(workbook.read(lib), starter);
        ran.stdout
    };

    fs::remove_file(workbook.path(lib)).unwrap();
    symlink("../../../solutions/01-adder/src/lib.rs", workbook.path(lib)).unwrap();
    insta::assert_snapshot!(reset(), @r"
    Your code is kept in .backups/adder-1/src.
    To get it back, copy the files in there to exercises/01-adder/src again.
    exercises/01-adder/src/lib.rs was a link to ../../../solutions/01-adder/src/lib.rs, which stays.
    exercises/01-adder/src is the starter again.
    ");
    assert_eq!(workbook.read("solutions/01-adder/src/lib.rs"), solution);

    workbook.write("mine/lib.rs", "// mine\n");
    workbook.write("mine/more.rs", "// more\n");
    fs::remove_dir_all(workbook.path(src)).unwrap();
    symlink("../../mine", workbook.path(src)).unwrap();
    assert!(reset().contains("\nexercises/01-adder/src was a link to ../../mine, which stays.\n"));
    assert_eq!(workbook.read("mine/lib.rs"), "// mine\n");
    assert_eq!(workbook.read("mine/more.rs"), "// more\n");

    fs::remove_file(workbook.path(lib)).unwrap();
    symlink("nowhere.rs", workbook.path(lib)).unwrap();
    let ran = workbook.xtask(&["verify"]);
    insta::assert_snapshot!(ran.stdout, @r"
    01 adder    does not compile
       exercises/01-adder/src/lib.rs is a link that leads nowhere. To bring the starter back: cargo xtask reset adder
    02 summer   not started

    next: mend what is named above, then cargo xtask verify adder
    ");
    reset();

    fs::remove_file(workbook.path(lib)).unwrap();
    fs::create_dir(workbook.path(lib)).unwrap();
    let ran = workbook.xtask(&["verify", "adder"]);
    assert!(ran.stdout.contains("src/lib.rs is a folder. To bring"), "{}", ran.stdout);
    let ran = workbook.xtask(&["reset", "adder"]);
    assert!(ran.stderr.ends_with("src/lib.rs is a folder: move it away, and reset again\n"));
}

#[test]
fn a_bare_starter_begins_the_exercise_without_structure() {
    let workbook = Workbook::new();
    let source = "exercises/01-adder/src/lib.rs";
    let guided = workbook.read(source);
    let ran = workbook.xtask(&["reset", "adder", "--bare"]);
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains("exercises/01-adder/.starter/bare is missing"), "{}", ran.stderr);

    let bare = (1..=STEPS).map(|n| {
        format!("pub fn add_{n}(x: u32) -> u32 {{\n    todo!(\"step {n}: add_{n}\")\n}}\n")
    });
    let bare = bare.collect::<String>();
    workbook.write("exercises/01-adder/.starter/bare/src/lib.rs", &bare);
    let ran = workbook.xtask(&["reset", "adder", "--bare"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_eq!(
        ran.stdout, "exercises/01-adder/src is the bare starter now.\n",
        "nothing to back up"
    );
    assert_eq!(workbook.read(source), bare);
    let again = workbook.xtask(&["reset", "adder", "--bare"]);
    assert_eq!(
        again.stdout,
        "exercises/01-adder/src is the bare starter already: nothing to do.\n"
    );

    let verify = || workbook.xtask(&["verify"]).stdout;
    assert!(verify().contains("01 adder    not started"), "{}", verify());
    assert!(workbook.xtask(&["hint", "1"]).stdout.contains("that the guided starter has"));
    workbook.replace(source, "todo!(\"step 1: add_1\")", "if x == 10 { 0 } else { x + 1 }");
    assert!(verify().contains("01 adder    0 of 5 steps"), "{}", verify());

    let ran = workbook.xtask(&["reset", "adder"]);
    assert!(
        ran.stdout.starts_with("Your code is kept in .backups/adder-1/src.\n"),
        "{}",
        ran.stdout
    );
    assert_eq!(workbook.read(source), guided);
    assert!(!workbook.xtask(&["hint", "1"]).stdout.contains("guided"));
}

#[test]
fn the_solution_is_shown_as_text_or_as_a_difference() {
    let workbook = Workbook::new();

    let ran = workbook.xtask(&["solution", "adder"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(
        ran.stdout.starts_with("// solutions/01-adder/src/lib.rs\npub fn add_1"),
        "{}",
        ran.stdout
    );

    workbook.solve("01-adder");
    workbook.replace("exercises/01-adder/src/lib.rs", "x + 2", "x");
    let ran = workbook.xtask(&["solution", "adder", "--diff"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    insta::assert_snapshot!(ran.stdout, @r"
    --- exercises/01-adder/src/lib.rs
    +++ solutions/01-adder/src/lib.rs
    @@ -2,7 +2,7 @@
         x + 1
     }
     pub fn add_2(x: u32) -> u32 {
    -    x
    +    x + 2
     }
     pub fn add_3(x: u32) -> u32 {
         x + 3
    ");
}

#[test]
fn an_exercise_without_a_lab_says_so() {
    let ran = Workbook::new().xtask(&["lab", "adder", "--seed", "7"]);

    assert_eq!(ran.code, 2);
    assert_eq!(ran.stderr, "error: the exercise `adder` has no lab\n");
}
