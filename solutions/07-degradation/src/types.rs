include!("../../../exercises/07-degradation/src/types.rs");
