//! Pictures as rows of numbers from 0 to 1, with their labels.

use super::settings::{DataSet, FastIbpSettings};
use crate::explain::explain_data;
use burn::tensor::{Device, Tensor, TensorData};
use offprint_data::{Images, Shares, Split, cifar, idx};
use offprint_lab::{Error, Result};
use std::path::Path;

/// Three disjoint parts.
pub struct Sets {
    pub train: Part,
    pub validation: Part,
    pub test: Part,
    /// `[channels, height, width]`.
    pub shape: [usize; 3],
    pub classes: usize,
}

/// Pictures of a part.
pub struct Part {
    pixels: Vec<f32>,
    features: usize,
    pub labels: Vec<usize>,
}

impl Sets {
    /// The parts that the settings ask for.
    ///
    /// # Errors
    /// CIFAR-10 without a folder, a folder without the files, fewer pictures than asked for.
    pub fn load(settings: &FastIbpSettings, folder: Option<&Path>) -> Result<Self> {
        let (images, official) = match (settings.data, folder) {
            (DataSet::Mnist, None) => (offprint_data::mnist(), None),
            (DataSet::Mnist, Some(folder)) => {
                let (train, test) = idx::read_mnist(folder).map_err(explain_data)?;
                (train, Some(test))
            }
            (DataSet::Cifar10, Some(folder)) => {
                let (train, test) = cifar::read_cifar10(folder).map_err(explain_data)?;
                (train, Some(test))
            }
            (DataSet::Cifar10, None) => {
                return Err(Error::input("data = cifar10 needs a folder of files")
                    .help("--data-dir DIR with CIFAR-10's binary files"));
            }
        };
        // A set with test pictures of its own gives none of the others away.
        let shares = Shares {
            validation: 0.1,
            test: if official.is_some() { 0.0 } else { 0.1 },
        };
        let split = Split::fixed(images.count, shares).map_err(explain_data)?;
        let part = |key, images: &Images, rows: &[usize], count: usize| match rows.get(..count) {
            Some(rows) => Ok(Part::new(images, rows)),
            None => Err(Error::input(format!(
                "{key} = {count}, but there are {} such pictures",
                rows.len()
            ))),
        };
        let held_out = settings.held_out;
        let test = match &official {
            None => part("held_out", &images, &split.test, held_out)?,
            Some(test) => {
                let all: Vec<usize> = (0..test.count).collect();
                part("held_out", test, &all, held_out)?
            }
        };
        Ok(Self {
            train: part("samples", &images, &split.train, settings.samples)?,
            validation: part("held_out", &images, &split.validation, held_out)?,
            test,
            shape: [images.channels, images.height, images.width],
            classes: images.classes,
        })
    }
}

impl Part {
    fn new(images: &Images, rows: &[usize]) -> Self {
        Self {
            pixels: images.scaled(rows),
            features: images.image_len(),
            labels: rows
                .iter()
                .map(|&row| usize::from(images.labels[row]))
                .collect(),
        }
    }

    /// Number of pictures.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Some pictures, `[rows, features]`, and their labels.
    pub fn select(&self, rows: &[usize], device: &Device) -> (Tensor<2>, Vec<usize>) {
        let pixels = rows
            .iter()
            .flat_map(|row| &self.pixels[row * self.features..][..self.features]);
        let data = TensorData::new(
            pixels.copied().collect::<Vec<f32>>(),
            [rows.len(), self.features],
        );
        let labels = rows.iter().map(|&row| self.labels[row]).collect();
        (Tensor::from_data(data, device), labels)
    }
}
