include!("../../../exercises/07-degradation/src/config.rs");
