//! DeepONet: a branch network for the input function, a trunk network for the query point, an inner product of the two.

mod config;
mod networks;

pub use config::DeepONetConfig;
pub use networks::{Branch, Dense, StackedDense, glorot_normal};

use crate::error::{OperatorsError, Result};
use burn::module::{Module, Param};
use burn::tensor::Tensor;
use offprint_kernels::{Activation, inner, matmul};

/// `G(u)(y) ≈ Σ_k b_k(u(x_1), …, u(x_m)) t_k(y) + b_0`.
///
/// The branch network ends with a linear layer, the trunk network with the activation, as the authors have it. The
/// sensors `x_1 … x_m` are the same for every function; the network itself sees only the values there.
///
/// Source: Lu, Jin, Pang, Zhang and Karniadakis, arXiv:1910.03193 (Nature Machine Intelligence 3, 2021), equation 2 and
/// figure 1: stacked (C) and unstacked (D).
///
/// ```
/// use burn::tensor::{Device, Distribution, Tensor};
/// use offprint_operators::DeepONetConfig;
/// # fn main() -> Result<(), offprint_operators::OperatorsError> {
/// let device = Device::flex();
/// let net = DeepONetConfig::new(100, 1).init(&device)?; // 100 sensors, points on a line
/// let u = Tensor::random([8, 100], Distribution::Default, &device);
/// let y = Tensor::random([8, 1], Distribution::Default, &device);
/// assert_eq!(net.forward(u.clone(), y)?.dims(), [8]); // function i at point i
/// let grid = Tensor::random([50, 1], Distribution::Default, &device);
/// assert_eq!(net.forward_cartesian(u, grid)?.dims(), [8, 50]); // every function at every point
/// # Ok(())
/// # }
/// ```
#[derive(Module, Debug)]
pub struct DeepONet {
    /// From `m` sensor values to `p` numbers.
    pub branch: Branch,
    /// From `d` coordinates to `p` numbers, layer by layer.
    pub trunk: Vec<Dense>,
    /// `b_0`, `[1]`.
    pub bias: Option<Param<Tensor<1>>>,
    /// `f`.
    #[module(skip)]
    pub activation: Activation,
}

impl DeepONet {
    /// Each function at its own point.
    ///
    /// # Shapes
    /// * `u`: `[n, m]`, the values at the sensors
    /// * `y`: `[n, d]`
    /// * result: `[n]`
    ///
    /// # Errors
    /// If `u` or `y` have another width than the network reads, or another number of rows than each other.
    pub fn forward(&self, u: Tensor<2>, y: Tensor<2>) -> Result<Tensor<1>> {
        let (functions, points) = (u.dims()[0], y.dims()[0]);
        if functions != points {
            return Err(OperatorsError::Pairs { functions, points });
        }
        let (b, t) = (self.encode_functions(u)?, self.encode_points(y)?);
        let s = inner(b, t);
        Ok(match &self.bias {
            Some(bias) => s + bias.val(),
            None => s,
        })
    }

    /// Every function at every point: one product `[n, p] × [p, q]` instead of `n q` evaluations.
    ///
    /// # Shapes
    /// * `u`: `[n, m]`
    /// * `y`: `[q, d]`
    /// * result: `[n, q]`
    ///
    /// # Errors
    /// If `u` or `y` have another width than the network reads.
    pub fn forward_cartesian(&self, u: Tensor<2>, y: Tensor<2>) -> Result<Tensor<2>> {
        let (functions, points) = (u.dims()[0], y.dims()[0]);
        let (mut b, mut t) = (self.encode_functions(u)?, self.encode_points(y)?);
        if let Some(bias) = &self.bias {
            // One more term of the sum, 1 · b_0: the product is by far the largest tensor, and adding to it is no less work
            // than the product.
            let ones = Tensor::ones([functions, 1], &b.device());
            b = Tensor::cat(vec![b, ones], 1);
            t = Tensor::cat(vec![t, bias.val().reshape([1, 1]).expand([points, 1])], 1);
        }
        Ok(matmul(b, t.transpose()))
    }

