//! What can be wrong with a GGUF file.

/// Bytes that are no GGUF file, or one of a kind that is not read here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GgufError {
    /// A file of another format.
    #[error("the file begins with {0:?}, but a GGUF file begins with \"GGUF\"")]
    Magic(String),
    /// A version with another layout.
    #[error("version {0}, but 2 and 3 are read")]
    Version(u32),
    /// The file ends too early.
    #[error("{what} at byte {at} takes {needed} bytes, but {left} are left")]
    Truncated {
        what: String,
        at: usize,
        needed: u64,
        left: usize,
    },
    /// A name that is no text.
    #[error("the name at byte {0} is not UTF-8")]
    Name(usize),
    /// A value of no known type.
    #[error("{key} is of type {kind}, but types are 0 to 12")]
    Kind { key: String, kind: u32 },
    /// Arrays of arrays of arrays.
    #[error("{0} is nested too deeply")]
    Depth(String),
    /// Two entries of one name.
    #[error("{0} is there twice")]
    Twice(String),
    /// An alignment that is no alignment.
    #[error("general.alignment = {0}, but it must be a power of two from 8 on")]
    Alignment(String),
    /// A tensor with too many axes or elements.
    #[error("{tensor} has {axes} axes of {shape:?}, but at most 4 and 2^48 elements are read")]
    Shape {
        tensor: String,
        axes: u32,
        shape: Vec<u64>,
    },
    /// An encoding that is not read here.
    #[error(
        "{tensor} is encoded as type {encoding}, but F32 (0), F16 (1), Q4_0 (2), Q4_1 (3), Q8_0 (8) and BF16 (30) are read"
    )]
    Encoding { tensor: String, encoding: u32 },
    /// Rows that are no whole number of blocks.
    #[error("{tensor} has rows of {row} elements, but its encoding has blocks of {block}")]
    Block {
        tensor: String,
        row: usize,
        block: usize,
    },
}
