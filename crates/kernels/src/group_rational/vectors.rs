//! A piece of rows, vector by vector.

use super::MARGIN;
use crate::vector::{Lanes, Width, Work};

/// In which order a piece is gone through: block by block, each down all rows.
#[derive(Clone, Copy)]
pub struct Layout {
    pub width: Width,
    /// Channels of a block, whose vectors have the same coefficients lane by lane.
    pub span: usize,
    pub blocks: usize,
}

/// Coefficients of a block, lane by lane.
struct Coefficients<L: Lanes, const A: usize, const B: usize> {
    a: [L::Vector; A],
    b: [L::Vector; B],
}

impl<L: Lanes, const A: usize, const B: usize> Coefficients<L, A, B> {
    #[inline(always)]
    fn load(lanes: L, table: &[f32], channels: usize, first: usize) -> Self {
        let stride = channels + MARGIN;
        let mut a = [lanes.splat(0.0); A];
        for (i, a) in a.iter_mut().enumerate() {
            *a = lanes.load(table, i * stride + first);
        }
        let mut b = [lanes.splat(0.0); B];
        for (i, b) in b.iter_mut().enumerate() {
            *b = lanes.load(table, (A + i) * stride + first);
        }
        Self { a, b }
    }

    /// `P(x)` and `Q(x)`.
    #[inline(always)]
    fn values(&self, lanes: L, x: L::Vector) -> [L::Vector; 2] {
        let size = lanes.abs(x);
        let mut p = self.a[A - 1];
        for i in (0..A - 1).rev() {
            p = lanes.mul_add(p, x, self.a[i]);
        }
        let mut q = self.b[B - 1];
        for i in (0..B - 1).rev() {
            q = lanes.mul_add(q, size, self.b[i]);
        }
        [p, lanes.mul_add(q, size, lanes.splat(1.0))]
    }
}

/// Values of a piece.
pub struct Forward<'a, const A: usize, const B: usize> {
    pub x: &'a [f32],
    pub y: &'a mut [f32],
    pub table: &'a [f32],
    pub channels: usize,
    pub layout: Layout,
}

impl<const A: usize, const B: usize> Work for Forward<'_, A, B> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) {
        for block in 0..self.layout.blocks {
            let first = block * self.layout.span;
            let end = (first + self.layout.span).min(self.channels);
            let c = Coefficients::<L, A, B>::load(lanes, self.table, self.channels, first);
            let rows = self.x.chunks_exact(self.channels);
            for (x, y) in rows.zip(self.y.chunks_exact_mut(self.channels)) {
                let (x, y) = (&x[first..end], &mut y[first..end]);
                for (x, y) in x.chunks(L::COUNT).zip(y.chunks_mut(L::COUNT)) {
                    let [p, q] = c.values(lanes, lanes.load_some(x));
                    lanes.store_some(lanes.div(p, q), y);
                }
            }
        }
    }
}

/// Slopes of a piece.
pub struct Backward<'a, const A: usize, const B: usize> {
    pub x: &'a [f32],
    /// Gradient of the output, to become that of the input.
    pub dy: &'a mut [f32],
    /// What the slopes of the coefficients are added to, block by block, `A + B` vectors each.
    pub sums: &'a mut [f32],
    pub table: &'a [f32],
    pub channels: usize,
    pub layout: Layout,
}

impl<const A: usize, const B: usize> Work for Backward<'_, A, B> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) {
        let zero = lanes.splat(0.0);
        for block in 0..self.layout.blocks {
            let first = block * self.layout.span;
            let end = (first + self.layout.span).min(self.channels);
            let c = Coefficients::<L, A, B>::load(lanes, self.table, self.channels, first);
            let (mut da, mut db) = ([zero; A], [zero; B]);
            let rows = self.x.chunks_exact(self.channels);
            for (x, dy) in rows.zip(self.dy.chunks_exact_mut(self.channels)) {
                let (x, dy) = (&x[first..end], &mut dy[first..end]);
                for (x, dy) in x.chunks(L::COUNT).zip(dy.chunks_mut(L::COUNT)) {
                    let x = lanes.load_some(x);
                    let slope = lanes.load_some(dy);
                    let dx = step(lanes, &c, x, slope, &mut da, &mut db);
                    lanes.store_some(dx, dy);
                }
            }
            let sums = &mut self.sums[block * (A + B) * L::COUNT..][..(A + B) * L::COUNT];
            for (i, part) in da.iter().chain(&db).enumerate() {
                let sum = lanes.add(lanes.load(sums, i * L::COUNT), *part);
                lanes.store(sum, sums, i * L::COUNT);
            }
        }
    }
}

/// One vector: `dy (P' − F Q') / Q`, while `dy xⁱ / Q` goes to `da` and `−dy F |x|ʲ / Q` to `db`.
#[inline(always)]
fn step<L: Lanes, const A: usize, const B: usize>(
    lanes: L,
    c: &Coefficients<L, A, B>,
    x: L::Vector,
    dy: L::Vector,
    da: &mut [L::Vector; A],
    db: &mut [L::Vector; B],
) -> L::Vector {
    let zero = lanes.splat(0.0);
    let size = lanes.abs(x);
    let [p, q] = c.values(lanes, x);
    let inverse = lanes.div(lanes.splat(1.0), q);
    let f = lanes.mul(p, inverse);
    let weight = lanes.mul(dy, inverse);
    let fall = lanes.sub(zero, lanes.mul(weight, f));
    let mut dp = lanes.mul(c.a[A - 1], lanes.splat((A - 1) as f32));
    for i in (1..A - 1).rev() {
        let slope = lanes.mul(c.a[i], lanes.splat(i as f32));
        dp = lanes.mul_add(dp, x, slope);
    }
    let mut dq = lanes.mul(c.b[B - 1], lanes.splat(B as f32));
    for i in (0..B - 1).rev() {
        let slope = lanes.mul(c.b[i], lanes.splat((i + 1) as f32));
        dq = lanes.mul_add(dq, size, slope);
    }
    // sign(x) Q'(|x|), zero at zero.
    let signed = lanes.sub(lanes.keep(dq, x), lanes.keep(dq, lanes.sub(zero, x)));
    let dx = lanes.mul(weight, lanes.sub(dp, lanes.mul(f, signed)));
    da[0] = lanes.add(da[0], weight);
    let mut power = x;
    for i in 1..A {
        da[i] = lanes.mul_add(weight, power, da[i]);
        if i <= B {
            db[i - 1] = lanes.mul_add(fall, lanes.abs(power), db[i - 1]);
        }
        power = lanes.mul(power, x);
    }
    dx
}
