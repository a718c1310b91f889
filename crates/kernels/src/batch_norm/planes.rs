//! The loops of batch norm over the planes of a channel.

use crate::vector::{Lanes, Work};
use std::ops::Range;

/// Where a plane starts in an array that is read, and the same plane of some that are written.
pub(super) type Planes<'a, const N: usize> = (usize, [&'a mut [f32]; N]);

/// Two terms of sums over a channel.
pub(super) trait Terms: Copy + Sync {
    /// The terms at some adjacent places, at most as many as a vector has lanes; the other lanes are zero.
    fn at<L: Lanes>(self, lanes: L, places: Range<usize>) -> [L::Vector; 2];
}

/// `x`.
#[derive(Clone, Copy)]
pub(super) struct Total<'a>(pub &'a [f32]);

impl Terms for Total<'_> {
    #[inline(always)]
    fn at<L: Lanes>(self, lanes: L, places: Range<usize>) -> [L::Vector; 2] {
        [lanes.load_some(&self.0[places]), lanes.splat(0.0)]
    }
}

/// `(x - mean)²`.
#[derive(Clone, Copy)]
pub(super) struct Squares<'a>(pub &'a [f32], pub f32);

impl Terms for Squares<'_> {
    #[inline(always)]
    fn at<L: Lanes>(self, lanes: L, places: Range<usize>) -> [L::Vector; 2] {
        let count = places.len();
        let centered = lanes.sub(lanes.load_some(&self.0[places]), lanes.splat(self.1));
        let centered = lanes.first(centered, count);
        let none = lanes.splat(0.0);
        [lanes.mul_add(centered, centered, none), none]
    }
}

/// `dy` and `dy · (x - mean)`.
#[derive(Clone, Copy)]
pub(super) struct Slopes<'a> {
    pub x: &'a [f32],
    pub mean: f32,
    pub dy: &'a [f32],
    /// Where it is given, `dy` counts only where it is positive.
    pub mask: Option<&'a [f32]>,
}

impl Slopes<'_> {
    #[inline(always)]
    fn dy<L: Lanes>(self, lanes: L, places: Range<usize>) -> L::Vector {
        let dy = lanes.load_some(&self.dy[places.clone()]);
        match self.mask {
            Some(mask) => lanes.keep(dy, lanes.load_some(&mask[places])),
            None => dy,
        }
    }

    #[inline(always)]
    fn centered<L: Lanes>(self, lanes: L, places: Range<usize>) -> L::Vector {
        lanes.sub(lanes.load_some(&self.x[places]), lanes.splat(self.mean))
    }
}

impl Terms for Slopes<'_> {
    #[inline(always)]
    fn at<L: Lanes>(self, lanes: L, places: Range<usize>) -> [L::Vector; 2] {
        let dy = self.dy(lanes, places.clone());
        let centered = self.centered(lanes, places);
        [dy, lanes.mul_add(dy, centered, lanes.splat(0.0))]
    }
}

/// Sums of two terms over some planes.
pub(super) struct Sum<'a, 'b, T, const N: usize> {
    pub planes: &'a [Planes<'b, N>],
    pub plane: usize,
    pub terms: T,
}

impl<T: Terms, const N: usize> Work for Sum<'_, '_, T, N> {
    type Output = [f32; 2];

    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) -> [f32; 2] {
        // Two vectors by turns, since an addition takes longer than the loads of its terms.
        let mut sums = [[lanes.splat(0.0); 2]; 2];
        for (start, _) in self.planes {
            let end = start + self.plane;
            for (turn, at) in (*start..end).step_by(L::COUNT).enumerate() {
                let [first, second] = self.terms.at(lanes, at..end.min(at + L::COUNT));
                let sums = &mut sums[turn % 2];
                *sums = [lanes.add(sums[0], first), lanes.add(sums[1], second)];
            }
        }
        [0, 1].map(|term| lanes.total(sums[0][term]) + lanes.total(sums[1][term]))
    }
}

/// `y` of some planes.
pub(super) struct Normalize<'a, 'b> {
    pub planes: &'a mut [Planes<'b, 1>],
    pub x: &'a [f32],
    pub mean: f32,
    pub scale: f32,
    pub bias: f32,
    pub residual: Option<&'a [f32]>,
    pub relu: bool,
}

impl Work for Normalize<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) {
        let [mean, scale, bias] = [
            lanes.splat(self.mean),
            lanes.splat(self.scale),
            lanes.splat(self.bias),
        ];
        for (start, [y]) in self.planes {
            for at in (0..y.len()).step_by(L::COUNT) {
                let end = y.len().min(at + L::COUNT);
                let places = *start + at..*start + end;
                let centered = lanes.sub(lanes.load_some(&self.x[places.clone()]), mean);
                let mut value = lanes.mul_add(centered, scale, bias);
                if let Some(residual) = self.residual {
                    value = lanes.add(value, lanes.load_some(&residual[places]));
                }
                if self.relu {
                    value = lanes.rectify(value);
                }
                lanes.store_some(value, &mut y[at..end]);
            }
        }
    }
}

/// `dx = scale · (dy − shift − (x − mean) · slope)` of some planes, and the `dy` that counts.
pub(super) struct Gradients<'a, 'b> {
    pub planes: &'a mut [Planes<'b, 2>],
    pub slopes: Slopes<'a>,
    pub scale: f32,
    pub shift: f32,
    pub slope: f32,
}

impl Work for Gradients<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) {
        let scale = lanes.splat(self.scale);
        let (slope, offset) = (
            lanes.splat(-self.scale * self.slope),
            lanes.splat(-self.scale * self.shift),
        );
        for (start, [dx, counting]) in self.planes {
            for at in (0..dx.len().max(counting.len())).step_by(L::COUNT) {
                let end = (dx.len().max(counting.len())).min(at + L::COUNT);
                let places = *start + at..*start + end;
                let dy = self.slopes.dy(lanes, places.clone());
                if !dx.is_empty() {
                    let centered = self.slopes.centered(lanes, places);
                    let rest = lanes.mul_add(centered, slope, offset);
                    lanes.store_some(lanes.mul_add(dy, scale, rest), &mut dx[at..end]);
                }
                if !counting.is_empty() {
                    lanes.store_some(dy, &mut counting[at..end]);
                }
            }
        }
    }
}
