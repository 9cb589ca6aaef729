include!("../../../exercises/08-load-shedding/src/config.rs");
