#![no_main]

use offprint_lab::store::{Outcome, TrialSpec};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = serde_json::from_slice::<TrialSpec>(bytes);
    let _ = serde_json::from_slice::<Outcome>(bytes);
});
