include!("../../../exercises/05-bulkhead/src/types.rs");
