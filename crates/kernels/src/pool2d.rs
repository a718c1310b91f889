//! Pooling of pictures.

use crate::conv2d::{self, Sizes};
use crate::memory::Buffer;
use crate::op::{Array, Kernel, Pass, Reads, runs_on, unary};
use crate::parallel::{SHARED, pieces};
use crate::simd::vectorized;
use crate::vector::{Lanes, Width, Work};
use burn::tensor::{
    DType, Tensor, module,
    ops::{AvgPoolOptions, MaxPoolOptions},
};
use rayon::prelude::*;
use std::array::from_fn;

/// Largest value of each window; padding never wins, of equal values the first does, and what is not a number always.
///
/// # Shapes
/// * `x`: `[batch, channels, height, width]`
/// * `kernel`, `stride`, `padding`: lines, then columns
/// * result: `[batch, channels, h, w]`, `h = (height + 2·padding − kernel) / stride + 1` rounded down, and `w` likewise
///
/// # Panics
/// If kernel or stride is 0, the kernel is larger than the padded picture, or the padding more than half of the kernel.
pub fn max_pool2d(
    x: Tensor<4>,
    kernel: [usize; 2],
    stride: [usize; 2],
    padding: [usize; 2],
) -> Tensor<4> {
    let windows = Windows::new("max_pool2d", x.dims(), kernel, stride, padding);
    // A window's places are counted in a byte.
    if !runs_on(&x, &[DType::F32]) || kernel[0] * kernel[1] > 256 {
        return composed_max(x, kernel, stride, padding);
    }
    unary(MaxPool(windows), x)
}

/// The same from Burn's primitives.
fn composed_max(
    x: Tensor<4>,
    kernel: [usize; 2],
    stride: [usize; 2],
    padding: [usize; 2],
) -> Tensor<4> {
    let options = MaxPoolOptions {
        kernel_size: kernel,
        stride,
        padding: padding.map(|side| (side, side)),
        dilation: [1, 1],
        ceil_mode: false,
    };
    module::max_pool2d(x, options)
}

/// Mean of each window, padding counting as zeros.
///
/// Shapes and panics as of [`max_pool2d`].
pub fn avg_pool2d(
    x: Tensor<4>,
    kernel: [usize; 2],
    stride: [usize; 2],
    padding: [usize; 2],
) -> Tensor<4> {
    let windows = Windows::new("avg_pool2d", x.dims(), kernel, stride, padding);
    if !runs_on(&x, &[DType::F32]) {
        return composed_avg(x, kernel, stride, padding);
    }
    unary(AvgPool(windows), x)
}

/// The same from Burn's primitives.
fn composed_avg(
    x: Tensor<4>,
    kernel: [usize; 2],
    stride: [usize; 2],
    padding: [usize; 2],
) -> Tensor<4> {
    let options = AvgPoolOptions {
        kernel_size: kernel,
        stride,
        padding: padding.map(|side| (side, side)),
        count_include_pad: true,
        ceil_mode: false,
    };
    module::avg_pool2d(x, options)
}

/// Mean over all positions of each channel.
///
/// # Shapes
/// * `x`: `[batch, channels, height, width]`
/// * result: `[batch, channels]`
///
/// # Panics
/// If the picture has no positions.
pub fn global_avg_pool2d(x: Tensor<4>) -> Tensor<2> {
    let [batch, channels, height, width] = x.dims();
    assert!(
        height * width > 0,
        "global_avg_pool2d: input {:?} has no positions",
        x.dims()
    );
    if !runs_on(&x, &[DType::F32]) {
        return composed_global(x);
    }
    unary(
        GlobalAvgPool {
            batch,
            channels,
            height,
            width,
        },
        x,
    )
}

/// The same from Burn's primitives.
fn composed_global(x: Tensor<4>) -> Tensor<2> {
    let [batch, channels, height, width] = x.dims();
    x.reshape([batch, channels, height * width])
        .mean_dim(2)
        .reshape([batch, channels])
}

/// Windows on the channels of pictures.
#[derive(Clone, Copy, Debug)]
struct Windows {
    batch: usize,
    channels: usize,
    input: [usize; 2],
    output: [usize; 2],
    kernel: [usize; 2],
    stride: [usize; 2],
    padding: [usize; 2],
}

