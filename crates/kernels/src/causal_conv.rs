//! Convolution along a sequence, each channel by itself.

use crate::memory::Buffer;
use crate::op::{Array, Kernel, Pass, Reads, runs_on, ternary};
use crate::simd::vectorized;
use burn::tensor::{DType, Tensor};
use rayon::prelude::*;

/// `y_t = Σ_w weight_w ⊙ x_{t − (width − 1) + w} + bias`, zeros before the first position: a position sees itself and those
/// before it. The weights of one lag lie side by side.
///
/// # Shapes
/// * `x`, result: `[batch, length, channels]`
/// * `weight`: `[width, channels]`, the last row for the position itself
/// * `bias`: `[channels]`
///
/// # Panics
/// If the shapes do not fit together.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// let device = Device::flex();
/// let x = Tensor::<3>::from_data([[[1.0], [2.0], [3.0]]], &device);
/// let weight = Tensor::from_data([[10.0], [1.0]], &device);
/// let y = offprint_kernels::causal_conv(x, weight, Tensor::from_data([0.5], &device));
/// assert_eq!(y.into_data().try_to_vec::<f32>().unwrap(), [1.5, 12.5, 23.5]);
/// ```
///
/// # Source
/// Fu et al., "Hungry Hungry Hippos", 2023, and Gu and Dao, "Mamba", 2023, section 3.4, with a width of 4.
pub fn causal_conv(x: Tensor<3>, weight: Tensor<2>, bias: Tensor<1>) -> Tensor<3> {
    let ([batch, len, channels], [width, _]) = (x.dims(), weight.dims());
    assert!(
        weight.dims() == [width, channels] && bias.dims() == [channels] && width > 0,
        "convolution of a sequence {:?} with weights {:?} and bias {:?}",
        x.dims(),
        weight.dims(),
        bias.dims()
    );
    if !runs_on(&x, &[DType::F32]) {
        return composed(x, weight, bias);
    }
    let kernel = CausalConv {
        batch,
        len,
        channels,
        width,
    };
    ternary(kernel, x, weight, bias)
}

fn composed(x: Tensor<3>, weight: Tensor<2>, bias: Tensor<1>) -> Tensor<3> {
    let ([batch, len, channels], [width, _]) = (x.dims(), weight.dims());
    let before = Tensor::zeros([batch, width - 1, channels], &x.device());
    let x = Tensor::cat(vec![before, x], 1);
    let terms = (0..width).map(|w| {
        let weight = weight.clone().narrow(0, w, 1).unsqueeze::<3>();
        x.clone().narrow(1, w, len) * weight
    });
    terms.fold(bias.unsqueeze::<3>(), |sum, term| sum + term)
}

#[derive(Debug)]
struct CausalConv {
    batch: usize,
    len: usize,
    channels: usize,
    width: usize,
}

/// Elements from which sequences are shared among threads.
const PARALLEL: usize = 1 << 15;

impl CausalConv {
    /// Calls `work` with each sequence's number and its part of `out`, of `length` numbers.
    fn each(&self, out: &mut [f32], length: usize, work: impl Fn(usize, &mut [f32]) + Sync) {
        let sequences = out.chunks_exact_mut(length.max(1)).enumerate();
        if self.batch * self.len * self.channels < PARALLEL {
            sequences.for_each(|(index, out)| work(index, out));
        } else {
            out.par_chunks_exact_mut(length.max(1))
                .enumerate()
                .for_each(|(index, out)| work(index, out));
        }
    }

    /// Pairs of positions and weights: `(position, position that it sees, weight)`.
    fn pairs(&self) -> impl Iterator<Item = (usize, usize, usize)> {
        let width = self.width;
        (0..self.len).flat_map(move |t| {
            (width.saturating_sub(t + 1)..width).map(move |w| (t, t + w + 1 - width, w))
        })
    }
}

#[inline(always)]
fn add_product(out: &mut [f32], a: &[f32], b: &[f32]) {
    for ((out, a), b) in out.iter_mut().zip(a).zip(b) {
        *out = a.mul_add(*b, *out);
    }
}

