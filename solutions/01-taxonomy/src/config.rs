include!("../../../exercises/01-taxonomy/src/config.rs");
