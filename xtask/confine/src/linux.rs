//! Files by Landlock, other programs and sockets by seccomp, loopback by a network namespace. None asks for
//! privileges, but a system may keep namespaces to its administrators.

use std::collections::BTreeMap;
use std::env::consts::ARCH;
use std::os::fd::AsRawFd as _;
use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use landlock::{
    ABI, Access as _, AccessFs, RestrictionStatus, Ruleset, RulesetAttr as _,
    RulesetCreatedAttr as _, RulesetError, RulesetStatus, Scope, path_beneath_rules,
};
use libc::c_long;
use nix::sched::{CloneFlags, unshare};
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, send, socket,
};
use seccompiler::SeccompCmpOp::{MaskedEq, Ne};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule,
};

use crate::limits::{Limits, Network};

/// The newest that the crate knows; an older kernel holds to what it knows itself.
const NEWEST: ABI = ABI::V6;

pub fn offers() -> Vec<&'static str> {
    let mut offers = Vec::new();
    // This process does nothing after.
    if alone().is_ok() {
        offers.push("loopback of its own for an exercise that opens sockets (namespaces)");
    }
    if files(&[], &[]).is_ok_and(|status| status.ruleset != RulesetStatus::NotEnforced) {
        offers.push("what may be read and written (Landlock)");
    }
    if ["x86_64", "aarch64", "riscv64"].contains(&ARCH) {
        offers.push("other programs and sockets (seccomp)");
    }
    offers
}

pub fn hold(limits: &Limits) -> Result<()> {
    if limits.network == Network::Loopback {
        alone()?;
    }
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

/// From now on in a network where there is nothing but loopback. Whom it runs as stays; the privileges in the
/// namespace end with `exec`.
fn alone() -> Result<()> {
    unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNET).context("namespaces")?;
    let kernel = socket(
        AddressFamily::Netlink,
        SockType::Raw,
        SockFlag::SOCK_CLOEXEC,
        SockProtocol::NetlinkRoute,
    )?;
    send(kernel.as_raw_fd(), &loopback_up(), MsgFlags::empty())?;
    let mut answer = [0; 64];
    let length = recv(kernel.as_raw_fd(), &mut answer, MsgFlags::empty())?;
    // `struct nlmsgerr` after a header of 16 bytes: 0 is an acknowledgement.
    ensure!(length >= 20 && answer[16..20] == [0; 4], "loopback does not come up");
    Ok(())
}

/// A `struct nlmsghdr` and a `struct ifinfomsg` (rtnetlink(7)): the first interface is to be up.
fn loopback_up() -> [u8; 32] {
    const REQUEST_AND_ACK: u16 = 0x1 | 0x4;
    const FIRST: u32 = 1;
    let up = libc::IFF_UP.to_ne_bytes();
    let mut message = [0; 32];
    message[..4].copy_from_slice(&32_u32.to_ne_bytes());
    message[4..6].copy_from_slice(&libc::RTM_NEWLINK.to_ne_bytes());
    message[6..8].copy_from_slice(&REQUEST_AND_ACK.to_ne_bytes());
    message[20..24].copy_from_slice(&FIRST.to_ne_bytes());
    message[24..28].copy_from_slice(&up);
    // What of the flags is changed.
    message[28..].copy_from_slice(&up);
    message
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
        let not_a_thread = SeccompRule::new(vec![not_a_thread])?;
        refused.push((libc::SYS_clone, Some(not_a_thread)));
        #[cfg(target_arch = "x86_64")]
        refused.extend([libc::SYS_fork, libc::SYS_vfork].map(|call| (call, None)));
    }
    refused.push((
        libc::SYS_socket,
        match limits.network {
            Network::None => None,
            // Not the Unix sockets of other programs, of which Landlock knows nothing.
            _ => Some(SeccompRule::new(
                [libc::AF_INET, libc::AF_INET6]
                    .map(|family| condition(Ne, flag(family)))
                    .into_iter()
                    .collect::<Result<_>>()?,
            )?),
        },
    ));
    Ok(refused)
}

fn flag(value: i32) -> u64 {
    u64::from(value.cast_unsigned())
}

/// On the first argument.
fn condition(operator: SeccompCmpOp, value: u64) -> Result<SeccompCondition> {
    Ok(SeccompCondition::new(0, SeccompCmpArgLen::Dword, operator, value)?)
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
