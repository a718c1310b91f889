//! Kernels of three by three in fewer multiplications: Winograd's F(2×2, 3×3).
//!
//! A tile of 2×2 outputs sees 4×4 inputs `d`. With the kernel `g` it is `Aᵀ[(G g Gᵀ) ⊙ (Bᵀ d B)]A`, which multiplies 16
//! times where the sum over taps does 36 times; `A`, `B` and `G` hold nothing but 0, ±1 and ±½, so that the result is as
//! exact. For each of the 16 places, the sum over channels at all tiles is a product of matrices.
//!
//! Source: Lavin and Gray, Fast Algorithms for Convolutional Neural Networks, arXiv:1509.09308, section 4.1.

#![expect(
    clippy::needless_range_loop,
    reason = "loops of constant length over the places of a tile, in the letters of the equations"
)]

use super::correlate::{Finish, PARALLEL};
use super::frame::{Correlation, Frame, Sizes};
use crate::vector::{Lanes, Width, Work};
use rayon::prelude::*;
use std::array::from_fn;

/// Places of a transformed tile.
const PLACES: usize = 16;

/// Tiles whose products are computed together.
const TILES: usize = 64;

/// Distance between the tiles of two places: the last vector of a line of tiles may reach beyond its tiles.
const PITCH: usize = TILES + 16;

/// Distance between the tiles of two channels: an odd number of cache lines, so that those of many channels at one place
/// do not compete for a few lines of the cache.
const CHANNEL: usize = PLACES * PITCH + 16;

/// Filters computed together.
const FILTERS: usize = 4;

/// Fewer channels or filters do not repay the transforms.
const LEAST: usize = 16;

/// Whether a correlation is one that goes faster this way.
pub(super) fn suits(sizes: &Sizes) -> bool {
    let plain = (sizes.kernel, sizes.stride, sizes.dilation) == ([3, 3], [1, 1], [1, 1]);
    plain
        && sizes.padding.iter().all(|padding| *padding <= 2)
        && sizes.inner().min(sizes.outer()) >= LEAST
        && sizes
            .output
            .iter()
            .all(|side| (4..=2 * TILES).contains(side))
}

/// Lines and columns of tiles of a picture.
fn tiles(size: [usize; 2]) -> [usize; 2] {
    size.map(|side| side.div_ceil(2))
}

/// The sums of `correlation`, for which [`suits`] holds; `weight` gives the element of a group, a plane that is written,
/// one that is read, and a tap.
pub(super) fn correlate(
    sizes: &Sizes,
    correlation: &Correlation,
    (x, mask): (&[f32], Option<&[f32]>),
    weight: impl Fn(usize, usize, usize, usize) -> f32 + Sync,
    finish: &Finish<'_>,
    out: &mut [f32],
) {
    let (inputs, outputs) = (correlation.inputs, correlation.outputs);
    let [lines, columns] = tiles(correlation.size);
    let frame = correlation
        .frame
        .in_pairs(lines, Width::of([columns].into_iter()).lanes());
    // The taps in the order of their shifts, which is reversed for the gradient of the input.
    let phase = &correlation.phases[0];
    let mut taps: Vec<_> = phase.shifts.iter().zip(&phase.taps).collect();
    taps.sort_unstable();
    let blocks = outputs.div_ceil(FILTERS);
    // Transformed kernels: group, place, block of filters, channel, filter.
    let mut kernels = vec![[0.0; FILTERS]; sizes.groups * PLACES * blocks * inputs];
    for group in 0..sizes.groups {
        for output in 0..outputs {
            for input in 0..inputs {
                let tap = |index: usize| weight(group, output, input, *taps[index].1);
                let kernel = transform_kernel(from_fn(tap));
                for (place, value) in kernel.into_iter().enumerate() {
                    let block = (group * PLACES + place) * blocks + output / FILTERS;
                    kernels[block * inputs + input][output % FILTERS] = value;
                }
            }
        }
    }
    let images = sizes.batch * sizes.groups;
    let source = x.len() / images;
    let plane = correlation.plane();
    let per_group = PLACES * blocks * inputs;
    // Several small pictures together, one after the other in memory, which those of several groups are not.
    let at_once = match sizes.groups {
        1 => (TILES / (lines * columns)).max(1),
        _ => 1,
    };
    let room = || Room {
        frames: frame.room(at_once * inputs),
        transformed: vec![0.0; inputs * CHANNEL],
        products: vec![0.0; blocks * FILTERS * CHANNEL],
    };
    let least = if sizes.work() < PARALLEL {
        usize::MAX
    } else {
        1
    };
    out.par_chunks_mut(at_once * outputs * plane)
        .with_min_len(least)
        .enumerate()
        .for_each_init(room, |room, (index, out)| {
            let first = index * at_once;
            let group = first % sizes.groups;
            let range = first * source..first * source + out.len() / (outputs * plane) * source;
            Pictures {
                correlation,
                frame: &frame,
                kernels: &kernels[group * per_group..][..per_group],
                bias: finish.bias.map(|bias| &bias[group * outputs..][..outputs]),
                relu: finish.relu,
                x: &x[range.clone()],
                mask: mask.map(|mask| &mask[range]),
            }
            .run(room, out);
        });
}

