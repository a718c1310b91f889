//! Learnable rational functions, and what they start as.

mod fit;
mod gain;

pub use fit::{Coefficients, Fit, MOST_DEGREE, fit_rational};
pub use gain::{activation_gain, second_moment};

use crate::error::{Result, check_multiple};
use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor, TensorData};
use fit::{check_degrees, check_range};
use offprint_kernels::{Activation, activate, group_rational};
use serde::{Deserialize, Serialize};

/// Configuration of a [`Rational`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RationalConfig {
    /// Number of channels.
    pub width: usize,
    /// Groups of channels, each with a function.
    #[serde(default = "groups")]
    pub groups: usize,
    /// Degree of the numerator.
    #[serde(default = "numerator_degree")]
    pub numerator_degree: usize,
    /// Degree of the denominator.
    #[serde(default = "denominator_degree")]
    pub denominator_degree: usize,
    /// Whether all groups have one numerator, as in the authors' code; one for each group, as the paper describes,
    /// otherwise.
    #[serde(default = "crate::linear::yes")]
    pub shared_numerator: bool,
    /// The function to start as.
    #[serde(default)]
    pub init: Activation,
    /// Where that function is fitted.
    #[serde(default = "range")]
    pub range: [f64; 2],
}

pub(crate) fn groups() -> usize {
    8
}

pub(crate) fn numerator_degree() -> usize {
    5
}

pub(crate) fn denominator_degree() -> usize {
    4
}

pub(crate) fn range() -> [f64; 2] {
    [-5.0, 5.0]
}

/// A learnable rational function for each group of channels, see [`group_rational`].
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use offprint_layers::{Activation, rational::RationalConfig};
/// # fn main() -> Result<(), offprint_layers::LayersError> {
/// let device = Device::flex();
/// let config = RationalConfig { init: Activation::Silu, ..RationalConfig::new(64) };
/// let silu = config.init(&device)?;
/// assert_eq!(silu.forward(Tensor::<3>::ones([2, 5, 64], &device)).dims(), [2, 5, 64]);
/// # Ok(())
/// # }
/// ```
///
/// Source: Molina et al., "Padé Activation Units", ICLR 2020; Yang and Wang, "Kolmogorov-Arnold Transformer", 2024.
#[derive(Module, Debug)]
pub struct Rational {
    /// `[1 or groups, degree + 1]`.
    pub numerator: Param<Tensor<2>>,
    /// `[groups, degree]`.
    pub denominator: Param<Tensor<2>>,
}

/// In place of a coefficient of zero in a denominator: in 32 bits the function is the same, but `|b|` has a slope.
const NEARLY_ZERO: f64 = 1e-12;

/// `f(x)` in 64 bits, as precise as the 32 bits of the kernel.
pub fn value_of(f: Activation, x: f64) -> f64 {
    let x = Tensor::<1>::from_data([x as f32], &Device::flex());
    f64::from(activate(x, f).into_scalar::<f32>())
}

impl RationalConfig {
    /// Eight groups, degrees 5 and 4, one numerator, starting as the identity; other functions are fitted from −5 to 5.
    pub fn new(width: usize) -> Self {
        Self {
            width,
            groups: groups(),
            numerator_degree: numerator_degree(),
            denominator_degree: denominator_degree(),
            shared_numerator: true,
            init: Activation::Identity,
            range: range(),
        }
    }

    /// Checks every setting.
    ///
    /// # Errors
    /// If the width is no positive multiple of the groups, a degree is not 1 to 12, or the range is empty or not finite.
    pub fn validate(&self) -> Result<()> {
        check_multiple("width", self.width, "groups", self.groups)?;
        check_degrees([self.numerator_degree, self.denominator_degree])?;
        check_range(self.range)
    }

    /// The function to start as, and how far it is from the one wanted.
    ///
    /// # Errors
    /// As [`RationalConfig::validate`].
    pub fn fit(&self) -> Result<Fit> {
        self.validate()?;
        let degrees = [self.numerator_degree, self.denominator_degree];
        if self.init == Activation::Identity {
            return Ok(Fit {
                coefficients: Coefficients::identity(degrees),
                max_error: 0.0,
            });
        }
        fit_rational(|x| value_of(self.init, x), self.range, degrees)
    }

    /// Functions that all start as the one wanted.
    ///
    /// # Errors
    /// As [`RationalConfig::validate`].
    pub fn init(&self, device: &Device) -> Result<Rational> {
        self.init_as(&self.fit()?.coefficients, device)
    }

