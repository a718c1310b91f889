//! Rotary positions.

use crate::memory::Buffer;
use crate::op::{Array, Kernel, Pass, Reads, runs_on, unary};
use crate::parallel::pieces;
use crate::simd::vectorized;
use burn::tensor::{DType, Tensor, TensorData};
use std::sync::{Arc, Mutex, PoisonError};

/// Turns each pair of dimensions of each head by an angle that grows with the position: pair `i` of `dim` by
/// `position · base^(−2i/dim)`. Pairs are `(i, i + dim/2)`, or `(2i, 2i+1)` if `interleaved`.
///
/// The angles are computed in double precision, so that they are exact for late positions too.
///
/// # Shapes
/// * `x`, result: `[batch, len, heads, dim]`, positions `first..first + len`
///
/// # Panics
/// If `dim` is odd, or `base` not positive.
///
/// # Source
/// Su et al., "RoFormer: Enhanced transformer with rotary position embedding", 2021, section 3.2.2 (pairs of neighbors);
/// halves: Touvron et al., "LLaMA", 2023, as loaded by Hugging Face.
pub fn rotary(x: Tensor<4>, base: f32, first: usize, interleaved: bool) -> Tensor<4> {
    let [batch, len, heads, dim] = x.dims();
    assert!(
        dim.is_multiple_of(2),
        "rotary positions of an odd width: {:?}",
        x.dims()
    );
    let rotary = Rotary {
        shape: [batch, len, heads, dim],
        turned: heads,
        interleaved,
        table: Table::new(base, first, len, dim / 2),
    };
    if runs_on(&x, &[DType::F32]) {
        unary(rotary, x)
    } else {
        composed(x, &rotary)
    }
}

/// [`rotary`] of the queries and keys of a packed projection, in halves; the values stay as they are.
///
/// # Shapes
/// * `qkv`, result: `[batch, len, (heads + 2 kv_heads) · dim]`
///
/// # Panics
/// If the last axis is not that of as many heads of an even width, or `base` not positive.
pub fn rotary_packed(
    qkv: Tensor<3>,
    heads: usize,
    kv_heads: usize,
    base: f32,
    first: usize,
) -> Tensor<3> {
    let [batch, len, width] = qkv.dims();
    let all = heads + 2 * kv_heads;
    assert!(
        all > 0 && width.is_multiple_of(2 * all),
        "rotary positions of {heads} heads with {kv_heads} heads of keys and values in a projection {:?}",
        qkv.dims()
    );
    let rotary = Rotary {
        shape: [batch, len, all, width / all],
        turned: heads + kv_heads,
        interleaved: false,
        table: Table::new(base, first, len, width / all / 2),
    };
    if runs_on(&qkv, &[DType::F32]) {
        return unary(rotary, qkv);
    }
    let x = qkv.reshape(rotary.shape);
    let turned = composed(x.clone().narrow(2, 0, rotary.turned), &rotary);
    let rest = x.narrow(2, rotary.turned, kv_heads);
    Tensor::cat(vec![turned, rest], 2).reshape([batch, len, width])
}

/// [`rotary`] from Burn's primitives.
fn composed(x: Tensor<4>, rotary: &Rotary) -> Tensor<4> {
    let ([batch, len, heads, dim], half) = (x.dims(), rotary.table.half);
    let table = |values: &[f32]| {
        let values = TensorData::new(values.to_vec(), [1, len, 1, half]);
        Tensor::<4>::from_data(values, &x.device())
    };
    let (cos, sin) = (table(&rotary.table.cos), table(&rotary.table.sin));
    let turn = |a: Tensor<4>, b: Tensor<4>| {
        let c = a.clone() * cos.clone() - b.clone() * sin.clone();
        (c, a * sin.clone() + b * cos.clone())
    };
    if rotary.interleaved {
        let pairs = x.clone().reshape([batch, len, heads, half, 2]);
        let part = |index| pairs.clone().narrow(4, index, 1).squeeze_dim::<4>(4);
        let (c, d) = turn(part(0), part(1));
        Tensor::stack::<5>(vec![c, d], 4).reshape([batch, len, heads, dim])
    } else {
        let (c, d) = turn(
            x.clone().narrow(3, 0, half),
            x.clone().narrow(3, half, half),
        );
        Tensor::cat(vec![c, d], 3)
    }
}

