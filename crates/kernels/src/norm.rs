//! Layer norm and RMS norm along the last axis.

use crate::in_place::rewritten_with_sums;
use crate::lanes::{LANES, Lanes, load, map, rewrite, sum, sums, zip, zip3};
use crate::memory::Buffer;
use crate::op::{Array, Kernel, Pass, Reads, binary, runs_on, ternary};
use crate::parallel::{PIECE, cuts};
use crate::simd::vectorized;
use burn::tensor::{DType, Tensor};

/// `y = (x − mean) / √(variance + ε) · weight + bias`, mean and biased variance along the last axis.
///
/// # Shapes
/// * `x`: `[…, width]`
/// * `weight`, `bias`: `[width]`
///
/// # Panics
/// If the shapes do not fit together.
pub fn layer_norm<const D: usize>(
    x: Tensor<D>,
    weight: Tensor<1>,
    bias: Option<Tensor<1>>,
    epsilon: f32,
) -> Tensor<D> {
    let width = x.dims()[D - 1];
    assert_eq!(
        weight.dims(),
        [width],
        "weight of layer norm for {:?}",
        x.dims()
    );
    if let Some(bias) = &bias {
        assert_eq!(
            bias.dims(),
            [width],
            "bias of layer norm for {:?}",
            x.dims()
        );
    }
    if !runs_on(&x, &[DType::F32]) || width < LANES {
        return composed_layer_norm(x, weight, bias, epsilon);
    }
    let kernel = Norm {
        width,
        epsilon,
        centered: true,
    };
    match bias {
        Some(bias) => ternary(kernel, x, weight, bias),
        None => binary(kernel, x, weight),
    }
}

/// `y = x / √(mean(x²) + ε) · weight`, the mean along the last axis.
///
/// # Shapes
/// * `x`: `[…, width]`
/// * `weight`: `[width]`
///
/// # Panics
/// If the shapes do not fit together.
pub fn rms_norm<const D: usize>(x: Tensor<D>, weight: Tensor<1>, epsilon: f32) -> Tensor<D> {
    let width = x.dims()[D - 1];
    assert_eq!(
        weight.dims(),
        [width],
        "weight of RMS norm for {:?}",
        x.dims()
    );
    if !runs_on(&x, &[DType::F32]) || width < LANES {
        return composed_rms_norm(x, weight, epsilon);
    }
    let kernel = Norm {
        width,
        epsilon,
        centered: false,
    };
    binary(kernel, x, weight)
}

/// [`layer_norm`] from Burn's primitives.
fn composed_layer_norm<const D: usize>(
    x: Tensor<D>,
    weight: Tensor<1>,
    bias: Option<Tensor<1>>,
    epsilon: f32,
) -> Tensor<D> {
    let centered = x.clone() - x.mean_dim(D - 1);
    let variance = centered.clone().powi_scalar(2).mean_dim(D - 1);
    let y = centered / (variance + epsilon).sqrt() * weight.unsqueeze();
    match bias {
        Some(bias) => y + bias.unsqueeze(),
        None => y,
    }
}

/// [`rms_norm`] from Burn's primitives.
fn composed_rms_norm<const D: usize>(x: Tensor<D>, weight: Tensor<1>, epsilon: f32) -> Tensor<D> {
    let square = x.clone().powi_scalar(2).mean_dim(D - 1);
    x / (square + epsilon).sqrt() * weight.unsqueeze()
}

/// `y = (x − mean) · scale · weight + bias` with `scale = 1 / √(mean((x − mean)²) + ε)` for each row; the mean is zero
/// unless `centered`.
#[derive(Debug)]
struct Norm {
    width: usize,
    epsilon: f32,
    centered: bool,
}

impl Norm {
    /// Rows that are normalized at a time.
    fn rows(&self) -> usize {
        (PIECE / self.width.max(1)).max(1)
    }

    /// Mean and scale of a row.
    #[inline(always)]
    fn statistics(&self, x: &[f32]) -> (f32, f32) {
        let width = self.width as f32;
        let mut mean = 0.0;
        if self.centered {
            mean = sum(
                x.len(),
                #[inline(always)]
                |start| load(x, start),
            ) / width;
        }
        let squares = sum(
            x.len(),
            #[inline(always)]
            |start| map(load(x, start), |x| (x - mean) * (x - mean)),
        );
        (mean, 1.0 / (squares / width + self.epsilon).sqrt())
    }

