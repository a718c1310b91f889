//! A function from its values at ascending points: linear, or the cubic spline without a knot at the second and the last
//! but one point ("not a knot"), as SciPy's `CubicSpline` and `interp1d(kind="cubic")` compute it.

use crate::error::{Result, check, check_ascending, check_finite, check_inside, check_length};

/// What is between the points.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Straight lines; error `O(h²)` for smooth functions. At least 2 points.
    Linear,
    /// A cubic spline, twice differentiable; error `O(h⁴)`. At least 4 points.
    Cubic,
}

impl Method {
    /// Fewest points it needs.
    pub fn least(self) -> usize {
        match self {
            Method::Linear => 2,
            Method::Cubic => 4,
        }
    }
}

/// A function known at ascending points.
///
/// ```
/// use offprint_operators::spaces::{Interpolation, Method};
/// # fn main() -> Result<(), offprint_operators::OperatorsError> {
/// let x = [0.0, 1.0, 3.0, 4.0, 6.0];
/// let cubes = x.map(|x: f64| x.powi(3));
/// let u = Interpolation::new(&x, &cubes, Method::Cubic)?;
/// assert!((u.at(2.0)? - 8.0).abs() < 1e-12); // a cubic is its own spline
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Interpolation {
    points: Vec<f64>,
    values: Vec<f64>,
    /// First derivatives at the points; empty for straight lines.
    slopes: Vec<f64>,
    /// `1/h` where the points are equidistant, so that no search is needed.
    per_step: Option<f64>,
}

impl Interpolation {
    /// The interpolation of `values` at `points`.
    ///
    /// # Errors
    /// If the points do not ascend, are too few, not as many as the values, or anything is not finite.
    pub fn new(points: &[f64], values: &[f64], method: Method) -> Result<Self> {
        check_ascending("point", points)?;
        check_length("values", values.len(), points.len())?;
        check_finite("value", values)?;
        let least = format!("at least {}", method.least());
        check(
            points.len() >= method.least(),
            "number of points",
            points.len(),
            least,
        )?;
        Ok(Self::of_checked(points.to_vec(), values.to_vec(), method))
    }

    pub(super) fn of_checked(points: Vec<f64>, values: Vec<f64>, method: Method) -> Self {
        let slopes = match method {
            Method::Linear => Vec::new(),
            Method::Cubic => slopes(&points, &values),
        };
        let last = points.len() - 1;
        let step = (points[last] - points[0]) / last as f64;
        let near = |(i, x): (usize, &f64)| (x - points[0] - i as f64 * step).abs() < 1e-9 * step;
        let per_step = points.iter().enumerate().all(near).then(|| step.recip());
        Self {
            points,
            values,
            slopes,
            per_step,
        }
    }

    /// The value at a point.
    ///
    /// # Errors
    /// If the point is outside the first and last of the interpolation.
    pub fn at(&self, x: f64) -> Result<f64> {
        check_inside(
            "point",
            &[x],
            self.points[0],
            self.points[self.points.len() - 1],
        )?;
        Ok(self.value(x))
    }

    /// The value at a point within the first and last, or the outermost piece's polynomial beyond them.
    pub fn value(&self, x: f64) -> f64 {
        let (i, h) = self.piece(x);
        let t = (x - self.points[i]) / h;
        let [a, b, c, d] = self.coefficients(i, h);
        a + t * (b + t * (c + t * d))
    }

    /// The first derivative, in the same way.
    pub fn slope(&self, x: f64) -> f64 {
        let (i, h) = self.piece(x);
        let t = (x - self.points[i]) / h;
        let [_, b, c, d] = self.coefficients(i, h);
        (b + t * (2.0 * c + t * 3.0 * d)) / h
    }

    /// Its integrals from the first point on.
    pub fn integrals(self) -> Integrals {
        let mut sums = [0.0; 2];
        let lengths = self.points.windows(2).map(|x| x[1] - x[0]);
        let piece = |(i, h)| {
            let coefficients = self.coefficients(i, h);
            let piece = Piece { sums, coefficients };
            sums = piece.integrals(h, 1.0);
            piece
        };
        let pieces = lengths.enumerate().map(piece).collect();
        Integrals {
            function: self,
            pieces,
        }
    }

    /// The polynomial of the piece `i`, of length `h`, in `t` from 0 to 1: the coefficients of `1, t, t², t³`.
    fn coefficients(&self, i: usize, h: f64) -> [f64; 4] {
        let (a, b) = (self.values[i], self.values[i + 1]);
        if self.slopes.is_empty() {
            return [a, b - a, 0.0, 0.0];
        }
        let (da, db) = (self.slopes[i] * h, self.slopes[i + 1] * h);
        let (c, d) = (3.0 * (b - a) - 2.0 * da - db, 2.0 * (a - b) + da + db);
        [a, da, c, d]
    }

