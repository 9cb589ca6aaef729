include!("../../../exercises/06-deadline/src/config.rs");
