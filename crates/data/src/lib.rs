//! Real data: small sets inside the library, readers of the usual file formats, fixed splits, batches by seed.
//!
//! Everything here is plain vectors; nothing depends on a tensor library.
//!
//! - Inside: [`mnist`], [`opencv_digits`], [`sklearn_digits`], [`letters`], [`tables`], [`text`]; [`sets`] lists them.
//! - From files: [`idx`] (MNIST and relatives), [`cifar`], [`movielens`], [`table`] (CSV, TSV), [`arrays`] (`.npy`,
//!   `.npz`, CSV of numbers), [`text`]. Each has a pure
//!   `parse` over bytes that neither panics nor trusts a header, and a function that reads a file or searches a folder.
//! - Made from these: [`labeled`] (short texts with classes), [`multi_mnist`] (two digits, two tasks), [`recommend`]
//!   (watch and rating, two tasks).
//! - Made up: [`mqar`] (recall of pairs).
//! - For training: [`Split`] (one fixed rule, no seed), [`batches`] (by seed and epoch), [`table::Standardizer`].
//!
//! ```
//! use offprint_data::{LastBatch, Shares, Split, batches, sklearn_digits};
//!
//! let digits = sklearn_digits();
//! let split = Split::stratified(&digits.labels, Shares::default())?;
//! for batch in batches(split.train.len(), 64, 0, 0, LastBatch::Keep)? {
//!     let rows: Vec<usize> = batch.iter().map(|&i| split.train[i]).collect();
//!     let inputs = digits.scaled(&rows); // [64, 1, 8, 8] in [0, 1]
//!     assert_eq!(inputs.len(), rows.len() * digits.image_len());
//! }
//! # Ok::<(), offprint_data::DataError>(())
//! ```

pub mod arrays;
mod batches;
mod catalogue;
pub mod cifar;
mod delimited;
mod draw;
mod embedded;
mod error;
mod file;
pub mod idx;
mod images;
pub mod labeled;
pub mod movielens;
pub mod mqar;
pub mod multi_mnist;
pub mod recommend;
mod split;
pub mod table;
pub mod text;

pub use batches::{LastBatch, batches};
pub use catalogue::{Set, sets};
pub use draw::Draw;
pub use embedded::{letters, mnist, opencv_digits, sklearn_digits, tables};
pub use error::{DataError, Fault};
pub use file::{LARGEST, unpack};
pub use images::Images;
pub use split::{Shares, Split};
