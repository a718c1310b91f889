#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = offprint_data::arrays::parse(bytes, None);
});
