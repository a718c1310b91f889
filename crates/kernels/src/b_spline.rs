//! Sums of B-splines, one a pair of input and output: of the bases only those that are not zero are computed.

use crate::memory::Buffer;
use crate::op::{Array, Kernel, Pass, Reads, runs_on, ternary};
use crate::parallel::cuts;
use crate::vector::{Lanes, Width, Work};
use burn::tensor::{DType, Tensor};

/// The highest order that [`b_spline`] has a kernel for.
pub const MOST_ORDER: usize = 7;

/// `y_no = Σ_i Σ_g B_ig(x_ni) w_igo` with the B-splines `B_ig` of an order, 3 for cubic ones, over the knots of input `i`.
///
/// A knot interval is closed on the left and open on the right; beyond the knots all bases are zero. Knots ascend; an interval
/// without length has no bases of its own. Gradients are those of `x` and `weight`; knots are fixed.
///
/// # Shapes
/// * `x`: `[n, inputs]`
/// * `knots`: `[inputs, bases + order + 1]`
/// * `weight`: `[inputs, bases, outputs]`
/// * result: `[n, outputs]`
///
/// # Panics
/// If the shapes do not fit together.
///
/// Source: de Boor, "On Calculating with B-splines", 1972.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// let device = Device::flex();
/// let x = Tensor::<2>::from_data([[0.25]], &device);
/// let knots = Tensor::<2>::from_data([[-1.0, 0.0, 1.0, 2.0]], &device); // two hats
/// let weight = Tensor::<3>::from_data([[[4.0], [8.0]]], &device);
/// let y = offprint_kernels::b_spline(x, knots, weight, 1);
/// assert_eq!(y.into_data().try_to_vec::<f32>().unwrap(), [5.0]);
/// ```
pub fn b_spline(x: Tensor<2>, knots: Tensor<2>, weight: Tensor<3>, order: usize) -> Tensor<2> {
    let ([rows, inputs], [of_knots, count]) = (x.dims(), knots.dims());
    let [of_weight, bases, outputs] = weight.dims();
    assert!(
        of_knots == inputs && of_weight == inputs && count == bases + order + 1,
        "{inputs} inputs, knots {:?}, weight {:?}, order {order}",
        knots.dims(),
        weight.dims()
    );
    if order > MOST_ORDER || !runs_on(&x, &[DType::F32]) {
        return composed(x, knots, weight, order);
    }
    let kernel = Spline {
        rows,
        inputs,
        bases,
        outputs,
        order,
    };
    ternary(kernel, x, knots.detach(), weight)
}

/// All bases `B_ig(x_ni)`, most of them zero, with gradients by Burn's primitives.
///
/// # Shapes
/// * `x`: `[n, inputs]`
/// * `knots`: `[inputs, bases + order + 1]`
/// * result: `[n, inputs, bases]`
///
/// # Panics
/// If there are fewer than `order + 2` knots, or knots for another number of inputs.
pub fn b_spline_basis(x: Tensor<2>, knots: Tensor<2>, order: usize) -> Tensor<3> {
    let ([rows, inputs], [of_knots, count]) = (x.dims(), knots.dims());
    assert!(
        of_knots == inputs && count >= order + 2,
        "{inputs} inputs, knots {:?}, order {order}",
        knots.dims()
    );
    let x = x.reshape([rows, inputs, 1]);
    let knots = knots.detach().reshape([1, inputs, count]);
    let from = |start: usize, length: usize| knots.clone().narrow(2, start, length);
    let above = x.clone().greater_equal(knots.clone()).float();
    let mut basis =
        above.clone().narrow(2, 0, count - 1) * (above.narrow(2, 1, count - 1).neg() + 1.0);
    // An interval without length takes no part.
    let over = |difference: Tensor<3>| {
        let empty = difference.clone().equal_elem(0.0);
        difference.recip().mask_fill(empty, 0.0)
    };
    for degree in 1..=order {
        let length = count - degree - 1;
        let rise = (x.clone() - from(0, length)) * over(from(degree, length) - from(0, length));
        let fall = (from(degree + 1, length) - x.clone())
            * over(from(degree + 1, length) - from(1, length));
        let (left, right) = (
            basis.clone().narrow(2, 0, length),
            basis.narrow(2, 1, length),
        );
        basis = rise * left + fall * right;
    }
    basis
}

/// The same from Burn's primitives.
fn composed(x: Tensor<2>, knots: Tensor<2>, weight: Tensor<3>, order: usize) -> Tensor<2> {
    let [rows, inputs] = x.dims();
    let [_, bases, outputs] = weight.dims();
    let basis = b_spline_basis(x, knots, order).reshape([rows, inputs * bases]);
    basis.matmul(weight.reshape([inputs * bases, outputs]))
}

