//! Parameters to named tensors and back, by one walk through a model for both directions.

use super::error::{CheckpointError, Differences, Result};
use super::tensors::{Stored, Tensors};
use burn::module::Param;
use burn::tensor::{Tensor, TensorData};
use offprint_layers::{Linear, Norm};

/// How the checkpoint holds the weight of a linear layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Weights {
    /// `[inputs, outputs]`, as here: GPT-2's `Conv1D`.
    InOut,
    /// `[outputs, inputs]`: PyTorch's `Linear`.
    OutIn,
}

/// One direction of the exchange.
pub(super) enum Exchange<'a> {
    /// Parameters take the tensors' values; what does not fit is noted.
    Load {
        tensors: &'a mut Tensors,
        differences: Differences,
    },
    /// Tensors take the parameters' values.
    Save { tensors: Tensors },
}

impl<'a> Exchange<'a> {
    /// Loads from these tensors, which are taken away one by one.
    pub fn load(tensors: &'a mut Tensors) -> Self {
        Self::Load {
            tensors,
            differences: Differences::default(),
        }
    }

    pub fn save() -> Self {
        Self::Save {
            tensors: Tensors::new(),
        }
    }

    /// Ends loading: all that does not fit is one error. A tensor that is left counts unless it is `known` to be none of
    /// the model's parameters.
    pub fn finish(self, known: impl Fn(&str) -> bool) -> Result<()> {
        let Self::Load {
            tensors,
            mut differences,
        } = self
        else {
            return Ok(());
        };
        let left = tensors.keys().filter(|name| !known(name));
        differences.extra.extend(left.cloned());
        match differences.is_empty() {
            true => Ok(()),
            false => Err(CheckpointError::Tensors(differences)),
        }
    }

    /// The tensors that were saved.
    pub fn saved(self) -> Tensors {
        match self {
            Self::Save { tensors } => tensors,
            Self::Load { .. } => Tensors::new(),
        }
    }

    /// A parameter that the checkpoint holds under one name in the same shape.
    pub fn param<const D: usize>(&mut self, name: &str, param: &mut Param<Tensor<D>>) {
        let width = param.dims()[D - 1];
        self.parts(&[(name.to_string(), width)], Weights::InOut, param);
    }

    /// A linear layer whose outputs the checkpoint holds in parts, under these prefixes, each of so many outputs.
    pub fn linear(&mut self, parts: &[(&str, usize)], weights: Weights, linear: &mut Linear) {
        let named = |suffix: &str| -> Vec<(String, usize)> {
            let parts = parts.iter();
            parts
                .map(|(prefix, width)| (format!("{prefix}.{suffix}"), *width))
                .collect()
        };
        self.parts(&named("weight"), weights, &mut linear.weight);
        if let Some(bias) = &mut linear.bias {
            self.parts(&named("bias"), Weights::InOut, bias);
        }
    }

    /// A linear layer under one prefix.
    pub fn whole(&mut self, prefix: &str, weights: Weights, linear: &mut Linear) {
        let [_, width] = linear.weight.dims();
        self.linear(&[(prefix, width)], weights, linear);
    }

    /// A layer or RMS norm; the others have nothing that a checkpoint could hold.
    pub fn norm(&mut self, prefix: &str, norm: &mut Norm) {
        let weight = format!("{prefix}.weight");
        match norm {
            Norm::Layer(norm) => {
                self.param(&weight, &mut norm.weight);
                self.param(&format!("{prefix}.bias"), &mut norm.bias);
            }
            Norm::Rms(norm) => self.param(&weight, &mut norm.weight),
            Norm::Batch(_) | Norm::None(_) => {}
        }
    }

    /// A parameter whose last axis the checkpoint holds in parts of so many elements.
    fn parts<const D: usize>(
        &mut self,
        parts: &[(String, usize)],
        weights: Weights,
        param: &mut Param<Tensor<D>>,
    ) {
        let shape = param.dims();
        let (total, rows) = (shape[D - 1], shape[..D - 1].iter().product::<usize>());
        let turned = weights == Weights::OutIn;
        let stored_shape = |width: usize| match turned {
            true => vec![width, rows],
            false => [&shape[..D - 1], &[width]].concat(),
        };
        match self {
            Self::Load {
                tensors,
                differences,
            } => {
                let mut found = Vec::new();
                for (name, width) in parts {
                    let expected = stored_shape(*width);
                    match tensors.remove(name) {
                        None => differences.missing.push(name.clone()),
                        Some(stored) if stored.shape != expected => {
                            let difference = (name.clone(), stored.shape, expected);
                            differences.misshaped.push(difference);
                        }
                        Some(stored) => {
                            if let Some(value) = stored.values.iter().find(|x| !x.is_finite()) {
                                let value = value.to_string();
                                differences.not_finite.push((name.clone(), value));
                            }
                            found.push((stored.values, *width));
                        }
                    }
                }
                if found.len() < parts.len() {
                    return;
                }
                let values = match (&mut found[..], turned) {
                    ([(values, _)], false) => std::mem::take(values),
                    (found, _) => join(found, rows, total, turned),
                };
                let device = param.device();
                let tensor = Tensor::from_data(TensorData::new(values, shape), &device);
                *param = Param::from_tensor(tensor);
            }
            Self::Save { tensors } => {
                let values: Vec<f32> = param.val().into_data().iter::<f32>().collect();
                let mut first = 0;
                for (name, width) in parts {
                    let stored = Stored {
                        shape: stored_shape(*width),
                        values: part(&values, [rows, total], first, *width, turned),
                    };
                    tensors.insert(name.clone(), stored);
                    first += width;
                }
            }
        }
    }
}

/// The columns of parts side by side, `[rows, total]`.
fn join(parts: &[(Vec<f32>, usize)], rows: usize, total: usize, turned: bool) -> Vec<f32> {
    let mut values = vec![0.0; rows * total];
    let mut first = 0;
    for (part, width) in parts {
        for row in 0..rows {
            let out = &mut values[row * total + first..][..*width];
            match turned {
                true => {
                    for (column, out) in out.iter_mut().enumerate() {
                        *out = part[column * rows + row];
                    }
                }
                false => out.copy_from_slice(&part[row * width..][..*width]),
            }
        }
        first += width;
    }
    values
}

/// The columns `first..first + width` of a `[rows, total]` matrix, transposed if `turned`.
fn part(
    values: &[f32],
    [rows, total]: [usize; 2],
    first: usize,
    width: usize,
    turned: bool,
) -> Vec<f32> {
    let at = |row: usize, column: usize| values[row * total + first + column];
    if turned {
        let columns = (0..width).flat_map(|column| (0..rows).map(move |row| (row, column)));
        return columns.map(|(row, column)| at(row, column)).collect();
    }
    let rows = (0..rows).flat_map(|row| (0..width).map(move |column| (row, column)));
    rows.map(|(row, column)| at(row, column)).collect()
}
