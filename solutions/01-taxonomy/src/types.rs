include!("../../../exercises/01-taxonomy/src/types.rs");
