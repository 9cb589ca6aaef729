include!("../../../exercises/07-degradation/src/features.rs");
