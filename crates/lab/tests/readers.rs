//! Every reader of the lab on hostile bytes: the fuzz targets' corpus replayed.

use offprint_lab::{
    checkpoint::Checkpoint,
    golden::{Case, Kind},
    settings::Overrides,
    store::{TrialSpec, parse_metrics},
};
use std::path::Path;

/// A reader as its fuzz target calls it.
type Reader = fn(&[u8]) -> Result<(), String>;

fn done<T, E: ToString>(result: Result<T, E>) -> Result<(), String> {
    result.map(drop).map_err(|error| error.to_string())
}

fn settings(bytes: &[u8]) -> Result<(), String> {
    let text = std::str::from_utf8(bytes).map_err(|error| error.to_string())?;
    let defaults =
        serde_json::json!({ "experts": 8, "learning_rate": 0.1, "gate": "comet", "search": true });
    let mut map = defaults.as_object().cloned().unwrap_or_default();
    let mut overrides = Overrides::default();
    done(overrides.toml(text, "corpus.toml"))?;
    done(overrides.apply(&mut map))
}

const READERS: [(&str, Reader); 6] = [
    ("golden", |bytes| {
        done(Case::parse(bytes, Kind::Safetensors))
    }),
    ("golden-json", |bytes| done(Case::parse(bytes, Kind::Json))),
    ("settings", settings),
    ("metrics", |bytes| done(parse_metrics(bytes))),
    ("trial", |bytes| {
        done(serde_json::from_slice::<TrialSpec>(bytes))
    }),
    ("checkpoint", |bytes| done(Checkpoint::from_bytes(bytes))),
];

#[test]
fn the_corpus_reads_or_fails_as_its_names_say() {
    for (name, read) in READERS {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../../fuzz/corpus")
            .join(name);
        let mut files = 0;
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let bytes = std::fs::read(&path).unwrap();
            let file = path.file_name().unwrap().to_string_lossy();
            let result = read(&bytes);
            if file.starts_with("good-") {
                assert_eq!(result, Ok(()), "{name}/{file}");
            } else if file.starts_with("bad-") {
                assert!(result.is_err(), "{name}/{file} was read");
            }
            // A good file cut short anywhere must not panic either.
            for cut in (0..bytes.len()).step_by(1 + bytes.len() / 64) {
                let _ = read(&bytes[..cut]);
            }
            files += 1;
        }
        assert!(files >= 6, "{name} has {files} files");
    }
}
