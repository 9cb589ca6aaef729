//! What was promised outlives the process, the disk's last write and the power.

mod disk;
mod journal;
mod orders;
