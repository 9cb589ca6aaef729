//! Which step of a spec is the first to use a function.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};

/// The text of each step of a spec, and the helpers that they share.
pub struct Steps {
    /// In order: the module of step 1, of step 2 …
    modules: Vec<String>,
    /// Name and text of each function beside them.
    helpers: Vec<(String, String)>,
}

impl Steps {
    pub fn read(folder: &Path) -> Result<Self> {
        let listed = || format!("cannot list {}", folder.display());
        let mut steps = Vec::new();
        let mut shared = String::new();
        for entry in fs::read_dir(folder).with_context(listed)? {
            let path = entry.with_context(listed)?.path();
            let text = fs::read_to_string(&path)
                .with_context(|| format!("cannot read {}", path.display()))?;
            let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            let number = name.strip_prefix("step_").and_then(|rest| rest.split('_').next());
            match number.and_then(|digits| digits.parse::<usize>().ok()) {
                Some(number) => steps.push((number, text)),
                None => shared += &text,
            }
        }
        steps.sort();
        Ok(Self::of(steps.into_iter().map(|(_, text)| text).collect(), &shared))
    }

    pub fn of(modules: Vec<String>, shared: &str) -> Self {
        let mut helpers: Vec<(String, String)> = Vec::new();
        for line in shared.lines() {
            let signature =
                line.trim_start().trim_start_matches("pub ").trim_start_matches("const ");
            let signature = signature.trim_start_matches("async ");
            if let Some(rest) = signature.strip_prefix("fn ") {
                let end = rest.find(['(', '<']).unwrap_or(rest.len());
                helpers.push((rest[..end].to_owned(), String::new()));
            } else if let Some((_, text)) = helpers.last_mut() {
                text.push_str(line);
                text.push('\n');
            }
        }
        Self { modules, helpers }
    }

    /// The number of the first step whose checks say one of these, themselves or through a helper.
    pub fn first_to_say(&self, calls: &[String]) -> Option<usize> {
        let mut wanted = calls.to_vec();
        // A helper may call another: each round finds those that call the ones of the round before.
        loop {
            let more = self.helpers.iter().filter(|(_, text)| says_any(text, &wanted));
            let more: Vec<_> = more.map(|(name, _)| format!("{name}(")).collect();
            let before = wanted.len();
            for call in more {
                if !wanted.contains(&call) {
                    wanted.push(call);
                }
            }
            if wanted.len() == before {
                break;
            }
        }
        self.modules.iter().position(|text| says_any(text, &wanted)).map(|index| index + 1)
    }
}

fn says_any(text: &str, calls: &[String]) -> bool {
    calls.iter().any(|call| {
        text.match_indices(call.as_str()).any(|(at, _)| {
            let is_of_name = |c: char| c.is_alphanumeric() || c == '_';
            call.starts_with('.') || !text[..at].ends_with(is_of_name)
        })
    })
}

#[cfg(test)]
mod tests {
    use super::Steps;

    #[test]
    fn a_use_through_helpers_counts_for_the_step_that_calls_them() {
        let modules = ["renew(b)", "tripped()", "b.reset()"].map(str::to_owned);
        let shared =
            "fn tripped() -> B {\n    made(3)\n}\nfn made(n: u32) -> B {\n    B::new(n)\n}\n";
        let steps = Steps::of(modules.into(), shared);
        let first = |call: &str| steps.first_to_say(&[call.to_owned()]);

        assert_eq!(first("B::new("), Some(2));
        assert_eq!(first(".reset("), Some(3));
        assert_eq!(first("new("), Some(2), "`renew` is another name");
        assert_eq!(first(".poll("), None);
    }
}
