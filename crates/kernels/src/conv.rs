//! Convolution of one small image, on slices: valid padding, stride 1, then bias, 2×2 max-pool and ReLU.
//!
//! Planes are kept flat. Output position `p = y · width + x` of a plane as wide as the input reads the input at
//! `p + ky · width + kx`, so a tap of the kernel is a shift and the innermost loop runs over adjacent positions, without
//! copying patches. The last `kernel - 1` positions of each line are no outputs; they are computed and ignored.

use std::array::from_fn;

/// Positions that one step of the innermost loop computes.
const TILE: usize = 16;

/// Lanes of a partial sum over positions.
const LANES: usize = 8;

/// Mark of a pooled value that the ReLU has cut off.
const CUT: u8 = 4;

/// Sizes of a convolution followed by a pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConvShape {
    /// Channels of the input.
    pub channels: usize,
    /// Lines of the input.
    pub height: usize,
    /// Columns of the input.
    pub width: usize,
    /// Channels of the output.
    pub filters: usize,
    /// Side of the square kernel.
    pub kernel: usize,
}

impl ConvShape {
    /// Lines and columns after convolution and pool; `None` if nothing is left.
    pub fn pooled(&self) -> Option<(usize, usize)> {
        let side = |length: usize| match (length + 1).checked_sub(self.kernel)? / 2 {
            0 => None,
            side => Some(side),
        };
        Some((side(self.height)?, side(self.width)?))
    }

    /// Elements of an input.
    pub fn input(&self) -> usize {
        self.channels * self.plane()
    }

    /// Elements of a pooled output.
    pub fn output(&self) -> usize {
        self.pooled()
            .map_or(0, |(height, width)| self.filters * height * width)
    }

    /// Elements of the kernels.
    pub fn weights(&self) -> usize {
        self.filters * self.channels * self.taps()
    }

    fn taps(&self) -> usize {
        self.kernel * self.kernel
    }

    fn plane(&self) -> usize {
        self.height * self.width
    }

    /// Shift from an output position to the input position under the kernel's last tap.
    fn reach(&self) -> usize {
        (self.kernel - 1) * (self.width + 1)
    }

    /// Elements between the gradients of two output planes: room in front for the kernel to slide in from, and zeros
    /// behind for the last tile.
    fn slope_stride(&self) -> usize {
        self.reach() + self.plane().next_multiple_of(TILE)
    }

    /// Positions from the first to the last output of a plane, rounded up to whole tiles.
    fn positions(&self) -> usize {
        (self.plane() - self.reach()).next_multiple_of(TILE)
    }
}

/// Kernels in the order in which [`correlate`] reads them.
pub(crate) struct Packed {
    values: Vec<f32>,
    block: usize,
}

impl Packed {
    /// Packs `outputs` kernels of `inputs` channels and `taps`, `weight(output, input, tap)` giving their elements.
    pub fn new(
        outputs: usize,
        inputs: usize,
        taps: usize,
        weight: impl Fn(usize, usize, usize) -> f32,
    ) -> Self {
        // As many outputs at a time as fill the registers, without a rest where possible.
        let block = if outputs.is_multiple_of(5) { 5 } else { 4 };
        let mut values = Vec::with_capacity(outputs.next_multiple_of(block) * inputs * taps);
        for first in (0..outputs).step_by(block) {
            for index in 0..inputs * taps {
                values.extend((first..first + block).map(|output| {
                    if output < outputs {
                        weight(output, index / taps, index % taps)
                    } else {
                        0.0
                    }
                }));
            }
        }
        Self { values, block }
    }

    /// Packs the kernels of a layer, `[filters, channels, kernel, kernel]`.
    pub fn forward(shape: &ConvShape, weight: &[f32]) -> Self {
        let (inputs, taps) = (shape.channels, shape.taps());
        Self::new(shape.filters, inputs, taps, |output, input, tap| {
            weight[(output * inputs + input) * taps + tap]
        })
    }

    /// Packs them turned round and with filters and channels exchanged, for the gradient of the input.
    pub fn backward(shape: &ConvShape, weight: &[f32]) -> Self {
        let (outputs, taps) = (shape.channels, shape.taps());
        Self::new(outputs, shape.filters, taps, |output, input, tap| {
            weight[(input * outputs + output) * taps + taps - 1 - tap]
        })
    }
}

/// Room for the planes of one image on their way through a layer.
pub(crate) struct Scratch {
    input: Vec<f32>,
    planes: Vec<f32>,
    slopes: Vec<f32>,
    input_slopes: Vec<f32>,
}

