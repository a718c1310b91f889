//! The first KAN: a spline for each pair of input and output.

use crate::error::{Result, check, check_sizes};
use crate::init::{Init, ones};
use burn::module::{Module, Param};
use burn::tensor::{Device, Distribution, Tensor, TensorData};
use offprint_kernels::{Activation, MOST_ORDER, activate, b_spline, b_spline_basis, linear};
use serde::{Deserialize, Serialize};

/// Configuration of a [`BSplineKan`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BSplineKanConfig {
    /// Width of the input.
    pub input: usize,
    /// Width of the output.
    pub output: usize,
    /// Intervals between the ends of the range.
    #[serde(default = "grid_size")]
    pub grid_size: usize,
    /// Degree of the pieces of a spline.
    #[serde(default = "spline_order")]
    pub spline_order: usize,
    /// Where the splines have their grid; they fade out within `spline_order` intervals beyond.
    #[serde(default = "range")]
    pub range: [f32; 2],
}

fn grid_size() -> usize {
    5
}

fn spline_order() -> usize {
    3
}

fn range() -> [f32; 2] {
    [-1.0, 1.0]
}

/// `y_o = Σ_i silu(x_i) b_io + Σ_i s_io Σ_g B_g(x_i) c_igo` with the B-splines `B_g` on an even grid.
///
/// Parameters: `input · output · (grid_size + spline_order + 2)`.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use offprint_layers::kan::BSplineKanConfig;
/// # fn main() -> Result<(), offprint_layers::LayersError> {
/// let device = Device::flex();
/// let layer = BSplineKanConfig::new(3, 2).init(&device)?;
/// assert_eq!(layer.forward(Tensor::<2>::ones([5, 3], &device)).dims(), [5, 2]);
/// # Ok(())
/// # }
/// ```
///
/// Source: Liu et al., "KAN: Kolmogorov-Arnold Networks", 2024, section 2.2, in the form of the repository
/// Blealtan/efficient-kan.
#[derive(Module, Debug)]
pub struct BSplineKan {
    /// `b`, `[input, output]`.
    pub base: Param<Tensor<2>>,
    /// `c`, `[input, bases, output]`.
    pub spline: Param<Tensor<3>>,
    /// `s`, `[input, output]`.
    pub scale: Param<Tensor<2>>,
    /// Ascending knots of each input, `[input, bases + order + 1]`; they have no gradient.
    pub knots: Param<Tensor<2>>,
}

impl BSplineKanConfig {
    /// Cubic splines on five intervals from −1 to 1.
    pub fn new(input: usize, output: usize) -> Self {
        Self {
            input,
            output,
            grid_size: grid_size(),
            spline_order: spline_order(),
            range: range(),
        }
    }

    /// Checks every setting.
    ///
    /// # Errors
    /// If a width or the grid is 0, the order is not 1 to 7, or the range is empty or not finite.
    pub fn validate(&self) -> Result<()> {
        check_sizes([
            ("input", self.input),
            ("output", self.output),
            ("grid_size", self.grid_size),
        ])?;
        let orders = 1..=MOST_ORDER;
        let (order, [low, high]) = (self.spline_order, self.range);
        check(orders.contains(&order), "spline_order", order, "1 to 7")?;
        check(
            low < high && low.is_finite() && high.is_finite(),
            "range",
            format!("[{low}, {high}]"),
            "two finite numbers, the first below the second",
        )
    }

    /// Number of bases of an input.
    pub fn bases(&self) -> usize {
        self.grid_size + self.spline_order
    }

    /// A layer with initial parameters: base weights as PyTorch's linear layer, splines near zero, scales of one.
    ///
    /// # Errors
    /// As [`BSplineKanConfig::validate`].
    pub fn init(&self, device: &Device) -> Result<BSplineKan> {
        self.validate()?;
        let Self { input, output, .. } = *self;
        let noise = 0.05 / self.grid_size as f64;
        let shape = [input, self.bases(), output];
        let splines = Tensor::random(shape, Distribution::Uniform(-noise, noise), device);
        let [low, high] = self.range;
        let step = (high - low) / self.grid_size as f32;
        let count = self.bases() + self.spline_order + 1;
        let line = (0..count).map(|i| low + step * (i as f32 - self.spline_order as f32));
        let line: Vec<f32> = line.collect();
        let knots = TensorData::new(line.repeat(input), [input, count]);
        let knots: Param<Tensor<2>> = Param::from_data(knots, device);
        Ok(BSplineKan {
            base: Init::FanIn.weight([input, output], input, device),
            spline: Param::from_tensor(splines),
            scale: ones([input, output], device),
            knots: knots.set_require_grad(false),
        })
    }
}

impl BSplineKan {
    /// The layer, row by row.
    ///
    /// # Shapes
    /// * `x`: `[…, input]`
    /// * result: `[…, output]`
    ///
    /// # Panics
    /// If `x` has another width.
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        let [input, output] = self.base.dims();
        let mut shape = x.dims();
        let rows = shape[..D - 1].iter().product();
        shape[D - 1] = output;
        let x = x.reshape([rows, input]);
        let scale = self.scale.val().unsqueeze_dim::<3>(1);
        let splines = b_spline(
            x.clone(),
            self.knots.val(),
            self.spline.val() * scale,
            self.order(),
        );
        let base = activate(x, Activation::Silu);
        let base = linear(base, self.base.val(), None, Activation::Identity);
        (base + splines).reshape(shape)
    }

    /// All bases of each number, most of them zero.
    ///
    /// # Shapes
    /// * `x`: `[n, input]`
    /// * result: `[n, input, bases]`
    ///
    /// # Panics
    /// If `x` has another width.
    pub fn basis(&self, x: Tensor<2>) -> Tensor<3> {
        b_spline_basis(x, self.knots.val(), self.order())
    }

    /// Degree of the pieces of a spline.
    pub fn order(&self) -> usize {
        self.knots.dims()[1] - self.spline.dims()[1] - 1
    }
}