#[derive(Debug)]
struct Spline {
    rows: usize,
    inputs: usize,
    bases: usize,
    outputs: usize,
    order: usize,
}

/// Rows of one task: their outputs stay in the first-level cache while the inputs are gone through.
const RUN: usize = 16;

/// Bases that are not zero at one number, at most.
const MOST: usize = MOST_ORDER + 1;

/// The bases that are not zero at a number.
struct Local {
    /// Number of the first one that exists.
    first: usize,
    /// How many there are.
    count: usize,
    values: [f32; MOST],
    slopes: [f32; MOST],
}

/// The knots of one input and the inverses of their distances.
struct Knots<'a> {
    order: usize,
    knots: &'a [f32],
    /// `1 / (t_{j+d} − t_j)` for each `d` from 1 to the order, a line each; zero for an interval without length.
    inverses: &'a [f32],
}

impl Knots<'_> {
    fn inverse(&self, degree: usize, j: usize) -> f32 {
        self.inverses[(degree - 1) * self.knots.len() + j]
    }

    /// The bases at `x`; none beyond the knots, or where `x` is not a number.
    fn local(&self, x: f32) -> Local {
        let (t, k) = (self.knots, self.order);
        let mut local = Local {
            first: 0,
            count: 0,
            values: [0.0; MOST],
            slopes: [0.0; MOST],
        };
        let below = t.iter().filter(|knot| **knot <= x).count();
        if below == 0 || below == t.len() {
            return local;
        }
        // In the interval from knot s on, bases s − k to s are not zero; those that stick out at an end do not exist.
        let s = below - 1;
        let mut n = [0.0; MOST];
        n[k] = 1.0;
        let place = |r: usize| (s + r).checked_sub(k);
        for degree in 1..=k {
            if degree == k {
                for r in 0..=k {
                    let Some(j) = place(r).filter(|j| j + k + 1 < t.len()) else {
                        continue;
                    };
                    let after = if r < k {
                        n[r + 1] * self.inverse(k, j + 1)
                    } else {
                        0.0
                    };
                    local.slopes[r] = k as f32 * (n[r] * self.inverse(k, j) - after);
                }
            }
            for r in k - degree..=k {
                let Some(j) = place(r).filter(|j| j + degree + 1 < t.len()) else {
                    n[r] = 0.0;
                    continue;
                };
                let rise = (x - t[j]) * self.inverse(degree, j);
                let fall = match r < k {
                    true => (t[j + degree + 1] - x) * self.inverse(degree, j + 1) * n[r + 1],
                    false => 0.0,
                };
                n[r] = rise * n[r] + fall;
            }
        }
        let (skipped, bases) = (k.saturating_sub(s), t.len() - k - 1);
        local.first = s.saturating_sub(k);
        local.count = (s + 1).min(bases).saturating_sub(local.first);
        for i in 0..local.count {
            local.values[i] = n[skipped + i];
            local.slopes[i] = local.slopes[skipped + i];
        }
        local
    }
}

impl Spline {
    fn inverses(&self, knots: &[f32]) -> Vec<f32> {
        let count = self.bases + self.order + 1;
        let mut inverses = vec![0.0; self.inputs * self.order * count];
        let lines = inverses.chunks_exact_mut(count);
        for (index, line) in lines.enumerate() {
            let (input, degree) = (index / self.order, index % self.order + 1);
            let t = &knots[input * count..][..count];
            for j in 0..count - degree {
                let length = t[j + degree] - t[j];
                line[j] = if length == 0.0 { 0.0 } else { 1.0 / length };
            }
        }
        inverses
    }

    fn knots<'a>(&self, knots: &'a [f32], inverses: &'a [f32], input: usize) -> Knots<'a> {
        let count = self.bases + self.order + 1;
        Knots {
            order: self.order,
            knots: &knots[input * count..][..count],
            inverses: &inverses[input * self.order * count..][..self.order * count],
        }
    }

    /// Multiply-adds, about: what decides whether to share the work.
    fn work(&self) -> usize {
        self.rows * self.inputs * (self.order + 1) * (self.outputs + 8)
    }
}

impl Kernel for Spline {
    fn forward(&self, inputs: &[Array], _: bool) -> (Array, Vec<Array>) {
        let (x, knots, weight) = (inputs[0].f32(), inputs[1].f32(), inputs[2].f32());
        let inverses = self.inverses(knots);
        let mut y = Buffer::zeroed(self.rows * self.outputs);
        let (width, each) = (
            Width::of(std::iter::once(self.outputs)),
            self.bases * self.outputs,
        );
        cuts(
            [(&mut y, RUN * self.outputs)],
            self.rows.div_ceil(RUN),
            self.work(),
            |run, [y]| {
                for input in 0..self.inputs {
                    let knots = self.knots(knots, &inverses, input);
                    let weight = &weight[input * each..][..each];
                    for (row, y) in y.chunks_exact_mut(self.outputs.max(1)).enumerate() {
                        let local = knots.local(x[(run * RUN + row) * self.inputs + input]);
                        width.run(AddUp { local, weight, y });
                    }
                }
            },
        );
        (Array::from_buffer(y, [self.rows, self.outputs]), vec![])
    }

