include!("../../../exercises/06-deadline/src/chain.rs");
