//! Every interleaving of a few callers, under loom: `cargo xtask check` runs this with `--cfg loom`.
//! tokio's clock is paused, for loom wants the same run each time; its threads are coroutines on one
//! thread, so that one runtime serves them all.
#![cfg(loom)]
#![allow(clippy::duplicate_mod, reason = "one suite, two subjects")]

#[path = "shared"]
mod readable {
    use bulkhead_solution as subject;

    #[path = "loom.rs"]
    mod both;
}

#[path = "shared"]
mod fast {
    use bulkhead_solution::fast as subject;

    #[path = "loom.rs"]
    mod both;

    #[path = "loom_word.rs"]
    mod word;
}
