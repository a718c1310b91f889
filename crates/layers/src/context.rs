//! What a forward pass knows besides its input.

/// Whether a pass trains, and the seed of its random draws.
///
/// A layer that draws uses the seed as it is; a layer that holds others gives each a [`branch`](Context::branch) of its
/// own. So a draw depends on the seed of the pass and the layer's place in the network alone, and a run that is resumed
/// at step `t` with `Context::training(seed of step t)` goes on with the numbers of an undisturbed one.
///
/// ```
/// use offprint_layers::Context;
/// let context = Context::training(7);
/// assert_ne!(context.branch(0), context.branch(1));
/// assert_eq!(context.branch(1), Context::training(7).branch(1));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Context {
    /// Whether dropout drops and batch norm takes the statistics of the batch.
    pub training: bool,
    /// Seed of the draws.
    pub seed: u64,
}

impl Context {
    /// A pass that draws nothing.
    pub const EVALUATION: Self = Self {
        training: false,
        seed: 0,
    };

    /// A pass of training; a new seed each step.
    pub const fn training(seed: u64) -> Self {
        Self {
            training: true,
            seed,
        }
    }

    /// The context of a part, with a seed of its own.
    pub const fn branch(self, part: u64) -> Self {
        // The finalizer of SplitMix64 (Steele, Lea and Flood 2014): neighboring seeds and parts give unrelated seeds.
        let mut z = self
            .seed
            .wrapping_add((part.wrapping_add(1)).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        Self {
            seed: z ^ (z >> 31),
            ..self
        }
    }
}
