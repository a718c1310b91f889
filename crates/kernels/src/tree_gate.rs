//! The heart of COMET: `k` soft binary trees with one leaf an expert.
//!
//! A tree is complete, its nodes in heap order: splits `0..n-1`, leaves `n-1..2n-1`, children of node `i` at `2i + 1` and
//! `2i + 2`. Expert `j` is the `j`-th leaf from left to right, which is heap order only if `n` is a power of two.
//!
//! One matrix product gives all projections of a row, for each tree first those of the splits in heap order, then those
//! of the leaves in expert order. [`tree_reach`] makes of the first the probability that a tree reaches each leaf, without
//! entering subtrees of zero reach in either direction; [`leaf_softmax`] makes of the second and the reach the mixture
//! weights, exactly zero where the reach is.
//!
//! Source: Ibrahim et al., "COMET: Learning Cardinality Constrained Mixture of Experts with Trees and Local Search",
//! KDD 2023, section 4.

use crate::math::{exp, ln};
use crate::op::{Array, Kernel, Pass, binary, runs_on, unary};
use crate::simd::vectorized;
use crate::smooth_step;
use burn::tensor::{DType, Tensor, activation};
use rayon::prelude::*;

/// Added to a leaf's reach before the logarithm.
const EPSILON: f32 = 1e-8;

/// Width of the projections: `k (2n - 1)` for `k` trees and `n` experts.
pub fn tree_width(trees: usize, experts: usize) -> usize {
    trees * (2 * experts - 1)
}

/// The probability that tree `t` reaches expert `j`: the product along the path of `S(z_i)` where it goes left and
/// `1 - S(z_i)` where it goes right, with the smooth-step `S` of width `gamma`.
///
/// A subtree with zero reach is not entered, forward or backward.
///
/// # Shapes
/// * `projections`: `[batch, k (2n - 1)]`
/// * result: `[batch, k, n]`
///
/// # Panics
/// If `experts < 2`, `gamma` is not positive, or the projections do not have the width of [`tree_width`].
pub fn tree_reach(projections: Tensor<2>, trees: usize, experts: usize, gamma: f32) -> Tensor<3> {
    check(&projections, trees, experts);
    assert!(gamma > 0.0, "width of a smooth-step");
    if !runs_on(&projections, &[DType::F32]) {
        return composed_reach(projections, trees, experts, gamma);
    }
    let kernel = Reach {
        trees,
        leaves: leaf_order(experts),
        gamma,
    };
    unary(kernel, projections)
}

/// Softmax over the leaves of all trees together, of the scores `a_tj + ln(P_tj + 1e-8)`; a leaf with reach `P_tj = 0`
/// gets exactly zero.
///
/// # Shapes
/// * `projections`: `[batch, k (2n - 1)]`
/// * `reach`: `[batch, k, n]`, from [`tree_reach`]
/// * result: `[batch, k, n]`, summing to 1 over the last two axes
///
/// # Panics
/// If the shapes do not fit together.
pub fn leaf_softmax(projections: Tensor<2>, reach: Tensor<3>) -> Tensor<3> {
    let [batch, trees, experts] = reach.dims();
    check(&projections, trees, experts);
    assert_eq!(batch, projections.dims()[0], "rows of a tree gate");
    if !runs_on(&projections, &[DType::F32]) {
        return composed_softmax(projections, reach);
    }
    binary(Softmax { trees, experts }, projections, reach)
}

fn check(projections: &Tensor<2>, trees: usize, experts: usize) {
    assert!(experts >= 2, "experts of a tree");
    assert_eq!(
        projections.dims()[1],
        tree_width(trees, experts),
        "projections of a tree gate"
    );
}

/// For each leaf in heap order, the expert it stands for: its place from left to right.
fn leaf_order(experts: usize) -> Vec<usize> {
    let mut order = vec![0; experts];
    let (mut stack, mut next) = (vec![0], 0);
    while let Some(node) = stack.pop() {
        if node < experts - 1 {
            stack.extend([2 * node + 2, 2 * node + 1]);
        } else {
            order[node - (experts - 1)] = next;
            next += 1;
        }
    }
    order
}