    fn backward(&self, pass: Pass<'_>) -> Vec<Option<Array>> {
        let [x, knots, weight] = [0, 1, 2].map(|i| pass.inputs[i].f32());
        let dy = pass.dy.f32();
        let inverses = self.inverses(knots);
        let each = self.bases * self.outputs;
        let mut dweight = Buffer::zeroed(self.inputs * each);
        // Input by input, so that no two tasks add to one number.
        let mut columns = vec![0.0; self.inputs * self.rows];
        let width = Width::of(std::iter::once(self.outputs));
        cuts(
            [(&mut dweight, each), (&mut columns, self.rows)],
            self.inputs,
            self.work(),
            |input, [dweight, column]| {
                let knots = self.knots(knots, &inverses, input);
                let weight = &weight[input * each..][..each];
                let rows = column.iter_mut().zip(dy.chunks_exact(self.outputs.max(1)));
                for (row, (dx, dy)) in rows.enumerate() {
                    let local = knots.local(x[row * self.inputs + input]);
                    *dx = width.run(Back {
                        local,
                        weight,
                        dy,
                        dweight,
                    });
                }
            },
        );
        let mut dx = Buffer::new(self.rows * self.inputs);
        for (row, dx) in dx.chunks_exact_mut(self.inputs.max(1)).enumerate() {
            for (input, dx) in dx.iter_mut().enumerate() {
                *dx = columns[input * self.rows + row];
            }
        }
        vec![
            Some(Array::from_buffer(dx, [self.rows, self.inputs])),
            None,
            Some(Array::from_buffer(
                dweight,
                [self.inputs, self.bases, self.outputs],
            )),
        ]
    }

    fn reads(&self) -> Reads {
        Reads::INPUTS
    }
}

/// `y += Σ_g B_g w_g` for one number.
struct AddUp<'a> {
    local: Local,
    /// `[bases, outputs]`.
    weight: &'a [f32],
    y: &'a mut [f32],
}

impl Work for AddUp<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) {
        let outputs = self.y.len();
        let Local { first, count, .. } = self.local;
        let weight = &self.weight[first * outputs..][..count * outputs];
        for (index, y) in self.y.chunks_mut(L::COUNT).enumerate() {
            let mut sum = lanes.load_some(y);
            for (basis, line) in self.local.values[..count]
                .iter()
                .zip(weight.chunks_exact(outputs))
            {
                let w = lanes.load_some(&line[index * L::COUNT..][..y.len()]);
                sum = lanes.mul_add(lanes.splat(*basis), w, sum);
            }
            lanes.store_some(sum, y);
        }
    }
}

/// For one number: `dw_g += B_g dy`, and the result `Σ_g B_g' ⟨w_g, dy⟩`.
struct Back<'a> {
    local: Local,
    /// `[bases, outputs]`.
    weight: &'a [f32],
    dy: &'a [f32],
    dweight: &'a mut [f32],
}

