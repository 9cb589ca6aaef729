include!("../../../exercises/02-circuit-breaker/src/config.rs");
