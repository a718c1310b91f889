#![no_main]

use offprint_lab::settings::Overrides;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let defaults = serde_json::json!({ "experts": 8, "learning_rate": 0.1, "gate": "comet", "search": true });
    let mut map = defaults.as_object().cloned().unwrap_or_default();
    let mut overrides = Overrides::default();
    if overrides.toml(text, "fuzz.toml").is_ok() {
        let _ = overrides.apply(&mut map);
    }
});
