//! Convolutions of several experts, each on its own images: `y_p = max(0, pool(x_p * w_e + b_e))`.

use crate::conv::{self, ConvShape, Packed, Scratch};
use crate::op::{Array, Kernel, Pass, runs_on, ternary};
use crate::pairs::Pairs;
use crate::simd::vectorized;
use burn::tensor::module::{conv2d, max_pool2d};
use burn::tensor::ops::{ConvOptions, MaxPoolOptions};
use burn::tensor::{DType, Tensor, activation};
use rayon::prelude::*;
use std::sync::Arc;

/// For every pair `p` of expert `e`: convolution of image `x_p` with the kernels of `e` (stride 1, no padding), plus
/// bias, 2×2 max-pool (a last odd line or column is dropped), ReLU.
///
/// # Shapes
/// * `x`: `[pairs, channels · height · width]`, see [`gather`](crate::gather)
/// * `weight`: `[experts, filters, channels, kernel, kernel]`
/// * `bias`: `[experts, filters]`
/// * result: `[pairs, filters · h · w]` with `h, w` of [`ConvShape::pooled`]
///
/// # Panics
/// If the shapes do not fit together, or nothing is left after the pool.
pub fn grouped_conv(
    x: Tensor<2>,
    weight: Tensor<5>,
    bias: Tensor<2>,
    pairs: &Arc<Pairs>,
    shape: ConvShape,
) -> Tensor<2> {
    let (experts, k) = (pairs.experts(), shape.kernel);
    assert!(
        k > 0 && shape.pooled().is_some(),
        "an image smaller than its kernel and pool"
    );
    assert_eq!(
        x.dims(),
        [pairs.len(), shape.input()],
        "images of a convolution"
    );
    assert_eq!(
        weight.dims(),
        [experts, shape.filters, shape.channels, k, k]
    );
    assert_eq!(
        bias.dims(),
        [experts, shape.filters],
        "bias of a convolution"
    );
    if !runs_on(&x, &[DType::F32]) {
        return composed(x, weight, bias, pairs, shape);
    }
    let pairs = pairs.clone();
    ternary(GroupedConv { pairs, shape }, x, weight, bias)
}

/// The same from Burn's primitives, expert by expert.
fn composed(
    x: Tensor<2>,
    weight: Tensor<5>,
    bias: Tensor<2>,
    pairs: &Pairs,
    shape: ConvShape,
) -> Tensor<2> {
    let (k, width) = (shape.kernel, shape.output());
    let outputs: Vec<_> = pairs
        .segments()
        .enumerate()
        .filter(|(_, segment)| !segment.is_empty())
        .map(|(expert, segment)| {
            let rows = segment.len();
            let x = x.clone().slice(segment);
            let x = x.reshape([rows, shape.channels, shape.height, shape.width]);
            let kernels = [shape.filters, shape.channels, k, k];
            let weight = weight.clone().narrow(0, expert, 1).reshape(kernels);
            let bias = bias.clone().narrow(0, expert, 1).reshape([shape.filters]);
            let y = conv2d(
                x,
                weight,
                Some(bias),
                ConvOptions::new([1, 1], [0, 0], [1, 1], 1),
            );
            let pool = MaxPoolOptions::new([2, 2]);
            activation::relu(max_pool2d(y, pool)).reshape([rows, width])
        })
        .collect();
    if outputs.is_empty() {
        return Tensor::zeros([0, width], &x.device());
    }
    Tensor::cat(outputs, 0)
}

#[derive(Debug)]
struct GroupedConv {
    pairs: Arc<Pairs>,
    shape: ConvShape,
}

