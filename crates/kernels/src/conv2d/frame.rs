//! How a convolution lies in memory: planes framed by zeros, the kernel's taps as shifts, the outputs as runs of lanes.

use crate::vector::{Lanes, Width};
use std::array::from_fn;

/// Sizes of a convolution of several images.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sizes {
    pub batch: usize,
    /// Channels of the input, of all groups.
    pub channels: usize,
    /// Lines and columns of the input.
    pub input: [usize; 2],
    /// Channels of the output, of all groups.
    pub filters: usize,
    pub kernel: [usize; 2],
    /// Lines and columns of the output.
    pub output: [usize; 2],
    pub stride: [usize; 2],
    pub padding: [usize; 2],
    pub dilation: [usize; 2],
    pub groups: usize,
}

impl Sizes {
    /// Channels that one filter sees.
    pub fn inner(&self) -> usize {
        self.channels / self.groups
    }

    /// Filters of one group.
    pub fn outer(&self) -> usize {
        self.filters / self.groups
    }

    pub fn taps(&self) -> usize {
        self.kernel[0] * self.kernel[1]
    }

    /// Elements of an input channel.
    pub fn input_plane(&self) -> usize {
        self.input[0] * self.input[1]
    }

    /// Elements of an output channel.
    pub fn output_plane(&self) -> usize {
        self.output[0] * self.output[1]
    }

    /// Multiply-adds of one pass over the batch.
    pub fn work(&self) -> usize {
        self.batch * self.filters * self.output_plane() * self.inner() * self.taps()
    }
}

/// A copy of a plane with zeros around it. Lines and columns are sorted by their remainders modulo the stride, so that the
/// inputs of adjacent outputs are adjacent.
#[derive(Clone, Debug)]
pub(super) struct Frame {
    /// Lines and columns of the plane.
    size: [usize; 2],
    /// Lines and columns before the plane's first.
    origin: [usize; 2],
    /// Numbers of remainders.
    steps: [usize; 2],
    /// Lines and columns of one remainder.
    part: [usize; 2],
    /// Whether any output reads a line.
    used_lines: Vec<bool>,
    /// Whether any output reads the columns of a remainder.
    used_columns: Vec<bool>,
}

impl Frame {
    /// The distance between two places of the frame.
    fn at(&self, line: usize, column: usize) -> usize {
        let [down, right] = self.steps;
        let part = line % down * right + column % right;
        part * self.part_len() + line / down * self.part[1] + column / right
    }

    /// The same plane for tiles of two by two outputs that see four by four places: with every second column together,
    /// and room for so many lines of tiles in whole vectors.
    pub fn in_pairs(&self, lines: usize, lanes: usize) -> Self {
        let lines = 2 * lines + 2;
        let columns = self.part[1].div_ceil(2).next_multiple_of(lanes) + 1;
        Self {
            size: self.size,
            origin: self.origin,
            steps: [1, 2],
            part: [lines, columns],
            used_lines: vec![true; lines],
            used_columns: vec![true; 2],
        }
    }

    /// Elements of the lines and columns with the same remainders.
    pub fn part_len(&self) -> usize {
        self.part[0] * self.part[1]
    }

    /// Columns with the same remainder.
    pub fn columns(&self) -> usize {
        self.part[1]
    }

    /// Elements of a frame: an odd number of cache lines, so that the same place of many frames is in many sets of a cache.
    pub fn len(&self) -> usize {
        (self.steps[0] * self.steps[1] * self.part_len()).next_multiple_of(16) | 16
    }

    /// Room for the frames of so many planes; zeros around them stay as they are.
    pub fn room(&self, planes: usize) -> Vec<f32> {
        // The last vector may reach beyond the last frame.
        vec![0.0; planes * self.len() + 16]
    }