impl Scratch {
    pub fn new(shape: &ConvShape) -> Self {
        // Tiles read beyond the last plane, at zeros.
        let beyond = 2 * TILE;
        let tiles = shape.plane().next_multiple_of(TILE);
        Self {
            input: vec![0.0; shape.input() + beyond],
            planes: vec![0.0; shape.filters * shape.positions()],
            slopes: vec![0.0; shape.filters * shape.slope_stride() + beyond],
            input_slopes: vec![0.0; shape.channels * tiles],
        }
    }
}

/// `y = max(0, pool(x * w + b))` of one image; `codes` says for each value which of the four it is.
#[inline(always)]
pub(crate) fn forward(
    shape: &ConvShape,
    weight: &Packed,
    bias: &[f32],
    x: &[f32],
    scratch: &mut Scratch,
    (y, codes): (&mut [f32], &mut [u8]),
) {
    scratch.input[..x.len()].copy_from_slice(x);
    let planes = Planes {
        count: shape.channels,
        stride: shape.plane(),
        width: shape.width,
        kernel: shape.kernel,
    };
    correlate(
        weight,
        bias,
        &planes,
        &scratch.input,
        shape.positions(),
        &mut scratch.planes,
    );
    let Some((height, width)) = shape.pooled() else {
        return;
    };
    let pooled = y.chunks_exact_mut(width).zip(codes.chunks_exact_mut(width));
    for (line, (y, codes)) in pooled.enumerate() {
        let (filter, line) = (line / height, line % height);
        let start = filter * shape.positions() + 2 * line * shape.width;
        let upper = &scratch.planes[start..][..2 * width];
        let lower = &scratch.planes[start + shape.width..][..2 * width];
        for ((upper, lower), (y, code)) in upper
            .as_chunks::<2>()
            .0
            .iter()
            .zip(lower.as_chunks::<2>().0)
            .zip(y.iter_mut().zip(codes))
        {
            let [left, right] = from_fn(|side| {
                let below = lower[side] > upper[side];
                (
                    if below { lower[side] } else { upper[side] },
                    u8::from(below) * 2 + side as u8,
                )
            });
            let (value, place) = if right.0 > left.0 { right } else { left };
            // A value that is not a number is passed on.
            let cut = value <= 0.0;
            *y = if cut { 0.0 } else { value };
            *code = if cut { CUT } else { place };
        }
    }
}

/// Adds one image's part to the gradients: `dw` in lanes, see [`fold`], and `db`; writes `dx` if given with its kernels.
#[inline(always)]
pub(crate) fn backward(
    shape: &ConvShape,
    (x, dy, codes): (&[f32], &[f32], &[u8]),
    scratch: &mut Scratch,
    dw: Option<&mut [[f32; LANES]]>,
    db: &mut [f32],
    dx: Option<(&Packed, &mut [f32])>,
) {
    let Some((height, width)) = shape.pooled() else {
        return;
    };
    let (front, stride) = (shape.reach(), shape.slope_stride());
    scratch.slopes.fill(0.0);
    let lines = dy.chunks_exact(width).zip(codes.chunks_exact(width));
    for (line, (dy, codes)) in lines.enumerate() {
        let (filter, line) = (line / height, line % height);
        let start = filter * stride + front + 2 * line * shape.width;
        let slopes = &mut scratch.slopes[start..][..shape.width + 2 * width];
        for (column, (dy, code)) in dy.iter().zip(codes).enumerate() {
            let place = usize::from(code & 3);
            let slope = if *code == CUT { 0.0 } else { *dy };
            slopes[place / 2 * shape.width + 2 * column + place % 2] = slope;
            db[filter] += slope;
        }
    }
    if let Some(dw) = dw {
        scratch.input[..x.len()].copy_from_slice(x);
        weight_slopes(shape, scratch, dw);
    }
    if let Some((weight, dx)) = dx {
        let planes = Planes {
            count: shape.filters,
            stride,
            width: shape.width,
            kernel: shape.kernel,
        };
        let tiles = shape.plane().next_multiple_of(TILE);
        correlate(
            weight,
            &[],
            &planes,
            &scratch.slopes,
            tiles,
            &mut scratch.input_slopes,
        );
        let planes = scratch.input_slopes.chunks_exact(tiles);
        for (dx, plane) in dx.chunks_exact_mut(shape.plane()).zip(planes) {
            dx.copy_from_slice(&plane[..shape.plane()]);
        }
    }
}

/// Sums the lanes that [`backward`] gathered into the gradient of the kernels.
pub(crate) fn fold(lanes: &[[f32; LANES]], dw: &mut [f32]) {
    for (dw, lanes) in dw.iter_mut().zip(lanes) {
        *dw = lanes.iter().sum();
    }
}

/// Number of lanes vectors that [`backward`] wants for `dw`.
pub(crate) fn lanes(shape: &ConvShape) -> Vec<[f32; LANES]> {
    vec![[0.0; LANES]; shape.weights()]
}

