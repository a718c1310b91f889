//! The norm slot: layer norm, RMS norm, batch norm or none.

use crate::context::Context;
use crate::error::{Result, check_positive, check_sizes};
use crate::init::{ones, zeros};
use burn::module::{Module, Param, RunningState};
use burn::tensor::{Device, Tensor};
use offprint_kernels::{
    Activation, activate, batch_norm, batch_norm_inference, layer_norm, rms_norm,
};
use serde::{Deserialize, Serialize};

/// The norm slot; in TOML `norm = "rms"`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NormKind {
    /// See [`LayerNorm`].
    #[default]
    Layer,
    /// See [`RmsNorm`].
    Rms,
    /// See [`BatchNorm`].
    Batch,
    /// The identity.
    None,
}

/// Configuration of a [`Norm`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NormConfig {
    /// Which one.
    pub kind: NormKind,
    /// Number of features or channels.
    pub width: usize,
    /// Added to the variance.
    #[serde(default = "epsilon")]
    pub epsilon: f32,
    /// Share of a batch's statistics in the running ones of batch norm.
    #[serde(default = "momentum")]
    pub momentum: f32,
}

fn epsilon() -> f32 {
    1e-5
}

fn momentum() -> f32 {
    0.1
}

/// Any of the norms, over features or over the channels of pictures.
#[derive(Module, Debug)]
pub enum Norm {
    /// See [`LayerNorm`].
    Layer(LayerNorm),
    /// See [`RmsNorm`].
    Rms(RmsNorm),
    /// See [`BatchNorm`].
    Batch(BatchNorm),
    /// The identity.
    None(NoNorm),
}

/// `y = (x − mean) / √(variance + ε) · weight + bias`, mean and biased variance over the features of a row.
///
/// Source: Ba, Kiros and Hinton, "Layer Normalization", 2016.
#[derive(Module, Debug)]
pub struct LayerNorm {
    /// `[width]`, ones at first.
    pub weight: Param<Tensor<1>>,
    /// `[width]`, zeros at first.
    pub bias: Param<Tensor<1>>,
    /// Added to the variance.
    pub epsilon: f32,
}

/// `y = x / √(mean(x²) + ε) · weight`, the mean over the features of a row.
///
/// Source: Zhang and Sennrich, "Root Mean Square Layer Normalization", NeurIPS 2019.
#[derive(Module, Debug)]
pub struct RmsNorm {
    /// `[width]`, ones at first.
    pub weight: Param<Tensor<1>>,
    /// Added to the mean square.
    pub epsilon: f32,
}

/// `y = (x − mean) / √(variance + ε) · weight + bias`, mean and variance of each channel over everything else in the
/// batch; at evaluation, running ones of the batches seen in training.
///
/// Source: Ioffe and Szegedy, "Batch Normalization: Accelerating Deep Network Training by Reducing Internal Covariate
/// Shift", ICML 2015.
#[derive(Module, Debug)]
pub struct BatchNorm {
    /// `[channels]`, ones at first.
    pub weight: Param<Tensor<1>>,
    /// `[channels]`, zeros at first.
    pub bias: Param<Tensor<1>>,
    /// `[channels]`, zeros at first.
    pub running_mean: RunningState<Tensor<1>>,
    /// `[channels]`, unbiased, ones at first.
    pub running_variance: RunningState<Tensor<1>>,
    /// Share of a batch's statistics in the running ones.
    pub momentum: f32,
    /// Added to the variance.
    pub epsilon: f32,
}

/// The identity, where a norm may stand.
#[derive(Module, Debug)]
pub struct NoNorm {}

impl NormConfig {
    /// With PyTorch's `ε = 10⁻⁵` and momentum 0.1.
    pub fn new(kind: NormKind, width: usize) -> Self {
        Self {
            kind,
            width,
            epsilon: epsilon(),
            momentum: momentum(),
        }
    }