    /// Copies planes into their frames; elements whose `mask` is not positive become zero.
    #[inline(always)]
    pub fn fill<L: Lanes>(&self, lanes: L, planes: &[f32], mask: Option<&[f32]>, room: &mut [f32]) {
        let plane = self.size[0] * self.size[1];
        if plane == 0 {
            return;
        }
        for (index, (values, frame)) in planes
            .chunks_exact(plane)
            .zip(room.chunks_exact_mut(self.len()))
            .enumerate()
        {
            let mask = mask.map(|mask| &mask[index * plane..][..plane]);
            for line in 0..self.size[0] {
                let framed = line + self.origin[0];
                if !self.used_lines.get(framed).is_some_and(|used| *used) {
                    continue;
                }
                let line = line * self.size[1]..(line + 1) * self.size[1];
                let mask = mask.map(|mask| &mask[line.clone()]);
                let (values, framed) = (&values[line], &mut frame[self.at(framed, 0)..]);
                match self.steps[1] {
                    1 => self.fill_line(lanes, values, mask, framed),
                    2 => self.fill_pairs(lanes, values, mask, framed),
                    _ => self.fill_steps(values, framed),
                }
            }
        }
    }

    #[inline(always)]
    fn fill_line<L: Lanes>(
        &self,
        lanes: L,
        values: &[f32],
        mask: Option<&[f32]>,
        framed: &mut [f32],
    ) {
        let framed = &mut framed[self.origin[1]..self.part[1]];
        let count = values.len().min(framed.len());
        for at in (0..count).step_by(L::COUNT) {
            let end = count.min(at + L::COUNT);
            lanes.store_some(
                load_kept(lanes, values, mask, at, end),
                &mut framed[at..end],
            );
        }
    }

    /// A line whose columns are sorted into two halves.
    #[inline(always)]
    fn fill_pairs<L: Lanes>(
        &self,
        lanes: L,
        values: &[f32],
        mask: Option<&[f32]>,
        framed: &mut [f32],
    ) {
        let (low, high) = framed.split_at_mut(self.part_len());
        let (low, high) = (&mut low[..self.part[1]], &mut high[..self.part[1]]);
        let swapped = self.origin[1] % 2;
        let mut halves = if swapped == 0 {
            [low, high]
        } else {
            [high, low]
        };
        halves[1] = &mut std::mem::take(&mut halves[1])[swapped..];
        let before = self.origin[1] / 2;
        for at in (0..values.len()).step_by(2 * L::COUNT) {
            let middle = values.len().min(at + L::COUNT);
            let end = values.len().min(at + 2 * L::COUNT);
            let first = load_kept(lanes, values, mask, at, middle);
            let second = load_kept(lanes, values, mask, middle, end);
            let sides = lanes.unzip(first, second);
            for side in 0..2 {
                let framed = &mut *halves[side];
                let start = (before + at / 2).min(framed.len());
                let count = (end - at + 1 - side) / 2;
                let end = framed.len().min(start + count);
                lanes.store_some(sides[side], &mut framed[start..end]);
            }
        }
    }

    /// A line whose columns are sorted by remainder.
    #[inline(always)]
    fn fill_steps(&self, values: &[f32], framed: &mut [f32]) {
        let step = self.steps[1];
        for (remainder, framed) in framed.chunks_mut(self.part_len()).take(step).enumerate() {
            if !self.used_columns[remainder] {
                continue;
            }
            // The first column of the plane with this remainder in the frame.
            let before = self.origin[1].saturating_sub(remainder).div_ceil(step);
            let first = before * step + remainder - self.origin[1];
            let Some(values) = values.get(first..) else {
                continue;
            };
            let framed = &mut framed[before..self.part[1]];
            match step {
                4 => every::<4, 32>(values, framed),
                _ => {
                    for (framed, value) in framed.iter_mut().zip(values.iter().step_by(step)) {
                        *framed = *value;
                    }
                }
            }
        }
    }
}

/// The values from `at` to `end`, at most a vector, those whose mask is not positive being zero.
#[inline(always)]
fn load_kept<L: Lanes>(
    lanes: L,
    values: &[f32],
    mask: Option<&[f32]>,
    at: usize,
    end: usize,
) -> L::Vector {
    let values = lanes.load_some(&values[at..end]);
    match mask {
        Some(mask) => lanes.keep(values, lanes.load_some(&mask[at..end])),
        None => values,
    }
}