impl Kernel for GroupedConv {
    fn forward(&self, inputs: &[Array], _: bool) -> (Array, Vec<Array>) {
        let (shape, input, output) = (&self.shape, self.shape.input(), self.shape.output());
        let x = self.pairs.split(inputs[0].f32(), input);
        let mut values = vec![0.0; self.pairs.len() * output];
        let mut codes = vec![0u8; values.len()];
        let mut y = self.pairs.split_mut(&mut values, output);
        let mut rest = codes.as_mut_slice();
        let mut work = Vec::with_capacity(y.len());
        for y in &mut y {
            let (head, tail) = rest.split_at_mut(y.len());
            work.push((&mut **y, head));
            rest = tail;
        }
        work.par_iter_mut()
            .enumerate()
            .for_each(|(expert, (y, codes))| {
                if y.is_empty() {
                    return;
                }
                let weight = Packed::forward(shape, slab(&inputs[1], expert, shape.weights()));
                let bias = slab(&inputs[2], expert, shape.filters);
                let mut scratch = Scratch::new(shape);
                let images = x[expert].chunks_exact(input);
                let outputs = y
                    .chunks_exact_mut(output)
                    .zip(codes.chunks_exact_mut(output));
                vectorized(
                    #[inline(always)]
                    || {
                        for (x, out) in images.zip(outputs) {
                            conv::forward(shape, &weight, bias, x, &mut scratch, out);
                        }
                    },
                );
            });
        let count = codes.len();
        let y = Array::new(values, [self.pairs.len(), output]);
        (y, vec![Array::new(codes, [count])])
    }

    fn backward(&self, pass: Pass<'_>) -> Vec<Option<Array>> {
        let (shape, experts) = (&self.shape, self.pairs.experts());
        let (input, output, weights) = (shape.input(), shape.output(), shape.weights());
        let x = self.pairs.split(pass.inputs[0].f32(), input);
        let dy = self.pairs.split(pass.dy.f32(), output);
        let codes = pass.saved[1].u8();
        let mut dx = vec![
            0.0;
            if pass.wanted[0] {
                self.pairs.len() * input
            } else {
                0
            }
        ];
        // Kernels and biases of an expert lie side by side, so that one task owns both.
        let mut parameters = vec![0.0; experts * (weights + shape.filters)];
        let mut images: Vec<_> = match pass.wanted[0] {
            true => self
                .pairs
                .split_mut(&mut dx, input)
                .into_iter()
                .map(Some)
                .collect(),
            false => (0..experts).map(|_| None).collect(),
        };
        let mut tasks: Vec<_> = parameters
            .chunks_exact_mut(weights + shape.filters)
            .zip(&mut images)
            .collect();
        tasks
            .par_iter_mut()
            .enumerate()
            .for_each(|(expert, (parameters, dx))| {
                let segment = self.pairs.segment(expert);
                if segment.is_empty() {
                    return;
                }
                let (dw, db) = parameters.split_at_mut(weights);
                let turned = Packed::backward(shape, slab(&pass.inputs[1], expert, weights));
                let mut lanes = conv::lanes(shape);
                let mut scratch = Scratch::new(shape);
                let codes = &codes[segment.start * output..segment.end * output];
                let images = x[expert].chunks_exact(input);
                let slopes = dy[expert]
                    .chunks_exact(output)
                    .zip(codes.chunks_exact(output));
                let mut dx = dx.as_mut().map(|dx| dx.chunks_exact_mut(input));
                vectorized(
                    #[inline(always)]
                    || {
                        for (x, (dy, codes)) in images.zip(slopes) {
                            let dx = dx.as_mut().and_then(Iterator::next).map(|dx| (&turned, dx));
                            let lanes = pass.wanted[1].then_some(lanes.as_mut_slice());
                            conv::backward(shape, (x, dy, codes), &mut scratch, lanes, db, dx);
                        }
                    },
                );
                conv::fold(&lanes, dw);
            });
        let part = |range: std::ops::Range<usize>| -> Vec<f32> {
            let each = parameters.chunks_exact(weights + shape.filters);
            each.flat_map(|parameters| &parameters[range.clone()])
                .copied()
                .collect()
        };
        vec![
            pass.wanted[0].then(|| Array::new(dx, [self.pairs.len(), input])),
            pass.wanted[1].then(|| Array::new(part(0..weights), pass.inputs[1].shape())),
            pass.wanted[2].then(|| {
                Array::new(
                    part(weights..weights + shape.filters),
                    pass.inputs[2].shape(),
                )
            }),
        ]
    }
}

