// __TITLE__. Chapter: `cargo xtask book --open __ID__`.

/// Whether another call may begin while `running` calls are under way: `limit` calls run at a time, and
/// no more.
pub fn admits(running: usize, limit: usize) -> bool {
    running < limit
}