    /// Each function at points of its own, as many for each: the branch network is evaluated once a function.
    ///
    /// # Shapes
    /// * `u`: `[n, m]`
    /// * `y`: `[n, q, d]`
    /// * result: `[n, q]`
    ///
    /// # Errors
    /// As [`DeepONet::forward`].
    pub fn forward_each(&self, u: Tensor<2>, y: Tensor<3>) -> Result<Tensor<2>> {
        let ([functions, _], [points, each, query]) = (u.dims(), y.dims());
        if functions != points {
            return Err(OperatorsError::Pairs { functions, points });
        }
        let b: Tensor<3> = self.encode_functions(u)?.unsqueeze_dim(2);
        let t = self.encode_points(y.reshape([points * each, query]))?;
        let width = t.dims()[1];
        let s: Tensor<2> = matmul(t.reshape([points, each, width]), b).squeeze_dim(2);
        Ok(match &self.bias {
            Some(bias) => s + bias.val().unsqueeze(),
            None => s,
        })
    }

    /// The branch network alone: `b_k(u)`, `[n, p]`.
    ///
    /// # Errors
    /// If `u` is not `[n, m]`.
    pub fn encode_functions(&self, u: Tensor<2>) -> Result<Tensor<2>> {
        let (actual, expected) = (u.dims()[1], self.branch.input());
        if actual != expected {
            return Err(OperatorsError::Sensors { actual, expected });
        }
        Ok(self.branch.forward(u, self.activation))
    }

