//! The model of every arm: shared experts, a gate and a head a task, and a local search where the arm has one.

use super::task::Target;
use burn::{
    module::Module,
    nn::{Dropout, DropoutConfig, Embedding, EmbeddingConfig},
    tensor::{Device, Distribution, Int, Tensor, TensorData},
};
use offprint_experts::{
    AnyGate, CnnExperts, CnnExpertsConfig, CometGateConfig, DSelectKConfig, ExpertLayer,
    GateConfig, GateInput, HashGateConfig, LocalSearch, LocalSearchConfig, MlpConfig, MlpExperts,
    MlpExpertsConfig, MultiGate, MultiGateOutput, Pairs, Permutation, Result, SoftmaxGateConfig,
    TopKConfig,
};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Which gate, with or without local search.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GateKind {
    Softmax,
    Hash,
    Topk,
    DselectK,
    Comet,
}

/// Everything a model is built from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelConfig {
    pub gate: GateKind,
    pub experts: usize,
    pub k: usize,
    pub gamma: f64,
    pub entropy_reg: f64,
    pub zeta: f64,
    pub noisy: bool,
    /// Local search: steps, noise, penalty, number of permutations.
    pub search: Option<SearchConfig>,
    /// Number of ids that a hash gate knows.
    pub ids: usize,
    /// Seed of a hash gate's table.
    pub hash_seed: u64,
    /// Number of users and items, and the width of their embeddings; features come in directly where absent.
    pub embedding: Option<[usize; 3]>,
    /// Number of features that gates and experts read.
    pub input: usize,
    pub body: ExpertBody,
    /// Dropout after the experts.
    pub dropout: f64,
    /// Widths of each task's head, the outputs last.
    pub heads: Vec<Vec<usize>>,
}

/// A local search.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SearchConfig {
    pub steps: usize,
    pub noise: f64,
    pub entropy_reg: f64,
    pub permutations: usize,
}

/// What an expert is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ExpertBody {
    /// Dense layers of these widths.
    Mlp(Vec<usize>),
    /// The paper's convolutional expert on pictures of this height and width.
    Cnn([usize; 2]),
}

/// Experts of either kind, with dropout.
#[derive(Module, Debug)]
pub struct Experts {
    body: Body,
    dropout: Dropout,
}

#[derive(Module, Debug)]
enum Body {
    Mlp(MlpExperts),
    Cnn(CnnExperts),
}

impl ExpertLayer for Experts {
    fn experts(&self) -> usize {
        match &self.body {
            Body::Mlp(experts) => experts.experts(),
            Body::Cnn(experts) => experts.experts(),
        }
    }

    fn input(&self) -> Option<usize> {
        match &self.body {
            Body::Mlp(experts) => experts.input(),
            Body::Cnn(experts) => experts.input(),
        }
    }

    fn evaluate(&self, x: Tensor<2>, pairs: &Arc<Pairs>) -> Result<Tensor<2>> {
        let y = match &self.body {
            Body::Mlp(experts) => experts.evaluate(x, pairs)?,
            Body::Cnn(experts) => experts.evaluate(x, pairs)?,
        };
        Ok(self.dropout.forward(y))
    }
}

/// The model of an arm.
#[derive(Module, Debug)]
pub struct Model {
    users: Option<Embedding>,
    items: Option<Embedding>,
    mixture: MultiGate<AnyGate, Experts>,
    search: Option<LocalSearch>,
    noisy: bool,
}

/// Rows as a model reads them.
#[derive(Clone, Debug)]
pub struct Rows {
    /// `[rows, input]`; absent where the model embeds users and items.
    features: Option<Tensor<2>>,
    /// The id of each row, which a hash gate routes by; the user where users and items are embedded.
    ids: Vec<usize>,
    /// The item of each row.
    items: Vec<usize>,
}

impl Rows {
    /// Rows of features, with the id of each; no gate but hash looks at the ids.
    pub fn features(features: Tensor<2>, ids: Vec<usize>) -> Self {
        Self {
            features: Some(features),
            ids,
            items: Vec::new(),
        }
    }

    /// Rows of users and items.
    pub fn pairs(users: Vec<usize>, items: Vec<usize>) -> Self {
        Self {
            features: None,
            ids: users,
            items,
        }
    }

    /// The rows outside the graph.
    pub fn without_gradients(self) -> Self {
        Self {
            features: self.features.map(Tensor::inner),
            ..self
        }
    }
}

/// Largest width of a layer and number of ids that a configuration from a file may ask for.
const MOST: usize = 1 << 20;

impl ModelConfig {
    /// Checks sizes that a file may hold and no memory has.
    ///
    /// # Errors
    /// Names the size.
    pub fn check(&self) -> std::result::Result<(), String> {
        let mut sizes = vec![self.experts, self.k, self.ids, self.input];
        sizes.extend(self.embedding.iter().flatten());
        sizes.extend(self.heads.iter().flatten());
        match &self.body {
            ExpertBody::Mlp(widths) => sizes.extend(widths),
            ExpertBody::Cnn(size) => sizes.extend(size),
        }
        if let Some(size) = sizes.iter().find(|&&size| size > MOST) {
            return Err(format!("a size is {size}, but at most {MOST} is allowed"));
        }
        if self.experts > 256 {
            return Err(format!(
                "experts = {}, but at most 256 is allowed",
                self.experts
            ));
        }
        if !(0.0..1.0).contains(&self.dropout) {
            return Err(format!(
                "dropout = {}, but 0 to below 1 is allowed",
                self.dropout
            ));
        }
        Ok(())
    }

