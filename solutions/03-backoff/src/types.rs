include!("../../../exercises/03-backoff/src/types.rs");
