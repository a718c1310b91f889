//! A mean with its confidence interval, and how a person reads it.

use super::student::student_quantile;
use serde::Serialize;

/// A mean and a two-sided confidence interval around it.
///
/// Ends are infinite where the values do not bound the mean (one value, or a level that the test cannot reach); JSON
/// writes them as `null`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Interval {
    /// The estimate.
    pub mean: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// Confidence, 0.95 for 95 %.
    pub level: f64,
    /// Number of values behind it.
    pub count: usize,
}

impl Interval {
    /// Student's interval for the mean of independent values: `mean ± t(n−1) s/√n`.
    ///
    /// `None` without values. One value, or a value that is not finite, leaves the ends infinite.
    pub fn of_mean(values: &[f64], level: f64) -> Option<Self> {
        let (mean, sd) = mean_and_sd(values)?;
        let count = values.len();
        let half = match count {
            _ if !mean.is_finite() => f64::INFINITY,
            1 => f64::INFINITY,
            _ if sd == 0.0 => 0.0,
            n => student_quantile((1.0 - level) / 2.0, n - 1) * sd / (n as f64).sqrt(),
        };
        Some(Self {
            mean,
            low: if half.is_finite() {
                mean - half
            } else {
                f64::NEG_INFINITY
            },
            high: if half.is_finite() {
                mean + half
            } else {
                f64::INFINITY
            },
            level,
            count,
        })
    }

    /// Whether both ends are finite.
    pub fn is_bounded(&self) -> bool {
        self.low.is_finite() && self.high.is_finite()
    }

    /// Half the length, if [bounded](Self::is_bounded).
    pub fn half_width(&self) -> Option<f64> {
        self.is_bounded().then(|| (self.high - self.low) / 2.0)
    }

    /// For a table of arms: `0.412 ± 0.021`, or `0.412` where there is no interval.
    pub fn plus_minus(&self) -> String {
        let form = self.form();
        match self.half_width() {
            Some(half) => format!("{} ± {}", form.plain(self.mean), form.plain(half)),
            None => form.plain(self.mean),
        }
    }

    /// For a difference: `−0.041 [−0.066, −0.017]`, or `−0.041` where there is no interval.
    pub fn signed(&self) -> String {
        let form = self.form();
        let mean = form.signed(self.mean);
        if self.low == f64::NEG_INFINITY && self.high == f64::INFINITY {
            return mean;
        }
        format!(
            "{mean} [{}, {}]",
            form.signed(self.low),
            form.signed(self.high)
        )
    }

    /// Two significant digits of the half-width; without one, three of the mean.
    fn form(&self) -> Form {
        let scale = match self.half_width() {
            Some(half) if half > 0.0 => half,
            _ => self.mean.abs() / 10.0,
        };
        if scale == 0.0 || !scale.is_finite() {
            return Form::Fixed(3);
        }
        match 1.0 - scale.log10().floor() {
            decimals if decimals > 6.0 => Form::Scientific,
            decimals => Form::Fixed(decimals.max(0.0) as usize),
        }
    }
}

/// Mean and standard deviation (n − 1 in the denominator; 0 for one value); `None` without values.
///
/// Values that agree to rounding have standard deviation exactly 0.
pub(super) fn mean_and_sd(values: &[f64]) -> Option<(f64, f64)> {
    let &first = values.first()?;
    let n = values.len() as f64;
    if values.iter().all(|&value| same(value, first)) {
        return Some((first, 0.0));
    }
    let mean = values.iter().sum::<f64>() / n;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    Some((mean, (squares / (n - 1.0)).sqrt()))
}

/// Equal up to the rounding of a few operations.
pub(super) fn same(a: f64, b: f64) -> bool {
    a == b || (a - b).abs() < ROUNDING * a.abs().max(b.abs())
}

/// Relative size of what rounding may do to a difference or a mean of a few dozen values.
pub(super) const ROUNDING: f64 = 1e-12;