/// [`tree_reach`] from Burn's primitives.
fn composed_reach(projections: Tensor<2>, trees: usize, experts: usize, gamma: f32) -> Tensor<3> {
    let batch = projections.dims()[0];
    let splits = projections
        .reshape([batch, trees, 2 * experts - 1])
        .narrow(2, 0, experts - 1);
    let left = smooth_step::composed(splits, gamma);
    let mut reach = vec![Tensor::ones_like(&left.clone().narrow(2, 0, 1))];
    for node in 0..experts - 1 {
        let s = left.clone().narrow(2, node, 1);
        reach.push(reach[node].clone() * s.clone());
        reach.push(reach[node].clone() * (-s + 1.0));
    }
    let order = leaf_order(experts);
    let leaves = (0..experts).map(|expert| {
        let leaf = order.iter().position(|at| *at == expert);
        reach[experts - 1 + leaf.expect("one leaf an expert")].clone()
    });
    Tensor::cat(leaves.collect(), 2)
}

/// [`leaf_softmax`] from Burn's primitives.
fn composed_softmax(projections: Tensor<2>, reach: Tensor<3>) -> Tensor<3> {
    let [batch, trees, experts] = reach.dims();
    let leaves =
        projections
            .reshape([batch, trees, 2 * experts - 1])
            .narrow(2, experts - 1, experts);
    let unreached = reach.clone().lower_equal_elem(0.0);
    let scores = (leaves + (reach + EPSILON).log()).mask_fill(unreached, f32::MIN);
    activation::softmax(scores.reshape([batch, trees * experts]), 1)
        .reshape([batch, trees, experts])
}

/// Splits or leaves of a batch from which its rows are shared among threads, and the rows of a share.
const PARALLEL: usize = 1 << 13;
const SHARE: usize = 32;

/// Runs `row`, which must be `#[inline(always)]`, on each row of `out`, given with its index.
fn rows(out: &mut [f32], width: usize, row: impl Fn(usize, &mut [f32]) + Sync) {
    let share = |(share, out): (usize, &mut [f32])| {
        vectorized(
            #[inline(always)]
            || {
                for (i, out) in out.chunks_exact_mut(width).enumerate() {
                    row(share * SHARE + i, out);
                }
            },
        );
    };
    if out.len() < PARALLEL {
        out.chunks_mut(SHARE * width).enumerate().for_each(share);
    } else {
        out.par_chunks_mut(SHARE * width)
            .enumerate()
            .for_each(share);
    }
}

#[derive(Debug)]
struct Reach {
    trees: usize,
    leaves: Vec<usize>,
    gamma: f32,
}

impl Reach {
    /// Reach of every node, in heap order.
    #[inline(always)]
    fn descend(&self, splits: &[f32], nodes: &mut [f32]) {
        nodes[0] = 1.0;
        for (node, z) in splits.iter().enumerate() {
            let (reach, mut left) = (nodes[node], 0.0);
            if reach != 0.0 {
                left = smooth_step::value(*z, self.gamma);
            }
            nodes[2 * node + 1] = reach * left;
            nodes[2 * node + 2] = reach * (1.0 - left);
        }
    }

    /// Gradients `dz` of the splits, given in `slopes` those of the leaves, in heap order; `slopes` of the splits are
    /// written on the way to the root.
    #[inline(always)]
    fn ascend(&self, splits: &[f32], nodes: &[f32], slopes: &mut [f32], dz: &mut [f32]) {
        for (node, z) in splits.iter().enumerate().rev() {
            if nodes[node] == 0.0 {
                slopes[node] = 0.0;
                continue;
            }
            let (left, right) = (slopes[2 * node + 1], slopes[2 * node + 2]);
            let s = smooth_step::value(*z, self.gamma);
            slopes[node] = s * left + (1.0 - s) * right;
            dz[node] = nodes[node] * (left - right) * smooth_step::slope(*z, self.gamma);
        }
    }
}

