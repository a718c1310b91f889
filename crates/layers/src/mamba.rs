//! Mamba: a selective state space in place of attention.

use crate::error::{Result, check_sizes};
use crate::init::{Init, ones, zeros};
use crate::linear::{Linear, LinearConfig};
use crate::quantizer::Quantizer;
use burn::module::{Module, Param};
use burn::tensor::{Device, Distribution, Tensor, TensorData};
use offprint_kernels::{
    Activation, activate, causal_conv, selective_scan, selective_scan_with_state,
};
use serde::{Deserialize, Serialize};

/// Configuration of a [`Mamba`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MambaConfig {
    /// Width of input and output.
    pub width: usize,
    /// Numbers of the state of a channel.
    #[serde(default = "state")]
    pub state: usize,
    /// Channels inside over `width`.
    #[serde(default = "expand")]
    pub expand: usize,
    /// Width of the convolution.
    #[serde(default = "conv")]
    pub conv: usize,
    /// Width between the two matrices of the step; `⌈width / 16⌉` where absent.
    #[serde(default)]
    pub delta_rank: Option<usize>,
    /// Whether the projections in and out have biases.
    #[serde(default)]
    pub bias: bool,
    /// Initial values of the projections.
    #[serde(default)]
    pub init: Init,
    /// Initial values of the layer that writes to the output.
    #[serde(default)]
    pub output_init: Init,
    /// What the weights of the projections go through.
    #[serde(default)]
    pub quantizer: Quantizer,
}

fn state() -> usize {
    16
}

fn expand() -> usize {
    2
}

fn conv() -> usize {
    4
}

/// `u = SiLU(conv(x W_u))`; `Δ = softplus(u W_Δ W_r + b)`, `B = u W_B`, `C = u W_C`; in each channel
/// `h_t = e^{Δ_t A} h_{t−1} + Δ_t u_t B_t` and `y_t = C_t h_t + D u_t`, with `A = −e^{a_log}`; the output is
/// `(y ⊙ SiLU(x W_z)) W_o`. Causal, without positions.
///
/// Source: Gu and Dao, "Mamba: Linear-Time Sequence Modeling with Selective State Spaces", 2023, section 3.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use offprint_layers::MambaConfig;
/// # fn main() -> Result<(), offprint_layers::LayersError> {
/// let device = Device::flex();
/// let layer = MambaConfig::new(8).init(&device)?;
/// assert_eq!(layer.forward(Tensor::ones([3, 5, 8], &device), None).dims(), [3, 5, 8]);
/// # Ok(())
/// # }
/// ```
#[derive(Module, Debug)]
pub struct Mamba {
    /// `W_u` beside `W_z`, `[width, 2 channels]`.
    pub input: Linear,
    /// `[conv, channels]`, the last row for the position itself.
    pub conv_weight: Param<Tensor<2>>,
    /// `[channels]`.
    pub conv_bias: Param<Tensor<1>>,
    /// `W_Δ`, `W_B` and `W_C` side by side, `[channels, delta_rank + 2 state]`.
    pub select: Linear,
    /// `W_r` and `b`, `[delta_rank, channels]`.
    pub delta: Linear,
    /// `[channels, state]`.
    pub a_log: Param<Tensor<2>>,
    /// `D`, `[channels]`.
    pub skip: Param<Tensor<1>>,
    /// `W_o`, `[channels, width]`.
    pub output: Linear,
}

/// What a [`Mamba`] remembers, however long the sequence.
#[derive(Clone, Debug, Default)]
pub struct MambaState {
    /// What the convolution still sees, `[batch, conv − 1, channels]`.
    conv: Option<Tensor<3>>,
    /// `[batch, channels, state]`.
    scan: Option<Tensor<3>>,
}

impl MambaConfig {
    /// The paper's: a state of 16, twice the width inside, a convolution of 4.
    pub fn new(width: usize) -> Self {
        Self {
            width,
            state: state(),
            expand: expand(),
            conv: conv(),
            delta_rank: None,
            bias: false,
            init: Init::default(),
            output_init: Init::default(),
            quantizer: Quantizer::default(),
        }
    }

    /// Channels inside.
    pub fn channels(&self) -> usize {
        self.width.saturating_mul(self.expand)
    }

    /// Width between the two matrices of the step.
    pub fn delta_rank(&self) -> usize {
        self.delta_rank.unwrap_or(self.width.div_ceil(16))
    }

    /// Checks every setting.
    ///
    /// # Errors
    /// If a size is 0 or a number out of its range.
    pub fn validate(&self) -> Result<()> {
        check_sizes([
            ("width", self.width),
            ("state", self.state),
            ("expand", self.expand),
            ("conv", self.conv),
            ("delta_rank", self.delta_rank()),
        ])?;
        self.init.validate()?;
        self.output_init.validate()?;
        self.quantizer.validate()
    }

