//! How a GGUF file encodes numbers.

use super::super::tensors::floats;
use half::{bf16, f16};

/// How the elements of a tensor are encoded.
///
/// The quantized encodings hold blocks of 32 elements, each with a factor `d` in 16 bits, and an offset `m` in `Q4_1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// 32-bit floats.
    F32,
    /// 16-bit floats of IEEE.
    F16,
    /// The upper halves of 32-bit floats.
    Bf16,
    /// `d (q − 8)`, `q` in 4 bits: the lower halves of 16 bytes are the first 16 elements.
    Q40,
    /// `d q + m`, `q` as in `Q4_0`.
    Q41,
    /// `d q`, `q` in 8 bits with a sign.
    Q80,
}

/// Elements of a block of the quantized encodings.
const BLOCK: usize = 32;

impl Encoding {
    /// The encoding of a number in a file, if it is read here.
    pub(super) fn of(number: u32) -> Option<Self> {
        Some(match number {
            0 => Self::F32,
            1 => Self::F16,
            2 => Self::Q40,
            3 => Self::Q41,
            8 => Self::Q80,
            30 => Self::Bf16,
            _ => return None,
        })
    }

    /// Elements of a block.
    pub fn block(self) -> usize {
        match self {
            Self::F32 | Self::F16 | Self::Bf16 => 1,
            Self::Q40 | Self::Q41 | Self::Q80 => BLOCK,
        }
    }

    /// Bytes of so many elements, a multiple of a block.
    pub fn size(self, elements: usize) -> usize {
        let of_block = match self {
            Self::F32 => 4,
            Self::F16 | Self::Bf16 => 2,
            Self::Q40 => 2 + BLOCK / 2,
            Self::Q41 => 4 + BLOCK / 2,
            Self::Q80 => 2 + BLOCK,
        };
        elements / self.block() * of_block
    }

    /// The elements; bytes after the last whole block are left out.
    pub fn decode(self, bytes: &[u8]) -> Vec<f32> {
        match self {
            Self::F32 => floats(bytes, f32::from_le_bytes),
            Self::F16 => floats(bytes, |b| f16::from_le_bytes(b).to_f32()),
            Self::Bf16 => floats(bytes, |b| bf16::from_le_bytes(b).to_f32()),
            Self::Q40 => blocks::<{ 2 + BLOCK / 2 }>(bytes, |block, out| {
                let d = factor(block, 0);
                halves(&block[2..], out, |q| d * (f32::from(q) - 8.0));
            }),
            Self::Q41 => blocks::<{ 4 + BLOCK / 2 }>(bytes, |block, out| {
                let (d, m) = (factor(block, 0), factor(block, 2));
                halves(&block[4..], out, |q| d * f32::from(q) + m);
            }),
            Self::Q80 => blocks::<{ 2 + BLOCK }>(bytes, |block, out| {
                let d = factor(block, 0);
                for (out, q) in out.iter_mut().zip(&block[2..]) {
                    *out = d * f32::from(*q as i8);
                }
            }),
        }
    }
}

fn blocks<const N: usize>(bytes: &[u8], decode: impl Fn(&[u8; N], &mut [f32; BLOCK])) -> Vec<f32> {
    let (encoded, _) = bytes.as_chunks::<N>();
    let mut values = vec![0.0; encoded.len() * BLOCK];
    let (decoded, _) = values.as_chunks_mut::<BLOCK>();
    for (block, out) in encoded.iter().zip(decoded) {
        decode(block, out);
    }
    values
}

fn factor(block: &[u8], at: usize) -> f32 {
    f16::from_le_bytes([block[at], block[at + 1]]).to_f32()
}

/// The lower halves of the bytes, then the upper ones.
fn halves(bytes: &[u8], out: &mut [f32; BLOCK], value: impl Fn(u8) -> f32) {
    let (lower, upper) = out.split_at_mut(BLOCK / 2);
    for ((byte, lower), upper) in bytes.iter().zip(lower).zip(upper) {
        *lower = value(byte & 15);
        *upper = value(byte >> 4);
    }
}
