//! The gradient of the kernels: a sum over all outputs, in vectors of adjacent ones.

use super::correlate::{PARALLEL, PIECES, block};
use super::frame::{Correlation, Phase, Sizes};
use crate::vector::{Lanes, Windows, Work};
use rayon::prelude::*;
use std::array::from_fn;

/// Elements of the kernel whose sums are in registers at once, for each of up to four filters.
const ELEMENTS: usize = 6;

/// Filters of one task, at least.
const FILTERS: usize = 32;

/// Elements of a kernel of one task.
const KERNEL: usize = 288;

/// Outputs of one channel that are summed before the lanes are.
const OUTPUTS: usize = 1024;

/// `dw` and `db`; where `mask` is given, only the elements of `dy` count for which it is positive.
pub(crate) fn weight_slopes(
    sizes: &Sizes,
    x: &[f32],
    (dy, mask): (&[f32], Option<&[f32]>),
    dw: &mut [f32],
    db: &mut [f32],
) {
    dw.fill(0.0);
    db.fill(0.0);
    if sizes.work() == 0 {
        return;
    }
    let correlation = Correlation::forward(sizes);
    let (inner, outer, taps) = (sizes.inner(), sizes.outer(), sizes.taps());
    let channels = KERNEL.div_ceil(taps).clamp(1, 64);
    // More where there are few elements to each.
    let filters = (FILTERS * KERNEL / (channels.min(inner) * taps)).max(FILTERS);
    let mut tasks = Vec::new();
    let parts = sizes.groups * outer.div_ceil(filters) * inner.div_ceil(channels);
    let images = sizes.batch.div_ceil(PIECES.div_ceil(parts));
    for group in 0..sizes.groups {
        for filter in (0..outer).step_by(filters) {
            for channel in (0..inner).step_by(channels) {
                for image in (0..sizes.batch).step_by(images) {
                    tasks.push(Task {
                        sizes,
                        correlation: &correlation,
                        images: image..sizes.batch.min(image + images),
                        filter: group * outer + filter,
                        filters: filters.min(outer - filter),
                        channel: group * inner + channel,
                        channels: channels.min(inner - channel),
                    });
                }
            }
        }
    }
    let least = match sizes.work() {
        ..PARALLEL => usize::MAX,
        _ => 1,
    };
    let sums: Vec<_> = tasks
        .par_iter()
        .with_min_len(least)
        .map(|task| task.sum([x, dy], mask))
        .collect();
    for (task, sums) in tasks.iter().zip(sums) {
        let size = task.channels * taps;
        for (filter, sums) in sums.kernels.chunks_exact(size).enumerate() {
            let start = (task.filter + filter) * inner + task.channel % inner;
            for (dw, sum) in dw[start * taps..][..size].iter_mut().zip(sums) {
                *dw += sum;
            }
        }
        if task.channel % inner == 0 {
            for (db, sum) in db[task.filter..].iter_mut().zip(sums.biases) {
                *db += sum;
            }
        }
    }
}

/// Some filters, some channels that they see, some images.
struct Task<'a> {
    sizes: &'a Sizes,
    correlation: &'a Correlation,
    images: std::ops::Range<usize>,
    filter: usize,
    filters: usize,
    channel: usize,
    channels: usize,
}

struct Sums {
    /// `[filters, channels, taps]`.
    kernels: Vec<f32>,
    biases: Vec<f32>,
}

impl Task<'_> {
    fn sum(&self, [x, dy]: [&[f32]; 2], mask: Option<&[f32]>) -> Sums {
        let (task, width) = (self, self.correlation.width);
        match block(self.filters) {
            1 => width.run(Blocks::<1> { task, x, dy, mask }),
            2 => width.run(Blocks::<2> { task, x, dy, mask }),
            3 => width.run(Blocks::<3> { task, x, dy, mask }),
            _ => width.run(Blocks::<4> { task, x, dy, mask }),
        }
    }
}

/// A task, so many filters at a time.
struct Blocks<'a, const BLOCK: usize> {
    task: &'a Task<'a>,
    x: &'a [f32],
    dy: &'a [f32],
    mask: Option<&'a [f32]>,
}