    /// Functions that all start with these coefficients, whatever `init` says.
    ///
    /// # Errors
    /// As [`RationalConfig::validate`] and [`Coefficients::validate`].
    pub fn init_as(&self, coefficients: &Coefficients, device: &Device) -> Result<Rational> {
        self.validate()?;
        coefficients.validate()?;
        let rows = if self.shared_numerator {
            1
        } else {
            self.groups
        };
        let b = coefficients.denominator.iter();
        let b: Vec<f64> = b
            .map(|b| if *b == 0.0 { NEARLY_ZERO } else { *b })
            .collect();
        Ok(Rational {
            numerator: repeated(&coefficients.numerator, rows, device),
            denominator: repeated(&b, self.groups, device),
        })
    }
}

/// A matrix of equal rows.
fn repeated(row: &[f64], rows: usize, device: &Device) -> Param<Tensor<2>> {
    let values: Vec<f32> = (0..rows)
        .flat_map(|_| row.iter().map(|a| *a as f32))
        .collect();
    Param::from_data(TensorData::new(values, [rows, row.len()]), device)
}

impl Rational {
    /// The functions, channel by channel.
    ///
    /// # Shapes
    /// * `x`, result: `[…, width]`
    ///
    /// # Panics
    /// If the width is no multiple of the groups.
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        group_rational(x, self.numerator.val(), self.denominator.val())
    }

    /// The function of each group.
    pub fn coefficients(&self) -> Vec<Coefficients> {
        let rows = |table: &Param<Tensor<2>>| -> Vec<Vec<f64>> {
            let ([_, length], data) = (table.dims(), table.val().into_data());
            let values: Vec<f64> = data.iter::<f64>().collect();
            values.chunks(length).map(<[f64]>::to_vec).collect()
        };
        let (numerators, denominators) = (rows(&self.numerator), rows(&self.denominator));
        denominators
            .into_iter()
            .enumerate()
            .map(|(group, denominator)| Coefficients {
                numerator: numerators[group.min(numerators.len() - 1)].clone(),
                denominator,
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_all_learn, assert_values, device, tensor, values};

    #[test]
    fn starts_as_the_identity_to_the_bit_and_learns() {
        let layer = RationalConfig::new(16).init(&device()).unwrap();
        let x = tensor([3, 5, 16], 1);
        let y = layer.forward(x.clone() * 3.0);
        assert_eq!(values(y.clone()), values(x * 3.0));
        assert_all_learn(&layer, &y.sum().backward());
    }

    #[test]
    fn starts_as_the_function_wanted() {
        for init in [Activation::Gelu, Activation::Silu, Activation::Relu] {
            let config = RationalConfig {
                init,
                shared_numerator: false,
                ..RationalConfig::new(8)
            };
            let x = tensor([40, 8], 2) * 4.9;
            let y = config.init(&device()).unwrap().forward(x.clone());
            let off = (y - activate(x, init)).abs().max().into_scalar::<f32>();
            let most = config.fit().unwrap().max_error as f32;
            assert!(off <= most + 1e-5, "{init:?} {off} {most}");
        }
    }

    #[test]
    fn each_group_has_its_function() {
        let mut layer = RationalConfig {
            groups: 2,
            numerator_degree: 1,
            denominator_degree: 1,
            ..RationalConfig::new(2)
        }
        .init(&device())
        .unwrap();
        layer.denominator = Param::from_data([[0.0], [-1.0]], &device());
        let x = Tensor::<2>::from_data([[3.0, -3.0]], &device());
        assert_values(layer.forward(x), &[3.0, -0.75]);
        let functions = layer.coefficients();
        assert_eq!(functions[1].value(-3.0), -0.75);
    }

    #[test]
    fn settings_out_of_range() {
        let config = RationalConfig::new(20);
        let error = |config: RationalConfig| config.validate().unwrap_err().to_string();
        assert_eq!(
            error(config),
            "width = 20, but it must be a multiple of groups = 8"
        );
        let groups = RationalConfig {
            groups: 0,
            ..config
        };
        assert_eq!(error(groups), "groups = 0, but it must be at least 1");
        let degree = RationalConfig {
            groups: 4,
            numerator_degree: 0,
            ..config
        };
        assert_eq!(
            error(degree),
            "numerator_degree = 0, but it must be 1 to 12"
        );
        let broken = Coefficients {
            numerator: vec![0.0, f64::NAN],
            denominator: vec![1.0],
        };
        let error = RationalConfig::new(8).init_as(&broken, &device());
        assert_eq!(
            error.unwrap_err().to_string(),
            "numerator = [0.0, NaN], but it must be finite numbers"
        );
    }
}