    /// Checks every setting.
    ///
    /// # Errors
    /// If the width is 0, `ε` is not positive or the momentum is not in `(0, 1]`.
    pub fn validate(&self) -> Result<()> {
        check_sizes([("width", self.width)])?;
        check_positive("epsilon", self.epsilon)?;
        crate::error::check(
            self.momentum > 0.0 && self.momentum <= 1.0,
            "momentum",
            self.momentum,
            "above 0 and at most 1",
        )
    }

    /// A norm with initial parameters.
    ///
    /// # Errors
    /// As [`NormConfig::validate`].
    pub fn init(&self, device: &Device) -> Result<Norm> {
        self.validate()?;
        let Self { width, epsilon, .. } = *self;
        Ok(match self.kind {
            NormKind::Layer => Norm::Layer(LayerNorm {
                weight: ones([width], device),
                bias: zeros([width], device),
                epsilon,
            }),
            NormKind::Rms => Norm::Rms(RmsNorm {
                weight: ones([width], device),
                epsilon,
            }),
            NormKind::Batch => Norm::Batch(BatchNorm {
                weight: ones([width], device),
                bias: zeros([width], device),
                running_mean: RunningState::new(Tensor::zeros([width], device)),
                running_variance: RunningState::new(Tensor::ones([width], device)),
                momentum: self.momentum,
                epsilon,
            }),
            NormKind::None => Norm::None(NoNorm {}),
        })
    }
}

impl Norm {
    /// The norm of features.
    ///
    /// # Shapes
    /// * `x`, result: `[…, width]`; batch norm takes a feature for a channel
    ///
    /// # Panics
    /// If `x` has another width.
    pub fn forward<const D: usize>(&self, x: Tensor<D>, context: Context) -> Tensor<D> {
        match self {
            Self::Layer(norm) => {
                layer_norm(x, norm.weight.val(), Some(norm.bias.val()), norm.epsilon)
            }
            Self::Rms(norm) => rms_norm(x, norm.weight.val(), norm.epsilon),
            Self::Batch(norm) => {
                let shape = x.dims();
                let [width] = norm.weight.dims();
                let x = x.reshape([shape[..D - 1].iter().product(), width]);
                norm.forward(x, None, false, context).reshape(shape)
            }
            Self::None(_) => x,
        }
    }

    /// `f(norm(x) + residual)` of pictures, with the norm over channels: layer and RMS norm at each place, batch norm
    /// over all places.
    ///
    /// # Shapes
    /// * `x`, `residual`, result: `[batch, channels, height, width]`
    ///
    /// # Panics
    /// If `x` has another number of channels.
    pub fn pictures(
        &self,
        x: Tensor<4>,
        residual: Option<Tensor<4>>,
        f: Activation,
        context: Context,
    ) -> Tensor<4> {
        if let Self::Batch(norm) = self {
            let relu = f == Activation::Relu;
            let y = norm.forward(x, residual, relu, context);
            return if relu { y } else { activate(y, f) };
        }
        let y = match self {
            Self::None(_) => x,
            _ => self
                .forward(x.permute([0, 2, 3, 1]), context)
                .permute([0, 3, 1, 2]),
        };
        activate(
            match residual {
                Some(residual) => y + residual,
                None => y,
            },
            f,
        )
    }
}

