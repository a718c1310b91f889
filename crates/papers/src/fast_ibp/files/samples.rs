//! Samples and labels as the options name them.

use crate::arguments::array;
use burn::tensor::{Device, Tensor, TensorData};
use clap::ArgMatches;
use offprint_lab::{Error, Result};

/// Samples with their labels.
pub struct Samples {
    /// What DATA was.
    pub name: String,
    /// Shape of a sample: `[features]` or `[channels, height, width]`.
    pub shape: Vec<usize>,
    values: Vec<f32>,
    pub labels: Vec<usize>,
    pub eps: f64,
    pub clip: Option<[f64; 2]>,
}

/// Classes that labels may have.
const CLASSES: usize = 100_000;

impl Samples {
    /// The samples of a call.
    ///
    /// # Errors
    /// A radius or range that is not allowed, a file that cannot be read, a sample out of the range, labels that are no
    /// classes or of another number.
    pub fn of(matches: &ArgMatches) -> Result<Self> {
        let eps = *matches
            .get_one::<f64>("eps")
            .expect("the grammar requires it");
        if !(eps >= 0.0 && eps.is_finite()) {
            return Err(Error::input(format!(
                "--eps {eps}, but it must be a finite number of at least 0"
            )));
        }
        let clip = clip(matches)?;
        let name = matches.get_one::<String>("data");
        let name = name.expect("the grammar requires it");
        let data = array(name)?;
        let count = data.shape.first().copied().unwrap_or(0);
        if !matches!(data.shape.len(), 2 | 4) || data.shape.contains(&0) {
            return Err(Error::input(format!(
                "{name} has shape {:?}, but [samples, features] or [samples, channels, height, width] is read, none of \
                 them 0",
                data.shape
            )));
        }
        let (mut shape, mut values) = (data.shape[1..].to_vec(), data.values);
        let (labels, origin) = match matches.get_one::<String>("labels") {
            Some(option) => {
                let labels = array(option)?;
                if labels.values.len() != count {
                    return Err(Error::input(format!(
                        "{option} has {} labels, but {name} has {count} samples",
                        labels.values.len()
                    )));
                }
                (labels.values, option.clone())
            }
            None => {
                let &[columns] = &shape[..] else {
                    return Err(Error::input(format!("{name} is pictures without labels"))
                        .help("give their classes by --labels ARRAY"));
                };
                if columns < 2 {
                    return Err(Error::input(format!(
                        "{name} has one column, but without --labels its last is the labels"
                    )));
                }
                let labels = values.iter().skip(columns - 1).step_by(columns);
                let labels: Vec<f64> = labels.copied().collect();
                let rows = values.chunks(columns);
                values = rows.flat_map(|row| &row[..columns - 1]).copied().collect();
                shape = vec![columns - 1];
                (labels, format!("the last column of {name}"))
            }
        };
        let labels = labels.iter().enumerate().map(|(row, &label)| {
            let class = label as usize;
            match class as f64 == label && class < CLASSES {
                true => Ok(class),
                false => Err(Error::input(format!(
                    "{origin}: label {label} of sample {row}, but it must be a class, 0, 1, 2 and so on"
                ))),
            }
        });
        let labels = labels.collect::<Result<Vec<_>>>()?;
        if let Some([low, high]) = clip
            && let Some(at) = values.iter().position(|x| !(low..=high).contains(x))
        {
            let features = values.len() / count;
            return Err(Error::input(format!(
                "{name}: feature {} of sample {} is {}, but --clip says {low} to {high}",
                at % features,
                at / features,
                values[at]
            ))
            .help("give the range of your samples by --clip LO,HI, or --clip none"));
        }
        Ok(Self {
            name: name.clone(),
            shape,
            values: values.into_iter().map(|x| x as f32).collect(),
            labels,
            eps,
            clip,
        })
    }

    /// Number of samples.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Numbers of a sample.
    pub fn features(&self) -> usize {
        self.shape.iter().product()
    }

    /// Some samples, `[rows, features]`, and their labels.
    pub fn select(&self, rows: &[usize], device: &Device) -> (Tensor<2>, Vec<usize>) {
        let features = self.features();
        let values = rows
            .iter()
            .flat_map(|row| &self.values[row * features..][..features]);
        let data = TensorData::new(
            values.copied().collect::<Vec<f32>>(),
            [rows.len(), features],
        );
        let labels = rows.iter().map(|&row| self.labels[row]).collect();
        (Tensor::from_data(data, device), labels)
    }
}

/// The range of the samples.
fn clip(matches: &ArgMatches) -> Result<Option<[f64; 2]>> {
    let text = matches.get_one::<String>("clip");
    let text = text.expect("it has a default");
    if text == "none" {
        return Ok(None);
    }
    let numbers: Option<Vec<f64>> = text.split(',').map(|n| n.trim().parse().ok()).collect();
    match numbers.as_deref() {
        Some(&[low, high]) if low < high && low.is_finite() && high.is_finite() => {
            Ok(Some([low, high]))
        }
        _ => Err(Error::input(format!(
            "--clip {text}, but it must be two finite numbers, the smaller first, as 0,1, or none"
        ))),
    }
}
