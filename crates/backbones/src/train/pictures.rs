//! Pictures as tensors: standardized by training rows, changed at random while training.

use super::source::Augment;
use burn::tensor::{Device, Tensor, TensorData};
use offprint_data::Images;
use offprint_lab::draw::{below, happens, mix};

/// Pixels that a random crop may move a picture by.
const MARGIN: usize = 4;

/// Pictures with the mean and deviation of each channel.
pub struct Pictures {
    pub images: Images,
    moments: Vec<[f32; 2]>,
    augment: Augment,
}

impl Pictures {
    /// Takes mean and deviation of each channel from the training rows; a channel that is constant there keeps its scale.
    pub fn new(images: Images, train: &[usize], augment: Augment) -> Self {
        let plane = images.height * images.width;
        let brightest = f64::from(images.brightest);
        let moments = (0..images.channels).map(|channel| {
            let (mut sum, mut squares) = (0_u64, 0_u64);
            for &row in train {
                for &value in &images.image(row)[channel * plane..][..plane] {
                    sum += u64::from(value);
                    squares += u64::from(value) * u64::from(value);
                }
            }
            let count = (train.len() * plane).max(1) as f64;
            let mean = sum as f64 / count;
            let deviation = (squares as f64 / count - mean * mean).max(0.0).sqrt();
            let deviation = if deviation > 0.0 {
                deviation
            } else {
                brightest
            };
            [mean as f32, deviation as f32]
        });
        Self {
            moments: moments.collect(),
            images,
            augment,
        }
    }

    /// Channels, height and width.
    pub fn size(&self) -> [usize; 3] {
        [self.images.channels, self.images.height, self.images.width]
    }

    /// For each pixel of some pictures of one channel or more, one plus the picture's class where its mean over channels is
    /// more than half lit, else 0.
    pub fn lit(&self, rows: &[usize]) -> Vec<i64> {
        let plane = self.images.height * self.images.width;
        let half = self.images.channels as u32 * u32::from(self.images.brightest);
        let classes = rows.iter().flat_map(|&row| {
            let image = self.images.image(row);
            let class = i64::from(self.images.labels[row]) + 1;
            (0..plane).map(move |place| {
                let pixel = image.iter().skip(place).step_by(plane);
                let sum: u32 = pixel.map(|&value| u32::from(value)).sum();
                if 2 * sum > half { class } else { 0 }
            })
        });
        classes.collect()
    }

    /// Some pictures, `[rows, channels, height, width]`; changed at random where `draw` is given.
    pub fn tensor(&self, rows: &[usize], draw: Option<u64>, device: &Device) -> Tensor<4> {
        let [channels, height, width] = self.size();
        let mut values = Vec::with_capacity(rows.len() * self.images.image_len());
        for &row in rows {
            let change = match (self.augment, draw) {
                (Augment::None, _) | (_, None) => Change::NONE,
                (augment, Some(draw)) => Change::draw(augment, mix(draw, row as u64)),
            };
            let image = self.images.image(row);
            for (plane, &[mean, deviation]) in image.chunks_exact(height * width).zip(&self.moments)
            {
                for y in 0..height {
                    for x in 0..width {
                        // Beyond the margin a picture is black, as zeros around the raw pixels are.
                        let value = change
                            .source(y, x, height, width)
                            .map_or(0.0, |at| f32::from(plane[at]));
                        values.push((value - mean) / deviation);
                    }
                }
            }
        }
        let data = TensorData::new(values, [rows.len(), channels, height, width]);
        Tensor::from_data(data, device)
    }
}

/// One random change of a picture.
struct Change {
    down: usize,
    right: usize,
    mirrored: bool,
}

impl Change {
    const NONE: Self = Self {
        down: MARGIN,
        right: MARGIN,
        mirrored: false,
    };

    fn draw(augment: Augment, draw: u64) -> Self {
        Self {
            down: below(mix(draw, 0), 2 * MARGIN + 1),
            right: below(mix(draw, 1), 2 * MARGIN + 1),
            mirrored: augment == Augment::CropFlip && happens(mix(draw, 2), 0.5),
        }
    }

    /// Where in the plane the pixel at `(y, x)` comes from; `None` from the margin.
    fn source(&self, y: usize, x: usize, height: usize, width: usize) -> Option<usize> {
        let x = if self.mirrored { width - 1 - x } else { x };
        let y = (y + self.down)
            .checked_sub(MARGIN)
            .filter(|&y| y < height)?;
        let x = (x + self.right)
            .checked_sub(MARGIN)
            .filter(|&x| x < width)?;
        Some(y * width + x)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pictures(augment: Augment) -> Pictures {
        let images = Images {
            pixels: (0..2 * 36).collect(),
            count: 2,
            channels: 1,
            height: 6,
            width: 6,
            brightest: 255,
            labels: vec![0, 1],
            classes: 2,
        };
        Pictures::new(images, &[0], augment)
    }

    fn values(tensor: Tensor<4>) -> Vec<f32> {
        tensor.into_data().try_to_vec().unwrap()
    }

    #[test]
    fn training_rows_have_mean_zero_and_deviation_one() {
        let values = values(pictures(Augment::None).tensor(&[0], Some(1), &Device::flex()));
        let mean: f32 = values.iter().sum::<f32>() / 36.0;
        let square: f32 = values.iter().map(|v| v * v).sum::<f32>() / 36.0;
        assert!(
            mean.abs() < 1e-5 && (square - 1.0).abs() < 1e-4,
            "{mean} {square}"
        );
    }

    #[test]
    fn changes_happen_in_training_alone_and_depend_on_the_draw_alone() {
        let pictures = pictures(Augment::CropFlip);
        let of = |draw| values(pictures.tensor(&[0, 1], draw, &Device::flex()));
        assert_eq!(
            of(None),
            values(self::pictures(Augment::None).tensor(&[0, 1], None, &Device::flex()))
        );
        assert_eq!(of(Some(7)), of(Some(7)));
        assert_ne!(of(Some(7)), of(Some(8)));
    }

    #[test]
    fn a_crop_shifts_and_a_mirror_turns() {
        let shift = Change {
            down: MARGIN + 1,
            right: MARGIN - 2,
            mirrored: false,
        };
        assert_eq!(shift.source(0, 2, 6, 6), Some(6));
        assert_eq!(
            (shift.source(5, 3, 6, 6), shift.source(0, 1, 6, 6)),
            (None, None)
        );
        let mirror = Change {
            mirrored: true,
            ..Change::NONE
        };
        assert_eq!(mirror.source(1, 0, 6, 6), Some(11));
    }
}