impl<const BLOCK: usize> Work for Blocks<'_, BLOCK> {
    type Output = Sums;

    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) -> Sums {
        let task = self.task;
        let (sizes, frame) = (task.sizes, &task.correlation.frame);
        let phase = &task.correlation.phases[0];
        let runs = &phase.runs;
        let at_once = (OUTPUTS / (runs.len() * L::COUNT)).clamp(1, task.images.len());
        let starts: Vec<_> = (0..at_once * task.channels)
            .step_by(task.channels)
            .flat_map(|plane| runs.iter().map(move |run| plane * frame.len() + run.from))
            .collect();
        let (blocks, none) = (task.filters.div_ceil(BLOCK), lanes.splat(0.0));
        // Filters that there are not have zeros.
        let mut slopes = vec![[none; BLOCK]; blocks * starts.len()];
        let mut frames = frame.room(at_once * task.channels);
        let elements = task.channels * sizes.taps();
        let steps = elements.div_ceil(ELEMENTS);
        let mut sums = vec![[[none; ELEMENTS]; BLOCK]; blocks * steps];
        let mut biases = vec![0.0; task.filters];
        let (plane, output) = (sizes.input_plane(), sizes.output_plane());
        for first in task.images.clone().step_by(at_once) {
            let images = at_once.min(task.images.end - first);
            for index in 0..images {
                let image = first + index;
                let x = &self.x[(image * sizes.channels + task.channel) * plane..];
                let framed = index * task.channels * frame.len();
                frame.fill(
                    lanes,
                    &x[..task.channels * plane],
                    None,
                    &mut frames[framed..],
                );
                for (filter, bias) in biases.iter_mut().enumerate() {
                    let start = (image * sizes.filters + task.filter + filter) * output;
                    let (block, filter) = (filter / BLOCK, filter % BLOCK);
                    let slopes = slopes[block * starts.len()..]
                        .iter_mut()
                        .skip(index * runs.len());
                    let mask = self.mask.map(|mask| &mask[start..][..output]);
                    let dy = &self.dy[start..][..output];
                    let mut sum = none;
                    for (run, slopes) in runs.iter().zip(slopes) {
                        let mut slope = lanes.load_some(&dy[run.to..][..run.count]);
                        if let Some(mask) = mask {
                            let mask = lanes.load_some(&mask[run.to..][..run.count]);
                            slope = lanes.keep(slope, mask);
                        }
                        slopes[filter] = slope;
                        sum = lanes.add(sum, slope);
                    }
                    *bias += lanes.total(sum);
                }
            }
            let count = images * runs.len();
            for (block, sums) in sums.chunks_exact_mut(steps).enumerate() {
                let pass = Pass {
                    lanes,
                    phase,
                    frames: &frames,
                    frame: frame.len(),
                    starts: &starts[..count],
                    slopes: &slopes[block * starts.len()..][..count],
                };
                pass.add(elements, sums);
            }
        }
        let mut kernels = vec![0.0; task.filters * elements];
        for (filter, kernel) in kernels.chunks_exact_mut(elements).enumerate() {
            let sums = &sums[filter / BLOCK * steps..];
            for (e, kernel) in kernel.iter_mut().enumerate() {
                *kernel = lanes.total(sums[e / ELEMENTS][filter % BLOCK][e % ELEMENTS]);
            }
        }
        Sums { kernels, biases }
    }
}

/// A block of filters and a few images.
struct Pass<'a, L: Lanes, const BLOCK: usize> {
    lanes: L,
    phase: &'a Phase,
    frames: &'a [f32],
    /// Elements of a frame.
    frame: usize,
    /// Where the runs of all images start.
    starts: &'a [usize],
    slopes: &'a [[L::Vector; BLOCK]],
}

impl<L: Lanes, const BLOCK: usize> Pass<'_, L, BLOCK> {
    /// Adds `Σ dy[o, p] · x[c, p + shift]` over all runs, in lanes, for every element of the kernels.
    #[inline(always)]
    fn add(&self, elements: usize, totals: &mut [[[L::Vector; ELEMENTS]; BLOCK]]) {
        let (lanes, taps) = (self.lanes, self.phase.taps.len());
        for (index, totals) in totals.iter_mut().enumerate() {
            // Beyond the last element the last is computed again.
            let slices: [&[f32]; ELEMENTS] = from_fn(|e| {
                let element = (index * ELEMENTS + e).min(elements - 1);
                let shift = element / taps * self.frame + self.phase.shifts[element % taps];
                &self.frames[shift..]
            });
            let windows = Windows::new(lanes, slices);
            let mut sums = [[lanes.splat(0.0); ELEMENTS]; BLOCK];
            for (start, slopes) in self.starts.iter().zip(self.slopes) {
                let values: [L::Vector; ELEMENTS] = windows.load(*start);
                for filter in 0..BLOCK {
                    for e in 0..ELEMENTS {
                        sums[filter][e] = lanes.mul_add(slopes[filter], values[e], sums[filter][e]);
                    }
                }
            }
            for filter in 0..BLOCK {
                for e in 0..ELEMENTS {
                    totals[filter][e] = lanes.add(totals[filter][e], sums[filter][e]);
                }
            }
        }
    }
}
