// Where the lock comes from. Given: nothing to write here.
//
// The solution takes its own from loom when loom tries every interleaving of its threads.

#[allow(unused_imports, reason = "another lock will do")]
pub use std::sync::Mutex;