/// Flat planes that a kernel slides over.
struct Planes {
    count: usize,
    stride: usize,
    width: usize,
    kernel: usize,
}

/// `out[o, p] = bias[o] + Σ w[o, c, ky, kx] · planes[c, p + ky · width + kx]`, for the given number of positions.
#[inline(always)]
fn correlate(
    weight: &Packed,
    bias: &[f32],
    planes: &Planes,
    values: &[f32],
    positions: usize,
    out: &mut [f32],
) {
    if weight.block == 5 {
        correlate_blocks::<5>(&weight.values, bias, planes, values, positions, out);
    } else {
        correlate_blocks::<4>(&weight.values, bias, planes, values, positions, out);
    }
}

#[inline(always)]
fn correlate_blocks<const BLOCK: usize>(
    weight: &[f32],
    bias: &[f32],
    planes: &Planes,
    values: &[f32],
    positions: usize,
    out: &mut [f32],
) {
    let (weight, kernel) = (weight.as_chunks::<BLOCK>().0, planes.kernel);
    let per_block = planes.count * kernel * kernel;
    let outputs = out
        .chunks_mut(BLOCK * positions)
        .zip(weight.chunks_exact(per_block));
    for (block, (out, weight)) in outputs.enumerate() {
        let bias: [f32; BLOCK] = from_fn(|o| bias.get(block * BLOCK + o).copied().unwrap_or(0.0));
        for position in (0..positions).step_by(TILE) {
            let mut sums: [[[f32; LANES]; TILE / LANES]; BLOCK] =
                from_fn(|o| [[bias[o]; LANES]; TILE / LANES]);
            let mut taps = weight.iter();
            for plane in 0..planes.count {
                for line in 0..kernel {
                    let start = plane * planes.stride + position + line * planes.width;
                    let run = &values[start..][..kernel - 1 + TILE];
                    for (values, weight) in run.array_windows::<TILE>().zip(&mut taps) {
                        let values = values.as_chunks::<LANES>().0;
                        for o in 0..BLOCK {
                            for part in 0..TILE / LANES {
                                sums[o][part] = from_fn(|lane| {
                                    weight[o].mul_add(values[part][lane], sums[o][part][lane])
                                });
                            }
                        }
                    }
                }
            }
            for (out, sums) in out.chunks_exact_mut(positions).zip(&sums) {
                out[position..][..TILE].copy_from_slice(sums.as_flattened());
            }
        }
    }
}

/// Adds `Σ_p slopes[o, p] · input[c, p + ky · width + kx]` to the lanes of every tap.
#[inline(always)]
fn weight_slopes(shape: &ConvShape, scratch: &Scratch, dw: &mut [[f32; LANES]]) {
    let mut filter = 0;
    while filter < shape.filters {
        filter += match shape.filters - filter {
            5.. => weight_slopes_of::<5>(shape, scratch, filter, dw),
            2.. => weight_slopes_of::<2>(shape, scratch, filter, dw),
            _ => weight_slopes_of::<1>(shape, scratch, filter, dw),
        }
    }
}

/// The same for `FILTERS` filters, whose partial sums stay in registers while a tap runs over the positions.
#[inline(always)]
fn weight_slopes_of<const FILTERS: usize>(
    shape: &ConvShape,
    scratch: &Scratch,
    filter: usize,
    dw: &mut [[f32; LANES]],
) -> usize {
    let (front, stride, steps) = (
        shape.reach(),
        shape.slope_stride(),
        shape.positions() / TILE,
    );
    let slopes: [&[[f32; TILE]]; FILTERS] = from_fn(|f| {
        let start = (filter + f) * stride + front;
        &scratch.slopes[start..].as_chunks().0[..steps]
    });
    for channel in 0..shape.channels {
        for tap in 0..shape.taps() {
            let (line, column) = (tap / shape.kernel, tap % shape.kernel);
            let start = channel * shape.plane() + line * shape.width + column;
            let input = &scratch.input[start..].as_chunks::<TILE>().0[..steps];
            let mut sums = [[[0.0; LANES]; TILE / LANES]; FILTERS];
            for step in 0..steps {
                let input = input[step].as_chunks::<LANES>().0;
                for f in 0..FILTERS {
                    let slopes = slopes[f][step].as_chunks::<LANES>().0;
                    for part in 0..TILE / LANES {
                        sums[f][part] = from_fn(|lane| {
                            slopes[part][lane].mul_add(input[part][lane], sums[f][part][lane])
                        });
                    }
                }
            }
            for f in 0..FILTERS {
                let dw = &mut dw[((filter + f) * shape.channels + channel) * shape.taps() + tap];
                for sums in &sums[f] {
                    *dw = from_fn(|lane| dw[lane] + sums[lane]);
                }
            }
        }
    }
    FILTERS
}
