//! Generation of text, a token at a time.

use super::{Gpt, GptState, Sampling};
use crate::error::{BackbonesError, Result};
use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

/// How text is generated.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GenerateConfig {
    /// Most tokens to generate.
    pub tokens: usize,
    /// How each is chosen.
    #[serde(default)]
    pub sampling: Sampling,
    /// Seed of the draws.
    #[serde(default)]
    pub seed: u64,
    /// A token after which nothing follows.
    #[serde(default)]
    pub stop: Option<usize>,
}

/// Tokens that continue a prompt, computed as they are asked for.
///
/// ```
/// use burn::tensor::Device;
/// use offprint_backbones::{GenerateConfig, GptConfig, Sampling};
/// # fn main() -> Result<(), offprint_backbones::BackbonesError> {
/// let gpt = GptConfig::gpt2(256, 32, 1, 16, 2).init(&Device::flex())?;
/// let config = GenerateConfig { sampling: Sampling::GREEDY, ..GenerateConfig::new(8) };
/// let text = gpt.generate(b"a prompt".map(usize::from), &config)?.collect::<Result<Vec<_>, _>>()?;
/// assert_eq!(text.len(), 8);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Generation {
    gpt: Gpt,
    state: GptState,
    rng: ChaCha8Rng,
    config: GenerateConfig,
    device: Device,
    /// Tokens that the model has not read yet.
    unread: Vec<usize>,
    /// How many are still to be generated.
    left: usize,
}

impl GenerateConfig {
    /// That many tokens from the model's own distribution.
    pub fn new(tokens: usize) -> Self {
        Self {
            tokens,
            sampling: Sampling::default(),
            seed: 0,
            stop: None,
        }
    }
}

impl Gpt {
    /// Continues a prompt, with a cache: the prompt is read once, then each token.
    ///
    /// # Errors
    /// If the prompt is empty or has a token outside the vocabulary, prompt and tokens together are beyond the context, or
    /// a setting is out of range.
    pub fn generate(
        &self,
        prompt: impl Into<Vec<usize>>,
        config: &GenerateConfig,
    ) -> Result<Generation> {
        self.generate_from(self.state(), prompt, config)
    }

    /// [`Gpt::generate`] of a prompt that follows what is in a state.
    ///
    /// # Errors
    /// As [`Gpt::generate`], the positions of the state counted too.
    ///
    /// # Panics
    /// If it is the state of another model.
    pub fn generate_from(
        &self,
        state: GptState,
        prompt: impl Into<Vec<usize>>,
        config: &GenerateConfig,
    ) -> Result<Generation> {
        config.sampling.validate()?;
        let prompt = prompt.into();
        crate::error::check_sizes([("number of tokens of the prompt", prompt.len())])?;
        let vocabulary = self.embedding.vocabulary();
        if let Some(token) = prompt.iter().find(|token| **token >= vocabulary) {
            return Err(BackbonesError::Token {
                token: i64::try_from(*token).unwrap_or(i64::MAX),
                vocabulary,
            });
        }
        // The last token is not read.
        let read = state.position().saturating_add(prompt.len() - 1);
        let positions = read.saturating_add(config.tokens);
        if positions > self.embedding.context {
            return Err(BackbonesError::Position {
                position: positions - 1,
                context: self.embedding.context,
            });
        }
        // No history of operations is kept for gradients.
        let gpt = self.valid();
        Ok(Generation {
            state,
            device: gpt.embedding.tokens.weight.val().device(),
            gpt,
            rng: ChaCha8Rng::seed_from_u64(config.seed),
            config: *config,
            unread: prompt,
            left: config.tokens,
        })
    }
}

impl Generation {
    fn token(&mut self) -> Result<usize> {
        let tokens: Vec<i64> = self.unread.drain(..).map(|token| token as i64).collect();
        let shape = [1, tokens.len()];
        let tokens = Tensor::from_data(TensorData::new(tokens, shape), &self.device);
        let logits = self.gpt.next(tokens, &mut self.state)?;
        let logits: Vec<f32> = logits.into_data().iter::<f32>().collect();
        let token = self.config.sampling.choose(&logits, &mut self.rng);
        self.unread.push(token);
        Ok(token)
    }
}

impl Iterator for Generation {
    type Item = Result<usize>;

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let token = self.token();
        let ends = |token: &usize| Some(*token) == self.config.stop;
        if token.as_ref().map_or(true, ends) {
            self.left = 0;
        }
        Some(token)
    }
}
