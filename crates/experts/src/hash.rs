//! Hash routing: a fixed table from ids to experts.

use crate::error::{ExpertsError, Result, check_experts};
use crate::gate::{Gate, GateInput, GateOutput};
use burn::config::Config;
use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Configuration of a [`HashGate`].
#[derive(Config, Debug)]
pub struct HashGateConfig {
    /// Number of ids, for instance of users; ids are `0..ids`.
    pub ids: usize,
    /// Number of experts `n`.
    pub experts: usize,
    /// Seed of the table.
    #[config(default = 0)]
    pub seed: u64,
}

/// Hash gate: weight 1 for the expert that a fixed random table gives to the row's id, 0 for the others.
///
/// With the permutations `R` of a local search, the weights are multiplied by their mean and divided by their sum.
///
/// Source: Roller et al., "Hash Layers For Large Sparse Models", NeurIPS 2021.
///
/// ```
/// use burn::tensor::Device;
/// use offprint_experts::{Gate, GateInput, HashGate};
/// # fn main() -> Result<(), offprint_experts::ExpertsError> {
/// let gate = HashGate::from_table(vec![1, 0, 1], 2, &Device::flex())?;
/// let output = gate.weights(GateInput::by_id(&[2, 1]))?;
/// assert_eq!(output.weights.into_data().try_to_vec::<f32>().unwrap(), [0.0, 1.0, 1.0, 0.0]);
/// # Ok(())
/// # }
/// ```
#[derive(Module, Debug)]
pub struct HashGate {
    /// One-hot rows `[ids, n]`; not trained.
    table: Tensor<2>,
}

impl HashGateConfig {
    /// Checks every setting.
    ///
    /// # Errors
    /// If `experts < 2` or there are no ids.
    pub fn validate(&self) -> Result<()> {
        crate::error::check_sizes([("ids", self.ids)])?;
        check_experts(self.experts)
    }

    /// A gate whose table is drawn with the seed, each expert equally likely for each id.
    ///
    /// # Errors
    /// As [`HashGateConfig::validate`].
    pub fn init(&self, device: &Device) -> Result<HashGate> {
        self.validate()?;
        let mut random = ChaCha8Rng::seed_from_u64(self.seed);
        let table = (0..self.ids)
            .map(|_| random.random_range(0..self.experts))
            .collect();
        HashGate::from_table(table, self.experts, device)
    }
}

impl HashGate {
    /// A gate that sends id `i` to expert `table[i]`.
    ///
    /// # Errors
    /// If `experts < 2` or the table names an expert that does not exist.
    pub fn from_table(table: Vec<usize>, experts: usize, device: &Device) -> Result<Self> {
        check_experts(experts)?;
        let ids = table.len();
        let mut rows = vec![0f32; ids * experts];
        for (id, expert) in table.into_iter().enumerate() {
            if expert >= experts {
                return Err(ExpertsError::UnknownExpert {
                    id,
                    expert,
                    experts,
                });
            }
            rows[id * experts + expert] = 1.0;
        }
        let table = Tensor::from_data(TensorData::new(rows, [ids, experts]), device);
        Ok(Self { table })
    }
}

impl Gate for HashGate {
    fn experts(&self) -> usize {
        self.table.dims()[1]
    }

    /// # Shapes
    /// * `ids`: one a row
    /// * permutation: `[any, n, n]`
    fn route(&self, input: GateInput<'_>) -> Result<GateOutput> {
        let (gate, missing) = ("hash", "the id of each row");
        let ids = input.ids.ok_or(ExpertsError::Missing {
            gate,
            input: missing,
        })?;
        let known = self.table.dims()[0];
        if let Some(id) = ids.iter().copied().find(|id| *id >= known) {
            return Err(ExpertsError::UnknownId { id, ids: known });
        }
        let rows: Vec<i64> = ids.iter().map(|id| *id as i64).collect();
        let rows = TensorData::new(rows, [ids.len()]);
        let weights = self
            .table
            .clone()
            .select(0, Tensor::from_data(rows, &self.table.device()));
        Ok(GateOutput::plain(match input.permutation {
            Some(permutation) => permutation.renormalized(weights)?,
            None => weights,
        }))
    }
}
