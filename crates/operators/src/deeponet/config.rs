//! Configuration of a [`DeepONet`].

use super::DeepONet;
use super::networks::{Branch, Dense, StackedDense};
use crate::error::{Result, check, check_sizes};
use burn::module::Param;
use burn::tensor::{Device, Tensor};
use offprint_kernels::Activation;
use serde::{Deserialize, Serialize};

/// Configuration of a [`DeepONet`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeepONetConfig {
    /// Number `m` of sensors: values of a function.
    pub sensors: usize,
    /// Number `d` of coordinates of a query point.
    pub query: usize,
    /// Number `p` of products that are summed.
    #[serde(default = "forty")]
    pub width: usize,
    /// Widths of the branch network between its input and its output.
    #[serde(default = "one_of_forty")]
    pub branch: Vec<usize>,
    /// Widths of the trunk network between its input and its output.
    #[serde(default = "one_of_forty")]
    pub trunk: Vec<usize>,
    /// `f`: between the layers of both, and after the last of the trunk.
    #[serde(default = "relu")]
    pub activation: Activation,
    /// Whether the branch is `p` networks of one output each instead of one network of `p`.
    #[serde(default)]
    pub stacked: bool,
    /// Whether `b_0` is added. The layers' own biases stay either way.
    #[serde(default = "yes")]
    pub bias: bool,
}

fn forty() -> usize {
    40
}

fn one_of_forty() -> Vec<usize> {
    vec![40]
}

fn relu() -> Activation {
    Activation::Relu
}

fn yes() -> bool {
    true
}

/// Largest size that may be asked for.
const MOST: usize = 1 << 20;

impl DeepONetConfig {
    /// The paper's: unstacked, with bias, `p` = 40, a hidden layer of 40 in both networks, ReLU.
    pub fn new(sensors: usize, query: usize) -> Self {
        Self {
            sensors,
            query,
            width: forty(),
            branch: one_of_forty(),
            trunk: one_of_forty(),
            activation: relu(),
            stacked: false,
            bias: true,
        }
    }

    /// Checks every size.
    ///
    /// # Errors
    /// If a size is 0 or above 2²⁰.
    pub fn validate(&self) -> Result<()> {
        let least = |sizes: &[usize]| sizes.iter().copied().min().unwrap_or(1);
        check_sizes([
            ("sensors", self.sensors),
            ("query", self.query),
            ("width", self.width),
            ("branch", least(&self.branch)),
            ("trunk", least(&self.trunk)),
        ])?;
        let single = [
            ("sensors", self.sensors),
            ("query", self.query),
            ("width", self.width),
        ];
        let branch = self.branch.iter().map(|&size| ("branch", size));
        let trunk = self.trunk.iter().map(|&size| ("trunk", size));
        for (name, size) in single.into_iter().chain(branch).chain(trunk) {
            check(size <= MOST, name, size, format!("at most {MOST}"))?;
        }
        // A single layer may be large, all of them together must still fit a memory.
        let parameters = self.parameters();
        check(
            parameters <= 1 << 31,
            "number of parameters",
            parameters,
            "at most 2^31",
        )
    }

    /// Number of parameters.
    pub fn parameters(&self) -> u64 {
        let count = |sizes: &[usize]| -> u64 {
            let pairs = sizes.windows(2);
            pairs
                .map(|pair| (pair[0] as u64 + 1) * pair[1] as u64)
                .sum()
        };
        let branch = match self.stacked {
            true => self.width as u64 * count(&chain(self.sensors, &self.branch, 1)),
            false => count(&chain(self.sensors, &self.branch, self.width)),
        };
        branch + count(&chain(self.query, &self.trunk, self.width)) + u64::from(self.bias)
    }

    /// A network with initial parameters: weights Glorot normal, biases zero. The trunk is drawn first, so that stacked
    /// and unstacked networks of one seed share it.
    ///
    /// # Errors
    /// As [`DeepONetConfig::validate`].
    pub fn init(&self, device: &Device) -> Result<DeepONet> {
        self.validate()?;
        let trunk = chain(self.query, &self.trunk, self.width);
        let trunk = trunk.windows(2);
        let trunk = trunk
            .map(|pair| Dense::new(pair[0], pair[1], device))
            .collect();
        let branch = match self.stacked {
            true => {
                let sizes = chain(self.sensors, &self.branch, 1);
                let pairs = sizes.windows(2);
                let layer =
                    |pair: &[usize]| StackedDense::new(self.width, pair[0], pair[1], device);
                Branch::Stacked(pairs.map(layer).collect())
            }
            false => {
                let sizes = chain(self.sensors, &self.branch, self.width);
                let pairs = sizes.windows(2);
                Branch::Dense(
                    pairs
                        .map(|pair| Dense::new(pair[0], pair[1], device))
                        .collect(),
                )
            }
        };
        Ok(DeepONet {
            branch,
            trunk,
            bias: self
                .bias
                .then(|| Param::from_tensor(Tensor::zeros([1], device))),
            activation: self.activation,
        })
    }
}

/// All widths of a network.
fn chain(input: usize, hidden: &[usize], output: usize) -> Vec<usize> {
    [&[input][..], hidden, &[output]].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::module::Module;

    #[test]
    fn parameters_are_counted() {
        for stacked in [false, true] {
            for bias in [false, true] {
                let config = DeepONetConfig {
                    stacked,
                    bias,
                    branch: vec![5, 3],
                    trunk: vec![],
                    width: 4,
                    ..DeepONetConfig::new(7, 2)
                };
                let net = config.init(&Device::flex()).unwrap();
                assert_eq!(net.num_params() as u64, config.parameters());
            }
        }
        // 100·40 + 40 + 40·40 + 40 and 1·40 + 40 + 40·40 + 40 and 1, as the paper's [m, 40, 40] and [d, 40, 40].
        assert_eq!(DeepONetConfig::new(100, 1).parameters(), 5680 + 1720 + 1);
    }

    #[test]
    fn settings_out_of_range() {
        let base = DeepONetConfig::new(6, 1);
        for (config, words) in [
            (
                DeepONetConfig::new(0, 1),
                "sensors = 0, but it must be at least 1",
            ),
            (
                DeepONetConfig::new(1, 0),
                "query = 0, but it must be at least 1",
            ),
            (
                DeepONetConfig {
                    width: 0,
                    ..base.clone()
                },
                "width = 0, but it must be at least 1",
            ),
            (
                DeepONetConfig {
                    trunk: vec![4, 0],
                    ..base.clone()
                },
                "trunk = 0, but it must be at least 1",
            ),
            (
                DeepONetConfig {
                    branch: vec![usize::MAX],
                    ..base.clone()
                },
                "branch = 18446744073709551615, but it must be at most 1048576",
            ),
            (
                DeepONetConfig {
                    branch: vec![1 << 20, 1 << 20],
                    ..base
                },
                "number of parameters = ",
            ),
        ] {
            let error = config.validate().unwrap_err().to_string();
            assert!(error.starts_with(words), "{error}");
        }
    }
}
