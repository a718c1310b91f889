//! How a state forgets.

use burn::tensor::Tensor;

/// The logarithm of the factor by which a state shrinks at each position; at most 0.
#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "one a call, moved once")]
pub enum Decay {
    /// It does not: ungated linear attention.
    None,
    /// One number for each head, always the same: retention.
    Heads(Vec<f32>),
    /// For each position and key channel, `[batch, length, heads, keys]`: gated linear attention.
    Channels(Tensor<4>),
}

/// A log decay above 0 or one that is not a number: the state would grow without bound.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DecayError(f32);

impl std::fmt::Display for DecayError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "log decay = {}, but it must be at most 0", self.0)
    }
}

impl std::error::Error for DecayError {}

impl Decay {
    /// A given log decay, every number of it checked; [`Decay::Channels`] takes it unchecked.
    ///
    /// # Errors
    /// If a number is above 0 or not a number.
    ///
    /// ```
    /// use burn::tensor::{Device, Tensor};
    /// use offprint_kernels::gated_recurrence::Decay;
    /// let grows = Tensor::<4>::full([1, 1, 1, 1], 0.5, &Device::flex());
    /// assert_eq!(Decay::channels(grows).unwrap_err().to_string(), "log decay = 0.5, but it must be at most 0");
    /// ```
    pub fn channels(decay: Tensor<4>) -> Result<Self, DecayError> {
        let values = decay.to_data();
        match values.iter::<f32>().find(|x| x.is_nan() || *x > 0.0) {
            Some(bad) => Err(DecayError(bad)),
            None => Ok(Self::Channels(decay)),
        }
    }

    /// Retention's decays `γ_h = 1 − 2^{−5−h}`.
    ///
    /// Source: Sun et al., "Retentive Network: A Successor to Transformer for Large Language Models", 2023, equation 8.
    pub fn retention(heads: usize) -> Self {
        let log = |head: usize| (-(-5.0 - head as f64).exp2()).ln_1p() as f32;
        Self::Heads((0..heads).map(log).collect())
    }
}

/// Log decays of the heads that are the same at all positions.
#[derive(Clone, Debug)]
pub(super) struct Fixed(Vec<f32>);

impl Fixed {
    pub fn new(decays: Vec<f32>) -> Self {
        Self(decays)
    }

    pub fn none(heads: usize) -> Self {
        Self(vec![0.0; heads])
    }

    pub fn head(&self, head: usize) -> f32 {
        self.0[head]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decays_of_retention() {
        let Decay::Heads(decays) = Decay::retention(2) else {
            unreachable!()
        };
        assert_eq!(
            decays,
            [(31.0_f64 / 32.0).ln() as f32, (63.0_f64 / 64.0).ln() as f32]
        );
    }

    #[test]
    fn what_grows_or_is_no_number_is_refused() {
        let decay =
            |x: f32| Tensor::<1>::from_data([-1.0, x], &Default::default()).reshape([1, 2, 1, 1]);
        assert!(Decay::channels(decay(0.0)).is_ok());
        assert!(Decay::channels(decay(-1e9)).is_ok());
        let message = |x| Decay::channels(decay(x)).unwrap_err().to_string();
        assert_eq!(message(1e-3), "log decay = 0.001, but it must be at most 0");
        assert_eq!(
            message(f32::NAN),
            "log decay = NaN, but it must be at most 0"
        );
    }
}
