include!("../../../exercises/06-deadline/src/timestamp.rs");
