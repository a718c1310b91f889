//! The model of every arm: LLaMA's blocks with another token mixer, and as many parameters.

use super::settings::GlaSettings;
use crate::explain::explain;
use burn::tensor::Device;
use offprint_backbones::{Biases, BlocksConfig, ChannelMixer, GptConfig, Positions, parameters};
use offprint_lab::{Error, Result};
use offprint_layers::{Activation, NormKind, Rotary, TokenMixer};

/// The token mixer of an arm, and how many times as wide its keys are.
pub fn mixer(arm: &str, settings: &GlaSettings) -> Result<(TokenMixer, usize)> {
    Ok(match arm {
        "transformer" => (TokenMixer::Attention, 1),
        "linear-attention" => (TokenMixer::LinearAttention, 1),
        "retnet" => (TokenMixer::Retention, 1),
        "mamba" => (TokenMixer::Mamba, 1),
        "gla" => (TokenMixer::Gla, 1),
        "gla-wide" => (TokenMixer::Gla, settings.widening),
        _ => return Err(Error::input(format!("GLA's study has no arm \"{arm}\""))),
    })
}

/// The positions that go with a mixer: gate and scan tell near from far without.
pub fn positions(mixer: TokenMixer) -> Positions {
    match mixer {
        TokenMixer::Attention | TokenMixer::Retention => {
            Positions::Rotary(Rotary { base: 10_000.0 })
        }
        _ => Positions::None,
    }
}

/// Standard deviation of initial weights: 0.02 is made for a width of some hundreds.
pub fn deviation(width: usize) -> f32 {
    0.5 / (width as f32).sqrt()
}

/// A model with a token mixer, whose channel mixers make up for the parameters that its token mixers have more or less than
/// attention.
///
/// # Errors
/// A setting does not suit the mixer, or it leaves the channel mixers no parameters.
pub fn config(
    (mixer, widening): (TokenMixer, usize),
    settings: &GlaSettings,
    vocabulary: usize,
    context: usize,
) -> Result<GptConfig> {
    let with = |mixer: TokenMixer, hidden: usize| GptConfig {
        vocabulary,
        context,
        positions: positions(mixer),
        tied: true,
        blocks: BlocksConfig {
            // Keys of half the width, times what they are wider.
            head_width: (widening > 1).then_some(widening * settings.width / (2 * settings.heads)),
            hidden: Some(hidden),
            token_mixer: mixer,
            channel_mixer: ChannelMixer::Gated,
            activation: Activation::Silu,
            norm: NormKind::Rms,
            bias: Biases::all(false),
            deviation: deviation(settings.width),
            ..BlocksConfig::new(settings.layers, settings.width, settings.heads)
        },
    };
    let llama = (settings.width * 8).div_ceil(3).next_multiple_of(8);
    if mixer == TokenMixer::Attention {
        return Ok(with(mixer, llama));
    }
    // What has no gradient is not counted.
    let device = Device::default().autodiff();
    let count = |config: GptConfig| -> Result<usize> {
        Ok(parameters(&config.init(&device).map_err(explain)?))
    };
    let wanted = count(with(TokenMixer::Attention, llama))?;
    let without = count(with(mixer, 1))?;
    // Three matrices of `hidden` columns or rows in each block.
    let each = 3 * settings.width * settings.layers;
    let hidden = (wanted + each).saturating_sub(without) as f64 / each as f64;
    if hidden < 0.5 {
        return Err(Error::input(format!(
            "width = {}, but then the token mixers of {} alone have more parameters than a Transformer",
            settings.width,
            mixer.name()
        )));
    }
    Ok(with(mixer, hidden.round() as usize))
}

#[cfg(test)]
mod tests {
    use super::super::GlaStudy;
    use super::*;
    use offprint_lab::study::{Budget, Study};

    #[test]
    fn every_arm_has_as_many_parameters() {
        for budget in [Budget::Quick, Budget::Full] {
            let settings = GlaStudy.settings(budget);
            let count = |arm: &str| {
                let mixer = mixer(arm, &settings).unwrap();
                let config = config(mixer, &settings, 128, 1024).unwrap();
                parameters(&config.init(&Device::default().autodiff()).unwrap()) as f64
            };
            let transformer = count("transformer");
            // The keys of the wide arm alone take more than the rest can make up for.
            for arm in GlaStudy.arms().iter().filter(|arm| arm.name != "gla-wide") {
                let ratio = count(arm.name) / transformer;
                assert!((ratio - 1.0).abs() < 0.03, "{}: {ratio}", arm.name);
            }
        }
    }
}
