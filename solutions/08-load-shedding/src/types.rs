include!("../../../exercises/08-load-shedding/src/types.rs");
