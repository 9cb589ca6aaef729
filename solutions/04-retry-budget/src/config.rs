include!("../../../exercises/04-retry-budget/src/config.rs");