/// Memory of a thread.
struct Room {
    frames: Vec<f32>,
    /// Channel, place, tile.
    transformed: Vec<f32>,
    /// Filter, place, tile.
    products: Vec<f32>,
}

/// A few pictures of a group.
struct Pictures<'a> {
    correlation: &'a Correlation,
    frame: &'a Frame,
    kernels: &'a [[f32; FILTERS]],
    bias: Option<&'a [f32]>,
    relu: bool,
    x: &'a [f32],
    mask: Option<&'a [f32]>,
}

impl Pictures<'_> {
    fn run(&self, room: &mut Room, out: &mut [f32]) {
        let [lines, columns] = tiles(self.correlation.size);
        let width = Width::of([columns].into_iter());
        let images = out.len() / (self.correlation.outputs * self.correlation.plane());
        width.run(Fill(self, &mut room.frames));
        let rows: Vec<_> = (0..images)
            .flat_map(|image| (0..lines).map(move |line| (image, line)))
            .collect();
        for rows in rows.chunks((TILES / columns).max(1)) {
            width.run(Transform(self, rows, &room.frames, &mut room.transformed));
            Width::of([TILES].into_iter()).run(Product(
                self,
                &room.transformed,
                &mut room.products,
            ));
            width.run(Finished(self, rows, &room.products, out));
        }
    }
}

/// Frames the planes of the pictures.
struct Fill<'a>(&'a Pictures<'a>, &'a mut [f32]);

impl Work for Fill<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) {
        self.0.frame.fill(lanes, self.0.x, self.0.mask, self.1);
    }
}

/// `Bᵀ d B` of some lines of tiles: pictures, lines, frames, result.
struct Transform<'a>(
    &'a Pictures<'a>,
    &'a [(usize, usize)],
    &'a [f32],
    &'a mut [f32],
);

impl Work for Transform<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) {
        let Self(pictures, rows, frames, transformed) = self;
        let (frame, inputs) = (pictures.frame, pictures.correlation.inputs);
        let columns = tiles(pictures.correlation.size)[1];
        for (row, (image, line)) in rows.iter().enumerate() {
            let first = row * columns;
            for input in 0..inputs {
                let framed = &frames[(image * inputs + input) * frame.len()..][..frame.len()];
                for column in (0..columns).step_by(L::COUNT) {
                    let mut d = [[lanes.splat(0.0); 4]; 4];
                    for down in 0..4 {
                        for right in 0..4 {
                            let at = (2 * line + down) * frame.columns() + column + right / 2;
                            let half = right % 2 * frame.part_len();
                            d[right][down] = lanes.load(framed, half + at);
                        }
                    }
                    for right in 0..4 {
                        d[right] = differences(lanes, d[right]);
                    }
                    for down in 0..4 {
                        let row = [d[0][down], d[1][down], d[2][down], d[3][down]];
                        let row = differences(lanes, row);
                        for right in 0..4 {
                            let at = input * CHANNEL + (4 * down + right) * PITCH;
                            lanes.store(row[right], transformed, at + first + column);
                        }
                    }
                }
            }
        }
    }
}

/// `Bᵀ d` of a column.
#[inline(always)]
fn differences<L: Lanes>(lanes: L, d: [L::Vector; 4]) -> [L::Vector; 4] {
    [
        lanes.sub(d[0], d[2]),
        lanes.add(d[1], d[2]),
        lanes.sub(d[2], d[1]),
        lanes.sub(d[1], d[3]),
    ]
}

/// The sums over the channels for each place: pictures, transformed inputs, result.
struct Product<'a>(&'a Pictures<'a>, &'a [f32], &'a mut [f32]);

