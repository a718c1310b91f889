//! The convolution and the gradient of its input: a vector of adjacent outputs and a few filters at a time.

use super::frame::{Correlation, Phase, Run, Sizes};
use super::winograd;
use crate::vector::{Lanes, Windows, Work};
use rayon::prelude::*;
use std::array::from_fn;

/// Multiply-adds from which the images are shared among threads.
pub(super) const PARALLEL: usize = 1 << 18;

/// Pieces into which the work is cut where the batch is small.
pub(super) const PIECES: usize = 8;

/// `y = x * w + b`, then `max(0, y)` if `relu`; every element of `y` is written.
pub(crate) fn forward(
    sizes: &Sizes,
    x: &[f32],
    weight: &[f32],
    bias: Option<&[f32]>,
    relu: bool,
    y: &mut [f32],
) {
    let correlation = Correlation::forward(sizes);
    let (outer, inner, taps) = (sizes.outer(), sizes.inner(), sizes.taps());
    let weight = |group: usize, output: usize, input: usize, tap: usize| {
        weight[((group * outer + output) * inner + input) * taps + tap]
    };
    let finish = Finish { bias, relu };
    correlate(sizes, &correlation, (x, None), weight, &finish, y);
}

/// `dx` from `dy`; where `mask` is given, only the elements of `dy` count for which it is positive.
pub(crate) fn input_slopes(
    sizes: &Sizes,
    dy: &[f32],
    mask: Option<&[f32]>,
    weight: &[f32],
    dx: &mut [f32],
) {
    let correlation = Correlation::backward(sizes);
    let (outer, inner, taps) = (sizes.outer(), sizes.inner(), sizes.taps());
    let weight = |group: usize, output: usize, input: usize, tap: usize| {
        weight[((group * outer + input) * inner + output) * taps + tap]
    };
    let finish = Finish {
        bias: None,
        relu: false,
    };
    correlate(sizes, &correlation, (dy, mask), weight, &finish, dx);
}

/// What happens to a sum before it is written.
pub(super) struct Finish<'a> {
    pub bias: Option<&'a [f32]>,
    pub relu: bool,
}

/// Filters computed together: as many as divide their number, for the sake of the registers at most four.
pub(super) fn block(outputs: usize) -> usize {
    match outputs {
        0..4 => outputs,
        _ if outputs.is_multiple_of(4) => 4,
        _ if outputs.is_multiple_of(3) => 3,
        _ => 4,
    }
}

fn correlate(
    sizes: &Sizes,
    correlation: &Correlation,
    from: (&[f32], Option<&[f32]>),
    weight: impl Fn(usize, usize, usize, usize) -> f32 + Sync,
    finish: &Finish<'_>,
    out: &mut [f32],
) {
    if out.is_empty() {
        return;
    }
    if winograd::suits(sizes) {
        return winograd::correlate(sizes, correlation, from, weight, finish, out);
    }
    // A vector of inputs mostly crosses two cache lines, so that it pays to use it for as many filters as there are
    // registers for.
    let block = match correlation.outputs {
        outputs if outputs.is_multiple_of(8) => 8,
        outputs => block(outputs),
    };
    match block {
        1 => correlate_blocks::<1>(sizes, correlation, from, weight, finish, out),
        2 => correlate_blocks::<2>(sizes, correlation, from, weight, finish, out),
        3 => correlate_blocks::<3>(sizes, correlation, from, weight, finish, out),
        4 => correlate_blocks::<4>(sizes, correlation, from, weight, finish, out),
        _ => correlate_blocks::<8>(sizes, correlation, from, weight, finish, out),
    }
}