impl Windows {
    fn new(
        name: &str,
        x: [usize; 4],
        kernel: [usize; 2],
        stride: [usize; 2],
        padding: [usize; 2],
    ) -> Self {
        let [batch, channels, height, width] = x;
        let input = [height, width];
        let output = [0, 1].map(|axis| {
            assert!(
                kernel[axis] > 0 && stride[axis] > 0 && 2 * padding[axis] <= kernel[axis],
                "{name}: kernel {kernel:?} and stride {stride:?} must be at least 1, padding {padding:?} at most half of \
                 the kernel"
            );
            let free = (input[axis] + 2 * padding[axis]).checked_sub(kernel[axis]);
            let Some(free) = free else {
                panic!("{name}: kernel {kernel:?} is larger than input {x:?} with padding {padding:?}");
            };
            free / stride[axis] + 1
        });
        Self {
            batch,
            channels,
            input,
            output,
            kernel,
            stride,
            padding,
        }
    }

    fn planes(&self) -> usize {
        self.batch * self.channels
    }

    fn input_plane(&self) -> usize {
        self.input[0] * self.input[1]
    }

    fn output_plane(&self) -> usize {
        self.output[0] * self.output[1]
    }

    fn input_shape(&self) -> [usize; 4] {
        [self.batch, self.channels, self.input[0], self.input[1]]
    }

    fn output_shape(&self) -> [usize; 4] {
        [self.batch, self.channels, self.output[0], self.output[1]]
    }

    /// Columns of a line with its padding that have the same remainder modulo the stride.
    fn part(&self) -> usize {
        (self.input[1] + 2 * self.padding[1]).div_ceil(self.stride[1])
    }

    /// Whether the windows are adjacent squares of two by two.
    fn halves(&self) -> bool {
        (self.kernel, self.stride, self.padding) == ([2, 2], [2, 2], [0, 0])
    }

    /// Planes that one task handles at least.
    fn least(&self) -> usize {
        if self.planes() * self.input_plane() < SHARED {
            usize::MAX
        } else {
            (SHARED / 2 / self.input_plane().max(1)).max(1)
        }
    }
}

#[derive(Debug)]
struct MaxPool(Windows);

impl Kernel for MaxPool {
    /// Saves which place of its window each value came from.
    fn forward(&self, inputs: &[Array], training: bool) -> (Array, Vec<Array>) {
        let windows = &self.0;
        let (x, plane) = (inputs[0].f32(), windows.output_plane());
        let mut y = Buffer::new(windows.planes() * plane);
        let mut places = vec![0; y.len()];
        let work = y.par_chunks_mut(plane).zip(places.par_chunks_mut(plane));
        work.with_min_len(windows.least())
            .enumerate()
            .for_each_init(
                || vec![f32::NEG_INFINITY; windows.stride[1] * windows.part()],
                |line, (index, (y, places))| {
                    let x = &x[index * windows.input_plane()..][..windows.input_plane()];
                    vectorized(
                        #[inline(always)]
                        || match windows.halves() {
                            true => max_of_halves(windows, x, y, places),
                            false => max_of_windows(windows, x, line, y, places),
                        },
                    );
                },
            );
        let saved = match training {
            true => {
                let count = places.len();
                vec![Array::new(places, [count])]
            }
            false => vec![],
        };
        (Array::from_buffer(y, windows.output_shape()), saved)
    }

    fn backward(&self, pass: Pass<'_>) -> Vec<Option<Array>> {
        let windows = &self.0;
        let (dy, places) = (pass.dy.f32(), pass.saved[1].u8());
        let mut dx = Buffer::new(windows.planes() * windows.input_plane());
        let plane = windows.output_plane();
        dx.par_chunks_mut(windows.input_plane().max(1))
            .with_min_len(windows.least())
            .enumerate()
            .for_each(|(index, dx)| {
                let dy = &dy[index * plane..][..plane];
                let places = &places[index * plane..][..plane];
                vectorized(
                    #[inline(always)]
                    || match windows.halves() {
                        true => slopes_of_halves(windows, dy, places, dx),
                        false => slopes_of_windows(windows, dy, places, dx),
                    },
                );
            });
        vec![Some(Array::from_buffer(dx, windows.input_shape()))]
    }

    fn reads(&self) -> Reads {
        Reads::NOTHING
    }
}

/// Whether a value takes the place of the best so far.
#[inline(always)]
fn wins(value: f32, best: f32) -> bool {
    value > best || value.is_nan()
}

/// Outputs of one step of the loops over windows of two by two.
const STEP: usize = 16;

