//! The mean of each window, and of all positions.

use super::Windows;
use crate::conv2d::{self, Sizes};
use crate::memory::Buffer;
use crate::op::{Array, Kernel, Pass, Reads};
use crate::parallel::{SHARED, pieces};
use crate::vector::{Lanes, Width, Work};
use rayon::prelude::*;

/// A convolution of each channel by itself with equal weights.
#[derive(Debug)]
pub(super) struct AvgPool(pub Windows);

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
pub(super) struct GlobalAvgPool {
    pub batch: usize,
    pub channels: usize,
    pub height: usize,
    pub width: usize,
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