/// Copies every `STEP`-th number, in pieces of eight of them that the compiler turns into shuffles.
#[inline(always)]
fn every<const STEP: usize, const PIECE: usize>(values: &[f32], out: &mut [f32]) {
    let pieces = values.as_chunks::<PIECE>().0;
    let whole = out.as_chunks_mut::<8>().0;
    let done = pieces.len().min(whole.len()) * 8;
    for (out, piece) in whole.iter_mut().zip(pieces) {
        *out = from_fn(|index| piece[STEP * index]);
    }
    let rest = values[STEP * done..].iter().step_by(STEP);
    for (out, value) in out[done..].iter_mut().zip(rest) {
        *out = *value;
    }
}

/// Adjacent outputs in a line, as many as a vector has lanes or fewer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Run {
    /// Where its input starts, in a frame.
    pub from: usize,
    /// Where it goes, in a plane of the output.
    pub to: usize,
    /// How many lanes are outputs.
    pub count: usize,
}

/// Outputs that see the same taps of the kernel: all of a forward pass; for the gradient of a strided convolution's input,
/// those with the same remainders modulo the stride.
#[derive(Clone, Debug)]
pub(super) struct Phase {
    /// The taps, as indices of the kernel.
    pub taps: Vec<usize>,
    /// The taps, as shifts in a frame.
    pub shifts: Vec<usize>,
    pub runs: Vec<Run>,
}

/// A sum over channels and taps for every output: the convolution itself, or the gradient of its input.
#[derive(Clone, Debug)]
pub(super) struct Correlation {
    /// Planes that are read.
    pub inputs: usize,
    /// Planes that are written.
    pub outputs: usize,
    pub frame: Frame,
    pub phases: Vec<Phase>,
    /// Lines and columns of an output plane.
    pub size: [usize; 2],
    /// Distance of the outputs of a phase.
    pub spread: [usize; 2],
    pub width: Width,
}

/// One axis of a phase: the first output, how many there are, and the taps with their shifts.
struct Axis {
    count: usize,
    taps: Vec<(usize, usize)>,
}

impl Correlation {
    /// `y[o, i] = Σ w[o, c, k] · x[c, stride · i + dilation · k - padding]`, of one group.
    pub fn forward(sizes: &Sizes) -> Self {
        let axis = |axis: usize| Axis {
            count: sizes.output[axis],
            taps: (0..sizes.kernel[axis])
                .map(|tap| (tap, tap * sizes.dilation[axis]))
                .collect(),
        };
        Self::new(
            [sizes.inner(), sizes.outer()],
            [sizes.input, sizes.output],
            sizes.padding,
            sizes.stride,
            [vec![axis(0)], vec![axis(1)]],
            sizes.kernel[1],
        )
    }

    /// `dx[c, j] = Σ w[o, c, k] · dy[o, i]` over the filters and all `k`, `i` with
    /// `j = stride · i + dilation · k - padding`, of one group.
    pub fn backward(sizes: &Sizes) -> Self {
        // Output i = q + shift of input j = stride · q + phase, wherever the stride divides.
        let shifts = |axis: usize| {
            (0..sizes.stride[axis]).map(move |phase| {
                let reach = (phase + sizes.padding[axis]) as isize;
                let stride = sizes.stride[axis] as isize;
                let shift = move |tap: usize| reach - (tap * sizes.dilation[axis]) as isize;
                (0..sizes.kernel[axis])
                    .filter(move |tap| shift(*tap).rem_euclid(stride) == 0)
                    .map(move |tap| (tap, shift(tap).div_euclid(stride)))
                    .collect::<Vec<_>>()
            })
        };
        let origin = [0, 1].map(|axis| {
            let least = shifts(axis).flatten().map(|(_, shift)| shift).min();
            least.map_or(0, |shift| (-shift).max(0)) as usize
        });
        let axes = [0, 1].map(|axis| {
            shifts(axis)
                .enumerate()
                .map(|(phase, taps)| Axis {
                    count: (sizes.input[axis] + sizes.stride[axis] - 1 - phase)
                        / sizes.stride[axis],
                    taps: taps
                        .into_iter()
                        .map(|(tap, shift)| (tap, (shift + origin[axis] as isize) as usize))
                        .collect(),
                })
                .collect()
        });
        let mut correlation = Self::new(
            [sizes.outer(), sizes.inner()],
            [sizes.output, sizes.input],
            origin,
            [1, 1],
            axes,
            sizes.kernel[1],
        );
        correlation.spread = sizes.stride;
        correlation
    }

