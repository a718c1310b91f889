//! Rotary positions.

use burn::tensor::{Tensor, TensorData};

/// Turns each pair of dimensions of each head by an angle that grows with the position: pair `i` of `dim` by
/// `position · base^(−2i/dim)`. Pairs are `(i, i + dim/2)`, or `(2i, 2i+1)` if `interleaved`.
///
/// # Shapes
/// * `x`, result: `[batch, len, heads, dim]`, positions `first..first + len`
pub fn rotary(x: Tensor<4>, base: f32, first: usize, interleaved: bool) -> Tensor<4> {
    let [batch, len, heads, dim] = x.dims();
    let half = dim / 2;
    let angle = |p: usize, i: usize| (first + p) as f32 * base.powf(-2.0 * i as f32 / dim as f32);
    let table = |f: fn(f32) -> f32| {
        let values: Vec<f32> = (0..len)
            .flat_map(|p| (0..half).map(move |i| (p, i)))
            .map(|(p, i)| f(angle(p, i)))
            .collect();
        Tensor::<4>::from_data(TensorData::new(values, [1, len, 1, half]), &x.device())
    };
    let (cos, sin) = (table(f32::cos), table(f32::sin));
    if interleaved {
        let pairs = x.reshape([batch, len, heads, half, 2]);
        let (a, b) = (
            pairs
                .clone()
                .narrow(4, 0, 1)
                .reshape([batch, len, heads, half]),
            pairs.narrow(4, 1, 1).reshape([batch, len, heads, half]),
        );
        let (c, d) = (
            a.clone() * cos.clone() - b.clone() * sin.clone(),
            a * sin + b * cos,
        );
        Tensor::stack::<5>(vec![c, d], 4).reshape([batch, len, heads, dim])
    } else {
        let (a, b) = (x.clone().narrow(3, 0, half), x.narrow(3, half, half));
        let (c, d) = (
            a.clone() * cos.clone() - b.clone() * sin.clone(),
            a * sin + b * cos,
        );
        Tensor::cat(vec![c, d], 3)
    }
}

/// [`rotary`] of the queries and keys of a packed projection, `[batch, len, (heads + 2 kv_heads) · dim]`.
pub fn rotary_packed(
    qkv: Tensor<3>,
    heads: usize,
    kv_heads: usize,
    base: f32,
    first: usize,
) -> Tensor<3> {
    let [batch, len, width] = qkv.dims();
    let all = heads + 2 * kv_heads;
    let x = qkv.reshape([batch, len, all, width / all]);
    let turned = rotary(x.clone().narrow(2, 0, heads + kv_heads), base, first, false);
    let rest = x.narrow(2, heads + kv_heads, kv_heads);
    Tensor::cat(vec![turned, rest], 2).reshape([batch, len, width])
}