    /// Normalizes some rows; mean and scale of each go to `statistics`.
    fn normalize(
        &self,
        x: &[f32],
        weight: &[f32],
        bias: Option<&[f32]>,
        y: &mut [f32],
        statistics: &mut [f32],
    ) {
        let rows = x
            .chunks_exact(self.width)
            .zip(y.chunks_exact_mut(self.width));
        vectorized(
            #[inline(always)]
            || {
                for ((x, y), statistics) in rows.zip(statistics.chunks_exact_mut(2)) {
                    let (mean, scale) = self.statistics(x);
                    statistics.copy_from_slice(&[mean, scale]);
                    match bias {
                        Some(bias) => rewrite(
                            y,
                            #[inline(always)]
                            |start, _| {
                                let (x, w, b) =
                                    (load(x, start), load(weight, start), load(bias, start));
                                zip3(x, w, b, |x, w, b| ((x - mean) * scale).mul_add(w, b))
                            },
                        ),
                        None => rewrite(
                            y,
                            #[inline(always)]
                            |start, _| {
                                let (x, w) = (load(x, start), load(weight, start));
                                zip(x, w, |x, w| (x - mean) * scale * w)
                            },
                        ),
                    }
                }
            },
        );
    }

    /// Turns the gradients `dy` of some rows into those of `x`, and adds those of weight and bias to `parameters`.
    ///
    /// With `z = (x − mean) · scale` and `g = dy · weight`: `dx = scale (g − mean(g) − z mean(g z))`, the first mean only
    /// if `centered`.
    fn slopes(
        &self,
        x: &[f32],
        weight: &[f32],
        statistics: &[f32],
        dy: &mut [f32],
        parameters: &mut [f32],
    ) {
        let width = self.width;
        let (dw, db) = parameters.split_at_mut(width);
        let rows = x.chunks_exact(width).zip(dy.chunks_exact_mut(width));
        vectorized(
            #[inline(always)]
            || {
                for ((x, dy), statistics) in rows.zip(statistics.chunks_exact(2)) {
                    let (mean, scale) = (statistics[0], statistics[1]);
                    let [g, gz] = sums(
                        width,
                        #[inline(always)]
                        |start| {
                            let g = zip(load(dy, start), load(weight, start), |dy, w| dy * w);
                            let z = normalized(x, start, mean, scale);
                            [g, zip(g, z, |g, z| g * z)]
                        },
                    );
                    rewrite(
                        dw,
                        #[inline(always)]
                        |start, dw| {
                            let z = normalized(x, start, mean, scale);
                            zip3(dw, load(dy, start), z, |dw, dy, z| dy.mul_add(z, dw))
                        },
                    );
                    if self.centered {
                        rewrite(
                            db,
                            #[inline(always)]
                            |start, db| zip(db, load(dy, start), |db, dy| db + dy),
                        );
                    }
                    let g = if self.centered {
                        scale * g / width as f32
                    } else {
                        0.0
                    };
                    let gz = scale * gz / width as f32;
                    rewrite(
                        dy,
                        #[inline(always)]
                        |start, dy| {
                            let z = normalized(x, start, mean, scale);
                            zip3(dy, load(weight, start), z, |dy, w, z| {
                                z.mul_add(-gz, (dy * scale).mul_add(w, -g))
                            })
                        },
                    );
                }
            },
        );
    }
}

/// `(x − mean) · scale` of sixteen elements of a row.
#[inline(always)]
fn normalized(x: &[f32], start: usize, mean: f32, scale: f32) -> Lanes {
    map(load(x, start), |x| (x - mean) * scale)
}

impl Kernel for Norm {
    fn forward(&self, inputs: &[Array], _: bool) -> (Array, Vec<Array>) {
        let (x, weight, bias) = (inputs[0].f32(), inputs[1].f32(), inputs.get(2));
        let (rows, each) = (x.len() / self.width.max(1), self.rows());
        let (mut y, mut statistics) = (Buffer::new(x.len()), vec![0.0; 2 * rows]);
        let piece = each * self.width;
        let outs = [(&mut y[..], piece), (&mut statistics[..], 2 * each)];
        cuts(
            outs,
            rows.div_ceil(each),
            x.len(),
            |index, [y, statistics]| {
                let x = &x[index * piece..][..y.len()];
                self.normalize(x, weight, bias.map(Array::f32), y, statistics);
            },
        );
        let statistics = Array::new(statistics, [2 * rows]);
        (Array::from_buffer(y, inputs[0].shape()), vec![statistics])
    }

