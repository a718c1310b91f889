//! Tasks on rows: targets, losses and scores.

use burn::tensor::{Device, Int, Tensor, TensorData, activation};

/// What a task predicts of some rows.
#[derive(Clone, Debug)]
pub enum Target {
    /// A class; the head has one output a class, the loss is cross-entropy.
    Classes(Vec<usize>),
    /// Yes or no; one output, the loss is binary cross-entropy.
    Binary(Vec<bool>),
    /// A number; one output, the loss is the squared error over the rows that have one.
    Values(Vec<Option<f32>>),
}

impl Target {
    /// Targets of some of the rows.
    pub fn select(&self, rows: &[usize]) -> Self {
        match self {
            Target::Classes(all) => Target::Classes(rows.iter().map(|&row| all[row]).collect()),
            Target::Binary(all) => Target::Binary(rows.iter().map(|&row| all[row]).collect()),
            Target::Values(all) => Target::Values(rows.iter().map(|&row| all[row]).collect()),
        }
    }

    /// Mean loss of a head's output `[rows, outputs]`, `[1]`; zero where no row has a target.
    pub fn loss(&self, output: Tensor<2>) -> Tensor<1> {
        let device = output.device();
        match self {
            Target::Classes(classes) => {
                let classes: Vec<i64> = classes.iter().map(|&class| class as i64).collect();
                let rows = classes.len();
                let classes = TensorData::new(classes, [rows, 1]);
                let classes = Tensor::<2, Int>::from_data(classes, &device);
                -activation::log_softmax(output, 1).gather(1, classes).mean()
            }
            // ln(1 + exp(−z)) for yes and ln(1 + exp(z)) for no.
            Target::Binary(answers) => {
                let signs = answers
                    .iter()
                    .map(|&yes| if yes { -1.0 } else { 1.0 })
                    .collect();
                activation::softplus(output * column(signs, &device), 1.0).mean()
            }
            Target::Values(values) => {
                let known = values.iter().flatten().count().max(1) as f32;
                let mask = values.iter().map(|v| f32::from(v.is_some())).collect();
                let values = values.iter().map(|v| v.unwrap_or(0.0)).collect();
                let error = (output - column(values, &device)) * column(mask, &device);
                error.powi_scalar(2).sum() / known
            }
        }
    }
}

fn column(values: Vec<f32>, device: &Device) -> Tensor<2> {
    let rows = values.len();
    Tensor::from_data(TensorData::new(values, [rows, 1]), device)
}

/// Index of the largest output of a row, the first of equal ones; 0 for an empty row.
pub fn largest(row: &[f32]) -> usize {
    let best = (0..row.len())
        .rev()
        .max_by(|&a, &b| row[a].total_cmp(&row[b]));
    best.unwrap_or(0)
}

/// Share of rows whose [`largest`] output is their class.
pub fn accuracy(outputs: &[f32], width: usize, classes: &[usize]) -> f64 {
    let rows = outputs.chunks_exact(width).zip(classes);
    let right = rows.filter(|(row, class)| largest(row) == **class).count();
    right as f64 / classes.len().max(1) as f64
}
