include!("../../../exercises/08-load-shedding/src/window.rs");