    /// A model with initial parameters; those of the experts and heads come first, so that arms with one seed share
    /// them.
    ///
    /// # Errors
    /// A value that the experts, gates or search refuse.
    pub fn init(&self, device: &Device) -> Result<Model> {
        let (n, k) = (self.experts, self.k);
        let (body, width) = match &self.body {
            ExpertBody::Mlp(widths) => {
                let experts = MlpExpertsConfig::new(n, self.input, widths.clone()).init(device)?;
                (Body::Mlp(experts), widths.last().copied())
            }
            ExpertBody::Cnn([height, width]) => {
                let config = CnnExpertsConfig::new(n, *height, *width);
                (
                    Body::Cnn(config.init(device)?),
                    config.dense.last().copied(),
                )
            }
        };
        let width = width.expect("experts without layers are refused");
        let heads: Vec<_> = self
            .heads
            .iter()
            .map(|widths| MlpConfig::new(width, widths.clone()).init(device))
            .collect::<Result<_>>()?;
        let embeddings = self.embedding.map(|[users, items, width]| {
            [users, items].map(|count| EmbeddingConfig::new(count, width).init(device))
        });
        let gate = match self.gate {
            GateKind::Softmax => GateConfig::Softmax(SoftmaxGateConfig::new(self.input, n)),
            GateKind::Hash => {
                GateConfig::Hash(HashGateConfig::new(self.ids, n).with_seed(self.hash_seed))
            }
            GateKind::Topk => {
                GateConfig::TopK(TopKConfig::new(self.input, n, k).with_noisy(self.noisy))
            }
            GateKind::DselectK => GateConfig::DSelectK(
                DSelectKConfig::new(self.input, n, k)
                    .with_gamma(self.gamma)
                    .with_entropy_reg(self.entropy_reg)
                    .with_zeta(self.zeta),
            ),
            GateKind::Comet => GateConfig::Comet(
                CometGateConfig::new(self.input, n, k)
                    .with_gamma(self.gamma)
                    .with_entropy_reg(self.entropy_reg),
            ),
        };
        let gates = heads
            .iter()
            .map(|_| gate.init(device))
            .collect::<Result<_>>()?;
        let search = self.search.as_ref().map(|search| {
            LocalSearchConfig::new(n, search.steps)
                .with_noise(search.noise)
                .with_entropy_reg(search.entropy_reg)
                .with_permutations(search.permutations)
                .init(device)
        });
        let dropout = DropoutConfig::new(self.dropout).init();
        let [users, items] = embeddings.map_or([None, None], |both| both.map(Some));
        Ok(Model {
            users,
            items,
            mixture: MultiGate::new(None, Experts { body, dropout }, gates, heads)?,
            search: search.transpose()?,
            noisy: self.noisy && self.gate == GateKind::Topk,
        })
    }
}

impl Model {
    /// Loss of training step `step` (counted from 1), `[1]`: the tasks' losses by their weights and all penalties.
    ///
    /// # Errors
    /// Features that are not finite or do not fit.
    pub fn training_loss(
        &mut self,
        rows: &Rows,
        targets: &[Target],
        weights: &[f64],
        step: usize,
    ) -> Result<(Tensor<1>, MultiGateOutput)> {
        let x = self.features(rows);
        let (batch, n, device) = (x.dims()[0], self.mixture.experts.experts(), x.device());
        let permutation = match &mut self.search {
            Some(search) => {
                let shape = search.log_weights.dims();
                let gumbel = (search.noise > 0.0).then(|| gumbel(shape, &device));
                Some(search.permutation(step, gumbel)?)
            }
            None => None,
        };
        let noise = self
            .noisy
            .then(|| Tensor::random([batch, n], Distribution::Normal(0.0, 1.0), &device));
        let mut routing = routing(rows, permutation.as_ref());
        routing.noise = noise;
        let output = self.mixture.forward(x, &[routing])?;
        let mut loss = output.regularization();
        for ((target, task), &weight) in targets.iter().zip(&output.tasks).zip(weights) {
            loss = loss + target.loss(task.clone()) * weight;
        }
        if let (Some(search), Some(permutation)) = (&self.search, &permutation) {
            loss = loss + search.regularization(permutation);
        }
        Ok((loss, output))
    }

    /// What the model says of rows, with the hard permutation and without noise.
    ///
    /// # Errors
    /// As [`training_loss`](Self::training_loss).
    pub fn predict(&self, rows: &Rows) -> Result<MultiGateOutput> {
        let permutation = self.search.as_ref().map(LocalSearch::hard).transpose()?;
        let routing = routing(rows, permutation.as_ref());
        self.mixture.forward(self.features(rows), &[routing])
    }

    fn features(&self, rows: &Rows) -> Tensor<2> {
        match (&rows.features, &self.users, &self.items) {
            (Some(x), ..) => x.clone(),
            (None, Some(users), Some(items)) => {
                Tensor::cat(vec![embed(users, &rows.ids), embed(items, &rows.items)], 1)
            }
            _ => unreachable!("a model for users and items has embeddings"),
        }
    }
}

fn embed(embedding: &Embedding, ids: &[usize]) -> Tensor<2> {
    let device = embedding.weight.device();
    let numbers: Vec<i64> = ids.iter().map(|&id| id as i64).collect();
    let numbers = Tensor::<2, Int>::from_data(TensorData::new(numbers, [1, ids.len()]), &device);
    embedding.forward(numbers).squeeze_dim(0)
}

fn routing<'a>(rows: &'a Rows, permutation: Option<&'a Permutation>) -> GateInput<'a> {
    GateInput {
        permutation,
        ..GateInput::by_id(&rows.ids)
    }
}

/// A standard Gumbel draw, `−ln(−ln u)`.
fn gumbel(shape: [usize; 3], device: &Device) -> Tensor<3> {
    let uniform = Tensor::random(shape, Distribution::Uniform(1e-7, 1.0 - 1e-7), device);
    -(-(uniform.log())).log()
}
