include!("../../../exercises/05-bulkhead/src/config.rs");