/// Configuration of a [`BSplineNetwork`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BSplineNetworkConfig {
    /// Width of input and output.
    pub width: usize,
    /// Width between.
    pub hidden: usize,
    /// Intervals between the ends of the range.
    #[serde(default = "grid_size")]
    pub grid_size: usize,
    /// Degree of the pieces of a spline.
    #[serde(default = "spline_order")]
    pub spline_order: usize,
    /// Where the splines have their grid.
    #[serde(default = "range")]
    pub range: [f32; 2],
}

/// Two KAN layers in place of a feed-forward network: the mixer of "ViT + KAN".
#[derive(Module, Debug)]
pub struct BSplineNetwork {
    /// `[width, hidden]`.
    pub up: BSplineKan,
    /// `[hidden, width]`.
    pub down: BSplineKan,
}

impl BSplineNetworkConfig {
    /// Cubic splines on five intervals from −1 to 1.
    pub fn new(width: usize, hidden: usize) -> Self {
        Self {
            width,
            hidden,
            grid_size: grid_size(),
            spline_order: spline_order(),
            range: range(),
        }
    }

    /// Checks every setting.
    ///
    /// # Errors
    /// As [`BSplineKanConfig::validate`].
    pub fn validate(&self) -> Result<()> {
        check_sizes([("width", self.width), ("hidden", self.hidden)])?;
        self.layer(self.width, self.hidden).validate()
    }

    /// A network with initial parameters.
    ///
    /// # Errors
    /// As [`BSplineKanConfig::validate`].
    pub fn init(&self, device: &Device) -> Result<BSplineNetwork> {
        self.validate()?;
        Ok(BSplineNetwork {
            up: self.layer(self.width, self.hidden).init(device)?,
            down: self.layer(self.hidden, self.width).init(device)?,
        })
    }

    fn layer(&self, input: usize, output: usize) -> BSplineKanConfig {
        BSplineKanConfig {
            input,
            output,
            grid_size: self.grid_size,
            spline_order: self.spline_order,
            range: self.range,
        }
    }
}

impl BSplineNetwork {
    /// The network, row by row.
    ///
    /// # Shapes
    /// * `x`, result: `[…, width]`
    ///
    /// # Panics
    /// If `x` has another width.
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        self.down.forward(self.up.forward(x))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_values, device, tensor};

    #[test]
    fn all_but_the_knots_learn() {
        let config = BSplineNetworkConfig::new(4, 6);
        let network = config.init(&device()).unwrap();
        let grads = network.forward(tensor([2, 9, 4], 1)).sum().backward();
        for layer in [&network.up, &network.down] {
            assert!(!layer.knots.val().is_require_grad());
            let largest = |gradient: Option<Tensor<1>>| {
                gradient
                    .expect("a gradient")
                    .abs()
                    .max()
                    .into_scalar::<f32>()
            };
            let flat = |tensor: Tensor<2>| tensor.grad(&grads).map(|g| g.flatten::<1>(0, 1));
            assert!(largest(flat(layer.base.val())) > 0.0);
            assert!(largest(flat(layer.scale.val())) > 0.0);
            let spline = layer
                .spline
                .val()
                .grad(&grads)
                .map(|g| g.flatten::<1>(0, 2));
            assert!(largest(spline) > 0.0);
        }
    }

    /// Splines whose coefficients are all one add up to one within the range.
    #[test]
    fn bases_add_up_to_one() {
        let mut layer = BSplineKanConfig::new(2, 1).init(&device()).unwrap();
        layer.base = Param::from_tensor(Tensor::zeros([2, 1], &device()));
        layer.spline = Param::from_tensor(Tensor::ones([2, 8, 1], &device()));
        let x = Tensor::<2>::from_data([[-1.0, 0.99], [0.1, 0.2], [5.0, -0.3]], &device());
        assert_values(layer.forward(x.clone()), &[2.0, 2.0, 1.0]);
        assert_values(layer.basis(x).sum_dim(2), &[1.0, 1.0, 1.0, 1.0, 0.0, 1.0]);
    }

    #[test]
    fn settings_out_of_range() {
        let config = BSplineKanConfig::new(3, 2);
        let error = |config: BSplineKanConfig| config.validate().unwrap_err().to_string();
        let grid_size = 0;
        assert_eq!(
            error(BSplineKanConfig {
                grid_size,
                ..config
            }),
            "grid_size = 0, but it must be at least 1"
        );
        let range = [1.0, 1.0];
        assert_eq!(
            error(BSplineKanConfig { range, ..config }),
            "range = [1, 1], but it must be two finite numbers, the first below the second"
        );
        let spline_order = 0;
        assert_eq!(
            error(BSplineKanConfig {
                spline_order,
                ..config
            }),
            "spline_order = 0, but it must be 1 to 7"
        );
    }
}