impl Work for Back<'_> {
    type Output = f32;

    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) -> f32 {
        let outputs = self.dy.len();
        let Local { first, count, .. } = self.local;
        let weight = &self.weight[first * outputs..][..count * outputs];
        let dweight = &mut self.dweight[first * outputs..][..count * outputs];
        let mut sum = lanes.splat(0.0);
        for i in 0..count {
            let (basis, slope) = (
                lanes.splat(self.local.values[i]),
                lanes.splat(self.local.slopes[i]),
            );
            let (weight, dweight) = (
                &weight[i * outputs..][..outputs],
                &mut dweight[i * outputs..][..outputs],
            );
            let pieces = weight.chunks(L::COUNT).zip(self.dy.chunks(L::COUNT));
            for ((weight, dy), dweight) in pieces.zip(dweight.chunks_mut(L::COUNT)) {
                let dy = lanes.load_some(dy);
                let scaled = lanes.mul(slope, lanes.load_some(weight));
                sum = lanes.mul_add(scaled, dy, sum);
                let moved = lanes.mul_add(basis, dy, lanes.load_some(dweight));
                lanes.store_some(moved, dweight);
            }
        }
        lanes.total(sum)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_close, assert_same, assert_same_for_any_threads, random, tensor};
    use burn::tensor::{Device, TensorData};

    /// Ascending knots that are not evenly spread, around −1 to 1.
    fn knots(inputs: usize, count: usize) -> Vec<f32> {
        let line = |input: usize| {
            let steps = random(count, 70 + input as u64);
            let mut at = -1.2 - 0.01 * input as f32;
            steps.into_iter().map(move |step| {
                at += 2.4 / count as f32 * (1.2 + step);
                at
            })
        };
        (0..inputs).flat_map(line).collect()
    }

    fn knots_of(inputs: usize, count: usize) -> Tensor<2> {
        let data = TensorData::new(knots(inputs, count), [inputs, count]);
        Tensor::from_data(data, &Device::flex().autodiff())
    }

    #[test]
    fn values_and_gradients_equal_the_composition() {
        for (rows, inputs, bases, order, outputs) in [
            (1, 1, 2, 1, 1),
            (9, 3, 8, 3, 5),
            (70, 4, 5, 2, 16),
            (33, 6, 1, 3, 40),
            (20, 2, 3, 5, 7),
            (20, 2, 4, 0, 7),
            (3, 2, 9, 8, 3),
        ] {
            let x = tensor([rows, inputs], 1);
            let weight = tensor([inputs, bases, outputs], 2);
            let t = || knots_of(inputs, bases + order + 1);
            let wide = || x.clone() * 1.5;
            if order == 0 {
                let y = b_spline(wide(), t(), weight.clone(), 0);
                assert_close(y, composed(wide(), t(), weight, 0), 1e-5);
                continue;
            }
            assert_same!(
                b_spline(wide(), t(), weight.clone(), order),
                composed(wide(), t(), weight.clone(), order),
                [x, weight],
                2e-3
            );
        }
    }

    #[test]
    fn bases_are_a_partition_of_unity_inside() {
        for order in 1..=4 {
            let count = 6 + order;
            let t = knots_of(1, count + order + 1);
            let values = t.clone().into_data().try_to_vec::<f32>().unwrap();
            let (low, high) = (values[order], values[count]);
            let x: Vec<f32> = random(50, 9)
                .iter()
                .map(|x| low + (high - low) * (0.5 + 0.499 * x))
                .collect();
            let x = Tensor::<2>::from_data(TensorData::new(x, [50, 1]), &Device::flex().autodiff());
            let ones = Tensor::<3>::ones([1, count, 1], &Device::flex().autodiff());
            let sum = b_spline(x.clone(), t.clone(), ones, order);
            assert_close(sum, Tensor::ones([50, 1], &Device::flex().autodiff()), 1e-5);
            let basis = b_spline_basis(x, t, order).into_data();
            assert!(
                basis
                    .try_to_vec::<f32>()
                    .unwrap()
                    .iter()
                    .all(|b| *b >= -1e-6)
            );
        }
    }

    #[test]
    fn nothing_beyond_the_knots_and_half_open_inside() {
        let device = Device::flex();
        let t = Tensor::<2>::from_data([[0.0, 1.0, 2.0]], &device);
        let x = Tensor::<2>::from_data([[-0.1], [0.0], [1.0], [2.0], [f32::NAN]], &device);
        let weight = Tensor::<3>::ones([1, 1, 1], &device);
        let y = b_spline(x, t, weight, 1).into_data().try_to_vec::<f32>();
        assert_eq!(y.unwrap(), [0.0, 0.0, 1.0, 0.0, 0.0]);
    }

    #[test]
    fn repeated_knots() {
        let device = Device::flex().autodiff();
        let t = Tensor::<2>::from_data([[0.0, 0.0, 0.0, 1.0, 1.0, 1.0]], &device);
        let x = Tensor::<2>::from_data([[0.25], [0.5]], &device);
        let weight = tensor([1, 3, 2], 1);
        let y = b_spline(x.clone(), t.clone(), weight.clone(), 2);
        assert_close(y, composed(x, t, weight, 2), 1e-6);
    }

    #[test]
    fn the_same_for_any_number_of_threads() {
        let kernel = Spline {
            rows: 90,
            inputs: 12,
            bases: 8,
            outputs: 33,
            order: 3,
        };
        let inputs = [
            Array::new(random(90 * 12, 1), [90, 12]),
            Array::new(knots(12, 12), [12, 12]),
            Array::new(random(12 * 8 * 33, 3), [12, 8, 33]),
        ];
        assert_same_for_any_threads(|| {
            let (y, _) = kernel.forward(&inputs, true);
            let mut all = y.f32().to_vec();
            let slopes = kernel.backward(Pass {
                inputs: &inputs,
                saved: &[],
                dy: y,
                wanted: &[true, false, true],
            });
            for slope in slopes.into_iter().flatten() {
                all.extend(slope.f32());
            }
            all
        });
    }
}