    fn new(
        [inputs, outputs]: [usize; 2],
        [from, size]: [[usize; 2]; 2],
        origin: [usize; 2],
        stride: [usize; 2],
        [lines, columns]: [Vec<Axis>; 2],
        kernel_width: usize,
    ) -> Self {
        // Whether the outputs of one line go on with those of the next, since no tap reaches beyond the line.
        let count = columns[0].count;
        let flat = columns.iter().all(|axis| {
            axis.count == count && axis.taps.iter().all(|(_, shift)| *shift < stride[1])
        });
        let width = if flat {
            Width::of(lines.iter().map(|axis| axis.count * count))
        } else {
            Width::of(columns.iter().map(|axis| axis.count))
        };
        // Places from the first to the last that any output reads; unless flat, a line's runs are whole.
        let reach = |axes: &[Axis], stride: usize, whole: usize| {
            let last = |axis: &Axis| {
                let shift = axis.taps.iter().map(|(_, shift)| *shift).max().unwrap_or(0);
                axis.count.next_multiple_of(whole).saturating_sub(1) * stride + shift + 1
            };
            axes.iter().map(last).max().unwrap_or(0)
        };
        let height = reach(&lines, stride[0], 1);
        let whole = if flat { 1 } else { width.lanes() };
        let long = reach(&columns, stride[1], whole);
        let mut used_lines = vec![false; height];
        let mut used_columns = vec![false; stride[1]];
        for axis in &lines {
            for (_, shift) in &axis.taps {
                for line in 0..axis.count {
                    used_lines[line * stride[0] + shift] = true;
                }
            }
        }
        for (_, shift) in columns.iter().flat_map(|axis| &axis.taps) {
            used_columns[shift % stride[1]] = true;
        }
        let frame = Frame {
            size: from,
            origin,
            steps: stride,
            part: [height.div_ceil(stride[0]), long.div_ceil(stride[1])],
            used_lines,
            used_columns,
        };
        let mut phases = Vec::with_capacity(lines.len() * columns.len());
        let mut start = 0;
        for line in &lines {
            for column in &columns {
                phases.push(Phase::new(
                    &frame,
                    [line, column],
                    kernel_width,
                    (flat, width.lanes()),
                    start,
                ));
                start += line.count * column.count;
            }
        }
        Self {
            inputs,
            outputs,
            frame,
            phases,
            size,
            spread: [1, 1],
            width,
        }
    }

    /// Elements of an output plane.
    pub fn plane(&self) -> usize {
        self.size[0] * self.size[1]
    }
}

impl Phase {
    /// The outputs of a phase lie line after line from `start`.
    fn new(
        frame: &Frame,
        [line, column]: [&Axis; 2],
        kernel_width: usize,
        (flat, lanes): (bool, usize),
        start: usize,
    ) -> Self {
        let mut taps = Vec::with_capacity(line.taps.len() * column.taps.len());
        let mut shifts = Vec::with_capacity(taps.capacity());
        for (line, down) in &line.taps {
            for (column, right) in &column.taps {
                taps.push(line * kernel_width + column);
                shifts.push(frame.at(*down, *right));
            }
        }
        let (lines, length) = match flat {
            true => (1, line.count * column.count),
            false => (line.count, column.count),
        };
        let runs = (0..lines)
            .flat_map(|y| (0..length).step_by(lanes).map(move |x| (y, x)))
            .map(|(y, x)| Run {
                from: y * frame.columns() + x,
                to: start + y * length + x,
                count: lanes.min(length - x),
            })
            .collect();
        Self { taps, shifts, runs }
    }
}
