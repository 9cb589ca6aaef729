//! What editors, terminals and other shells do while a command runs.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use crate::workbook::{Ran, Workbook};

const SOURCE: &str = "exercises/01-adder/src/lib.rs";
/// A check that says that it runs, and goes on for longer than any of this takes: not for ever, or a test that fails would
/// cost a core until the machine is switched off.
const SPINS: &str = "{ std::fs::write(\"spins.pid\", std::process::id().to_string()).unwrap();
    let begin = std::time::Instant::now();
    while begin.elapsed().as_secs() < 600 { std::hint::spin_loop() }
    std::process::exit(3) }";
/// Longer than any of this takes.
const PATIENCE: Duration = Duration::from_secs(300);

/// A command that goes on, and the lines of both its outputs.
struct Running {
    child: Child,
    lines: Receiver<String>,
}

impl Running {
    fn begin(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (send, lines) = mpsc::channel();
        for pipe in [
            Box::new(child.stdout.take().unwrap()) as Box<dyn std::io::Read + Send>,
            Box::new(child.stderr.take().unwrap()),
        ] {
            let send = send.clone();
            thread::spawn(move || {
                for line in BufReader::new(pipe).lines() {
                    let _ = send.send(line.unwrap());
                }
            });
        }
        Self { child, lines }
    }

    /// In any order: what goes to the two pipes arrives by two threads. What came before is returned.
    fn wait_for(&self, wanted: &[&str]) -> Vec<String> {
        let (mut wanted, mut seen) = (wanted.to_vec(), Vec::new());
        while !wanted.is_empty() {
            let line = self.lines.recv_timeout(PATIENCE);
            let line = line.unwrap_or_else(|_| panic!("no {wanted:?} after {seen:#?}"));
            wanted.retain(|text| !line.contains(text));
            seen.push(line);
        }
        seen
    }

    #[cfg(unix)]
    fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-s", name, &id]).status().unwrap().success());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn until<T>(what: &str, look: impl Fn() -> Option<T>) -> T {
    let begin = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(begin.elapsed() < PATIENCE, "{what}: it did not come");
        thread::sleep(Duration::from_millis(5));
    }
}

/// `R`, `S`, `T` …; none for a process that has ended.
#[cfg(target_os = "linux")]
fn state(id: u32) -> Option<char> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    let state = stat.rsplit(')').next()?.trim_start().chars().next()?;
    (state != 'Z').then_some(state)
}

fn pid_in(path: &PathBuf) -> u32 {
    until("a child that says who it is", || fs::read_to_string(path).ok()?.parse().ok())
}

/// The child that wrote its number there, when its parent waits for it. On a busy machine a child may be there before
/// its parent has told the keeper of it; who kills the parent just then has an orphan.
#[cfg(target_os = "linux")]
fn waited_for(running: &Running, path: &PathBuf) -> u32 {
    let child = pid_in(path);
    until("a command that waits", || (state(running.child.id())? == 'S').then_some(()));
    child
}

