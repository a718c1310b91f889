//! The model of every arm: one ViT with another channel mixer, and as many parameters.

use super::{sets::Pictures, settings::KatSettings};
use crate::explain::explain;
use burn::tensor::Device;
use offprint_backbones::{BlocksConfig, ChannelMixer, SplineConfig, VitConfig, parameters};
use offprint_lab::{Error, Result};
use offprint_layers::{
    Activation,
    kan::{GroupRationalOptions, WeightStart},
};

/// What an arm is.
#[derive(Clone, Copy, Debug)]
pub struct Form {
    /// The channel mixer of the model that is trained first.
    pub mixer: ChannelMixer,
    /// What its function, or its second one, starts as.
    pub activation: Activation,
    /// Whether the model is trained on after the first training.
    pub finetuned: bool,
    /// The functions that take the place of its MLPs before that.
    pub swap: Option<Swap>,
}

/// Functions in place of an MLP's activation.
#[derive(Clone, Copy, Debug)]
pub struct Swap {
    pub options: GroupRationalOptions,
    /// Whether they are fitted where the model's own numbers are, as `offprint use kat convert` does.
    pub measured: bool,
}

/// The form of an arm.
///
/// # Errors
/// There is no such arm.
pub fn form(arm: &str, settings: &KatSettings) -> Result<Form> {
    let options = GroupRationalOptions {
        groups: settings.groups,
        ..GroupRationalOptions::default()
    };
    let kan = |options| Form {
        mixer: ChannelMixer::GrKan(options),
        activation: Activation::Gelu,
        finetuned: false,
        swap: None,
    };
    let mlp = Form {
        mixer: ChannelMixer::Mlp,
        ..kan(options)
    };
    Ok(match arm {
        "mlp" => mlp,
        "b-spline-kan" => Form {
            mixer: ChannelMixer::BSplineKan(SplineConfig::default()),
            ..mlp
        },
        "rational-one" => kan(GroupRationalOptions {
            groups: 1,
            ..options
        }),
        "rational-each" => kan(GroupRationalOptions {
            groups: settings.width,
            ..options
        }),
        "kat" => kan(options),
        "kat-released-init" => kan(GroupRationalOptions {
            weights: WeightStart::Released,
            ..options
        }),
        "kat-relu" => Form {
            activation: Activation::Relu,
            ..kan(options)
        },
        "kat-swish" => Form {
            activation: Activation::Silu,
            ..kan(options)
        },
        "finetune-mlp" => Form {
            finetuned: true,
            ..mlp
        },
        "finetune-kat" | "finetune-kat-wide" => Form {
            finetuned: true,
            swap: Some(Swap {
                options,
                measured: arm == "finetune-kat",
            }),
            ..mlp
        },
        _ => return Err(Error::input(format!("KAT's study has no arm \"{arm}\""))),
    })
}

/// A model whose channel mixers are as wide as makes its parameters those of the MLP transformer.
///
/// # Errors
/// A setting does not suit the mixer.
pub fn config(form: &Form, settings: &KatSettings, pictures: &Pictures) -> Result<VitConfig> {
    let (channels, size) = pictures.size();
    let with = |mixer: ChannelMixer, hidden: usize| {
        let blocks = BlocksConfig {
            channel_mixer: mixer,
            hidden: Some(hidden),
            ..BlocksConfig::new(settings.layers, settings.width, settings.heads)
        };
        let mut vit = VitConfig::new(channels, size, settings.patch, pictures.classes(), blocks);
        vit.blocks.activation = form.activation;
        vit
    };
    let wide = 4 * settings.width;
    let ChannelMixer::BSplineKan(_) = form.mixer else {
        // The functions of a group are too few to count.
        return Ok(with(form.mixer, wide));
    };
    let device = Device::default().autodiff();
    let count = |config: VitConfig| -> Result<usize> {
        Ok(parameters(&config.init(&device).map_err(explain)?))
    };
    let wanted = count(with(ChannelMixer::Mlp, wide))?;
    let (one, two) = (count(with(form.mixer, 1))?, count(with(form.mixer, 2))?);
    let hidden = (1.0 + (wanted as f64 - one as f64) / (two - one) as f64).round();
    Ok(with(form.mixer, hidden.max(1.0) as usize))
}

#[cfg(test)]
mod tests {
    use super::super::KatStudy;
    use super::*;
    use offprint_lab::study::{Budget, Study};

    #[test]
    fn every_arm_has_as_many_parameters() {
        for budget in [Budget::Quick, Budget::Full] {
            let settings = KatStudy.settings(budget);
            let pictures = Pictures::load(&settings, None).unwrap();
            let count = |arm: &str| {
                let form = form(arm, &settings).unwrap();
                let config = config(&form, &settings, &pictures).unwrap();
                parameters(&config.init(&Device::default().autodiff()).unwrap()) as f64
            };
            let mlp = count("mlp");
            for arm in KatStudy.arms() {
                let ratio = count(arm.name) / mlp;
                assert!((ratio - 1.0).abs() < 0.03, "{}: {ratio}", arm.name);
            }
        }
    }
}