/// Cosines and sines of the angles, `[len, half]`.
#[derive(Debug)]
struct Table {
    base: f32,
    first: usize,
    half: usize,
    cos: Vec<f32>,
    sin: Vec<f32>,
}

impl Table {
    fn new(base: f32, first: usize, len: usize, half: usize) -> Arc<Self> {
        assert!(
            base > 0.0,
            "base {base} of rotary positions, allowed is a positive number"
        );
        // All layers of a model turn by the same angles, which take longer to compute than to apply.
        static LAST: Mutex<Option<Arc<Table>>> = Mutex::new(None);
        let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(table) = &*last
            && (table.base, table.first, table.half) == (base, first, half)
            && table.cos.len() == len * half
        {
            return table.clone();
        }
        let rates: Vec<f64> = (0..half)
            .map(|i| f64::from(base).powf(-(i as f64) / half as f64))
            .collect();
        let angles =
            (first..first + len).flat_map(|p| rates.iter().map(move |rate| p as f64 * rate));
        let (sin, cos) = angles
            .map(f64::sin_cos)
            .map(|(sin, cos)| (sin as f32, cos as f32))
            .unzip();
        let table = Arc::new(Self {
            base,
            first,
            half,
            cos,
            sin,
        });
        *last = Some(table.clone());
        table
    }
}

#[derive(Debug)]
struct Rotary {
    /// `[batch, len, heads, dim]`
    shape: [usize; 4],
    /// How many of the heads are turned, from the first on.
    turned: usize,
    interleaved: bool,
    table: Arc<Table>,
}

impl Rotary {
    /// Turns by the angles times `direction`, 1 or -1.
    fn turn(&self, x: &Array, direction: f32) -> Array {
        let [_, len, heads, dim] = self.shape;
        let width = heads * dim;
        let half = self.table.half;
        let values = x.f32();
        let mut out = Buffer::new(values.len());
        // Some positions to a piece, for the work to be worth its start.
        let rows = (crate::parallel::PIECE / width.max(1)).max(1);
        pieces(&mut out, rows * width, |start, out| {
            vectorized(
                #[inline(always)]
                || {
                    let x = &values[start..][..out.len()];
                    let lines = out.chunks_exact_mut(width).zip(x.chunks_exact(width));
                    for (row, (out, x)) in (start / width..).zip(lines) {
                        let angles = row % len * half;
                        let cos = &self.table.cos[angles..][..half];
                        let sin = &self.table.sin[angles..][..half];
                        let (out, rest) = out.split_at_mut(self.turned * dim);
                        let (x, unturned) = x.split_at(self.turned * dim);
                        rest.copy_from_slice(unturned);
                        for (out, x) in out.chunks_exact_mut(dim).zip(x.chunks_exact(dim)) {
                            if self.interleaved {
                                for (i, (out, x)) in
                                    out.chunks_exact_mut(2).zip(x.chunks_exact(2)).enumerate()
                                {
                                    let sin = direction * sin[i];
                                    out[0] = x[0] * cos[i] - x[1] * sin;
                                    out[1] = x[0] * sin + x[1] * cos[i];
                                }
                            } else {
                                let (out_a, out_b) = out.split_at_mut(half);
                                let (a, b) = x.split_at(half);
                                for i in 0..half {
                                    let sin = direction * sin[i];
                                    out_a[i] = a[i] * cos[i] - b[i] * sin;
                                    out_b[i] = a[i] * sin + b[i] * cos[i];
                                }
                            }
                        }
                    }
                },
            );
        });
        Array::from_buffer(out, x.shape())
    }
}

impl Kernel for Rotary {
    fn forward(&self, inputs: &[Array], _: bool) -> (Array, Vec<Array>) {
        (self.turn(&inputs[0], 1.0), vec![])
    }

    fn backward(&self, pass: Pass<'_>) -> Vec<Option<Array>> {
        vec![Some(self.turn(&pass.dy, -1.0))]
    }

