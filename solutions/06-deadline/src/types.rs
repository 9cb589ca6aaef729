include!("../../../exercises/06-deadline/src/types.rs");