#[inline(always)]
fn max_of_halves(windows: &Windows, x: &[f32], y: &mut [f32], places: &mut [u8]) {
    let (width, columns) = (windows.input[1], windows.output[1]);
    let lines = y
        .chunks_exact_mut(columns)
        .zip(places.chunks_exact_mut(columns));
    for (line, (y, places)) in lines.enumerate() {
        let x = &x[2 * line * width..];
        let (upper, lower) = (&x[..2 * columns], &x[width..][..2 * columns]);
        let (y, last) = y.as_chunks_mut::<STEP>();
        let (places, last_places) = places.as_chunks_mut::<STEP>();
        let steps = upper.as_chunks::<{ 2 * STEP }>();
        let lower_steps = lower.as_chunks::<{ 2 * STEP }>();
        for ((y, places), (upper, lower)) in y
            .iter_mut()
            .zip(places)
            .zip(steps.0.iter().zip(lower_steps.0))
        {
            let [left, right]: [[f32; STEP]; 2] = from_fn(|side| from_fn(|i| upper[2 * i + side]));
            let [below, beside]: [[f32; STEP]; 2] =
                from_fn(|side| from_fn(|i| lower[2 * i + side]));
            for i in 0..STEP {
                (y[i], places[i]) = max_of_four([left[i], right[i], below[i], beside[i]]);
            }
        }
        let rest = steps
            .1
            .as_chunks::<2>()
            .0
            .iter()
            .zip(lower_steps.1.as_chunks::<2>().0);
        for ((y, place), (upper, lower)) in last.iter_mut().zip(last_places).zip(rest) {
            (*y, *place) = max_of_four([upper[0], upper[1], lower[0], lower[1]]);
        }
    }
}

#[inline(always)]
fn max_of_four(values: [f32; 4]) -> (f32, u8) {
    let (mut best, mut place) = (values[0], 0);
    for (index, value) in (1..).zip(&values[1..]) {
        let better = wins(*value, best);
        best = if better { *value } else { best };
        place = if better { index } else { place };
    }
    (best, place)
}

#[inline(always)]
fn slopes_of_halves(windows: &Windows, dy: &[f32], places: &[u8], dx: &mut [f32]) {
    let (width, columns) = (windows.input[1], windows.output[1]);
    let lines = dy.chunks_exact(columns).zip(places.chunks_exact(columns));
    let mut pairs = dx.chunks_exact_mut(2 * width);
    for (dx, (dy, places)) in (&mut pairs).zip(lines) {
        for (side, dx) in dx.chunks_exact_mut(width).enumerate() {
            let [left, right] = [2 * side as u8, 2 * side as u8 + 1];
            let (dx, end) = dx.split_at_mut(2 * columns);
            for (dx, (dy, place)) in dx
                .as_chunks_mut::<2>()
                .0
                .iter_mut()
                .zip(dy.iter().zip(places))
            {
                *dx = [left, right].map(|side| if *place == side { *dy } else { 0.0 });
            }
            end.fill(0.0);
        }
    }
    pairs.into_remainder().fill(0.0);
}

/// One plane; `line` has room for a line with its padding, which is never larger than a number, its columns sorted by
/// their remainder modulo the stride.
#[inline(always)]
fn max_of_windows(
    windows: &Windows,
    x: &[f32],
    line: &mut [f32],
    y: &mut [f32],
    places: &mut [u8],
) {
    let ([height, width], [_, stride]) = (windows.input, windows.stride);
    let (columns, part) = (windows.output[1], windows.part());
    let lines = y
        .chunks_exact_mut(columns)
        .zip(places.chunks_exact_mut(columns));
    for (row, (y, places)) in lines.enumerate() {
        y.fill(f32::NEG_INFINITY);
        let first = row * windows.stride[0];
        let start = windows.padding[0].saturating_sub(first);
        // The first place within the picture, in case that nothing is larger than -∞.
        for (column, place) in places.iter_mut().enumerate() {
            let right = windows.padding[1].saturating_sub(column * stride);
            *place = (start * windows.kernel[1] + right) as u8;
        }
        for down in start..windows.kernel[0].min(height + windows.padding[0] - first) {
            let values = &x[(first + down - windows.padding[0]) * width..][..width];
            for remainder in 0..stride {
                // The first column of the picture with this remainder.
                let before = windows.padding[1]
                    .saturating_sub(remainder)
                    .div_ceil(stride);
                let first = before * stride + remainder - windows.padding[1];
                let columns = values[first.min(width)..].iter().step_by(stride);
                for (place, value) in line[remainder * part + before..].iter_mut().zip(columns) {
                    *place = *value;
                }
            }
            for right in 0..windows.kernel[1] {
                let place = (down * windows.kernel[1] + right) as u8;
                let values = &line[right % stride * part + right / stride..][..columns];
                for ((best, at), value) in y.iter_mut().zip(&mut *places).zip(values) {
                    let better = wins(*value, *best);
                    *best = if better { *value } else { *best };
                    *at = if better { place } else { *at };
                }
            }
        }
    }
}

