//! The pictures of the study: standardized by the training rows, split by the fixed rule.

use super::settings::{DataSet, KatSettings};
use crate::explain::explain;
use burn::tensor::{Device, Int, Tensor, TensorData};
use offprint_data::{
    Images, LastBatch, Shares, Split, batches, cifar, letters, mnist,
    table::{Table, Values},
};
use offprint_lab::{Error, Result};
use std::path::Path;

/// Pictures and which of them serve for what.
pub struct Pictures {
    images: Images,
    split: Split,
    mean: f32,
    deviation: f32,
}

/// A batch of pictures and their classes.
pub struct Batch {
    pub pictures: Tensor<4>,
    pub classes: Tensor<1, Int>,
}

/// Which rows.
#[derive(Clone, Copy, Debug)]
pub enum Part {
    Validation,
    Test,
}

impl Pictures {
    /// Reads the pictures.
    ///
    /// # Errors
    /// CIFAR-10 without a folder, or a folder without its files.
    pub fn load(settings: &KatSettings, folder: Option<&Path>) -> Result<Self> {
        let images = match settings.data {
            DataSet::Mnist => mnist(),
            DataSet::Letters => of_letters(&letters()),
            DataSet::Cifar10 => {
                let folder = folder.ok_or_else(|| {
                    Error::input("data = cifar10 needs a folder of files")
                        .help("--data-dir DIR with CIFAR-10's binary files")
                })?;
                cifar::read_cifar10(folder).map_err(explain)?.0
            }
        };
        let images = first(images, settings.pictures);
        let split = Split::stratified(&images.labels, Shares::default()).map_err(explain)?;
        let values = images.scaled(&split.train);
        let count = values.len() as f64;
        let mean = values.iter().map(|v| f64::from(*v)).sum::<f64>() / count;
        let squares = values.iter().map(|v| (f64::from(*v) - mean).powi(2));
        let deviation = (squares.sum::<f64>() / count).sqrt();
        Ok(Self {
            images,
            split,
            mean: mean as f32,
            deviation: deviation as f32,
        })
    }

    /// Channels, then height and width.
    pub fn size(&self) -> (usize, [usize; 2]) {
        let Images {
            channels,
            height,
            width,
            ..
        } = self.images;
        (channels, [height, width])
    }

    /// Number of classes.
    pub fn classes(&self) -> usize {
        self.images.classes
    }

    /// The batch of a step, by the seed alone.
    ///
    /// # Errors
    /// The batch is larger than the training set.
    pub fn batch(&self, seed: u64, step: u64, size: usize, device: &Device) -> Result<Batch> {
        let rows = self.split.train.len();
        let each = (rows / size.max(1)).max(1) as u64;
        let (epoch, index) = (step / each, step % each);
        let batches = batches(rows, size, seed, epoch, LastBatch::Drop).map_err(explain)?;
        let chosen = &batches[index as usize];
        let rows: Vec<usize> = chosen.iter().map(|&i| self.split.train[i]).collect();
        Ok(self.of(&rows, device))
    }

    /// A part in batches.
    pub fn part<'a>(
        &'a self,
        part: Part,
        size: usize,
        device: &'a Device,
    ) -> impl Iterator<Item = Batch> + 'a {
        let rows = match part {
            Part::Validation => &self.split.validation,
            Part::Test => &self.split.test,
        };
        rows.chunks(size.max(1)).map(|rows| self.of(rows, device))
    }

    fn of(&self, rows: &[usize], device: &Device) -> Batch {
        let values = self.images.scaled(rows).into_iter();
        let values: Vec<f32> = values.map(|v| (v - self.mean) / self.deviation).collect();
        let (channels, [height, width]) = self.size();
        let labels = rows.iter().map(|&row| i64::from(self.images.labels[row]));
        Batch {
            pictures: Tensor::from_data(
                TensorData::new(values, [rows.len(), channels, height, width]),
                device,
            ),
            classes: Tensor::from_data(
                TensorData::new(labels.collect::<Vec<i64>>(), [rows.len()]),
                device,
            ),
        }
    }
}

/// The first pictures of a set in random order.
fn first(mut images: Images, count: usize) -> Images {
    if count > 0 && count < images.count {
        images.pixels.truncate(count * images.image_len());
        images.labels.truncate(count);
        images.count = count;
    }
    images
}

/// Sixteen measures from 0 to 15 as a picture.
fn of_letters(table: &Table) -> Images {
    let (mut labels, mut columns) = (Vec::new(), Vec::new());
    let mut classes = 0;
    for column in &table.columns {
        match &column.values {
            Values::Numeric(values) => columns.push(values),
            Values::Categorical { codes, levels } => {
                labels = codes.iter().map(|code| code.unwrap_or(0) as u8).collect();
                classes = levels.len();
            }
        }
    }
    let rows = 0..table.rows();
    let pixels = rows.flat_map(|row| columns.iter().map(move |column| column[row] as u8));
    Images {
        pixels: pixels.collect(),
        count: table.rows(),
        channels: 1,
        height: 4,
        width: 4,
        brightest: 15,
        labels,
        classes,
    }
}

#[cfg(test)]
mod tests {
    use super::super::KatStudy;
    use super::*;
    use offprint_lab::study::{Budget, Study};

    #[test]
    fn letters_are_pictures() {
        let images = of_letters(&letters());
        assert_eq!((images.count, images.classes), (20_000, 26));
        assert_eq!(images.pixels.len(), 16 * images.count);
        assert!(images.pixels.iter().all(|pixel| *pixel <= 15));
    }

    #[test]
    fn batches_follow_from_seed_and_step() {
        let settings = KatStudy.settings(Budget::Quick);
        let pictures = Pictures::load(&settings, None).unwrap();
        let device = Device::flex();
        let batch = |seed, step| {
            let batch = pictures.batch(seed, step, 8, &device).unwrap();
            assert_eq!(batch.pictures.dims(), [8, 1, 28, 28]);
            batch.pictures.into_data().try_to_vec::<f32>().unwrap()
        };
        assert_eq!(batch(3, 900), batch(3, 900));
        assert_ne!(batch(3, 900), batch(3, 901));
        assert_ne!(batch(3, 900), batch(4, 900));
    }
}
