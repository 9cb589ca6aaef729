//! Files by Landlock, other programs and sockets by seccomp. Neither asks for privileges.

use std::collections::BTreeMap;
use std::env::consts::ARCH;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use landlock::{
    ABI, Access as _, AccessFs, RestrictionStatus, Ruleset, RulesetAttr as _,
    RulesetCreatedAttr as _, RulesetError, RulesetStatus, Scope, path_beneath_rules,
};
use libc::c_long;
use seccompiler::SeccompCmpOp::{Eq, MaskedEq};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCondition, SeccompFilter, SeccompRule,
};

use crate::limits::Limits;

/// The newest that the crate knows; an older kernel holds to what it knows itself.
const NEWEST: ABI = ABI::V6;

pub fn offers() -> Vec<&'static str> {
    let mut offers = Vec::new();
    // This process does nothing after.
    if files(&[], &[]).is_ok_and(|status| status.ruleset != RulesetStatus::NotEnforced) {
        offers.push("what may be read and written (Landlock)");
    }
    if ["x86_64", "aarch64", "riscv64"].contains(&ARCH) {
        offers.push("other programs and sockets (seccomp)");
    }
    offers
}

pub fn hold(limits: &Limits) -> Result<()> {
    files(&limits.read, &limits.write).context("Landlock")?;
    if ["x86_64", "aarch64", "riscv64"].contains(&ARCH) {
        refuse(&refused(limits)?, libc::EPERM)?;
        if !limits.programs {
            // Its arguments are out of a filter's sight. To whom it is unknown, the libc takes `clone`.
            refuse(&[(libc::SYS_clone3, None)], libc::ENOSYS)?;
        }
    }
    Ok(())
}

fn files(read: &[PathBuf], write: &[PathBuf]) -> Result<RestrictionStatus, RulesetError> {
    Ruleset::default()
        .handle_access(AccessFs::from_all(NEWEST))?
        // No signal to whom it didn't begin, the grader among them.
        .scope(Scope::from_all(NEWEST))?
        .create()?
        .add_rules(path_beneath_rules(read, AccessFs::from_read(NEWEST)))?
        .add_rules(path_beneath_rules(write, AccessFs::from_all(NEWEST)))?
        .restrict_self()
}

/// A system call, and the condition on its arguments.
type Refused = (c_long, Option<SeccompRule>);

fn refused(limits: &Limits) -> Result<Vec<Refused>> {
    // Ways around, and into other processes.
    let always = [
        libc::SYS_io_uring_setup,
        libc::SYS_process_vm_readv,
        libc::SYS_process_vm_writev,
        libc::SYS_ptrace,
    ];
    let mut refused: Vec<Refused> = always.map(|call| (call, None)).into();
    if !limits.programs {
        let not_a_thread = condition(MaskedEq(flag(libc::CLONE_THREAD)), 0)?;
        refused.push((libc::SYS_clone, Some(not_a_thread)));
        #[cfg(target_arch = "x86_64")]
        refused.extend([libc::SYS_fork, libc::SYS_vfork].map(|call| (call, None)));
    }
    if !limits.sockets {
        for family in [libc::AF_INET, libc::AF_INET6, libc::AF_NETLINK, libc::AF_PACKET] {
            refused.push((libc::SYS_socket, Some(condition(Eq, flag(family))?)));
        }
    }
    Ok(refused)
}

fn flag(value: i32) -> u64 {
    u64::from(value.cast_unsigned())
}

/// On the first argument.
fn condition(operator: seccompiler::SeccompCmpOp, value: u64) -> Result<SeccompRule> {
    let condition = SeccompCondition::new(0, SeccompCmpArgLen::Dword, operator, value)?;
    Ok(SeccompRule::new(vec![condition])?)
}

/// From now on these calls fail with this error; a program is told, not killed.
fn refuse(calls: &[Refused], error: i32) -> Result<()> {
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = BTreeMap::new();
    for (call, rule) in calls {
        rules.entry(*call).or_default().extend(rule.clone());
    }
    let refuse = SeccompAction::Errno(error.cast_unsigned());
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, refuse, ARCH.try_into()?)?;
    let program: BpfProgram = filter.try_into()?;
    seccompiler::apply_filter(&program).context("seccomp")
}
