// __TITLE__. Chapter: `cargo xtask book --open __ID__`.

// This file is yours: every `todo!` is a task, in the order of the chapter.

// The tasks leave things unused: delete these lines when the last one is done.
#![allow(unused)]

/// Whether another call may begin while `running` calls are under way: `limit` calls run at a time, and
/// no more.
pub fn admits(running: usize, limit: usize) -> bool {
    todo!("step 1: admit a call, or don't, while {running} of {limit} run")
}