#[inline(always)]
fn slopes_of_windows(windows: &Windows, dy: &[f32], places: &[u8], dx: &mut [f32]) {
    dx.fill(0.0);
    let (width, columns, kernel) = (windows.input[1], windows.output[1], windows.kernel[1]);
    let lines = dy.chunks_exact(columns).zip(places.chunks_exact(columns));
    for (row, (dy, places)) in lines.enumerate() {
        for (column, (dy, place)) in dy.iter().zip(places).enumerate() {
            let place = usize::from(*place);
            let line = row * windows.stride[0] + place / kernel - windows.padding[0];
            let column = column * windows.stride[1] + place % kernel - windows.padding[1];
            dx[line * width + column] += dy;
        }
    }
}

/// A convolution of each channel by itself with equal weights.
#[derive(Debug)]
struct AvgPool(Windows);

impl AvgPool {
    fn sizes(&self) -> Sizes {
        let windows = &self.0;
        Sizes {
            batch: windows.planes(),
            channels: 1,
            input: windows.input,
            filters: 1,
            kernel: windows.kernel,
            output: windows.output,
            stride: windows.stride,
            padding: windows.padding,
            dilation: [1, 1],
            groups: 1,
        }
    }

    fn weight(&self) -> Vec<f32> {
        let count = self.0.kernel[0] * self.0.kernel[1];
        vec![1.0 / count as f32; count]
    }
}

impl Kernel for AvgPool {
    fn forward(&self, inputs: &[Array], _: bool) -> (Array, Vec<Array>) {
        let mut y = Buffer::new(self.0.planes() * self.0.output_plane());
        let (sizes, weight) = (self.sizes(), self.weight());
        conv2d::forward(&sizes, inputs[0].f32(), &weight, None, false, &mut y);
        (Array::from_buffer(y, self.0.output_shape()), vec![])
    }

    fn backward(&self, pass: Pass<'_>) -> Vec<Option<Array>> {
        let mut dx = Buffer::new(self.0.planes() * self.0.input_plane());
        let (sizes, weight) = (self.sizes(), self.weight());
        conv2d::input_slopes(&sizes, pass.dy.f32(), None, &weight, &mut dx);
        vec![Some(Array::from_buffer(dx, self.0.input_shape()))]
    }

    fn reads(&self) -> Reads {
        Reads::NOTHING
    }
}

#[derive(Debug)]
struct GlobalAvgPool {
    batch: usize,
    channels: usize,
    height: usize,
    width: usize,
}

impl Kernel for GlobalAvgPool {
    fn forward(&self, inputs: &[Array], _: bool) -> (Array, Vec<Array>) {
        let (x, plane) = (inputs[0].f32(), self.height * self.width);
        let mut y = Buffer::new(self.batch * self.channels);
        let piece = (SHARED / plane).max(1);
        y.par_chunks_mut(piece)
            .zip(x.par_chunks(piece * plane))
            .with_min_len(if x.len() < SHARED { usize::MAX } else { 1 })
            .for_each(|(y, x)| Width::widest().run(Means(x, plane, y)));
        (Array::from_buffer(y, [self.batch, self.channels]), vec![])
    }

    fn backward(&self, pass: Pass<'_>) -> Vec<Option<Array>> {
        let (dy, plane) = (pass.dy.f32(), self.height * self.width);
        let mut dx = Buffer::new(dy.len() * plane);
        pieces(&mut dx, plane, |first, dx| {
            dx.fill(dy[first / plane] / plane as f32);
        });
        let shape = [self.batch, self.channels, self.height, self.width];
        vec![Some(Array::from_buffer(dx, shape))]
    }

    fn reads(&self) -> Reads {
        Reads::NOTHING
    }
}

/// The means of planes: their values, elements of one, result.
struct Means<'a>(&'a [f32], usize, &'a mut [f32]);

impl Work for Means<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) {
        let Self(x, plane, means) = self;
        for (x, mean) in x.chunks_exact(plane).zip(means) {
            let mut sum = lanes.splat(0.0);
            for values in x.chunks(L::COUNT) {
                sum = lanes.add(sum, lanes.load_some(values));
            }
            *mean = lanes.total(sum) / plane as f32;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_same, assert_same_for_any_threads, tensor};