    /// The trunk network alone: `t_k(y)`, `[q, p]`.
    ///
    /// # Errors
    /// If `y` is not `[q, d]`.
    pub fn encode_points(&self, y: Tensor<2>) -> Result<Tensor<2>> {
        let (actual, expected) = (y.dims()[1], self.trunk[0].weight.dims()[0]);
        if actual != expected {
            return Err(OperatorsError::Query { actual, expected });
        }
        let layers = self.trunk.iter();
        Ok(layers.fold(y, |t, layer| layer.forward(t, self.activation)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::{Device, Distribution};

    fn device() -> Device {
        let device = Device::flex().autodiff();
        device.seed(1);
        device
    }

    fn normal(shape: [usize; 2], device: &Device) -> Tensor<2> {
        Tensor::random(shape, Distribution::Normal(0.0, 1.0), device)
    }

    fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
        tensor.into_data().iter::<f32>().collect()
    }

    fn configs() -> Vec<DeepONetConfig> {
        let mut all = Vec::new();
        for stacked in [false, true] {
            for bias in [false, true] {
                for hidden in [vec![], vec![5], vec![5, 4]] {
                    all.push(DeepONetConfig {
                        width: 3,
                        branch: hidden.clone(),
                        trunk: hidden,
                        stacked,
                        bias,
                        activation: Activation::Tanh,
                        ..DeepONetConfig::new(6, 2)
                    });
                }
            }
        }
        all
    }

    /// `forward` is the diagonal of `forward_cartesian`, and nothing depends on what else is in the batch.
    #[test]
    fn all_forms_agree() {
        let device = device();
        for config in configs() {
            let net = config.init(&device).unwrap();
            let (u, y) = (normal([4, 6], &device), normal([4, 2], &device));
            let paired = values(net.forward(u.clone(), y.clone()).unwrap());
            let each = net.forward_each(u.clone(), y.clone().reshape([4, 1, 2]));
            for (a, b) in values(each.unwrap()).iter().zip(&paired) {
                assert!((a - b).abs() < 1e-5, "{config:?}");
            }
            let all = values(net.forward_cartesian(u.clone(), y.clone()).unwrap());
            for i in 0..4 {
                assert!((paired[i] - all[i * 4 + i]).abs() < 1e-5, "{config:?}");
                let alone = net.forward(u.clone().narrow(0, i, 1), y.clone().narrow(0, i, 1));
                assert!((values(alone.unwrap())[0] - paired[i]).abs() < 1e-5);
            }
        }
    }

    /// A stacked branch is `width` networks of one output: the block-diagonal special case of an unstacked one.
    #[test]
    fn stacked_is_block_diagonal_unstacked() {
        let device = device();
        let stacked = DeepONetConfig {
            width: 3,
            branch: vec![4],
            stacked: true,
            ..DeepONetConfig::new(6, 1)
        };
        let mut net = stacked.init(&device).unwrap();
        let Branch::Stacked(layers) = &net.branch else {
            panic!("it is stacked")
        };
        // [p, m, h] → [m, p h], and [p, h, 1] → a [p h, p] block diagonal.
        let first = layers[0].weight.val().swap_dims(0, 1).reshape([6, 12]);
        let last = values(layers[1].weight.val());
        let mut block = vec![0.0; 12 * 3];
        for k in 0..3 {
            for j in 0..4 {
                block[(k * 4 + j) * 3 + k] = last[k * 4 + j];
            }
        }
        let block = burn::tensor::TensorData::new(block, [12, 3]);
        let wide = vec![
            Dense {
                weight: Param::from_tensor(first.detach()),
                bias: Param::from_tensor(layers[0].bias.val().reshape([12]).detach()),
            },
            Dense {
                weight: Param::from_tensor(Tensor::from_data(block, &device)),
                bias: Param::from_tensor(layers[1].bias.val().reshape([3]).detach()),
            },
        ];
        let (u, y) = (normal([5, 6], &device), normal([5, 1], &device));
        let before = values(net.forward(u.clone(), y.clone()).unwrap());
        net.branch = Branch::Dense(wide);
        let after = values(net.forward(u, y).unwrap());
        for (a, b) in before.iter().zip(&after) {
            assert!((a - b).abs() < 1e-5, "{a} {b}");
        }
    }

    /// Gradients of every parameter against central differences.
    #[test]
    fn gradients_equal_differences() {
        let device = device();
        for config in configs() {
            let net = config.init(&device).unwrap();
            let (u, y) = (normal([3, 6], &device), normal([3, 2], &device));
            let loss = |net: &DeepONet| net.forward(u.clone(), y.clone()).unwrap().square().sum();
            let grads = loss(&net).backward();
            let first = net.trunk[0].weight.val();
            let slope = values(first.grad(&grads).unwrap());
            for index in 0..slope.len() {
                let moved = |by: f32| {
                    let mut net = net.clone();
                    let mut w = values(first.clone());
                    w[index] += by;
                    let w = burn::tensor::TensorData::new(w, first.dims());
                    net.trunk[0].weight = Param::from_tensor(Tensor::from_data(w, &device));
                    values(loss(&net))[0]
                };
                let by = 1e-2;
                let difference = (moved(by) - moved(-by)) / (2.0 * by);
                let scale = 1.0 + slope[index].abs();
                assert!(
                    (difference - slope[index]).abs() < 2e-2 * scale,
                    "{config:?}: {difference} {}",
                    slope[index]
                );
            }
        }
    }

    #[test]
    fn widths_that_do_not_fit_are_both_said() {
        let device = device();
        let net = DeepONetConfig::new(6, 2).init(&device).unwrap();
        let say = |u: [usize; 2], y: [usize; 2]| {
            let answer = net.forward(normal(u, &device), normal(y, &device));
            answer.unwrap_err().to_string()
        };
        assert_eq!(
            say([2, 5], [2, 2]),
            "u has 5 values a function, but the network reads 6 sensors"
        );
        assert_eq!(
            say([2, 6], [2, 3]),
            "y has 3 coordinates a point, but the network reads 2"
        );
        assert!(say([2, 6], [3, 2]).starts_with("2 functions meet 3 points, but"));
    }
}
