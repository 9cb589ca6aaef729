//! What the checks share.

mod step_1_begin;