    /// The piece that a point is in, and its length.
    fn piece(&self, x: f64) -> (usize, f64) {
        let last = self.points.len() - 2;
        let i = match self.per_step {
            Some(per_step) => {
                // A cast of a negative number or NaN is 0. Rounding may miss by one piece, whose polynomial continues.
                (((x - self.points[0]) * per_step) as usize).min(last)
            }
            None => self
                .points
                .partition_point(|&p| p <= x)
                .saturating_sub(1)
                .min(last),
        };
        (i, self.points[i + 1] - self.points[i])
    }
}

/// The first and the second integral of an [`Interpolation`] from its first point on, exact but for rounding.
#[derive(Clone, Debug, PartialEq)]
pub struct Integrals {
    function: Interpolation,
    pieces: Vec<Piece>,
}

/// A polynomial of third degree, and both integrals at its beginning.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Piece {
    sums: [f64; 2],
    coefficients: [f64; 4],
}

impl Integrals {
    /// `∫u` and `∬u` up to a point; beyond the last, those of the outermost piece's polynomial.
    pub fn at(&self, x: f64) -> [f64; 2] {
        let (i, h) = self.function.piece(x);
        self.pieces[i].integrals(h, (x - self.function.points[i]) / h)
    }
}

impl Piece {
    /// At `t` from 0 to 1, the piece being `h` long.
    fn integrals(&self, h: f64, t: f64) -> [f64; 2] {
        // Multiplications: divisions would take most of the time.
        const THIRD: f64 = 1.0 / 3.0;
        let ([first, second], [a, b, c, d]) = (self.sums, self.coefficients);
        let x = h * t;
        let once = x * (a + t * (0.5 * b + t * (THIRD * c + t * (0.25 * d))));
        let twice = 0.5 * x * x * (a + t * THIRD * (b + t * (0.5 * c + t * (0.3 * d))));
        [first + once, second + x * first + twice]
    }
}