impl BatchNorm {
    /// `norm(x) + residual`, then `max(0, y)` if `relu`.
    ///
    /// # Shapes
    /// * `x`, `residual`, result: `[batch, channels, …]`
    ///
    /// # Panics
    /// If `x` has another number of channels.
    pub fn forward<const D: usize>(
        &self,
        x: Tensor<D>,
        residual: Option<Tensor<D>>,
        relu: bool,
        context: Context,
    ) -> Tensor<D> {
        let (weight, bias) = (self.weight.val(), self.bias.val());
        if !context.training {
            let (mean, variance) = (self.running_mean.value(), self.running_variance.value());
            return batch_norm_inference(
                x,
                weight,
                bias,
                mean,
                variance,
                residual,
                relu,
                self.epsilon,
            );
        }
        let shape = x.dims();
        let count = shape.iter().product::<usize>() / shape[1].max(1);
        let (y, mean, variance) = batch_norm(x, weight, bias, residual, relu, self.epsilon);
        // The running variance is unbiased, as in PyTorch.
        let unbiased = variance * (count as f32 / (count as f32 - 1.0).max(1.0));
        for (state, batch) in [
            (&self.running_mean, mean),
            (&self.running_variance, unbiased),
        ] {
            let old = state.value();
            state.update((old * (1.0 - self.momentum) + batch * self.momentum).detach());
            // An update waits until it is asked for; whoever saves the module or evaluates it next must see it.
            state.value_sync();
        }
        y
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_all_learn, assert_values, device, tensor};

    const KINDS: [NormKind; 4] = [
        NormKind::Layer,
        NormKind::Rms,
        NormKind::Batch,
        NormKind::None,
    ];

    /// Expected by PyTorch's `BatchNorm1d` in 64 bits.
    #[test]
    fn batch_norm_keeps_running_statistics() {
        let norm = NormConfig::new(NormKind::Batch, 2).init(&device()).unwrap();
        let x = Tensor::<2>::from_data([[1.0, -2.0], [3.0, 0.5], [8.0, 1.0]], &device());
        assert_values(
            norm.forward(x.clone(), Context::training(0)),
            &[
                -1.0190487, -1.3969973, -0.3396829, 0.5079990, 1.3587317, 0.8889983,
            ],
        );
        assert_values(
            norm.forward(x, Context::EVALUATION),
            &[
                0.4045190, -1.8427951, 1.7529157, 0.4800559, 5.1239073, 0.9446261,
            ],
        );
    }

    #[test]
    fn pictures_are_normalized_over_channels() {
        let (x, residual) = (tensor([2, 5, 3, 4], 1), tensor([2, 5, 3, 4], 2));
        for kind in KINDS {
            let norm = NormConfig::new(kind, 5).init(&device()).unwrap();
            let context = Context::training(0);
            let y = norm.pictures(x.clone(), Some(residual.clone()), Activation::Relu, context);
            let rows = norm
                .forward(x.clone().permute([0, 2, 3, 1]), context)
                .permute([0, 3, 1, 2]);
            let expected = activate(rows + residual.clone(), Activation::Relu);
            let error = (y - expected).abs().max().into_scalar::<f32>();
            assert!(error < 1e-5, "{kind:?}: {error}");
        }
    }

    #[test]
    fn every_parameter_learns() {
        for kind in KINDS {
            let norm = NormConfig::new(kind, 5).init(&device()).unwrap();
            let x = tensor([3, 4, 5], 1).require_grad();
            let y = norm.forward(x.clone(), Context::training(0));
            let grads = (y * tensor([3, 4, 5], 2)).sum().backward();
            assert!(x.grad(&grads).is_some());
            match &norm {
                Norm::Layer(norm) => assert_all_learn(norm, &grads),
                Norm::Rms(norm) => assert_all_learn(norm, &grads),
                Norm::Batch(norm) => {
                    assert!(norm.weight.val().grad(&grads).is_some());
                    assert!(norm.bias.val().grad(&grads).is_some());
                }
                Norm::None(_) => {}
            }
        }
    }

    #[test]
    fn settings_out_of_range() {
        let config = NormConfig::new(NormKind::Rms, 4);
        for (config, expected) in [
            (
                NormConfig { width: 0, ..config },
                "width = 0, but it must be at least 1",
            ),
            (
                NormConfig {
                    epsilon: -1.0,
                    ..config
                },
                "epsilon = -1, but it must be a positive finite number",
            ),
            (
                NormConfig {
                    momentum: 1.5,
                    ..config
                },
                "momentum = 1.5, but it must be above 0 and at most 1",
            ),
        ] {
            assert_eq!(config.validate().unwrap_err().to_string(), expected);
        }
    }
}
