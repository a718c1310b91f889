//! Labeled images as plain bytes.

use crate::error::DataError;

/// Labeled images of one size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Images {
    /// `[count, channels, height, width]`, row-major.
    pub pixels: Vec<u8>,
    /// Number of images.
    pub count: usize,
    /// 1 (gray) or 3 (red, green, blue).
    pub channels: usize,
    /// Rows of an image.
    pub height: usize,
    /// Columns of an image.
    pub width: usize,
    /// The value of a fully lit pixel: 255, or 16 for scikit-learn's digits.
    pub brightest: u8,
    /// The class of each image, below `classes`.
    pub labels: Vec<u8>,
    /// Number of classes.
    pub classes: usize,
}

impl Images {
    /// Number of values of one image, `channels * height * width`.
    pub fn image_len(&self) -> usize {
        self.channels * self.height * self.width
    }

    /// The values of image `row`.
    ///
    /// # Panics
    /// If `row` is not below `count`.
    pub fn image(&self, row: usize) -> &[u8] {
        let len = self.image_len();
        &self.pixels[row * len..(row + 1) * len]
    }

    /// The images of `rows`, one after another, with values scaled to `[0, 1]`.
    ///
    /// # Panics
    /// If a row is not below `count`.
    pub fn scaled(&self, rows: &[usize]) -> Vec<f32> {
        let brightest = f32::from(self.brightest);
        let images = rows.iter().flat_map(|&row| self.image(row));
        images.map(|&value| f32::from(value) / brightest).collect()
    }

    /// How many images each class has.
    pub fn class_counts(&self) -> Vec<usize> {
        let mut counts = vec![0; self.classes];
        for &label in &self.labels {
            counts[usize::from(label)] += 1;
        }
        counts
    }

    /// Puts the images of `other`, of the same size, behind these.
    pub(crate) fn append(&mut self, other: Self) {
        self.pixels.extend(other.pixels);
        self.labels.extend(other.labels);
        self.count += other.count;
    }

    /// Refuses a label that is not a class.
    pub(crate) fn checked(self) -> Result<Self, DataError> {
        match (self.labels.iter()).position(|&label| usize::from(label) >= self.classes) {
            None => Ok(self),
            Some(row) => Err(DataError::format(
                format!("label of image {row}"),
                self.labels[row],
                format!("0 to {}", self.classes - 1),
            )),
        }
    }
}