/// One check of the first step has a descendant that spins: the check itself ends when its input does, whatever becomes
/// of the rest.
fn with_a_check_that_spins() -> Workbook {
    let workbook = Workbook::new();
    workbook.write("exercises/01-adder/tests/steps/mod.rs", "mod step_1_add_1;\n");
    workbook.write(
        "exercises/01-adder/tests/steps/step_1_add_1.rs",
        &format!(
            "#[test]\nfn spins() {{
                 if std::env::var_os(\"DESCENDANT\").is_some() {SPINS}
                 let mut again = std::process::Command::new(std::env::current_exe().unwrap());
                 again.args([\"--exact\", \"steps::step_1_add_1::spins\"]).env_remove(\"WITNESS\").env(\"DESCENDANT\", \"1\");
                 again.stdin(std::process::Stdio::null()).status().unwrap();
             }}\n"
        ),
    );
    workbook
}

/// `verify`, and the check that spins in it.
#[cfg(target_os = "linux")]
fn spinning(workbook: &Workbook) -> (Running, u32) {
    let says = workbook.path("exercises/01-adder/spins.pid");
    let _ = fs::remove_file(&says);
    let running = Running::begin(workbook.command(&["verify", "adder", "--time-limit", "3600"]));
    let check = waited_for(&running, &says);
    (running, check)
}

#[cfg(target_os = "linux")]
#[test]
fn a_check_ends_with_the_command_however_that_ends() {
    let workbook = with_a_check_that_spins();
    // A shell has the jobs of a script's background ignore Ctrl-\.
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:\t")).unwrap();
    let quits = u64::from_str_radix(ignored, 16).unwrap() & 1 << 2 == 0;
    for signal in ["QUIT", "KILL", "TERM", "HUP"].into_iter().filter(|it| quits || *it != "QUIT") {
        let (running, check) = spinning(&workbook);
        running.signal(signal);
        until(signal, || state(check).is_none().then_some(()));
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_check_stops_and_goes_on_with_the_command() {
    let workbook = with_a_check_that_spins();
    let (running, check) = spinning(&workbook);
    running.signal("TSTP");
    until("both are stopped", || {
        (state(check)? == 'T' && state(running.child.id())? == 'T').then_some(())
    });
    running.signal("CONT");
    until("both go on", || {
        (state(check)? != 'T' && state(running.child.id())? != 'T').then_some(())
    });
}

#[cfg(target_os = "linux")]
#[test]
fn a_lab_and_the_book_end_with_the_command() {
    let workbook = Workbook::new();
    let metadata = "[package.metadata.workbook]\nrole = \"lab\"\nof = \"adder\"\n";
    for (folder, name, metadata) in
        [("exercises/01-adder/lab", "adder-lab", metadata), ("book/builder", "book-builder", "")]
    {
        workbook.replace("Cargo.toml", "members = [", &format!("members = [\n    \"{folder}\","));
        let manifest = format!("[package]\nname = \"{name}\"\nedition = \"2024\"\n{metadata}");
        workbook.write(&format!("{folder}/Cargo.toml"), &manifest);
        workbook.write(&format!("{folder}/src/main.rs"), &format!("fn main() {SPINS}\n"));
    }
    for args in [&["lab", "adder"][..], &["book"]] {
        for signal in ["TERM", "HUP", "KILL"] {
            let _ = fs::remove_file(workbook.path("spins.pid"));
            let running = Running::begin(workbook.command(args));
            let child = waited_for(&running, &workbook.path("spins.pid"));
            running.signal(signal);
            until(&format!("an end of {args:?} after {signal}"), || {
                state(child).is_none().then_some(())
            });
        }
    }
}

#[test]
fn what_an_editor_leaves_is_neither_begun_nor_backed_up() {
    let workbook = Workbook::new();
    let src = "exercises/01-adder/src";
    for name in
        [".DS_Store", "._lib.rs", ".lib.rs.swp", "lib.rs~", "#lib.rs#", "4913", "lib copy.rs"]
    {
        workbook.write(&format!("{src}/{name}"), "an editor's");
    }
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink("me@host.1:2", workbook.path(&format!("{src}/.#lib.rs")))
            .unwrap();
        let pipe = workbook.path(&format!("{src}/pipe.rs"));
        assert!(Command::new("mkfifo").arg(pipe).status().unwrap().success());
    }

    let ran = workbook.xtask(&["verify"]);
    assert!(ran.stdout.starts_with(" 01 adder    not started\n"), "{}{}", ran.stdout, ran.stderr);
    let ran = workbook.xtask(&["reset", "adder"]);
    assert_eq!(ran.stdout, "exercises/01-adder/src is the starter already: nothing to do.\n");
    assert!(!workbook.path(".backups").exists());
}

#[test]
fn a_source_that_is_no_utf8_stops_only_its_exercise() {
    let workbook = Workbook::new();
    workbook.solve("02-summer");
    // As PowerShell's `>` writes it.
    let utf16 = workbook.read(SOURCE).encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>();
    fs::write(workbook.path(SOURCE), [&b"\xff\xfe"[..], &utf16].concat()).unwrap();

    let ran = workbook.xtask(&["verify"]);

    assert_eq!(ran.code, 1, "{}", ran.stderr);
    let told: Vec<_> = ran.stdout.lines().collect();
    assert_eq!(told[0], " 01 adder    does not compile");
    assert!(
        told[1].contains("`exercises/01-adder/src/lib.rs`: stream did not contain valid UTF-8")
    );
    assert!(told.contains(&"      = help: save the file as UTF-8"), "{}", ran.stdout);
    assert!(told.contains(&" 02 summer   5 of 5 steps, passed"), "{}", ran.stdout);
}

#[test]
fn a_manifest_that_cargo_cannot_read_is_named_with_the_way_back() {
    let workbook = Workbook::new();
    workbook.write("exercises/01-adder/Cargo.toml", "<<<<<<< HEAD\n");
    let ran = workbook.xtask(&["verify", "adder"]);
    let told = "exercises/01-adder/Cargo.toml was edited. To bring it back: take ";
    assert!(ran.code == 2 && ran.stderr.contains(told), "{}", ran.stderr);
}

#[test]
fn watch_goes_on_when_the_workbook_is_broken_for_a_moment() {
    let workbook = Workbook::new();
    workbook.solve("01-adder");
    let toml = "exercises/01-adder/exercise.toml";
    let watch = Running::begin(workbook.command(&["verify", "--watch", "adder"]));
    watch.wait_for(&["All passed: 15 checks.", "watching exercises/01-adder/src"]);

    workbook.replace(toml, "title = \"The adder\"", "tittle = \"The adder\"");
    watch.wait_for(&["exercise.toml is malformed", "watching exercises/01-adder/src"]);
    workbook.replace(toml, "tittle", "title");
    watch.wait_for(&["All passed: 15 checks.", "watching exercises/01-adder/src"]);

    let [here, away] = ["exercises/01-adder", "away"].map(|path| workbook.path(path));
    fs::rename(&here, &away).unwrap();
    watch.wait_for(&["there is no exercise", "watching exercises/01-adder/src"]);
    fs::rename(&away, &here).unwrap();
    watch.wait_for(&["All passed: 15 checks.", "watching exercises/01-adder/src"]);

    let exercises = workbook.path("exercises");
    fs::rename(&exercises, &away).unwrap();
    watch.wait_for(&["exercises is gone: waiting until it is back"]);
    fs::rename(&away, &exercises).unwrap();
    watch.wait_for(&["All passed: 15 checks.", "watching exercises/01-adder/src"]);
    workbook.replace(SOURCE, "x + 1", "x");
    watch.wait_for(&["4 of 5 steps"]);
}

#[test]
fn a_newer_save_ends_the_older_run() {
    let workbook = Workbook::new();
    workbook.solve("01-adder");
    let src = "exercises/01-adder/src";
    workbook.replace(SOURCE, "x + 5", SPINS);
    let args = ["verify", "--watch", "adder", "summer", "--time-limit", "3600"];
    let watch = Running::begin(workbook.command(&args));
    let first = pid_in(&workbook.path("exercises/01-adder/spins.pid"));

    // What is no save of a source leaves the run alone, so the order of these two can be told.
    workbook.write(&format!("{src}/.lib.rs.swp"), "an editor's");
    workbook.solve("01-adder");
    let before = watch.wait_for(&["──── adder changed ────"]);
    assert!(!before.iter().any(|line| line.contains("steps")), "of old code: {before:#?}");
    watch.wait_for(&["5 of 5 steps, passed", "02 summer   not started"]);
    #[cfg(target_os = "linux")]
    until("the older run", || state(first).is_none().then_some(()));
    let _ = first;
}

#[test]
fn two_shells_at_once_have_a_verdict_each_of_one_program() {
    let workbook = Workbook::new();
    workbook.solve("01-adder");
    // The last check waits for a file. By then another shell has built another program.
    let waits = "{ std::fs::write(\"spins.pid\", \"1\").unwrap(); while !std::path::Path::new(\"go\").exists() { std::thread::yield_now() } x + 5 }";
    workbook.replace(SOURCE, "x + 5", waits);
    let mut one = workbook.command(&["verify", "adder", "--time-limit", "3600"]);
    let one = one.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    pid_in(&workbook.path("exercises/01-adder/spins.pid"));

    workbook.solve("01-adder");
    workbook.replace(SOURCE, "x + 1", "x");
    workbook.replace(SOURCE, "x + 5", "x");
    let two = workbook.xtask(&["verify", "adder"]);
    assert!(two.stdout.starts_with(" 01 adder   3 of 5 steps\n"), "{}{}", two.stdout, two.stderr);

    workbook.write("exercises/01-adder/go", "");
    let one = Ran::from(one.wait_with_output().unwrap());
    assert!(
        one.stdout.starts_with(" 01 adder   5 of 5 steps, passed\n"),
        "{}{}",
        one.stdout,
        one.stderr
    );
    let left = fs::read_dir(workbook.path("target/xtask/running/1")).unwrap().count();
    assert_eq!(left, 1, "the lock alone: a run takes its program away");
}

#[test]
fn a_shell_that_has_to_wait_says_so() {
    let workbook = Workbook::new();
    workbook.write("target/xtask/turn.lock", "");
    let lock = fs::File::open(workbook.path("target/xtask/turn.lock")).unwrap();
    lock.lock().unwrap();
    let waits = Running::begin(workbook.command(&["verify"]));
    waits.wait_for(&["waiting: another command builds checks in this workbook"]);
    drop(lock);
    waits.wait_for(&["01 adder    not started"]);
}

#[test]
fn a_solved_exercise_does_not_become_the_starter() {
    let workbook = Workbook::new();
    let kept = "exercises/01-adder/.starter/src/lib.rs";
    let starter = workbook.read(kept);
    let bless = || workbook.xtask(&["check", "--bless", "adder"]);

    workbook.replace(SOURCE, "todo!(\"step 2: add 2 to {x}\")", "x + 2");
    let ran = bless();
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    let told = "exercises/01-adder/src does not become the starter, because it is none:";
    assert!(ran.stdout.contains(told), "{}", ran.stdout);
    assert!(ran.stdout.contains("passes on the untouched starter"), "{}", ran.stdout);
    assert_eq!(workbook.read(kept), starter);

    workbook.write(SOURCE, &starter.replace("step 1: add 1", "step 1: add one"));
    let ran = bless();
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    assert!(workbook.read(kept).contains("add one"), "another starter does");
}

#[test]
fn alone_the_command_says_where_the_reader_stands_and_what_fits_now() {
    let workbook = Workbook::new();
    let alone = || {
        let ran = workbook.xtask(&[]);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        let lines: Vec<_> = ran.stdout.lines().collect();
        let commands = lines.iter().filter(|line| line.starts_with(" cargo xtask ")).count();
        assert_eq!(commands, 3, "{}", ran.stdout);
        ran.stdout
    };
    insta::assert_snapshot!(alone(), @r"
    exercises  0 of 2 passed
    step       01 adder: not begun
    last red   none
    next       step 1, Add 1
    time       5 steps to go in this exercise

    cargo xtask book --open adder/add-1   read what the step is about
    cargo xtask verify adder              its checks, and the file to open
    cargo xtask verify --watch            the same on every save
    ");

    workbook.write("book/src/adder/add-2.md", &"word ".repeat(401));
    workbook.replace(SOURCE, "todo!(\"step 1: add 1 to {x}\")", "x + 1");
    assert!(alone().contains("01 adder: begun, and not verified yet\n"), "{}", alone());
    workbook.replace(SOURCE, "todo!(\"step 2: add 2 to {x}\")", "x");
    workbook.xtask(&["verify"]);
    let told = alone();
    let took = told.lines().find(|line| line.starts_with(" time")).unwrap();
    let expected = " time       3 minutes to read the step, 4 steps to go in this exercise, its checks computed ";
    assert!(took.starts_with(expected), "{took}");
    insta::assert_snapshot!(told.replace(took, " time"), @r"
    exercises  0 of 2 passed, 1 begun
    step       01 adder: 1 of 5 steps passed
    last red   zero_grows_by_2, just now
               adding is more than copying
    next       step 2, Add 2
    time

    cargo xtask verify adder              its checks
    cargo xtask hint adder 2              a hint; each call gives a stronger one
    cargo xtask book --open adder/add-2   read the step again
    ");

    workbook.solve("01-adder");
    workbook.xtask(&["verify"]);
    insta::assert_snapshot!(alone(), @r"
    exercises  1 of 2 passed
    step       02 summer: not begun
    last red   none
    next       step 1, Add 1
    time       5 steps to go in this exercise

    cargo xtask lab adder                  see what you have finished at work
    cargo xtask solution adder --diff      and compare it with the reference
    cargo xtask book --open summer/add-1   read on
    ");

    workbook.solve("02-summer");
    workbook.xtask(&["verify"]);
    insta::assert_snapshot!(alone(), @r"
    exercises  2 of 2 passed
    step       all of them
    last red   none
    next       composing the patterns, and wrong answers to find
    left       0 wrong answers to guess

    cargo xtask lab composing           the patterns together, in one outage
    cargo xtask mistakes adder          guess which check catches a wrong answer
    cargo xtask book --open checklist   what to ask of a service of yours
    ");
}