/// How many digits the numbers of one interval get.
#[derive(Clone, Copy)]
enum Form {
    Fixed(usize),
    Scientific,
}

impl Form {
    fn plain(self, value: f64) -> String {
        let text = match self {
            _ if value.is_nan() => return "not finite".into(),
            _ if value.is_infinite() => "∞".into(),
            Form::Fixed(decimals) => format!("{:.decimals$}", value.abs()),
            Form::Scientific => format!("{:.2e}", value.abs()).replace('-', "−"),
        };
        let zero = text.bytes().all(|byte| matches!(byte, b'0' | b'.'));
        if value < 0.0 && !zero {
            format!("−{text}")
        } else {
            text
        }
    }

    fn signed(self, value: f64) -> String {
        let text = self.plain(value);
        let zero = text.bytes().all(|byte| matches!(byte, b'0' | b'.'));
        if value > 0.0 && !zero {
            format!("+{text}")
        } else {
            text
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(ours: f64, reference: f64) {
        assert!(
            (ours - reference).abs() <= 1e-12 * reference.abs().max(1.0),
            "{ours} against {reference}"
        );
    }

    /// scipy 1.17.1: `st.t.interval(level, n - 1, loc=np.mean(x), scale=st.sem(x))`
    #[test]
    fn mean_interval_is_students() {
        let five = Interval::of_mean(&[0.412, 0.398, 0.431, 0.405, 0.377], 0.95).unwrap();
        close(five.mean, 0.4046);
        close(five.low, 0.38010111659094065);
        close(five.high, 0.4290988834090594);
        let two = Interval::of_mean(&[0.3, 0.5], 0.90).unwrap();
        close(two.low, -0.23137515146750454);
        close(two.high, 1.0313751514675036);
    }

    #[test]
    fn few_or_strange_values() {
        assert_eq!(Interval::of_mean(&[], 0.95), None);
        let one = Interval::of_mean(&[0.412], 0.95).unwrap();
        assert_eq!((one.low, one.high), (f64::NEG_INFINITY, f64::INFINITY));
        assert_eq!(one.half_width(), None);
        assert_eq!(one.plus_minus(), "0.412");
        let equal = Interval::of_mean(&[2.0; 4], 0.95).unwrap();
        assert_eq!((equal.low, equal.high), (2.0, 2.0));
        assert_eq!(equal.plus_minus(), "2.00 ± 0.00");
        let nan = Interval::of_mean(&[0.4, f64::NAN], 0.95).unwrap();
        assert!(!nan.is_bounded());
        assert_eq!(nan.plus_minus(), "not finite");
        let diverged = Interval::of_mean(&[0.4, f64::INFINITY], 0.95).unwrap();
        assert_eq!(diverged.plus_minus(), "∞");
    }

    #[test]
    fn reads_well() {
        let interval = |mean, low, high| Interval {
            mean,
            low,
            high,
            level: 0.9,
            count: 5,
        };
        assert_eq!(interval(0.412, 0.391, 0.433).plus_minus(), "0.412 ± 0.021");
        assert_eq!(
            interval(-0.0412, -0.066, -0.0166).signed(),
            "−0.041 [−0.066, −0.017]"
        );
        assert_eq!(interval(0.0, -0.3, 0.3).signed(), "0.00 [−0.30, +0.30]");
        assert_eq!(
            interval(-1e-4, -0.05, 0.05).signed(),
            "0.000 [−0.050, +0.050]"
        );
        assert_eq!(interval(1234.0, 1200.0, 1268.0).plus_minus(), "1234 ± 34");
        assert_eq!(
            interval(3e-9, 2e-9, 4e-9).signed(),
            "+3.00e−9 [+2.00e−9, +4.00e−9]"
        );
        assert_eq!(
            interval(0.5, f64::NEG_INFINITY, f64::INFINITY).signed(),
            "+0.500"
        );
    }
}
