//! A specification of puzzles from hostile text: read, and if it is good, one puzzle drawn.
#![no_main]

use libfuzzer_sys::fuzz_target;
use offprint_language::puzzles::{Embedded, Generator, Spec};

fuzz_target!(|text: &str| {
    if let Ok(spec) = Spec::from_yaml(text) {
        let _ = Generator::new(spec, 0).puzzle(0, &Embedded { splits: 1000 });
    }
});
