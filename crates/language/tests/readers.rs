//! The reader of specifications on hostile text: the fuzz target's corpus replayed.

use offprint_language::puzzles::{Embedded, Generator, Spec};
use std::path::Path;

#[test]
fn the_corpus_reads_or_fails_as_its_names_say() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/puzzle-spec");
    let mut files = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let file = path.file_name().unwrap().to_string_lossy();
        let read = Spec::from_yaml(&text);
        if file.starts_with("good-") {
            let spec = read
                .clone()
                .unwrap_or_else(|error| panic!("{file}: {error}"));
            Generator::new(spec, 0)
                .puzzle(0, &Embedded::default())
                .unwrap();
        } else if file.starts_with("bad-") {
            assert!(read.is_err(), "{file} was read");
        }
        if let Ok(spec) = read {
            let _ = Generator::new(spec, 0).puzzle(0, &Embedded { splits: 1000 });
        }
        for cut in (0..text.len())
            .filter(|&cut| text.is_char_boundary(cut))
            .step_by(7)
        {
            let _ = Spec::from_yaml(&text[..cut]);
        }
        files += 1;
    }
    assert!(files >= 18, "{files} files of the corpus");
}