    /// A layer with initial parameters: `A = −1, −2, …` in each channel, and steps between 0.001 and 0.1.
    ///
    /// # Errors
    /// As [`MambaConfig::validate`].
    pub fn init(&self, device: &Device) -> Result<Mamba> {
        self.validate()?;
        let (channels, rank) = (self.channels(), self.delta_rank());
        let linear = |input, output, init| LinearConfig {
            bias: self.bias,
            init,
            quantizer: self.quantizer,
            ..LinearConfig::new(input, output)
        };
        let rates: Vec<f32> = (1..=self.state).map(|n| (n as f32).ln()).collect();
        let rates = TensorData::new(rates.repeat(channels), [channels, self.state]);
        let select = LinearConfig {
            bias: false,
            ..linear(channels, rank + 2 * self.state, self.init)
        };
        let delta = LinearConfig {
            bias: true,
            ..linear(rank, channels, Init::FanIn)
        };
        Ok(Mamba {
            input: linear(self.width, 2 * channels, self.init).init(device)?,
            conv_weight: Init::FanIn.weight([self.conv, channels], self.conv, device),
            conv_bias: zeros([channels], device),
            select: select.init(device)?,
            delta: Linear {
                bias: Some(steps(channels, device)),
                ..delta.init(device)?
            },
            a_log: Param::from_data(rates, device),
            skip: ones([channels], device),
            output: linear(channels, self.width, self.output_init).init(device)?,
        })
    }
}

/// What the softplus takes to steps that are uniform between the logarithms of 0.001 and 0.1.
fn steps(channels: usize, device: &Device) -> Param<Tensor<1>> {
    let ends = Distribution::Uniform(0.001_f64.ln(), 0.1_f64.ln());
    let delta = Tensor::<1>::random([channels], ends, device).exp();
    // The softplus' inverse, ln(e^Δ − 1).
    Param::from_tensor((delta.exp() - 1.0).log())
}

impl Mamba {
    /// What each position takes from itself and those before it; from those in the state too, if there is one.
    ///
    /// # Shapes
    /// * `x`, result: `[batch, length, width]`
    ///
    /// # Panics
    /// If `x` has another width, or the state another shape.
    pub fn forward(&self, x: Tensor<3>, mut state: Option<&mut MambaState>) -> Tensor<3> {
        let [channels, n] = self.a_log.dims();
        let both = self.input.forward(x);
        let u = both.clone().narrow(2, 0, channels);
        let gate = activate(both.narrow(2, channels, channels), Activation::Silu);
        let u = self.convolved(u, state.as_deref_mut());
        let [rank, _] = self.delta.weight.dims();
        let selected = self.select.forward(u.clone());
        let delta = selected.clone().narrow(2, 0, rank);
        let delta = self.delta.activated(delta, Activation::Softplus);
        let b = selected.clone().narrow(2, rank, n);
        let c = selected.narrow(2, rank + n, n);
        let a = self.a_log.val().exp().neg();
        let y = match state {
            None => selective_scan(u.clone(), delta, a, b, c, None),
            Some(state) => {
                let before = state.scan.take();
                let (y, after) = selective_scan_with_state(u.clone(), delta, a, b, c, before);
                state.scan = Some(after);
                y
            }
        };
        let y = y + u * self.skip.val().unsqueeze::<3>();
        self.output.forward(y * gate)
    }

    fn convolved(&self, u: Tensor<3>, state: Option<&mut MambaState>) -> Tensor<3> {
        let ([batch, length, channels], [width, _]) = (u.dims(), self.conv_weight.dims());
        let (weight, bias) = (self.conv_weight.val(), self.conv_bias.val());
        let Some(state) = state else {
            return activate(causal_conv(u, weight, bias), Activation::Silu);
        };
        let zeros = || Tensor::zeros([batch, width - 1, channels], &u.device());
        let seen = state.conv.take().unwrap_or_else(zeros);
        let all = Tensor::cat(vec![seen, u], 1);
        state.conv = Some(all.clone().narrow(1, length, width - 1));
        let y = causal_conv(all, weight, bias).narrow(1, width - 1, length);
        activate(y, Activation::Silu)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_all_learn, device, tensor, values};

    #[test]
    fn pieces_with_a_state_are_the_whole_sequence() {
        let layer = MambaConfig::new(6).init(&device()).unwrap();
        let x = tensor([2, 20, 6], 1);
        let whole = layer.forward(x.clone(), None);
        let mut state = MambaState::default();
        for (first, length) in [(0, 2), (2, 1), (3, 1), (4, 16)] {
            let y = layer.forward(x.clone().narrow(1, first, length), Some(&mut state));
            let expected = whole.clone().narrow(1, first, length);
            assert!((y - expected).abs().max().into_scalar::<f32>() < 1e-5);
        }
    }

    #[test]
    fn every_parameter_learns() {
        let layer = MambaConfig::new(6).init(&device()).unwrap();
        let y = layer.forward(tensor([2, 9, 6], 1), None);
        assert_all_learn(&layer, &(y * tensor([2, 9, 6], 2)).sum().backward());
    }

    #[test]
    fn steps_start_between_a_thousandth_and_a_tenth() {
        let layer = MambaConfig::new(64).init(&device()).unwrap();
        for bias in values(layer.delta.bias.unwrap().val()) {
            let step = bias.exp().ln_1p();
            assert!((0.00099..0.1001).contains(&step), "{step}");
        }
    }

    #[test]
    fn settings_out_of_range() {
        let config = MambaConfig::new(6);
        for (config, expected) in [
            (
                MambaConfig { state: 0, ..config },
                "state = 0, but it must be at least 1",
            ),
            (
                MambaConfig {
                    delta_rank: Some(0),
                    ..config
                },
                "delta_rank = 0, but it must be at least 1",
            ),
        ] {
            assert_eq!(config.validate().unwrap_err().to_string(), expected);
        }
    }
}