    fn backward(&self, pass: Pass<'_>) -> Vec<Option<Array>> {
        // Each block of rows adds up its own gradients of weight and bias; few blocks, so that these are few too.
        const BLOCKS: usize = 16;
        let (x, weight, statistics) = (&pass.inputs[0], &pass.inputs[1], pass.saved[1].f32());
        let (x, weight, width) = (x.f32(), weight.f32(), self.width);
        let rows = x.len() / width.max(1);
        let (piece, several) = (self.rows() * width, rows.div_ceil(BLOCKS * self.rows()));
        let blocks = rows.div_ceil(self.rows() * several.max(1));
        let mut partial = vec![0.0; blocks * 2 * width];
        let dx = rewritten_with_sums(
            pass.dy,
            [piece, several],
            &mut partial,
            2 * width,
            |start, dy, sums| {
                let statistics = &statistics[start / width * 2..];
                self.slopes(&x[start..][..dy.len()], weight, statistics, dy, sums);
            },
        );
        let mut sums = vec![0.0; 2 * width];
        for partial in partial.chunks_exact((2 * width).max(1)) {
            for (sum, partial) in sums.iter_mut().zip(partial) {
                *sum += partial;
            }
        }
        let db = sums.split_off(width);
        let mut gradients = vec![Some(dx), Some(Array::new(sums, [width]))];
        if pass.inputs.len() == 3 {
            gradients.push(Some(Array::new(db, [width])));
        }
        gradients
    }

    fn reads(&self) -> Reads {
        Reads::first(2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_same, assert_same_for_any_threads, tensor};

    #[test]
    fn values_and_gradients_equal_the_composition() {
        for (rows, width) in [
            (1, 1),
            (3, 5),
            (1, 16),
            (9, 33),
            (70, 64),
            (400, 130),
            (3, 5_000),
        ] {
            let x = tensor([width, rows], 1);
            let (weight, bias) = (tensor([width], 2), tensor([width], 3));
            let view = || x.clone().transpose() * 3.0 + 1.0;
            let (w, b) = (|| weight.clone(), || Some(bias.clone()));
            assert_same!(
                layer_norm(view(), w(), b(), 1e-5),
                composed_layer_norm(view(), w(), b(), 1e-5),
                [x, weight, bias],
                1e-4
            );
            assert_same!(
                layer_norm(view(), w(), None, 1e-5),
                composed_layer_norm(view(), w(), None, 1e-5),
                [x, weight],
                1e-4
            );
            assert_same!(
                rms_norm(view(), w(), 1e-5),
                composed_rms_norm(view(), w(), 1e-5),
                [x, weight],
                1e-4
            );
        }
    }

    #[test]
    fn three_axes_and_no_rows() {
        for rows in [0, 3] {
            let (x, weight) = (tensor([2, rows, 20], 1), tensor([20], 2));
            assert_same!(
                rms_norm(x.clone(), weight.clone(), 1e-5),
                composed_rms_norm(x.clone(), weight.clone(), 1e-5),
                [x, weight],
                1e-5
            );
        }
    }

    #[test]
    fn a_constant_row_is_the_bias() {
        let device = burn::tensor::Device::flex();
        let (x, weight) = (
            Tensor::<2>::ones([1, 20], &device),
            Tensor::<1>::ones([20], &device),
        );
        let y = layer_norm(x, weight.clone(), Some(weight * 3.0), 1e-5);
        assert_eq!(y.into_data().try_to_vec::<f32>().unwrap(), [3.0; 20]);
    }

    #[test]
    fn is_the_same_for_any_number_of_threads() {
        assert_same_for_any_threads(|| {
            let (x, weight, bias) = (tensor([1_000, 70], 1), tensor([70], 2), tensor([70], 3));
            let y = layer_norm(x.clone(), weight.clone(), Some(bias.clone()), 1e-5);
            let grads = y.clone().powi_scalar(3).sum().backward();
            let gradients = [weight, bias].map(|of| of.grad(&grads).unwrap().into_data());
            let dx = x.grad(&grads).unwrap().into_data();
            let [dw, db] = gradients;
            [y.into_data(), dx, dw, db]
                .map(|data| data.try_to_vec().unwrap())
                .concat()
        });
    }
}
