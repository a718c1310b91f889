//! Linear layers of several experts, each on its own rows: `y_p = f(x_p W_e + b_e)` for every pair `p` of expert `e`.

use crate::activation::Activation;
use crate::linear::{apply_shared, column_sums, fill, keeps_input, keeps_output, through};
use crate::memory::Buffer;
use crate::op::{Array, Kernel, Pass, Reads, runs_on, ternary};
use crate::pairs::Pairs;
use crate::product::{Matrix, product};
use burn::tensor::{DType, Tensor};
use rayon::prelude::*;
use std::sync::Arc;

/// `y_p = f(x_p W_e + b_e)` for every pair `p` of expert `e`, with an activation `f`.
///
/// No row is multiplied with another expert's weights: the cost is that of the pairs, forward and backward, and an
/// expert without a row gets the gradient zero.
///
/// # Shapes
/// * `x`: `[pairs, input]`, see [`gather`](crate::gather)
/// * `weight`: `[experts, input, output]`
/// * `bias`: `[experts, output]`
/// * result: `[pairs, output]`
///
/// # Panics
/// If the shapes do not fit together.
pub fn grouped_linear(
    x: Tensor<2>,
    weight: Tensor<3>,
    bias: Tensor<2>,
    pairs: &Arc<Pairs>,
    activation: Activation,
) -> Tensor<2> {
    let ([rows, input], [experts, inner, output]) = (x.dims(), weight.dims());
    assert_eq!(
        [rows, experts],
        [pairs.len(), pairs.experts()],
        "pairs of a grouped layer"
    );
    assert_eq!(input, inner, "input width of a grouped layer");
    assert_eq!(bias.dims(), [experts, output], "bias of a grouped layer");
    if !runs_on(&x, &[DType::F32]) {
        return composed(x, weight, bias, pairs, activation);
    }
    let kernel = GroupedLinear {
        pairs: pairs.clone(),
        input,
        output,
        activation,
    };
    ternary(kernel, x, weight, bias)
}

/// The same from Burn's primitives, expert by expert.
fn composed(
    x: Tensor<2>,
    weight: Tensor<3>,
    bias: Tensor<2>,
    pairs: &Pairs,
    activation: Activation,
) -> Tensor<2> {
    let [_, input, output] = weight.dims();
    let outputs: Vec<_> = pairs
        .segments()
        .enumerate()
        .filter(|(_, segment)| !segment.is_empty())
        .map(|(expert, segment)| {
            let weight = weight.clone().narrow(0, expert, 1).reshape([input, output]);
            x.clone().slice(segment).matmul(weight) + bias.clone().narrow(0, expert, 1)
        })
        .collect();
    if outputs.is_empty() {
        return Tensor::zeros([0, output], &x.device());
    }
    let y = Tensor::cat(outputs, 0);
    crate::activation::composed(y, activation)
}

#[derive(Debug)]
struct GroupedLinear {
    pairs: Arc<Pairs>,
    input: usize,
    output: usize,
    activation: Activation,
}

impl Kernel for GroupedLinear {
    fn forward(&self, inputs: &[Array], training: bool) -> (Array, Vec<Array>) {
        let (input, output, f) = (self.input, self.output, self.activation);
        let shape = [self.pairs.len(), output];
        let x = self.pairs.split(inputs[0].f32(), input);
        let bias = inputs[2].f32();
        let mut values = Buffer::new(shape[0] * output);
        let mut y = self.pairs.split_mut(&mut values, output);
        each(&mut y, |expert, y| {
            let rows = x[expert].len() / input.max(1);
            let x = Matrix::new(x[expert], rows, input);
            fill(y, Some(&bias[expert * output..][..output]));
            product(x, slab(&inputs[1], expert, input, output), y, true);
        });
        let mut saved = vec![];
        if training && keeps_input(f) {
            let mut before = Buffer::new(values.len());
            before.copy_from_slice(&values);
            saved.push(Array::from_buffer(before, shape));
        }
        apply_shared(f, &mut values);
        (Array::from_buffer(values, shape), saved)
    }

    fn backward(&self, pass: Pass<'_>) -> Vec<Option<Array>> {
        let (input, output, experts) = (self.input, self.output, self.pairs.experts());
        let dy = through(self.activation, pass.dy, pass.saved);
        let dy = self.pairs.split(dy.f32(), output);
        let rows = |expert| self.pairs.segment(expert).len();
        let dx = pass.wanted[0].then(|| {
            let mut values = Buffer::new(self.pairs.len() * input);
            let mut dx = self.pairs.split_mut(&mut values, input);
            each(&mut dx, |expert, dx| {
                let slope = Matrix::new(dy[expert], rows(expert), output);
                let weight = slab(&pass.inputs[1], expert, input, output);
                product(slope, weight.t(), dx, false);
            });
            Array::from_buffer(values, [self.pairs.len(), input])
        });
        let dw = pass.wanted[1].then(|| {
            let x = self.pairs.split(pass.inputs[0].f32(), input);
            let mut values = Buffer::new(experts * input * output);
            let mut dw: Vec<_> = values.chunks_exact_mut((input * output).max(1)).collect();
            each(&mut dw, |expert, dw| {
                let slope = Matrix::new(dy[expert], rows(expert), output);
                let x = Matrix::new(x[expert], rows(expert), input);
                product(x.t(), slope, dw, false);
            });
            Array::from_buffer(values, [experts, input, output])
        });
        let db = pass.wanted[2].then(|| {
            let values = dy.iter().flat_map(|dy| column_sums(dy, output)).collect();
            Array::new(values, [experts, output])
        });
        vec![dx, dw, db]
    }