impl Kernel for CausalConv {
    fn forward(&self, inputs: &[Array], _: bool) -> (Array, Vec<Array>) {
        let (n, length) = (self.channels, self.len * self.channels);
        let (x, weight, bias) = (inputs[0].f32(), inputs[1].f32(), inputs[2].f32());
        let mut y = Buffer::new(x.len());
        self.each(&mut y, length, |index, y| {
            let x = &x[index * length..][..length];
            vectorized(
                #[inline(always)]
                || {
                    for y in y.chunks_exact_mut(n) {
                        y.copy_from_slice(bias);
                    }
                    for (t, from, w) in self.pairs() {
                        let (weight, x) = (&weight[w * n..][..n], &x[from * n..][..n]);
                        add_product(&mut y[t * n..][..n], weight, x);
                    }
                },
            );
        });
        (Array::from_buffer(y, inputs[0].shape()), vec![])
    }

    fn backward(&self, pass: Pass<'_>) -> Vec<Option<Array>> {
        let (n, length) = (self.channels, self.len * self.channels);
        let (x, weight, dy) = (pass.inputs[0].f32(), pass.inputs[1].f32(), pass.dy.f32());
        let dx = pass.wanted[0].then(|| {
            let mut dx = Buffer::zeroed(x.len());
            self.each(&mut dx, length, |index, dx| {
                let dy = &dy[index * length..][..length];
                vectorized(
                    #[inline(always)]
                    || {
                        for (t, from, w) in self.pairs() {
                            let (weight, dy) = (&weight[w * n..][..n], &dy[t * n..][..n]);
                            add_product(&mut dx[from * n..][..n], weight, dy);
                        }
                    },
                );
            });
            Array::from_buffer(dx, pass.inputs[0].shape())
        });
        // Each sequence sums for itself; then the sequences are summed in their order, whoever computed them.
        let each = (self.width + 1) * n;
        let mut parts = vec![0.0; self.batch * each];
        self.each(&mut parts, each, |index, part| {
            let (x, dy) = (
                &x[index * length..][..length],
                &dy[index * length..][..length],
            );
            let (of_weight, of_bias) = part.split_at_mut(self.width * n);
            vectorized(
                #[inline(always)]
                || {
                    for dy in dy.chunks_exact(n) {
                        for (sum, dy) in of_bias.iter_mut().zip(dy) {
                            *sum += dy;
                        }
                    }
                    for (t, from, w) in self.pairs() {
                        let (x, dy) = (&x[from * n..][..n], &dy[t * n..][..n]);
                        add_product(&mut of_weight[w * n..][..n], x, dy);
                    }
                },
            );
        });
        let mut sums = vec![0.0; each];
        for part in parts.chunks_exact(each.max(1)) {
            for (sum, x) in sums.iter_mut().zip(part) {
                *sum += x;
            }
        }
        let of_bias = sums.split_off(self.width * n);
        vec![
            dx,
            Some(Array::new(sums, [self.width, n])),
            Some(Array::new(of_bias, [n])),
        ]
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
        for (batch, len, channels, width) in [
            (2, 9, 5, 4),
            (1, 1, 3, 4),
            (3, 40, 33, 2),
            (2, 5, 16, 1),
            (40, 64, 20, 4),
        ] {
            let (x, weight) = (
                tensor([batch, len, channels], 1),
                tensor([width, channels], 2),
            );
            let bias = tensor([channels], 3);
            let arguments = || (x.clone(), weight.clone(), bias.clone());
            let ours = |(x, w, b)| causal_conv(x, w, b);
            let theirs = |(x, w, b)| composed(x, w, b);
            assert_same!(
                ours(arguments()),
                theirs(arguments()),
                [x, weight, bias],
                1e-4
            );
        }
    }

    #[test]
    fn is_the_same_for_any_number_of_threads() {
        assert_same_for_any_threads(|| {
            let (x, weight) = (tensor([16, 64, 40], 1), tensor([4, 40], 2));
            let y = causal_conv(x, weight.clone(), tensor([40], 3));
            let grads = (y.clone() * y).sum().backward();
            weight
                .grad(&grads)
                .unwrap()
                .into_data()
                .try_to_vec()
                .unwrap()
        });
    }
}
