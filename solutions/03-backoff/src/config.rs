include!("../../../exercises/03-backoff/src/config.rs");
