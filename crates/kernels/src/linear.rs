//! Linear layer with its activation: `y = f(x W + b)`.

use crate::activation::{Activation, activate};
use crate::op::{Array, Kernel, Pass, binary, runs_on, ternary};
use crate::product::{Matrix, product};
use burn::tensor::{DType, Tensor};

/// `y = f(x W + b)` with an activation `f`.
///
/// # Shapes
/// * `x`: `[…, input]`
/// * `weight`: `[input, output]`, as in Burn's `Linear`
/// * `bias`: `[output]`
/// * result: `[…, output]`
///
/// # Panics
/// If the shapes do not fit together.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use offprint_kernels::{Activation, linear};
/// let device = Device::flex();
/// let x = Tensor::<2>::from_data([[1.0, 2.0]], &device);
/// let weight = Tensor::<2>::from_data([[1.0, -1.0], [1.0, -1.0]], &device);
/// let y = linear(x, weight, None, Activation::Relu);
/// assert_eq!(y.into_data().try_to_vec::<f32>().unwrap(), [3.0, 0.0]);
/// ```
pub fn linear<const D: usize>(
    x: Tensor<D>,
    weight: Tensor<2>,
    bias: Option<Tensor<1>>,
    activation: Activation,
) -> Tensor<D> {
    let [input, output] = weight.dims();
    let mut shape = x.dims();
    assert_eq!(
        shape[D - 1],
        input,
        "linear layer of weight {:?} for {shape:?}",
        weight.dims()
    );
    if let Some(bias) = &bias {
        assert_eq!(
            bias.dims(),
            [output],
            "bias of a linear layer of weight {:?}",
            weight.dims()
        );
    }
    if !runs_on(&x, &[DType::F32]) {
        return composed(x, weight, bias, activation);
    }
    shape[D - 1] = output;
    let relu = activation == Activation::Relu;
    let rows = shape[..D - 1].iter().product();
    let x = x.reshape([rows, input]);
    let kernel = Linear {
        rows,
        input,
        output,
        relu,
    };
    let y: Tensor<2> = match bias {
        Some(bias) => ternary(kernel, x, weight, bias),
        None => binary(kernel, x, weight),
    };
    let y = y.reshape(shape);
    if relu { y } else { activate(y, activation) }
}

/// The same from Burn's primitives.
fn composed<const D: usize>(
    x: Tensor<D>,
    weight: Tensor<2>,
    bias: Option<Tensor<1>>,
    activation: Activation,
) -> Tensor<D> {
    let mut y = x.matmul(weight.unsqueeze());
    if let Some(bias) = bias {
        y = y + bias.unsqueeze();
    }
    crate::activation::composed(y, activation)
}

#[derive(Debug)]
struct Linear {
    rows: usize,
    input: usize,
    output: usize,
    relu: bool,
}

impl Kernel for Linear {
    fn forward(&self, inputs: &[Array], _: bool) -> (Array, Vec<Array>) {
        let mut y = match inputs.get(2) {
            Some(bias) => bias.f32().repeat(self.rows),
            None => vec![0.0; self.rows * self.output],
        };
        let x = Matrix::new(inputs[0].f32(), self.rows, self.input);
        let weight = Matrix::new(inputs[1].f32(), self.input, self.output);
        product(x, weight, &mut y, inputs.len() == 3);
        if self.relu {
            rectify(&mut y);
        }
        (Array::new(y, [self.rows, self.output]), vec![])
    }

    fn backward(&self, pass: Pass<'_>) -> Vec<Option<Array>> {
        let masked;
        let dy = if self.relu {
            masked = mask(pass.dy.f32(), pass.saved[0].f32());
            &masked
        } else {
            pass.dy.f32()
        };
        let x = Matrix::new(pass.inputs[0].f32(), self.rows, self.input);
        let weight = Matrix::new(pass.inputs[1].f32(), self.input, self.output);
        let slope = Matrix::new(dy, self.rows, self.output);
        let dx = pass.wanted[0].then(|| {
            let mut dx = vec![0.0; self.rows * self.input];
            product(slope, weight.t(), &mut dx, false);
            Array::new(dx, [self.rows, self.input])
        });
        let dw = pass.wanted[1].then(|| {
            let mut dw = vec![0.0; self.input * self.output];
            product(x.t(), slope, &mut dw, false);
            Array::new(dw, [self.input, self.output])
        });
        let db = (pass.wanted.get(2) == Some(&true))
            .then(|| Array::new(column_sums(dy, self.output), [self.output]));
        vec![dx, dw, db]
    }
}

/// `y = max(0, y)`.
pub(crate) fn rectify(y: &mut [f32]) {
    for y in y {
        *y = y.max(0.0);
    }
}

/// `dy` where the rectified output is positive, else zero.
pub(crate) fn mask(dy: &[f32], y: &[f32]) -> Vec<f32> {
    dy.iter()
        .zip(y)
        .map(|(dy, y)| if *y > 0.0 { *dy } else { 0.0 })
        .collect()
}

/// Sums over the rows of a matrix with `columns` columns, added from the first row to the last.
pub(crate) fn column_sums(values: &[f32], columns: usize) -> Vec<f32> {
    let mut sums = vec![0.0; columns];
    for row in values.chunks_exact(columns.max(1)) {
        for (sum, value) in sums.iter_mut().zip(row) {
            *sum += value;
        }
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_same, tensor};

    #[test]
    fn values_and_gradients_equal_the_composition() {
        for ([rows, input, output], f) in [
            ([1, 1, 1], Activation::Identity),
            ([5, 3, 7], Activation::Relu),
            ([130, 65, 129], Activation::Relu),
            ([130, 65, 129], Activation::Identity),
        ] {
            let (x, weight, bias) = (
                tensor([rows, input], 1),
                tensor([input, output], 2),
                tensor([output], 3),
            );
            assert_same!(
                linear(x.clone(), weight.clone(), Some(bias.clone()), f),
                composed(x.clone(), weight.clone(), Some(bias.clone()), f),
                [x, weight, bias],
                1e-5
            );
            assert_same!(
                linear(x.clone(), weight.clone(), None, f),
                composed(x.clone(), weight.clone(), None, f),
                [x, weight],
                1e-5
            );
        }
    }

    #[test]
    fn transposed_and_sliced_input() {
        let (x, weight) = (tensor([6, 9], 1), tensor([4, 9], 2));
        let view = |x: &Tensor<2>| x.clone().slice([1..5, 2..8]).transpose();
        let w = || weight.clone().transpose().slice([3..7, 0..4]);
        assert_same!(
            linear(view(&x), w(), None, Activation::Relu),
            composed(view(&x), w(), None, Activation::Relu),
            [x, weight],
            1e-5
        );
    }

    #[test]
    fn no_rows() {
        let (x, weight, bias) = (tensor([0, 3], 1), tensor([3, 2], 2), tensor([2], 3));
        let y = linear(x, weight.clone(), Some(bias), Activation::Relu);
        assert_eq!(y.dims(), [0, 2]);
        let grads = y.sum().backward();
        assert_eq!(
            weight
                .grad(&grads)
                .unwrap()
                .into_data()
                .try_to_vec::<f32>()
                .unwrap(),
            [0.0; 6]
        );
    }

    #[test]
    fn constant_inputs_get_no_gradient() {
        let (x, weight) = (tensor([2, 3], 1), tensor([3, 2], 2));
        let grads = linear(
            x.clone().detach(),
            weight.clone(),
            None,
            Activation::Identity,
        )
        .sum()
        .backward();
        assert!(x.grad(&grads).is_none() && weight.grad(&grads).is_some());
    }
}
