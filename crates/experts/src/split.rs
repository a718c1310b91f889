//! Splitting the neurons of a trained feed-forward layer among experts.

use crate::error::{ExpertsError, Result, check_experts, check_shape};
use crate::gate::host;
use burn::tensor::Tensor;

/// Importance of the neurons of a feed-forward layer `f(x W + b) V + c`, added up sample by sample.
///
/// `I_j = Σ over samples of |Σ_i W_ij ∂L/∂W_ij + Σ_o V_jo ∂L/∂V_jo|`: to first order, how much the loss of each sample
/// changes where neuron `j` is taken away. The absolute value is taken a sample, so every sample needs a backward pass of
/// its own; the gradient of a batch's mean would let samples cancel.
///
/// Source: Zuo et al., "MoEBERT: from BERT to Mixture-of-Experts via Importance-Guided Adaptation", NAACL 2022.
///
/// ```
/// use burn::tensor::{Device, Distribution, Tensor};
/// use offprint_experts::NeuronImportance;
/// # fn main() -> Result<(), offprint_experts::ExpertsError> {
/// let device = Device::flex().autodiff();
/// let normal = Distribution::Normal(0.0, 1.0);
/// let up = Tensor::<2>::random([3, 5], normal, &device).require_grad();
/// let down = Tensor::<2>::random([5, 3], normal, &device).require_grad();
/// let mut importance = NeuronImportance::new(5);
/// for _ in 0..4 {
///     let sample = Tensor::<2>::random([7, 3], normal, &device);
///     let hidden = sample.matmul(up.clone()).tanh();
///     let gradients = hidden.matmul(down.clone()).sum().backward();
///     let [up_gradient, down_gradient] = [&up, &down].map(|weight| weight.grad(&gradients).unwrap());
///     importance.add(up.clone(), up_gradient, down.clone(), down_gradient)?;
/// }
/// assert!(importance.values().iter().all(|&value| value > 0.0));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct NeuronImportance {
    values: Vec<f64>,
}

impl NeuronImportance {
    /// Of so many neurons, before any sample.
    pub fn new(neurons: usize) -> Self {
        Self {
            values: vec![0.0; neurons],
        }
    }

    /// Adds one sample.
    ///
    /// # Shapes
    /// * `up` (`W`) and the gradient of the sample's loss with respect to it: `[width, neurons]`
    /// * `down` (`V`) and its gradient: `[neurons, width]`
    ///
    /// # Errors
    /// If a shape is another one; nothing is added then.
    pub fn add(
        &mut self,
        up: Tensor<2>,
        up_gradient: Tensor<2>,
        down: Tensor<2>,
        down_gradient: Tensor<2>,
    ) -> Result<()> {
        let neurons = self.values.len();
        let (in_up, in_down) = ([up.dims()[0], neurons], [neurons, down.dims()[1]]);
        check_shape("up", up.dims(), in_up)?;
        check_shape("up_gradient", up_gradient.dims(), in_up)?;
        check_shape("down", down.dims(), in_down)?;
        check_shape("down_gradient", down_gradient.dims(), in_down)?;
        let up = (up.inner() * up_gradient.inner()).sum_dim(0);
        let down = (down.inner() * down_gradient.inner()).sum_dim(1);
        let change = up.reshape([neurons, 1]) + down;
        for (sum, change) in self.values.iter_mut().zip(host(change)) {
            *sum += f64::from(change.abs());
        }
        Ok(())
    }

    /// `I_j` of each neuron.
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// The neurons from the most important one on, the first of equal ones first.
    ///
    /// # Errors
    /// If an importance is not a number, as after a loss that diverged.
    pub fn ranking(&self) -> Result<Vec<usize>> {
        ranking(&self.values)
    }
}

/// The numbers of the values from the largest one on, the first of equal ones first.
///
/// # Errors
/// If a value is not a number.
pub fn ranking(importance: &[f64]) -> Result<Vec<usize>> {
    if let Some(neuron) = importance.iter().position(|value| value.is_nan()) {
        return Err(ExpertsError::Importance { neuron });
    }
    let mut order: Vec<usize> = (0..importance.len()).collect();
    order.sort_by(|&a, &b| importance[b].total_cmp(&importance[a]));
    Ok(order)
}

/// How the neurons of a trained layer are dealt out to experts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NeuronSplit {
    /// Number of experts `n`.
    pub experts: usize,
    /// How many of the most important neurons every expert gets.
    pub share: usize,
    /// Neurons of an expert: what goes beyond is left out, the least important first. `None` for all that it is dealt.
    pub width: Option<usize>,
}

impl NeuronSplit {
    /// Every neuron goes to an expert.
    pub fn new(experts: usize, share: usize) -> Self {
        Self {
            experts,
            share,
            width: None,
        }
    }