impl Kernel for Reach {
    fn forward(&self, inputs: &[Array], _: bool) -> (Array, Vec<Array>) {
        let (trees, experts) = (self.trees, self.leaves.len());
        let (nodes, width) = (2 * experts - 1, tree_width(trees, experts));
        let batch = inputs[0].f32().len() / width;
        let mut reach = vec![0.0; batch * trees * experts];
        rows(
            &mut reach,
            trees * experts,
            #[inline(always)]
            |row, reach| {
                let projections = &inputs[0].f32()[row * width..][..width];
                let mut heap = vec![0.0; nodes];
                for (tree, reach) in projections
                    .chunks_exact(nodes)
                    .zip(reach.chunks_exact_mut(experts))
                {
                    self.descend(&tree[..experts - 1], &mut heap);
                    for (leaf, expert) in heap[experts - 1..].iter().zip(&self.leaves) {
                        reach[*expert] = *leaf;
                    }
                }
            },
        );
        (Array::new(reach, [batch, trees, experts]), vec![])
    }

    fn backward(&self, pass: Pass<'_>) -> Vec<Option<Array>> {
        let (trees, experts) = (self.trees, self.leaves.len());
        let (nodes, width) = (2 * experts - 1, tree_width(trees, experts));
        let batch = pass.inputs[0].f32().len() / width;
        let mut dx = vec![0.0; batch * width];
        rows(
            &mut dx,
            width,
            #[inline(always)]
            |row, dx| {
                let projections = &pass.inputs[0].f32()[row * width..][..width];
                let slopes = &pass.dy.f32()[row * trees * experts..][..trees * experts];
                let (mut heap, mut heap_slopes) = (vec![0.0; nodes], vec![0.0; nodes]);
                let trees = projections
                    .chunks_exact(nodes)
                    .zip(slopes.chunks_exact(experts));
                for ((tree, slopes), dx) in trees.zip(dx.chunks_exact_mut(nodes)) {
                    let (splits, dz) = (&tree[..experts - 1], &mut dx[..experts - 1]);
                    self.descend(splits, &mut heap);
                    for (slope, expert) in heap_slopes[experts - 1..].iter_mut().zip(&self.leaves) {
                        *slope = slopes[*expert];
                    }
                    self.ascend(splits, &heap, &mut heap_slopes, dz);
                }
            },
        );
        vec![Some(Array::new(dx, pass.inputs[0].shape()))]
    }
}

#[derive(Debug)]
struct Softmax {
    trees: usize,
    experts: usize,
}

impl Kernel for Softmax {
    fn forward(&self, inputs: &[Array], _: bool) -> (Array, Vec<Array>) {
        let (n, leaves) = (self.experts, self.trees * self.experts);
        let width = tree_width(self.trees, n);
        let mut g = vec![0.0; inputs[1].f32().len()];
        rows(
            &mut g,
            leaves,
            #[inline(always)]
            |row, g| {
                let projections = &inputs[0].f32()[row * width..][..width];
                let reach = &inputs[1].f32()[row * leaves..][..leaves];
                let trees = g.chunks_exact_mut(n).zip(reach.chunks_exact(n));
                for ((g, reach), tree) in trees.zip(projections.chunks_exact(2 * n - 1)) {
                    for ((g, reach), a) in g.iter_mut().zip(reach).zip(&tree[n - 1..]) {
                        *g = a + ln(reach + EPSILON);
                    }
                }
                let mut largest = f32::NEG_INFINITY;
                for (g, reach) in g.iter().zip(reach) {
                    largest = if *reach != 0.0 && *g > largest {
                        *g
                    } else {
                        largest
                    };
                }
                let mut sum = 0.0;
                for (g, reach) in g.iter_mut().zip(reach) {
                    // What is not a number goes on into the weights.
                    *g = if *reach == 0.0 {
                        0.0
                    } else {
                        exp(*g - largest)
                    };
                }
                for g in g.iter() {
                    sum += g;
                }
                for g in g {
                    *g /= sum;
                }
            },
        );
        (Array::new(g, inputs[1].shape()), vec![])
    }

