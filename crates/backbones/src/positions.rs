//! How a sequence knows the order of its tokens, and the embedding of tokens that GPT, encoder and decoder share.

use crate::blocks::BlocksConfig;
use crate::error::{BackbonesError, Result, check_sizes};
use burn::module::Module;
use burn::tensor::{Device, Int, Tensor};
use offprint_kernels::add;
use offprint_layers::{Context, Dropout, Embedding, EmbeddingConfig, Rotary};
use serde::{Deserialize, Serialize};

/// How a sequence knows the order of its tokens.
///
/// In TOML: `positions = "learned"`, or `positions = { rotary = { base = 10000.0 } }`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Positions {
    /// A learned vector for each position, added to the token's.
    #[default]
    Learned,
    /// Queries and keys that turn with the position.
    Rotary(Rotary),
    /// None: causal token mixers can learn order without.
    None,
}

impl Positions {
    /// The rotary positions, for the token mixers.
    pub(crate) fn rotary(self) -> Option<Rotary> {
        match self {
            Self::Rotary(rotary) => Some(rotary),
            _ => None,
        }
    }
}

/// Table of tokens, table of positions, and their dropout.
#[derive(Module, Debug)]
pub struct TokenEmbedding {
    /// `[vocabulary, width]`.
    pub tokens: Embedding,
    /// `[context, width]`, where positions are learned.
    pub positions: Option<Embedding>,
    /// Of the sum.
    pub dropout: Dropout,
    /// Most tokens of a sequence.
    pub context: usize,
}

/// Sizes of a [`TokenEmbedding`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct TokenEmbeddingConfig {
    pub vocabulary: usize,
    pub context: usize,
    pub positions: Positions,
}

impl TokenEmbeddingConfig {
    pub fn validate(&self) -> Result<()> {
        check_sizes([("vocabulary", self.vocabulary), ("context", self.context)])
    }

    pub fn init(&self, blocks: &BlocksConfig, device: &Device) -> Result<TokenEmbedding> {
        self.validate()?;
        let table = |entries| {
            EmbeddingConfig {
                init: blocks.weight_init(),
                ..EmbeddingConfig::new(entries, blocks.width)
            }
            .init(device)
        };
        Ok(TokenEmbedding {
            tokens: table(self.vocabulary)?,
            positions: match self.positions {
                Positions::Learned => Some(table(self.context)?),
                _ => None,
            },
            dropout: blocks.dropout().init()?,
            context: self.context,
        })
    }
}

impl TokenEmbedding {
    /// Number of tokens that it knows.
    pub fn vocabulary(&self) -> usize {
        self.tokens.weight.dims()[0]
    }

    /// The vectors of tokens at the positions `first..first + length`.
    ///
    /// # Shapes
    /// * `tokens`: `[batch, length]`
    /// * result: `[batch, length, width]`
    ///
    /// # Errors
    /// If a position is beyond the context or a token outside the vocabulary.
    pub fn forward(
        &self,
        tokens: Tensor<2, Int>,
        first: usize,
        context: Context,
    ) -> Result<Tensor<3>> {
        let [batch, length] = tokens.dims();
        if first + length > self.context {
            return Err(BackbonesError::Position {
                position: first + length - 1,
                context: self.context,
            });
        }
        let vocabulary = self.vocabulary();
        let known = |token: &i64| usize::try_from(*token).is_ok_and(|token| token < vocabulary);
        if let Some(token) = tokens.to_data().iter::<i64>().find(|token| !known(token)) {
            return Err(BackbonesError::Token { token, vocabulary });
        }
        let mut x = self.tokens.forward(tokens);
        if let Some(positions) = &self.positions {
            let [_, _, width] = x.dims();
            x = add(
                x,
                positions.rows(first, length).expand([batch, length, width]),
            );
        }
        Ok(self.dropout.forward(x, context))
    }
}
