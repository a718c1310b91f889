//! The reader of GGUF on hostile bytes: the fuzz target's corpus replayed.

use offprint_backbones::checkpoint::{Gguf, GgufError};
use std::path::Path;

fn read(bytes: &[u8]) -> Result<(), GgufError> {
    let file = Gguf::parse(bytes)?;
    for tensor in file.tensors.values() {
        assert_eq!(
            tensor.values().len(),
            tensor.shape.iter().product::<usize>()
        );
    }
    Ok(())
}

#[test]
fn the_corpus_reads_or_fails_as_its_names_say() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/gguf");
    let mut files = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        let file = path.file_name().unwrap().to_string_lossy();
        let result = read(&bytes);
        if file.starts_with("good-") {
            assert_eq!(result, Ok(()), "{file}");
        } else if file.starts_with("bad-") {
            assert!(result.is_err(), "{file} was read");
        }
        for cut in 0..bytes.len() {
            let _ = read(&bytes[..cut]);
        }
        files += 1;
    }
    assert!(files >= 20, "{files} files of the corpus");
}
