//! What a part of `check` found.

/// What is wrong, and what there is to tell even when all is well.
#[derive(Default)]
pub struct Findings {
    /// Each says what is wrong and what to do.
    pub wrong: Vec<String>,
    pub told: Vec<String>,
}

impl Findings {
    pub fn wrong(&mut self, finding: impl Into<String>) {
        self.wrong.push(finding.into());
    }

    pub fn tell(&mut self, line: impl Into<String>) {
        self.told.push(line.into());
    }

    pub fn add(&mut self, others: Self) {
        self.wrong.extend(others.wrong);
        self.told.extend(others.told);
    }
}
