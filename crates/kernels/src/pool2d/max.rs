//! The largest value of each window.

use super::Windows;
use crate::memory::Buffer;
use crate::op::{Array, Kernel, Pass, Reads};
use crate::simd::vectorized;
use rayon::prelude::*;
use std::array::from_fn;

#[derive(Debug)]
pub(super) struct MaxPool(pub Windows);

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
