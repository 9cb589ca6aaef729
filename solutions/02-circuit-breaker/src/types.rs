include!("../../../exercises/02-circuit-breaker/src/types.rs");