    fn reads(&self) -> Reads {
        Reads {
            output: keeps_output(self.activation),
            ..Reads::first(2)
        }
    }
}

/// Weights of one expert.
fn slab(weight: &Array, expert: usize, input: usize, output: usize) -> Matrix<'_> {
    let size = input * output;
    Matrix::new(&weight.f32()[expert * size..][..size], input, output)
}

/// Runs `work` on the slice of each expert that has one, side by side where there is much to do.
fn each(slices: &mut [&mut [f32]], work: impl Fn(usize, &mut [f32]) + Sync) {
    const PARALLEL: usize = 1 << 14;
    let run = |(expert, slice): (usize, &mut &mut [f32])| {
        if !slice.is_empty() {
            work(expert, slice);
        }
    };
    if slices.iter().map(|slice| slice.len()).sum::<usize>() < PARALLEL {
        slices.iter_mut().enumerate().for_each(run);
    } else {
        slices.par_iter_mut().enumerate().for_each(run);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_same, assert_same_for_any_threads, random, tensor};

    fn pairs(batch: usize, experts: usize) -> Arc<Pairs> {
        let weights: Vec<f32> = random(batch * experts, 7)
            .iter()
            .map(|w| w.max(0.0))
            .collect();
        Arc::new(Pairs::from_weights(&weights, experts))
    }

    #[test]
    fn values_and_gradients_equal_the_composition() {
        for (batch, experts, input, output) in [(1, 2, 1, 1), (9, 5, 3, 7), (200, 4, 33, 65)] {
            let pairs = pairs(batch, experts);
            let (x, weight, bias) = (
                tensor([pairs.len(), input], 1),
                tensor([experts, input, output], 2),
                tensor([experts, output], 3),
            );
            for f in [Activation::Identity, Activation::Relu, Activation::Gelu] {
                assert_same!(
                    grouped_linear(x.clone(), weight.clone(), bias.clone(), &pairs, f),
                    composed(x.clone(), weight.clone(), bias.clone(), &pairs, f),
                    [x, weight, bias],
                    1e-5
                );
            }
        }
    }

    #[test]
    fn transposed_input() {
        let pairs = pairs(6, 3);
        let (x, weight, bias) = (
            tensor([4, pairs.len()], 1),
            tensor([3, 5, 4], 2),
            tensor([3, 5], 3),
        );
        let call =
            |f: fn(Tensor<2>, Tensor<3>, Tensor<2>, &Arc<Pairs>, Activation) -> Tensor<2>| {
                f(
                    x.clone().transpose(),
                    weight.clone().swap_dims(1, 2),
                    bias.clone(),
                    &pairs,
                    Activation::Tanh,
                )
            };
        assert_same!(
            call(grouped_linear),
            call(|x, w, b, pairs, f| composed(x, w, b, pairs, f)),
            [x, weight, bias],
            1e-5
        );
    }

    #[test]
    fn an_expert_without_rows_is_not_touched() {
        let pairs = Arc::new(Pairs::from_weights(&[1.0, 0.0, 1.0, 0.0], 2));
        let device = burn::tensor::Device::flex().autodiff();
        let weight = Tensor::<3>::from_data([[[1.0], [2.0]], [[f32::NAN], [f32::NAN]]], &device);
        let weight = weight.require_grad();
        let (x, bias) = (tensor([2, 2], 1), tensor([2, 1], 2));
        let y = grouped_linear(
            x.clone(),
            weight.clone(),
            bias,
            &pairs,
            Activation::Identity,
        );
        let grads = y.clone().sum().backward();
        let finite = |values: Vec<f32>| values.iter().all(|value| value.is_finite());
        assert!(finite(y.into_data().try_to_vec().unwrap()));
        assert!(finite(
            x.grad(&grads).unwrap().into_data().try_to_vec().unwrap()
        ));
        let dw = weight
            .grad(&grads)
            .unwrap()
            .into_data()
            .try_to_vec::<f32>()
            .unwrap();
        assert_eq!(dw[2..], [0.0, 0.0]);
    }

    #[test]
    fn is_the_same_for_any_number_of_threads() {
        let pairs = pairs(300, 5);
        assert_same_for_any_threads(|| {
            let (x, weight, bias) = (
                tensor([pairs.len(), 40], 1),
                tensor([5, 40, 70], 2),
                tensor([5, 70], 3),
            );
            let y = grouped_linear(x.clone(), weight.clone(), bias, &pairs, Activation::Silu);
            let mut values: Vec<f32> = y.clone().into_data().try_to_vec().unwrap();
            let grads = y.powi_scalar(2).sum().backward();
            values.extend(
                x.grad(&grads)
                    .unwrap()
                    .into_data()
                    .try_to_vec::<f32>()
                    .unwrap(),
            );
            values.extend(
                weight
                    .grad(&grads)
                    .unwrap()
                    .into_data()
                    .try_to_vec::<f32>()
                    .unwrap(),
            );
            values
        });
    }

    #[test]
    fn no_pairs() {
        let pairs = Arc::new(Pairs::from_weights(&[0.0; 4], 2));
        let weight = tensor([2, 3, 5], 1);
        let y = grouped_linear(
            tensor([0, 3], 2),
            weight.clone(),
            tensor([2, 5], 3),
            &pairs,
            Activation::Relu,
        );
        assert_eq!(y.dims(), [0, 5]);
        let grads = y.sum().backward();
        assert_eq!(weight.grad(&grads).unwrap().dims(), [2, 3, 5]);
    }
}