/// Parameters of one expert.
fn slab(parameters: &Array, expert: usize, size: usize) -> &[f32] {
    &parameters.f32()[expert * size..][..size]
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

    fn parameters(experts: usize, shape: ConvShape) -> (Tensor<5>, Tensor<2>) {
        let k = shape.kernel;
        (
            tensor([experts, shape.filters, shape.channels, k, k], 2),
            tensor([experts, shape.filters], 3),
        )
    }

    #[test]
    fn values_and_gradients_equal_the_composition() {
        let sizes = [
            (1, 1, 2, 2, 1, 1),
            (2, 1, 12, 9, 10, 5),
            (5, 10, 8, 16, 20, 5),
            (4, 3, 7, 8, 7, 3),
            (3, 2, 6, 5, 3, 4),
            (3, 3, 5, 7, 6, 1),
            (2, 1, 20, 4, 11, 2),
        ];
        for (batch, channels, height, width, filters, kernel) in sizes {
            let shape = ConvShape {
                channels,
                height,
                width,
                filters,
                kernel,
            };
            let (experts, pairs) = (3, pairs(batch, 3));
            let (x, (weight, bias)) = (
                tensor([pairs.len(), shape.input()], 1),
                parameters(experts, shape),
            );
            assert_same!(
                grouped_conv(x.clone(), weight.clone(), bias.clone(), &pairs, shape),
                composed(x.clone(), weight.clone(), bias.clone(), &pairs, shape),
                [x, weight, bias],
                1e-4
            );
        }
    }

    #[test]
    fn transposed_input() {
        let shape = ConvShape {
            channels: 2,
            height: 6,
            width: 6,
            filters: 5,
            kernel: 3,
        };
        let pairs = pairs(6, 2);
        let (x, (weight, bias)) = (
            tensor([shape.input(), pairs.len()], 1),
            parameters(2, shape),
        );
        let view = || x.clone().transpose();
        assert_same!(
            grouped_conv(view(), weight.clone(), bias.clone(), &pairs, shape),
            composed(view(), weight.clone(), bias.clone(), &pairs, shape),
            [x, weight, bias],
            1e-4
        );
    }

    #[test]
    fn is_the_same_for_any_number_of_threads() {
        let shape = ConvShape {
            channels: 2,
            height: 10,
            width: 9,
            filters: 7,
            kernel: 3,
        };
        let pairs = pairs(20, 4);
        assert_same_for_any_threads(|| {
            let (x, (weight, bias)) = (
                tensor([pairs.len(), shape.input()], 1),
                parameters(4, shape),
            );
            let y = grouped_conv(x.clone(), weight.clone(), bias, &pairs, shape);
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
        let shape = ConvShape {
            channels: 1,
            height: 6,
            width: 6,
            filters: 2,
            kernel: 3,
        };
        let pairs = Arc::new(Pairs::from_weights(&[0.0; 4], 2));
        let (weight, bias) = parameters(2, shape);
        let y = grouped_conv(tensor([0, 36], 1), weight.clone(), bias, &pairs, shape);
        assert_eq!(y.dims(), [0, 8]);
        assert_eq!(
            weight.grad(&y.sum().backward()).unwrap().dims(),
            [2, 2, 1, 3, 3]
        );
    }

    #[test]
    fn sizes() {
        let shape = ConvShape {
            channels: 1,
            height: 36,
            width: 36,
            filters: 10,
            kernel: 5,
        };
        assert_eq!((shape.pooled(), shape.output()), (Some((16, 16)), 2560));
        assert_eq!(ConvShape { height: 5, ..shape }.pooled(), None);
        assert_eq!(ConvShape { height: 4, ..shape }.pooled(), None);
    }
}
