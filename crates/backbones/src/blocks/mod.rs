//! The stack of transformer blocks that GPT, encoder, decoder and ViT share.

mod config;

pub(crate) use config::Surroundings;
pub use config::{Biases, BlocksConfig, NormPlace};

use crate::channel_mixer::{AnyChannelMixer, Mixed, Routing};
use crate::error::{BackbonesError, Result};
use burn::module::Module;
use burn::tensor::Tensor;
use offprint_experts::Permutation;
use offprint_kernels::add;
use offprint_layers::{
    AnyTokenMixer, Attend, Context, CrossAttention, Dropout, Memory, MixerState, Norm,
};

/// A stack of blocks.
#[derive(Module, Debug)]
pub struct Blocks {
    /// The blocks, from the input on.
    pub blocks: Vec<TransformerBlock>,
    /// After the last block, where norms stand before the mixers.
    pub norm: Option<Norm>,
}

/// A token mixer, an attention to a memory if there is one, and a channel mixer, each added to the residual stream.
#[derive(Module, Debug)]
pub struct TransformerBlock {
    /// Norm of the token mixer.
    pub norm1: Norm,
    /// How positions mix.
    pub token_mixer: AnyTokenMixer,
    /// Attention to a memory, in decoders.
    pub cross: Option<Cross>,
    /// Norm of the channel mixer.
    pub norm2: Norm,
    /// How features mix.
    pub channel_mixer: AnyChannelMixer,
    /// Dropout of what each mixer adds.
    pub dropout: Dropout,
    /// Whether norms stand before the mixers rather than after the sum.
    pub norm_before: bool,
}

/// An attention to a memory and its norm.
#[derive(Module, Debug)]
pub struct Cross {
    /// Its norm.
    pub norm: Norm,
    /// The attention.
    pub attention: CrossAttention,
}

/// What a stack is given besides its input.
#[derive(Default)]
pub(crate) struct Given<'a> {
    /// Added to the scores of the token mixers.
    pub bias: Option<&'a Tensor<4>>,
    /// What each block remembers.
    pub states: Option<&'a mut [MixerState]>,
    /// What each block attends to, and what is added to those scores.
    pub memory: Option<(&'a [Memory], Option<&'a Tensor<4>>)>,
    /// The id of each position, for gates that route by a table.
    pub ids: Option<&'a [usize]>,
    /// Permutations of each block's experts; empty for none.
    pub permutations: &'a [Permutation],
    /// Where to note what happens on the way.
    pub seen: Option<&'a mut Seen>,
}

/// What a pass leaves besides its output.
#[derive(Default)]
pub(crate) struct Seen {
    /// The input of the first block, then the output of each.
    pub hidden: Vec<Tensor<3>>,
    /// Pairs of a position and an expert that were computed.
    pub evaluated: usize,
}

impl Blocks {
    /// What the blocks remember before the first position.
    pub(crate) fn states(&self) -> Vec<MixerState> {
        let blocks = self.blocks.iter();
        blocks.map(|block| block.token_mixer.state()).collect()
    }

    /// The output of the last block, normalized, and the sum of the penalties.
    pub(crate) fn forward(
        &self,
        mut x: Tensor<3>,
        given: Given<'_>,
        context: Context,
    ) -> Result<(Tensor<3>, Option<Tensor<1>>)> {
        let Given {
            bias,
            mut states,
            memory,
            ids,
            permutations,
            mut seen,
        } = given;
        if !permutations.is_empty() && permutations.len() != self.blocks.len() {
            return Err(BackbonesError::Shape {
                name: "permutations",
                actual: vec![permutations.len()],
                expected: format!("one for each of {} blocks", self.blocks.len()),
            });
        }
        let mut penalty: Option<Tensor<1>> = None;
        if let Some(seen) = &mut seen {
            seen.hidden.push(x.clone());
        }
        for (index, block) in self.blocks.iter().enumerate() {
            let state = states.as_deref_mut().map(|states| &mut states[index]);
            let memory = memory.map(|(memories, bias)| (&memories[index], bias));
            let attend = Attend {
                bias,
                state,
                context: context.branch(index as u64),
            };
            let routing = Routing {
                ids,
                permutation: permutations.get(index),
            };
            let mixed = block.forward(x, attend, memory, routing)?;
            x = mixed.output;
            if let Some(seen) = &mut seen {
                seen.hidden.push(x.clone());
                seen.evaluated += mixed.evaluated.unwrap_or(0);
            }
            penalty = match (penalty, mixed.penalty) {
                (Some(sum), Some(penalty)) => Some(sum + penalty),
                (sum, penalty) => sum.or(penalty),
            };
        }
        let x = match &self.norm {
            Some(norm) => norm.forward(x, context),
            None => x,
        };
        Ok((x, penalty))
    }
}

impl TransformerBlock {
    fn forward(
        &self,
        x: Tensor<3>,
        attend: Attend<'_, MixerState>,
        memory: Option<(&Memory, Option<&Tensor<4>>)>,
        routing: Routing<'_>,
    ) -> Result<Mixed> {
        let context = attend.context;
        let attend = Attend {
            context: context.branch(0),
            ..attend
        };
        let mut x = self.residual(x, &self.norm1, context.branch(1), |x| {
            Ok(self.token_mixer.forward(x, attend))
        })?;
        if let (Some(cross), Some((memory, bias))) = (&self.cross, memory) {
            x = self.residual(x, &cross.norm, context.branch(2), |x| {
                Ok(cross.attention.forward(x, memory, bias, context.branch(3)))
            })?;
        }
        let (mut penalty, mut evaluated) = (None, None);
        let output = self.residual(x, &self.norm2, context.branch(4), |x| {
            let mixed = self.channel_mixer.routed(x, routing)?;
            (penalty, evaluated) = (mixed.penalty, mixed.evaluated);
            Ok(mixed.output)
        })?;
        Ok(Mixed {
            output,
            penalty,
            evaluated,
        })
    }

    /// `x + dropout(mix(norm(x)))`, or `norm(x + dropout(mix(x)))`.
    fn residual(
        &self,
        x: Tensor<3>,
        norm: &Norm,
        context: Context,
        mix: impl FnOnce(Tensor<3>) -> Result<Tensor<3>>,
    ) -> Result<Tensor<3>> {
        if self.norm_before {
            let y = mix(norm.forward(x.clone(), context))?;
            return Ok(add(x, self.dropout.forward(y, context)));
        }
        let y = mix(x.clone())?;
        let sum = add(x, self.dropout.forward(y, context));
        Ok(norm.forward(sum, context))
    }
}
