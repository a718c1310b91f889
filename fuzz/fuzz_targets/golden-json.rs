#![no_main]

use offprint_lab::golden::{Case, Kind};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = Case::parse(bytes, Kind::Json);
});