impl Work for Product<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) {
        const VECTORS: usize = 4;
        let Self(pictures, transformed, products) = self;
        let inputs = pictures.correlation.inputs;
        let blocks = pictures.correlation.outputs.div_ceil(FILTERS);
        for (place, kernels) in pictures.kernels.chunks_exact(blocks * inputs).enumerate() {
            for first in (0..TILES).step_by(VECTORS * L::COUNT) {
                let first = place * PITCH + first;
                for (block, kernels) in kernels.chunks_exact(inputs).enumerate() {
                    let mut sums = [[lanes.splat(0.0); VECTORS]; FILTERS];
                    for (kernel, channel) in kernels.iter().zip(transformed.chunks_exact(CHANNEL)) {
                        let channel = &channel[first..][..VECTORS * L::COUNT];
                        let mut values = [lanes.splat(0.0); VECTORS];
                        for vector in 0..VECTORS {
                            values[vector] = lanes.load(channel, vector * L::COUNT);
                        }
                        for f in 0..FILTERS {
                            let kernel = lanes.splat(kernel[f]);
                            for vector in 0..VECTORS {
                                sums[f][vector] =
                                    lanes.mul_add(kernel, values[vector], sums[f][vector]);
                            }
                        }
                    }
                    for f in 0..FILTERS {
                        for vector in 0..VECTORS {
                            let at = (block * FILTERS + f) * CHANNEL + first + vector * L::COUNT;
                            lanes.store(sums[f][vector], products, at);
                        }
                    }
                }
            }
        }
    }
}

/// `Aᵀ m A` of some lines of tiles, bias and ReLU: pictures, lines, products, result.
struct Finished<'a>(
    &'a Pictures<'a>,
    &'a [(usize, usize)],
    &'a [f32],
    &'a mut [f32],
);

impl Work for Finished<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) {
        let Self(pictures, rows, products, out) = self;
        let outputs = pictures.correlation.outputs;
        let [height, width] = pictures.correlation.size;
        let columns = tiles([height, width])[1];
        for (row, (image, line)) in rows.iter().enumerate() {
            for output in 0..outputs {
                let bias = lanes.splat(pictures.bias.map_or(0.0, |bias| bias[output]));
                let out = &mut out[(image * outputs + output) * height * width..][..height * width];
                for column in (0..columns).step_by(L::COUNT) {
                    let mut m = [[lanes.splat(0.0); 4]; 4];
                    for down in 0..4 {
                        for right in 0..4 {
                            let at = output * CHANNEL + (4 * down + right) * PITCH;
                            m[right][down] = lanes.load(products, at + row * columns + column);
                        }
                    }
                    let mut half = [[lanes.splat(0.0); 4]; 2];
                    for right in 0..4 {
                        [half[0][right], half[1][right]] = sums(lanes, m[right]);
                    }
                    for down in 0..2 {
                        let line = 2 * line + down;
                        if line == height {
                            break;
                        }
                        let [mut left, mut right] = sums(lanes, half[down]);
                        left = lanes.add(left, bias);
                        right = lanes.add(right, bias);
                        if pictures.relu {
                            left = lanes.rectify(left);
                            right = lanes.rectify(right);
                        }
                        let [left, right] = lanes.zip(left, right);
                        let out = &mut out[line * width..][..width][2 * column..];
                        let (first, second) = out.split_at_mut(out.len().min(L::COUNT));
                        lanes.store_some(left, first);
                        let end = second.len().min(L::COUNT);
                        lanes.store_some(right, &mut second[..end]);
                    }
                }
            }
        }
    }
}

/// `Aᵀ m` of a column.
#[inline(always)]
fn sums<L: Lanes>(lanes: L, m: [L::Vector; 4]) -> [L::Vector; 2] {
    let (even, odd) = (lanes.add(m[1], m[2]), lanes.sub(m[1], m[2]));
    [lanes.add(m[0], even), lanes.sub(odd, m[3])]
}

/// `G g Gᵀ`.
fn transform_kernel(g: [f32; 9]) -> [f32; PLACES] {
    let column = |g: [f32; 3]| {
        let (ends, middle) = (0.5 * (g[0] + g[2]), 0.5 * g[1]);
        [g[0], ends + middle, ends - middle, g[2]]
    };
    let half = [0, 3, 6].map(|row| column([g[row], g[row + 1], g[row + 2]]));
    let whole = [0, 1, 2, 3].map(|right| column([half[0][right], half[1][right], half[2][right]]));
    from_fn(|place| whole[place % 4][place / 4])
}