/// Slopes of the not-a-knot spline: two continuous derivatives at every inner point, a continuous third at the second and
/// at the last but one (de Boor, A Practical Guide to Splines, chapter IV).
fn slopes(x: &[f64], y: &[f64]) -> Vec<f64> {
    let n = x.len();
    let h: Vec<f64> = x.windows(2).map(|x| x[1] - x[0]).collect();
    let chord: Vec<f64> = y
        .windows(2)
        .zip(&h)
        .map(|(y, h)| (y[1] - y[0]) / h)
        .collect();
    // Each row of the tridiagonal system: below, on and above the diagonal, and the right-hand side.
    let mut rows = vec![[0.0; 4]; n];
    let ends = h[0] + h[1];
    let first = ((h[0] + 2.0 * ends) * h[1] * chord[0] + h[0] * h[0] * chord[1]) / ends;
    rows[0] = [0.0, h[1], ends, first];
    let pairs = h.windows(2).zip(chord.windows(2));
    for (row, (h, chord)) in rows[1..].iter_mut().zip(pairs) {
        let right = 3.0 * (h[1] * chord[0] + h[0] * chord[1]);
        *row = [h[1], 2.0 * (h[0] + h[1]), h[0], right];
    }
    let (a, b) = (h[n - 3], h[n - 2]);
    let last = b * b * chord[n - 3] + (2.0 * (a + b) + b) * a * chord[n - 2];
    rows[n - 1] = [a + b, a, 0.0, last / (a + b)];
    // Its first and last row are not dominant, but elimination meets no small pivot.
    for i in 1..n {
        let [_, on, above, right] = rows[i - 1];
        let factor = rows[i][0] / on;
        rows[i][1] -= factor * above;
        rows[i][3] -= factor * right;
    }
    let mut slopes = vec![0.0; n];
    let mut next = 0.0;
    for (slope, [_, on, above, right]) in slopes.iter_mut().zip(&rows).rev() {
        next = (right - above * next) / on;
        *slope = next;
    }
    slopes
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The largest error of a method on `count` points for a sine.
    fn error(method: Method, count: usize) -> f64 {
        let points: Vec<f64> = (0..count).map(|i| i as f64 / (count - 1) as f64).collect();
        let values: Vec<f64> = points.iter().map(|x| (5.0 * x).sin()).collect();
        let u = Interpolation::new(&points, &values, method).unwrap();
        let between = (0..1000).map(|i| f64::from(i) / 999.0);
        between
            .map(|x| (u.value(x) - (5.0 * x).sin()).abs())
            .fold(0.0, f64::max)
    }

    #[test]
    fn orders_are_two_and_four() {
        for (method, order) in [(Method::Linear, 2.0), (Method::Cubic, 4.0)] {
            let seen = (error(method, 41) / error(method, 81)).log2();
            assert!((seen - order).abs() < 0.3, "{method:?}: {seen}");
        }
    }

    /// Straight lines have kinks, but their integrals are exact, too: trapezoids.
    #[test]
    fn integrals_of_straight_lines() {
        let u = Interpolation::new(&[0.0, 1.0, 3.0], &[0.0, 2.0, 0.0], Method::Linear).unwrap();
        let integrals = u.integrals();
        let near = |x: f64, [first, second]: [f64; 2]| {
            let found = integrals.at(x);
            assert!((found[0] - first).abs() < 1e-14, "{x}: {found:?}");
            assert!((found[1] - second).abs() < 1e-14, "{x}: {found:?}");
        };
        near(0.0, [0.0, 0.0]);
        near(0.5, [0.25, 0.125 / 3.0]);
        near(1.0, [1.0, 1.0 / 3.0]);
        near(2.0, [2.5, 1.0 / 3.0 + 1.0 + 5.0 / 6.0]);
        near(3.0, [3.0, 1.0 / 3.0 + 2.0 + 8.0 / 3.0]);
    }

    #[test]
    fn what_cannot_be_interpolated() {
        let say = |points: &[f64], values: &[f64], method| {
            Interpolation::new(points, values, method)
                .unwrap_err()
                .to_string()
        };
        assert_eq!(
            say(&[0.0, 1.0, 1.0, 2.0], &[0.0; 4], Method::Linear),
            "point[2] = 1 follows 1, but they must ascend without a repetition"
        );
        assert_eq!(
            say(&[0.0, 1.0, 2.0], &[0.0; 3], Method::Cubic),
            "number of points = 3, but it must be at least 4"
        );
        assert_eq!(
            say(&[0.0, 1.0], &[0.0; 3], Method::Linear),
            "values has 3 numbers, but 2 are expected"
        );
        assert!(say(&[0.0, 1.0], &[0.0, f64::NAN], Method::Linear).starts_with("value[1] = NaN"));
        let u = Interpolation::new(&[0.0, 2.0], &[0.0, 4.0], Method::Linear).unwrap();
        assert_eq!(u.at(1.0).unwrap(), 2.0);
        assert_eq!(
            u.at(2.5).unwrap_err().to_string(),
            "point[0] = 2.5, but the domain is 0 to 2"
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..Default::default() })]

        /// Whatever the points, values are met and cubics are reproduced, slope and all.
        #[test]
        fn cubics_are_their_own_splines(
            steps in prop::collection::vec(0.05..1.0f64, 3..12),
            c in prop::array::uniform4(-1.0..1.0f64),
        ) {
            let mut points = vec![0.0];
            for step in &steps {
                points.push(points[points.len() - 1] + step);
            }
            let cubic = |x: f64| c[0] + x * (c[1] + x * (c[2] + x * c[3]));
            let slope = |x: f64| c[1] + x * (2.0 * c[2] + x * 3.0 * c[3]);
            let values: Vec<f64> = points.iter().map(|&x| cubic(x)).collect();
            let u = Interpolation::new(&points, &values, Method::Cubic).unwrap();
            let end = points[points.len() - 1];
            for i in 0..=20 {
                let x = end * f64::from(i) / 20.0;
                prop_assert!((u.value(x) - cubic(x)).abs() < 1e-7 * (1.0 + end.powi(3)));
                prop_assert!((u.slope(x) - slope(x)).abs() < 1e-6 * (1.0 + end.powi(3)));
            }
            let once = |x: f64| x * (c[0] + x * (c[1] / 2.0 + x * (c[2] / 3.0 + x * c[3] / 4.0)));
            let twice = |x: f64| x * x * (c[0] / 2.0 + x * (c[1] / 6.0 + x * (c[2] / 12.0 + x * c[3] / 20.0)));
            let integrals = u.integrals();
            // Beyond the last point the cubic goes on.
            for i in 0..=25 {
                let x = end * f64::from(i) / 20.0;
                let [first, second] = integrals.at(x);
                prop_assert!((first - once(x)).abs() < 1e-6 * (1.0 + end.powi(4)));
                prop_assert!((second - twice(x)).abs() < 1e-6 * (1.0 + end.powi(5)));
            }
        }
    }
}