    fn reads(&self) -> Reads {
        Reads::NOTHING
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_close, assert_same, assert_same_for_any_threads, tensor};

    fn numbers<const D: usize>(x: Tensor<D>) -> Vec<f32> {
        x.into_data().try_to_vec().unwrap()
    }

    #[test]
    fn values_and_gradients_equal_the_composition() {
        for (shape, first) in [
            ([1, 1, 1, 2], 0),
            ([2, 5, 3, 6], 7),
            ([3, 128, 4, 32], 0),
            ([1, 1, 2, 64], 1000),
            ([2, 70, 5, 38], 3),
        ] {
            for interleaved in [false, true] {
                let x = tensor(shape, 1);
                let rotary = |x: Tensor<4>| super::rotary(x, 10_000.0, first, interleaved);
                let kernel = Rotary {
                    shape,
                    turned: shape[2],
                    interleaved,
                    table: Table::new(10_000.0, first, shape[1], shape[3] / 2),
                };
                assert_same!(rotary(x.clone()), composed(x.clone(), &kernel), [x], 1e-6);
                let [batch, len, heads, dim] = shape;
                let x = tensor([heads, batch, len, dim], 1);
                let view = || x.clone().permute([1, 2, 0, 3]);
                assert_same!(rotary(view()), composed(view(), &kernel), [x], 1e-6);
            }
        }
    }

    #[test]
    fn known_answers() {
        // Position 2, base 100, width 4: angles 2 and 0.2.
        let x =
            Tensor::<1>::from_data([1.0, 2.0, 3.0, 4.0], &Default::default()).reshape([1, 1, 1, 4]);
        for (interleaved, expected) in [
            (false, [-3.144_039, 1.165_456, -0.339_143, 4.317_605]),
            (true, [-2.234_742, 0.077_004, 2.145_522, 4.516_274]),
        ] {
            for (y, expected) in numbers(rotary(x.clone(), 100.0, 2, interleaved))
                .iter()
                .zip(expected)
            {
                assert!((y - expected).abs() < 1e-5, "{y}, expected {expected}");
            }
        }
    }

    #[test]
    fn products_depend_on_the_distance_alone() {
        let (q, k) = (
            tensor([1, 1, 1, 16], 1).inner(),
            tensor([1, 1, 1, 16], 2).inner(),
        );
        let product = |i, j| {
            let (q, k) = (
                rotary(q.clone(), 1e4, i, false),
                rotary(k.clone(), 1e4, j, false),
            );
            numbers((q * k).sum())[0]
        };
        for shift in [1, 100, 100_000] {
            assert!((product(9 + shift, 2 + shift) - product(9, 2)).abs() < 1e-5);
        }
    }

    #[test]
    fn packed_equals_its_parts() {
        let (batch, len, heads, kv_heads, dim) = (2, 33, 4, 2, 10);
        let all = heads + 2 * kv_heads;
        let qkv = tensor([batch, len, all * dim], 1);
        let x = qkv.clone().reshape([batch, len, all, dim]);
        let turned = rotary(x.clone().narrow(2, 0, heads + kv_heads), 500.0, 3, false);
        let parts = Tensor::cat(vec![turned, x.narrow(2, heads + kv_heads, kv_heads)], 2);
        let packed = rotary_packed(qkv.clone(), heads, kv_heads, 500.0, 3);
        assert_same!(packed, parts.reshape([batch, len, all * dim]), [qkv], 1e-6);
    }

    #[test]
    fn nothing_to_turn() {
        for shape in [[0, 3, 2, 4], [2, 0, 2, 4], [2, 3, 0, 4]] {
            let x = tensor(shape, 1);
            assert_close(rotary(x.clone(), 1e4, 0, false), x, 0.0);
        }
    }

    #[test]
    fn is_the_same_for_any_number_of_threads() {
        let x = tensor([4, 200, 5, 12], 1).inner();
        assert_same_for_any_threads(|| numbers(rotary(x.clone(), 1e4, 0, false)));
    }

    #[test]
    #[should_panic(expected = "rotary positions of an odd width: [1, 1, 1, 3]")]
    fn an_odd_width() {
        rotary(tensor([1, 1, 1, 3], 1), 1e4, 0, false);
    }
}