    /// Input, kernel, stride, padding.
    const CASES: [([usize; 4], [[usize; 2]; 3]); 8] = [
        ([1, 1, 1, 1], [[1, 1], [1, 1], [0, 0]]),
        ([2, 3, 8, 8], [[2, 2], [2, 2], [0, 0]]),
        ([2, 3, 9, 71], [[2, 2], [2, 2], [0, 0]]),
        ([5, 7, 32, 64], [[2, 2], [2, 2], [0, 0]]),
        ([2, 3, 17, 16], [[3, 3], [2, 2], [1, 1]]),
        ([2, 3, 11, 13], [[3, 3], [1, 1], [1, 1]]),
        ([2, 3, 11, 13], [[5, 2], [1, 3], [2, 1]]),
        ([3, 4, 7, 5], [[7, 5], [1, 1], [0, 0]]),
    ];

    #[test]
    fn values_and_gradients_equal_the_composition() {
        for (shape, [kernel, stride, padding]) in CASES {
            let x = tensor(shape, 1);
            assert_same!(
                max_pool2d(x.clone(), kernel, stride, padding),
                composed_max(x.clone(), kernel, stride, padding),
                [x],
                1e-6
            );
            assert_same!(
                avg_pool2d(x.clone(), kernel, stride, padding),
                composed_avg(x.clone(), kernel, stride, padding),
                [x],
                1e-5
            );
            assert_same!(
                global_avg_pool2d(x.clone()),
                composed_global(x.clone()),
                [x],
                1e-5
            );
        }
    }

    #[test]
    fn transposed_input() {
        let x = tensor([8, 3, 10, 2], 1);
        let view = || x.clone().permute([3, 1, 0, 2]);
        let sizes = ([2, 2], [2, 2], [0, 0]);
        assert_same!(
            max_pool2d(view(), sizes.0, sizes.1, sizes.2),
            composed_max(view(), sizes.0, sizes.1, sizes.2),
            [x],
            1e-6
        );
        assert_same!(
            global_avg_pool2d(view()),
            composed_global(view()),
            [x],
            1e-5
        );
    }

    #[test]
    fn no_pictures() {
        let x = tensor([0, 3, 8, 8], 1);
        let y = max_pool2d(x.clone(), [2, 2], [2, 2], [0, 0]);
        assert_eq!(y.dims(), [0, 3, 4, 4]);
        assert_eq!(x.grad(&y.sum().backward()).unwrap().dims(), [0, 3, 8, 8]);
        assert_eq!(global_avg_pool2d(x).dims(), [0, 3]);
    }

    #[test]
    fn the_first_of_equals_and_what_is_not_a_number_win() {
        let device = burn::tensor::Device::flex().autodiff();
        let nan = f32::NAN;
        let x = Tensor::<4>::from_data([[[[1.0, 1.0, 3.0, nan], [1.0, 1.0, 2.0, 9.0]]]], &device);
        for (kernel, stride) in [([2, 2], [2, 2]), ([2, 2], [1, 2])] {
            let x = x.clone().require_grad();
            let y = max_pool2d(x.clone(), kernel, stride, [0, 0]);
            let dx = x.grad(&y.clone().sum().backward()).unwrap();
            let y: Vec<f32> = y.into_data().try_to_vec().unwrap();
            assert!(y[0] == 1.0 && y[1].is_nan());
            let dx: Vec<f32> = dx.into_data().try_to_vec().unwrap();
            assert_eq!(dx, [1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0]);
        }
    }

    #[test]
    fn is_the_same_for_any_number_of_threads() {
        for (shape, [kernel, stride, padding]) in CASES {
            assert_same_for_any_threads(|| {
                let x = tensor(shape, 1);
                let y = max_pool2d(x.clone(), kernel, stride, padding);
                let z = avg_pool2d(x.clone(), kernel, stride, padding);
                let grads = (y * z).sum().backward();
                x.grad(&grads).unwrap().into_data().try_to_vec().unwrap()
            });
        }
    }

    #[test]
    #[should_panic(
        expected = "max_pool2d: kernel [4, 4] is larger than input [1, 1, 3, 8] with padding [0, 0]"
    )]
    fn kernel_larger_than_the_picture() {
        max_pool2d(tensor([1, 1, 3, 8], 1), [4, 4], [1, 1], [0, 0]);
    }
}
