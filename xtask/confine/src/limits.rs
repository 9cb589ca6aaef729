//! What a program may.

use std::path::PathBuf;

use anyhow::Result;
use serde::Deserialize;

/// As JSON, the first argument.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(not(target_os = "linux"), allow(dead_code, reason = "only Linux has all of them"))]
pub struct Limits {
    /// Of the address space, in bytes.
    pub memory: u64,
    /// Of CPU, in seconds.
    pub cpu: u64,
    /// The longest file that it may write, in bytes. Pipes have no limit: their reader bounds them.
    pub file: u64,
    /// What may be read and run; what is not there is left out.
    pub read: Vec<PathBuf>,
    /// What may be written, too.
    pub write: Vec<PathBuf>,
    /// Whether it may begin other programs.
    pub programs: bool,
    /// Whom its sockets may reach.
    pub network: Network,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Network {
    /// It may open none.
    None,
    /// Itself, in a network of its own.
    Loopback,
    /// Whom its owner may reach.
    Any,
}

/// What this system holds programs to.
pub fn offers() -> Vec<&'static str> {
    let mut offers = Vec::new();
    if cfg!(target_os = "linux") {
        offers.push("memory (rlimits)");
    }
    if cfg!(unix) {
        offers.push("CPU and the size of files (rlimits)");
    }
    #[cfg(target_os = "linux")]
    offers.extend(crate::linux::offers());
    offers
}

impl Limits {
    /// From now on, for this process and all that it becomes.
    ///
    /// # Errors
    /// If the system has a limit and refuses it.
    pub fn hold(&self) -> Result<()> {
        #[cfg(unix)]
        {
            use rlimit::Resource;
            let mut limits = vec![
                (Resource::CPU, self.cpu),
                (Resource::FSIZE, self.file),
                (Resource::NOFILE, 1024),
                (Resource::CORE, 0),
            ];
            // macOS maps more into every process than this allows, and refuses.
            if cfg!(target_os = "linux") {
                limits.push((Resource::AS, self.memory));
            }
            for (resource, limit) in limits {
                // Never more than its owner may.
                let (_, hard) = resource.get()?;
                resource.set(limit.min(hard), limit.min(hard))?;
            }
        }
        #[cfg(target_os = "linux")]
        crate::linux::hold(self)?;
        Ok(())
    }
}
