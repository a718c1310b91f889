//! Layers between two lines: slopes of linear bounds carried through ReLU and pooling.

use super::Interval;
use super::crown::{as_pictures, spread};
use crate::graph::{Pool, Window};
use burn::tensor::{IndexingUpdateOp, Int, Tensor, TensorData};
use offprint_kernels::{Conv2d as Conv2dOptions, by_sign, conv_transpose2d};

/// Above a line of slope 0 or 1 through 0, and below the line through both ends of its input's bounds; `shift` is what
/// the layers before add to each channel.
pub(super) fn relu(
    slope: Tensor<3>,
    before: &Interval,
    shift: Option<Tensor<1>>,
) -> (Tensor<3>, Tensor<2>) {
    let lower = before.lower().clamp_max(0.0);
    let upper = before.upper().clamp_min(0.0);
    let upper = upper.max_pair(lower.clone() + 1e-8);
    let above = upper.clone() / (upper - lower.clone());
    let below = above.clone().greater_elem(0.5).float().cast(above.dtype());
    // Below the upper line lies `above (x − l)`.
    let offset = -(above.clone() * lower);
    let offsets = match shift {
        Some(shift) => {
            let shift = spread(shift, slope.dims());
            let upward = below.clone() * shift.clone();
            [upward, offset + above.clone() * shift]
        }
        None => [offset.zeros_like(), offset],
    };
    by_sign(slope, [below, above], offsets)
}

/// Each window lies above the element with the largest lower bound, and below the largest upper bound; where no other
/// element can exceed the former, the window is that element.
pub(super) fn max_pool(
    pool: &Pool,
    slope: Tensor<3>,
    before: &Interval,
    input: &[usize],
    output: &[usize],
) -> (Tensor<3>, Tensor<2>) {
    let [samples, functions, _] = slope.dims();
    let (channels, places) = (input[0], input[1] * input[2]);
    let (planes, windows) = (samples * channels, output[1] * output[2]);
    let choices = choices(pool.window, before, input, output);
    let device = slope.device();
    let index = |places: Vec<i64>| {
        let data = TensorData::new(places, [planes, windows]);
        Tensor::<2, Int>::from_data(data, &device)
    };
    let (chosen, largest) = (index(choices.chosen), index(choices.largest));
    let upper = before.upper().reshape([planes, places]).gather(1, largest);
    let upper = upper.reshape([samples, channels * windows]);
    let alone = TensorData::new(choices.alone, [samples, channels * windows]);
    let alone = Tensor::<2>::from_data(alone, (&device, upper.dtype()));
    let below = upper * (alone.ones_like() - alone.clone());
    let factors = [alone.ones_like(), alone];
    let (slope, added) = by_sign(slope, factors, [below.zeros_like(), below]);
    // Each window's slope goes to the element that it chose.
    let chosen = chosen
        .reshape([samples, 1, channels, windows])
        .repeat_dim(1, functions)
        .reshape([samples * functions, channels, windows]);
    let slope = slope.reshape([samples * functions, channels, windows]);
    let nothing = Tensor::<3>::zeros(
        [samples * functions, channels, places],
        (&device, slope.dtype()),
    );
    let before = nothing.scatter(2, chosen, slope, IndexingUpdateOp::Add);
    (
        before.reshape([samples, functions, channels * places]),
        added,
    )
}

/// Of each window: places in the plane, and marks.
struct Choices {
    /// The element with the largest lower bound.
    chosen: Vec<i64>,
    /// The element with the largest upper bound.
    largest: Vec<i64>,
    /// 1 where no other's upper bound is above the chosen one's lower bound, 0 elsewhere.
    alone: Vec<f32>,
}

fn choices(window: Window, before: &Interval, input: &[usize], output: &[usize]) -> Choices {
    let (lower, upper) = (before.lower().into_data(), before.upper().into_data());
    let [lower, upper] = [lower, upper].map(|data| data.iter::<f64>().collect::<Vec<_>>());
    let (height, width) = (input[1], input[2]);
    let (mut chosen, mut largest, mut alone) = (Vec::new(), Vec::new(), Vec::new());
    let reach = |axis: usize, at: usize, size: usize| {
        let first = (at * window.stride[axis]) as isize - window.padding[axis] as isize;
        let end = first + window.kernel[axis] as isize;
        first.max(0) as usize..(end.max(0) as usize).min(size)
    };
    for (lower, upper) in lower
        .chunks_exact(height * width)
        .zip(upper.chunks_exact(height * width))
    {
        for i in 0..output[1] {
            for j in 0..output[2] {
                let lines = reach(0, i, height);
                let cells = || {
                    let columns = reach(1, j, width);
                    lines.clone().flat_map(move |line| {
                        columns.clone().map(move |column| line * width + column)
                    })
                };
                // The first of equal ones, as pooling itself.
                let best = |bound: &[f64]| {
                    cells()
                        .reduce(|best, cell| {
                            if bound[cell] > bound[best] {
                                cell
                            } else {
                                best
                            }
                        })
                        .unwrap_or(0)
                };
                let (most, top) = (best(lower), best(upper));
                chosen.push(most as i64);
                largest.push(top as i64);
                let beaten = cells().all(|cell| cell == most || upper[cell] <= lower[most]);
                alone.push(f32::from(u8::from(beaten)));
            }
        }
    }
    Choices {
        chosen,
        largest,
        alone,
    }
}

pub(super) fn avg_pool(
    pool: &Pool,
    slope: Tensor<3>,
    input: &[usize],
    output: &[usize],
) -> Tensor<3> {
    let [samples, functions, _] = slope.dims();
    let window = pool.window;
    // Each channel by itself: channels are samples.
    let [rows, channels] = [samples * functions, input[0]];
    let slope = as_pictures(slope, output).reshape([rows * channels, 1, output[1], output[2]]);
    let [height, width] = window.kernel;
    let share = 1.0 / (height * width) as f64;
    let weight = Tensor::<4>::full(
        [1, 1, height, width],
        share,
        (&slope.device(), slope.dtype()),
    );
    let options = Conv2dOptions {
        stride: window.stride,
        padding: window.padding,
        ..Conv2dOptions::default()
    };
    let before = conv_transpose2d(slope, weight, [input[1], input[2]], options);
    before.reshape([samples, functions, channels * input[1] * input[2]])
}
