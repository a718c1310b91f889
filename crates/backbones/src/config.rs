//! Any backbone by its kind.

use crate::backbone::Backbone;
use crate::convnet::ConvnetConfig;
use crate::encoder::EncoderConfig;
use crate::encoder_decoder::EncoderDecoderConfig;
use crate::error::Result;
use crate::gnn::GnnConfig;
use crate::gpt::GptConfig;
use crate::lenet::LenetConfig;
use crate::mlp::MlpConfig;
use crate::resnet::ResnetConfig;
use crate::unet::UnetConfig;
use crate::vit::VitConfig;
use burn::tensor::Device;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Map, Value, json};

/// The kinds of backbone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// See [`Mlp`](crate::Mlp).
    Mlp,
    /// See [`Lenet`](crate::Lenet).
    Lenet,
    /// See [`Convnet`](crate::Convnet).
    Convnet,
    /// See [`Resnet`](crate::Resnet).
    Resnet,
    /// See [`Unet`](crate::Unet).
    Unet,
    /// See [`Gnn`](crate::Gnn).
    Gnn,
    /// See [`Vit`](crate::Vit).
    Vit,
    /// See [`Gpt`](crate::Gpt).
    Gpt,
    /// See [`Encoder`](crate::Encoder).
    Encoder,
    /// See [`EncoderDecoder`](crate::EncoderDecoder).
    EncoderDecoder,
}

/// Configuration of any backbone; in TOML a table whose `kind` says which: `kind = "resnet"`.
///
/// ```
/// use offprint_backbones::BackboneConfig;
/// let json = r#"{ "kind": "resnet", "depth": 32, "channels": 3, "classes": 10, "norm": "layer" }"#;
/// let config: BackboneConfig = serde_json::from_str(json).unwrap();
/// assert_eq!(config.kind().name(), "resnet");
/// config.validate().unwrap();
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum BackboneConfig {
    /// See [`Mlp`](crate::Mlp).
    Mlp(MlpConfig),
    /// See [`Lenet`](crate::Lenet).
    Lenet(LenetConfig),
    /// See [`Convnet`](crate::Convnet).
    Convnet(ConvnetConfig),
    /// See [`Resnet`](crate::Resnet).
    Resnet(ResnetConfig),
    /// See [`Unet`](crate::Unet).
    Unet(UnetConfig),
    /// See [`Gnn`](crate::Gnn).
    Gnn(GnnConfig),
    /// See [`Vit`](crate::Vit).
    Vit(VitConfig),
    /// See [`Gpt`](crate::Gpt).
    Gpt(GptConfig),
    /// See [`Encoder`](crate::Encoder).
    Encoder(EncoderConfig),
    /// See [`EncoderDecoder`](crate::EncoderDecoder).
    EncoderDecoder(EncoderDecoderConfig),
}

/// Sizes of the rows of a data set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rows {
    /// Pictures.
    Images {
        channels: usize,
        height: usize,
        width: usize,
    },
    /// Numbers.
    Features { width: usize },
    /// Text.
    Tokens { vocabulary: usize, length: usize },
    /// Nodes of one graph.
    Nodes { width: usize },
    /// Graphs.
    Graphs { width: usize },
}

/// What a data set asks of a backbone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Problem {
    /// What it is given.
    pub rows: Rows,
    /// Width of the answer: classes, or 1 for a number.
    pub outputs: usize,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 10] = [
        Self::Mlp,
        Self::Lenet,
        Self::Convnet,
        Self::Resnet,
        Self::Unet,
        Self::Gnn,
        Self::Vit,
        Self::Gpt,
        Self::Encoder,
        Self::EncoderDecoder,
    ];

    /// Its name in TOML.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mlp => "mlp",
            Self::Lenet => "lenet",
            Self::Convnet => "convnet",
            Self::Resnet => "resnet",
            Self::Unet => "unet",
            Self::Gnn => "gnn",
            Self::Gpt => "gpt",
            Self::Vit => "vit",
            Self::Encoder => "encoder",
            Self::EncoderDecoder => "encoder_decoder",
        }
    }

    /// What it takes, in words.
    pub fn takes(self) -> &'static str {
        match self {
            Self::Mlp => "pictures or a table",
            Self::Gnn => "pictures, or a table with data.neighbors or data.edges",
            Self::Gpt | Self::Encoder | Self::EncoderDecoder => "text",
            Self::Lenet | Self::Convnet | Self::Resnet | Self::Unet | Self::Vit => "pictures",
        }
    }

    /// Whether it takes pictures.
    pub fn takes_pictures(self) -> bool {
        !self.takes_text()
    }

    /// Whether it takes text.
    pub fn takes_text(self) -> bool {
        matches!(self, Self::Gpt | Self::Encoder | Self::EncoderDecoder)
    }

    /// The settings of a configuration that a data set decides.
    pub fn sizes(self, problem: &Problem) -> Map<String, Value> {
        let outputs = problem.outputs;
        let sizes: Vec<(&str, Value)> = match (self, problem.rows) {
            (_, Rows::Features { width } | Rows::Nodes { width } | Rows::Graphs { width }) => {
                vec![("input", json!(width)), ("output", json!(outputs))]
            }
            (_, Rows::Tokens { vocabulary, length }) => {
                vec![
                    ("vocabulary", json!(vocabulary)),
                    ("context", json!(length)),
                ]
            }
            (
                kind,
                Rows::Images {
                    channels,
                    height,
                    width,
                },
            ) => match kind {
                Self::Mlp => vec![
                    ("input", json!(channels * height * width)),
                    ("output", json!(outputs)),
                ],
                Self::Resnet => vec![("channels", json!(channels)), ("classes", json!(outputs))],
                _ => vec![
                    ("channels", json!(channels)),
                    ("size", json!([height, width])),
                    ("classes", json!(outputs)),
                ],
            },
        };
        let sizes = sizes.into_iter();
        sizes.map(|(key, value)| (key.to_string(), value)).collect()
    }
}

