#![no_main]

use offprint_backbones::checkpoint::Gguf;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Ok(file) = Gguf::parse(bytes) {
        for tensor in file.tensors.values() {
            assert_eq!(tensor.values().len(), tensor.shape.iter().product::<usize>());
        }
    }
});
