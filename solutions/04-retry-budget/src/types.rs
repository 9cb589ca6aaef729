include!("../../../exercises/04-retry-budget/src/types.rs");