    fn backward(&self, pass: Pass<'_>) -> Vec<Option<Array>> {
        let (n, leaves) = (self.experts, self.trees * self.experts);
        let (g, dg) = (pass.saved[0].f32(), pass.dy.f32());
        // The softmax's slope, `ds = g (dg - Σ g dg)`, is at once the leaf projections' gradient and, divided by
        // `P + 1e-8`, the reach's.
        let mut scores = vec![0.0; g.len()];
        rows(
            &mut scores,
            leaves,
            #[inline(always)]
            |row, ds| {
                let (g, dg) = (&g[row * leaves..][..leaves], &dg[row * leaves..][..leaves]);
                let mean: f32 = g.iter().zip(dg).map(|(g, dg)| g * dg).sum();
                for ((ds, g), dg) in ds.iter_mut().zip(g).zip(dg) {
                    *ds = g * (dg - mean);
                }
            },
        );
        let projections = pass.wanted[0].then(|| {
            let mut dx = vec![0.0; pass.inputs[0].f32().len()];
            let trees = dx.chunks_exact_mut(2 * n - 1);
            for (dx, ds) in trees.zip(scores.chunks_exact(n)) {
                dx[n - 1..].copy_from_slice(ds);
            }
            Array::new(dx, pass.inputs[0].shape())
        });
        let reach = pass.wanted[1].then(|| {
            let reach = pass.inputs[1].f32().iter();
            let slopes = reach.zip(&scores).map(|(reach, ds)| ds / (reach + EPSILON));
            Array::new(slopes.collect(), pass.inputs[1].shape())
        });
        vec![projections, reach]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_same, assert_same_for_any_threads, random, tensor};

    #[test]
    fn experts_stand_from_left_to_right() {
        assert_eq!(leaf_order(2), [0, 1]);
        assert_eq!(leaf_order(3), [2, 0, 1]);
        assert_eq!(leaf_order(4), [0, 1, 2, 3]);
        assert_eq!(leaf_order(5), [2, 3, 4, 0, 1]);
        assert_eq!(leaf_order(6), [4, 5, 0, 1, 2, 3]);
    }

    #[test]
    fn reach_equals_the_composition() {
        for (batch, trees, experts, gamma) in [
            (1, 1, 2, 1.0),
            (3, 2, 5, 0.7),
            (70, 4, 16, 1.0),
            (2, 3, 7, 9.0),
        ] {
            let x = tensor([tree_width(trees, experts), batch], 1);
            let view = || x.clone().transpose();
            assert_same!(
                tree_reach(view(), trees, experts, gamma),
                composed_reach(view(), trees, experts, gamma),
                [x],
                1e-5
            );
        }
    }

    #[test]
    fn softmax_equals_the_composition() {
        for (batch, trees, experts) in [(1, 1, 2), (3, 2, 5), (70, 4, 16)] {
            let x = tensor([batch, tree_width(trees, experts)], 1);
            // The first leaf keeps a reach so that no row is empty.
            let mut values = random(batch * trees * experts, 2);
            values.iter_mut().for_each(|value| *value = value.max(0.0));
            values
                .chunks_mut(trees * experts)
                .for_each(|row| row[0] = 0.5);
            let data = burn::tensor::TensorData::new(values, [batch, trees, experts]);
            let reach = Tensor::<3>::from_data(data, &x.device()).require_grad();
            assert_same!(
                leaf_softmax(x.clone(), reach.clone()),
                composed_softmax(x.clone(), reach.clone()),
                [x, reach],
                1e-4
            );
        }
    }

    #[test]
    fn is_the_same_for_any_number_of_threads() {
        assert_same_for_any_threads(|| {
            let x = tensor([200, tree_width(4, 16)], 1);
            let g = leaf_softmax(x.clone(), tree_reach(x.clone(), 4, 16, 1.0));
            let mut values: Vec<f32> = g.clone().into_data().try_to_vec().unwrap();
            let dx = x.grad(&g.powi_scalar(2).sum().backward()).unwrap();
            values.extend(dx.into_data().try_to_vec::<f32>().unwrap());
            values
        });
    }

    #[test]
    fn no_rows() {
        let x = tensor([0, tree_width(2, 3)], 1);
        let g = leaf_softmax(x.clone(), tree_reach(x.clone(), 2, 3, 1.0));
        assert_eq!(g.dims(), [0, 2, 3]);
        assert_eq!(x.grad(&g.sum().backward()).unwrap().dims(), [0, 10]);
    }
}