impl BackboneConfig {
    /// From a table without its `kind`; an error knows the path of the key at fault.
    ///
    /// # Errors
    /// An unknown or missing key, or a value of another type.
    pub fn from_value(
        kind: Kind,
        value: Value,
    ) -> Result<Self, serde_path_to_error::Error<serde_json::Error>> {
        fn read<T: DeserializeOwned>(
            value: Value,
        ) -> Result<T, serde_path_to_error::Error<serde_json::Error>> {
            serde_path_to_error::deserialize(value)
        }
        Ok(match kind {
            Kind::Mlp => Self::Mlp(read(value)?),
            Kind::Lenet => Self::Lenet(read(value)?),
            Kind::Convnet => Self::Convnet(read(value)?),
            Kind::Resnet => Self::Resnet(read(value)?),
            Kind::Unet => Self::Unet(read(value)?),
            Kind::Gnn => Self::Gnn(read(value)?),
            Kind::Vit => Self::Vit(read(value)?),
            Kind::Gpt => Self::Gpt(read(value)?),
            Kind::Encoder => Self::Encoder(read(value)?),
            Kind::EncoderDecoder => Self::EncoderDecoder(read(value)?),
        })
    }

    /// Its kind.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Mlp(_) => Kind::Mlp,
            Self::Lenet(_) => Kind::Lenet,
            Self::Convnet(_) => Kind::Convnet,
            Self::Resnet(_) => Kind::Resnet,
            Self::Unet(_) => Kind::Unet,
            Self::Gnn(_) => Kind::Gnn,
            Self::Vit(_) => Kind::Vit,
            Self::Gpt(_) => Kind::Gpt,
            Self::Encoder(_) => Kind::Encoder,
            Self::EncoderDecoder(_) => Kind::EncoderDecoder,
        }
    }

    /// Checks every setting before anything is allocated.
    ///
    /// # Errors
    /// Names the setting, its value and what is allowed.
    pub fn validate(&self) -> Result<()> {
        match self {
            Self::Mlp(config) => config.validate(),
            Self::Lenet(config) => config.validate(),
            Self::Convnet(config) => config.validate(),
            Self::Resnet(config) => config.validate(),
            Self::Unet(config) => config.validate(),
            Self::Gnn(config) => config.validate(),
            Self::Vit(config) => config.validate(),
            Self::Gpt(config) => config.validate(),
            Self::Encoder(config) => config.validate(),
            Self::EncoderDecoder(config) => config.validate(),
        }
    }

    /// A backbone with initial parameters, which `device.seed(..)` before it decides.
    ///
    /// # Errors
    /// As [`BackboneConfig::validate`].
    pub fn init(&self, device: &Device) -> Result<Backbone> {
        Ok(match self {
            Self::Mlp(config) => Backbone::Mlp(config.init(device)?),
            Self::Lenet(config) => Backbone::Lenet(config.init(device)?),
            Self::Convnet(config) => Backbone::Convnet(config.init(device)?),
            Self::Resnet(config) => Backbone::Resnet(config.init(device)?),
            Self::Unet(config) => Backbone::Unet(config.init(device)?),
            Self::Gnn(config) => Backbone::Gnn(config.init(device)?),
            Self::Vit(config) => Backbone::Vit(config.init(device)?),
            Self::Gpt(config) => Backbone::Gpt(config.init(device)?),
            Self::Encoder(config) => Backbone::Encoder(config.init(device)?),
            Self::EncoderDecoder(config) => Backbone::EncoderDecoder(config.init(device)?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_survives_its_text() {
        let images = Rows::Images {
            channels: 1,
            height: 16,
            width: 16,
        };
        for kind in Kind::ALL {
            let rows = match kind {
                Kind::Gnn => Rows::Graphs { width: 3 },
                kind if kind.takes_text() => Rows::Tokens {
                    vocabulary: 9,
                    length: 8,
                },
                _ => images,
            };
            let mut sizes = kind.sizes(&Problem { rows, outputs: 4 });
            if kind == Kind::Vit {
                sizes.insert("patch".into(), json!(4));
            }
            if kind == Kind::Vit || kind.takes_text() {
                let blocks = json!({ "layers": 1, "width": 8, "heads": 2 });
                sizes.insert("blocks".into(), blocks);
            }
            let config = BackboneConfig::from_value(kind, Value::Object(sizes)).unwrap();
            assert_eq!(config.kind(), kind);
            config.validate().unwrap();
            let text = serde_json::to_string(&config).unwrap();
            assert!(
                text.contains(&format!("\"kind\":\"{}\"", kind.name())),
                "{text}"
            );
            assert_eq!(
                serde_json::from_str::<BackboneConfig>(&text).unwrap(),
                config
            );
        }
    }

    #[test]
    fn unknown_keys_are_refused_with_their_path() {
        let value = json!({ "input": 3, "output": 2, "hiden": [4] });
        let error = BackboneConfig::from_value(Kind::Mlp, value.clone()).unwrap_err();
        assert_eq!(error.path().to_string(), "hiden");
        let error = BackboneConfig::from_value(Kind::Gnn, json!({ "input": "x" })).unwrap_err();
        assert_eq!(error.path().to_string(), "input");
        let mut tagged = value;
        tagged["kind"] = json!("mlp");
        assert!(serde_json::from_value::<BackboneConfig>(tagged).is_err());
    }
}