    /// Checks the settings for a layer of so many neurons.
    ///
    /// # Errors
    /// If there are fewer than two experts, more neurons are shared than there are, an expert would be empty, or a width
    /// is 0 or above the number of neurons.
    pub fn validate(&self, neurons: usize) -> Result<()> {
        check_experts(self.experts)?;
        let range = |name, value, low, high| match (low..=high).contains(&value) {
            true => Ok(()),
            false => Err(ExpertsError::Neurons {
                name,
                value,
                low,
                high,
            }),
        };
        range("share", self.share, 0, neurons)?;
        if let Some(width) = self.width {
            range("width", width, 1, neurons)?;
        }
        // Without a shared neuron an expert has only what it is dealt.
        let most = if self.share == 0 { neurons } else { usize::MAX };
        range("experts", self.experts, 2, most)
    }

    /// The neurons of each expert: the `share` first of the ranking, then every `n`-th of the rest, expert `e` beginning
    /// with the rest's neuron `e`. Lengths differ by one where the rest is no multiple of `n`.
    ///
    /// Source: MoEBERT, as above; COMET-BERT splits in the same way.
    ///
    /// ```
    /// use offprint_experts::NeuronSplit;
    /// let ranking = [4, 2, 0, 1, 3, 5, 6];
    /// let neurons = NeuronSplit::new(2, 1).deal(&ranking)?;
    /// assert_eq!(neurons, [[4, 2, 1, 5], [4, 0, 3, 6]]);
    /// # Ok::<(), offprint_experts::ExpertsError>(())
    /// ```
    ///
    /// # Errors
    /// As [`NeuronSplit::validate`], and if the ranking does not name each of its neurons once.
    pub fn deal(&self, ranking: &[usize]) -> Result<Vec<Vec<usize>>> {
        self.validate(ranking.len())?;
        let mut seen = vec![false; ranking.len()];
        for &neuron in ranking {
            if neuron >= seen.len() || std::mem::replace(&mut seen[neuron], true) {
                return Err(ExpertsError::Ranking {
                    neuron,
                    neurons: ranking.len(),
                });
            }
        }
        let (shared, rest) = ranking.split_at(self.share);
        let of = |expert: usize| {
            let dealt = rest.iter().skip(expert).step_by(self.experts);
            let all = shared.iter().chain(dealt).copied();
            all.take(self.width.unwrap_or(usize::MAX)).collect()
        };
        Ok((0..self.experts).map(of).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn equal_values_keep_their_order() {
        assert_eq!(
            ranking(&[1.0, 3.0, 1.0, 3.0, 0.0]).unwrap(),
            [1, 3, 0, 2, 4]
        );
        assert_eq!(
            ranking(&[1.0, f64::NAN]).unwrap_err().to_string(),
            "the importance of neuron 1 is not a number"
        );
    }

    #[test]
    fn a_width_leaves_the_least_important_out() {
        let ranking: Vec<usize> = (0..10).collect();
        let narrow = NeuronSplit {
            width: Some(3),
            ..NeuronSplit::new(2, 2)
        };
        assert_eq!(narrow.deal(&ranking).unwrap(), [[0, 1, 2], [0, 1, 3]]);
    }

    #[test]
    fn everything_shared_makes_experts_alike() {
        let split = NeuronSplit::new(3, 4).deal(&[2, 0, 3, 1]).unwrap();
        assert_eq!(split, vec![vec![2, 0, 3, 1]; 3]);
    }

    #[test]
    fn what_does_not_fit_is_said() {
        let say =
            |split: NeuronSplit, ranking: &[usize]| split.deal(ranking).unwrap_err().to_string();
        assert_eq!(
            say(NeuronSplit::new(1, 0), &[0, 1]),
            "experts = 1, but a gate needs at least 2"
        );
        assert_eq!(
            say(NeuronSplit::new(2, 3), &[0, 1]),
            "share = 3, but it must be 0 to 2"
        );
        assert_eq!(
            say(NeuronSplit::new(3, 0), &[0, 1]),
            "experts = 3, but it must be 2 to 2"
        );
        let wide = NeuronSplit {
            width: Some(3),
            ..NeuronSplit::new(2, 1)
        };
        assert_eq!(say(wide, &[0, 1]), "width = 3, but it must be 1 to 2");
        assert_eq!(
            say(NeuronSplit::new(2, 0), &[0, 0]),
            "the ranking names neuron 0, but it must name each of 0..2 once"
        );
    }

    proptest! {
        #[test]
        fn every_neuron_is_shared_or_dealt_once(
            (importance, share) in proptest::collection::vec(-1.0f64..1.0, 6..40)
                .prop_flat_map(|values| { let n = values.len(); (Just(values), 0..=n) }),
            experts in 2usize..6,
        ) {
            let ranking = ranking(&importance).unwrap();
            let dealt = NeuronSplit::new(experts, share).deal(&ranking).unwrap();
            let mut rest: Vec<usize> = Vec::new();
            for neurons in &dealt {
                prop_assert_eq!(&neurons[..share], &ranking[..share]);
                rest.extend(&neurons[share..]);
            }
            let lengths: Vec<usize> = dealt.iter().map(Vec::len).collect();
            prop_assert!(lengths.iter().max().unwrap() - lengths.iter().min().unwrap() <= 1);
            rest.sort_unstable();
            let mut expected = ranking[share..].to_vec();
            expected.sort_unstable();
            prop_assert_eq!(rest, expected);
        }
    }
}