fn correlate_blocks<const FILTERS: usize>(
    sizes: &Sizes,
    correlation: &Correlation,
    (x, mask): (&[f32], Option<&[f32]>),
    weight: impl Fn(usize, usize, usize, usize) -> f32 + Sync,
    finish: &Finish<'_>,
    out: &mut [f32],
) {
    let (inputs, outputs) = (correlation.inputs, correlation.outputs);
    // Kernels in the order in which they are read: group, phase, block of filters, channel, tap, filter.
    let blocks = outputs.div_ceil(FILTERS);
    let part = part(outputs, FILTERS, sizes.batch * sizes.groups);
    let mut packed: Vec<[f32; FILTERS]> =
        Vec::with_capacity(sizes.groups * blocks * inputs * sizes.taps());
    for group in 0..sizes.groups {
        for phase in &correlation.phases {
            for first in (0..outputs).step_by(FILTERS) {
                for input in 0..inputs {
                    packed.extend(phase.taps.iter().map(|tap| {
                        from_fn(|filter| match first + filter {
                            output if output < outputs => weight(group, output, input, *tap),
                            _ => 0.0,
                        })
                    }));
                }
            }
        }
    }
    let (plane, source) = (correlation.plane(), x.len() / (sizes.batch * sizes.groups));
    let parts = outputs / part;
    let run = |room: &mut Room, index: usize, out: &mut [f32]| {
        let (image, part_index) = (index / parts, index % parts);
        let group = image % sizes.groups;
        let x = &x[image * source..][..source];
        let mask = mask.map(|mask| &mask[image * source..][..source]);
        let per_group = packed.len() / sizes.groups;
        let bias = finish
            .bias
            .map(|bias| &bias[group * outputs + part_index * part..][..part]);
        let finish = Finish {
            bias,
            relu: finish.relu,
        };
        correlation.width.run(Image {
            correlation,
            packed: &packed[group * per_group..][..per_group],
            first: part_index * part,
            finish,
            x,
            mask,
            room,
            out,
        });
    };
    let room = || Room {
        frames: correlation.frame.room(inputs),
        phases: vec![
            0.0;
            match correlation.spread {
                [1, 1] => 0,
                _ => part * plane,
            }
        ],
    };
    let least = match sizes.work() {
        ..PARALLEL => usize::MAX,
        _ => 1,
    };
    out.par_chunks_mut(part * plane)
        .with_min_len(least)
        .enumerate()
        .for_each_init(room, |room, (index, out)| run(room, index, out));
}

/// Filters of one task: all of them if there are images enough.
fn part(outputs: usize, block: usize, images: usize) -> usize {
    let divides =
        |parts: &usize| outputs.is_multiple_of(*parts) && (outputs / parts).is_multiple_of(block);
    let wanted = PIECES.div_ceil(images);
    let parts = (1..=outputs).filter(divides).find(|parts| *parts >= wanted);
    outputs
        / parts
            .or_else(|| (1..=outputs).rev().find(divides))
            .unwrap_or(1)
}

/// Memory of a thread.
struct Room {
    frames: Vec<f32>,
    /// Outputs of the filters, phase after phase.
    phases: Vec<f32>,
}

/// One image and some filters.
struct Image<'a, const FILTERS: usize> {
    correlation: &'a Correlation,
    /// Kernels of all filters.
    packed: &'a [[f32; FILTERS]],
    /// The first filter.
    first: usize,
    finish: Finish<'a>,
    x: &'a [f32],
    mask: Option<&'a [f32]>,
    room: &'a mut Room,
    out: &'a mut [f32],
}

impl<const FILTERS: usize> Work for Image<'_, FILTERS> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) {
        let correlation = self.correlation;
        let (plane, spread) = (correlation.plane(), correlation.spread != [1, 1]);
        let Room { frames, phases } = self.room;
        correlation.frame.fill(lanes, self.x, self.mask, frames);
        let filters = self.out.len() / plane;
        let out = if spread {
            &mut **phases
        } else {
            &mut *self.out
        };
        let mut packed = self.packed;
        for phase in &correlation.phases {
            let per_block = correlation.inputs * phase.taps.len();
            let weights;
            (weights, packed) = packed.split_at(correlation.outputs.div_ceil(FILTERS) * per_block);
            let tiles = Tiles {
                lanes,
                correlation,
                phase,
                weights: &weights[self.first / FILTERS * per_block..],
                filters,
                finish: &self.finish,
                frames,
            };
            tiles.compute(out);
        }
        if spread {
            let planes = phases.chunks_exact(plane);
            for (out, phases) in self.out.chunks_exact_mut(plane).zip(planes) {
                interleave(correlation, phases, out);
            }
        }
    }
}

/// Puts the outputs of the phases of one plane in their places.
#[inline(always)]
fn interleave(correlation: &Correlation, phases: &[f32], out: &mut [f32]) {
    let ([height, width], [down, right]) = (correlation.size, correlation.spread);
    // Where a phase's lines start.
    let columns = |phase: usize| (width + right - 1 - phase) / right;
    let mut start = 0;
    for first in 0..down {
        let lines = (height + down - 1 - first) / down;
        for line in 0..lines {
            let out = &mut out[(first + line * down) * width..][..width];
            let mut before = start;
            if right == 2 {
                let even = &phases[before + line * columns(0)..][..columns(0)];
                let odd = &phases[before + lines * columns(0) + line * columns(1)..][..columns(1)];
                zip(even, odd, out);
                continue;
            }
            for phase in 0..right.min(width) {
                let values = &phases[before + line * columns(phase)..][..columns(phase)];
                for (out, value) in out[phase..].iter_mut().step_by(right).zip(values) {
                    *out = *value;
                }
                before += lines * columns(phase);
            }
        }
        start += lines * width;
    }
}

