#![no_main]

use burn::tensor::Device;
use offprint_certify::read_onnx;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Ok(network) = read_onnx(bytes, &Device::flex()) {
        assert!(network.outputs() > 0);
    }
});
