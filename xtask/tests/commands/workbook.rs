//! A workbook in a temporary folder (with a space in its path), of tiny exercises without
//! dependencies: each step asks for a function that adds the step's number.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;
use workbook::{PUBLISHED, Sources};

pub struct Workbook {
    folder: TempDir,
}

pub struct Ran {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

pub const STEPS: u32 = 5;

impl Workbook {
    /// Two exercises that are not begun, `01-adder` and `02-summer`, with their solutions.
    pub fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("blast radius ").tempdir().unwrap();
        let workbook = Self { folder };
        workbook.write(
            "Cargo.toml",
            "[workspace]\nresolver = \"3\"\nmembers = [\n    \"exercises/01-adder\",\n    \"exercises/02-summer\",\n    \"solutions/*\",\n]\n[profile.dev]\ndebug = \"line-tables-only\"\n",
        );
        let pages = |id: &str| {
            let steps = (1..=STEPS).map(|n| format!("  - [Add {n}]({id}/add-{n}.md)\n"));
            let steps = steps.collect::<Vec<_>>().concat();
            format!(
                "- [{id}]({id}.md)\n{steps}  - [Lab]({id}/lab.md)\n  - [Use]({id}/production.md)\n"
            )
        };
        let contents = pages("adder") + &pages("summer") + "- [Load shedding]()\n";
        workbook.write("book/src/SUMMARY.md", &contents);
        workbook.add_exercise("01", "adder");
        workbook.add_exercise("02", "summer");
        workbook.publish();
        workbook
    }

    /// The package that every spec needs.
    pub fn witness() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("fixtures").join("witness")
    }

    /// Renews the sums of what is given.
    pub fn publish(&self) {
        let workbook = workbook::Workbook::at(self.folder.path());
        for exercise in workbook.exercises().unwrap() {
            let sources = Sources::read(&workbook.root, &exercise).unwrap();
            let sum = exercise.sum(&workbook.root, &sources);
            self.write(&format!("exercises/{}/.starter/spec.sum", exercise.folder), &sum);
        }
        self.write(PUBLISHED, &workbook.published_sum().unwrap());
    }

    fn add_exercise(&self, number: &str, id: &str) {
        let exercise = format!("exercises/{number}-{id}");
        let solution = format!("solutions/{number}-{id}");
        let manifest = |name: &str| {
            format!(
                "[package]\nname = \"{name}\"\nedition = \"2024\"\n[lib]\npath = \"src/lib.rs\"\ndoctest = false\n[dev-dependencies]\nwitness = {{ path = '{}' }}\n[lints.rust]\nunsafe_code = \"forbid\"\n",
                Self::witness().display()
            )
        };
        let mut toml = format!(
            "id = \"{id}\"\ntitle = \"The {id}\"\nchapter = \"{id}.md\"\nsummary = \"Adds\"\n"
        );
        let [mut starter, mut reference, mut modules] = [const { String::new() }; 3];
        for n in 1..=STEPS {
            toml += &format!(
                "[[step]]\nid = \"add-{n}\"\ntitle = \"Add {n}\"\nhints = [\"a\", \"b\", \"c\"]\n"
            );
            starter += &format!(
                "pub fn add_{n}(x: u32) -> u32 {{\n    todo!(\"step {n}: add {n} to {{x}}\")\n}}\n"
            );
            reference += &format!("pub fn add_{n}(x: u32) -> u32 {{\n    x + {n}\n}}\n");
            modules += &format!("mod step_{n}_add_{n};\n");
            self.write(&format!("book/src/{id}/add-{n}.md"), "");
            let checks: String = [("zero", 0), ("one", 1), ("ten", 10)]
                .map(|(name, x)| {
                    let sum = x + n;
                    format!("#[test]\nfn {name}_grows_by_{n}() {{\n    assert_eq!(add_{n}({x}), {sum}, \"adding is more than copying\");\n}}\n")
                })
                .concat();
            self.write(
                &format!("{exercise}/tests/steps/step_{n}_add_{n}.rs"),
                &format!("use {id}::add_{n};\n{checks}"),
            );
        }
        self.write(&format!("{exercise}/exercise.toml"), &toml);
        self.write(&format!("{exercise}/Cargo.toml"), &manifest(id));
        self.write(&format!("{exercise}/src/lib.rs"), &starter);
        self.write(&format!("{exercise}/.starter/src/lib.rs"), &starter);
        self.write(
            &format!("{exercise}/tests/spec.rs"),
            "#[macro_use]\nextern crate witness;\nmod steps;\n",
        );
        self.write(&format!("{exercise}/tests/steps/mod.rs"), &modules);
        self.write(&format!("{solution}/Cargo.toml"), &manifest(&format!("{id}-solution")));
        self.write(&format!("{solution}/src/lib.rs"), &reference);
        self.write(
            &format!("{solution}/tests/spec.rs"),
            &format!("extern crate {id}_solution as {id};\n#[macro_use]\nextern crate witness;\n#[path = \"../../../{exercise}/tests/steps/mod.rs\"]\nmod steps;\n"),
        );
        for page in ["", "/lab", "/production"] {
            self.write(&format!("book/src/{id}{page}.md"), "");
        }
    }

    pub fn path(&self, relative: &str) -> PathBuf {
        self.folder.path().join(relative)
    }

    pub fn write(&self, relative: &str, text: &str) {
        let path = self.path(relative);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub fn read(&self, relative: &str) -> String {
        fs::read_to_string(self.path(relative)).unwrap()
    }

    pub fn replace(&self, relative: &str, from: &str, to: &str) {
        let text = self.read(relative);
        assert!(text.contains(from), "{relative} has no `{from}`");
        self.write(relative, &text.replacen(from, to, 1));
    }

    pub fn solve(&self, folder: &str) {
        let reference = self.read(&format!("solutions/{folder}/src/lib.rs"));
        self.write(&format!("exercises/{folder}/src/lib.rs"), &reference);
    }

    /// A command in the root, with an environment that must not matter: a backtrace asked for, and
    /// insta told to accept whatever comes.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
        command.current_dir(self.folder.path()).args(args).stdin(Stdio::null());
        command.env("RUST_BACKTRACE", "1").env("INSTA_FORCE_PASS", "1");
        command.env_remove("CARGO_TARGET_DIR").env_remove("NO_COLOR").env_remove("CLICOLOR_FORCE");
        command
    }

    pub fn xtask(&self, args: &[&str]) -> Ran {
        Ran::of(&mut self.command(args))
    }
}

impl Ran {
    pub fn of(command: &mut Command) -> Self {
        Self::from(command.output().unwrap())
    }
}

impl From<Output> for Ran {
    fn from(Output { status, stdout, stderr }: Output) -> Self {
        let ran = Self {
            code: status.code().expect("ended by a signal"),
            stdout: String::from_utf8(stdout).unwrap(),
            stderr: String::from_utf8(stderr).unwrap(),
        };
        assert!(!ran.stderr.contains("stack backtrace"), "{}", ran.stderr);
        assert!(!ran.stdout.contains('\x1b'), "escape codes in a pipe: {}", ran.stdout);
        ran
    }
}