/// `even[0], odd[0], even[1], odd[1], …`, in pieces that the compiler turns into shuffles.
#[inline(always)]
fn zip(even: &[f32], odd: &[f32], out: &mut [f32]) {
    const PIECE: usize = 8;
    let pieces = even
        .as_chunks::<PIECE>()
        .0
        .iter()
        .zip(odd.as_chunks::<PIECE>().0);
    let (whole, rest) = out.as_chunks_mut::<{ 2 * PIECE }>();
    let done = pieces.len().min(whole.len()) * PIECE;
    for (out, (even, odd)) in whole.iter_mut().zip(pieces) {
        *out = from_fn(|index| {
            if index % 2 == 0 {
                even[index / 2]
            } else {
                odd[index / 2]
            }
        });
    }
    for (index, out) in rest.iter_mut().enumerate() {
        let side = if index % 2 == 0 { even } else { odd };
        *out = side[done + index / 2];
    }
}

/// One phase of an image and some filters.
struct Tiles<'a, L: Lanes, const FILTERS: usize> {
    lanes: L,
    correlation: &'a Correlation,
    phase: &'a Phase,
    /// Kernels from the first filter on.
    weights: &'a [[f32; FILTERS]],
    filters: usize,
    finish: &'a Finish<'a>,
    frames: &'a [f32],
}

impl<L: Lanes, const FILTERS: usize> Tiles<'_, L, FILTERS> {
    #[inline(always)]
    fn compute(&self, out: &mut [f32]) {
        // As many sums as the latency of the multiply-add wants, and as leave registers for a vector of each run.
        match (FILTERS, L::COUNT) {
            (8, 16) => self.compute_by::<3>(out),
            (8, _) => self.compute_by::<2>(out),
            _ => self.compute_by::<4>(out),
        }
    }

    #[inline(always)]
    fn compute_by<const RUNS: usize>(&self, out: &mut [f32]) {
        let (tiles, mut rest) = self.phase.runs.as_chunks::<RUNS>();
        for runs in tiles {
            self.tile::<RUNS>(runs, out);
        }
        if let Some((runs, last)) = rest.split_first_chunk::<2>() {
            self.tile::<2>(runs, out);
            rest = last;
        }
        for run in rest {
            self.tile::<1>(&[*run], out);
        }
    }

    /// All filters at some runs of outputs, whose inputs stay in the nearest cache.
    #[inline(always)]
    fn tile<const COUNT: usize>(&self, runs: &[Run; COUNT], out: &mut [f32]) {
        let (frame, inputs) = (self.correlation.frame.len(), self.correlation.inputs);
        let plane = self.correlation.plane();
        let (lanes, taps) = (self.lanes, self.phase.taps.len());
        let windows = Windows::new(lanes, from_fn(|run| &self.frames[runs[run].from..]));
        for first in (0..self.filters).step_by(FILTERS) {
            let mut sums: [[L::Vector; COUNT]; FILTERS] = from_fn(|f| {
                let bias = self.finish.bias.and_then(|bias| bias.get(first + f));
                [lanes.splat(bias.copied().unwrap_or(0.0)); COUNT]
            });
            let weights = &self.weights[first / FILTERS * inputs * taps..][..inputs * taps];
            for (input, weights) in weights.chunks_exact(taps.max(1)).enumerate() {
                for (shift, weight) in self.phase.shifts.iter().zip(weights) {
                    let values: [L::Vector; COUNT] = windows.load(input * frame + shift);
                    for f in 0..FILTERS {
                        let weight = lanes.splat(weight[f]);
                        for run in 0..COUNT {
                            sums[f][run] = lanes.mul_add(weight, values[run], sums[f][run]);
                        }
                    }
                }
            }
            for (out, sums) in out[first * plane..].chunks_exact_mut(plane).zip(sums) {
                for run in 0..COUNT {
                    let relu = self.finish.relu;
                    let sum = if relu {
                        lanes.rectify(sums[run])
                    } else {
                        sums[run]
                    };
                    lanes.store_some(sum, &mut out[runs[run].to..][..runs[run].count]);
                }
            }
        }
    }
}
