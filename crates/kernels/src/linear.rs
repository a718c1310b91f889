//! Linear layer with its activation: `y = f(x W + b)`.

use crate::activation::{Activation, apply, slopes};
use crate::in_place::rewritten;
use crate::memory::Buffer;
use crate::op::{Array, Kernel, Pass, Reads, binary, runs_on, ternary};
use crate::parallel::{PIECE, SHARED, pieces};
use crate::product::{Matrix, piece, product, product_here};
use burn::tensor::{DType, Tensor};
use rayon::prelude::*;

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
    let rows = shape[..D - 1].iter().product();
    let x = x.reshape([rows, input]);
    let kernel = Linear {
        rows,
        input,
        output,
        activation,
    };
    let y: Tensor<2> = match bias {
        Some(bias) => ternary(kernel, x, weight, bias),
        None => binary(kernel, x, weight),
    };
    y.reshape(shape)
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
    activation: Activation,
}

impl Kernel for Linear {
    fn forward(&self, inputs: &[Array], training: bool) -> (Array, Vec<Array>) {
        let (rows, output, f) = (self.rows, self.output, self.activation);
        let x = Matrix::new(inputs[0].f32(), rows, self.input);
        let weight = Matrix::new(inputs[1].f32(), self.input, output);
        let bias = inputs.get(2).map(Array::f32);
        let mut y = Buffer::new(rows * output);
        let mut before = (training && keeps_input(f)).then(|| Buffer::new(rows * output));
        // Tall products go by runs of rows, whose bias and activation are done while they are in the cache.
        let run = if rows < output {
            rows
        } else {
            piece(rows, rows * self.input * output)
        };
        let size = (run * output).max(1);
        let mut tasks: Vec<_> = y.chunks_mut(size).map(|y| (y, None)).collect();
        if let Some(before) = &mut before {
            for (task, before) in tasks.iter_mut().zip(before.chunks_mut(size)) {
                task.1 = Some(before);
            }
        }
        let alone = tasks.len() == 1;
        let work = |(index, (y, before)): (usize, (&mut [f32], Option<&mut [f32]>))| {
            fill(y, bias);
            let x = x.rows(index * run, y.len() / output);
            match alone {
                true => product(x, weight, y, bias.is_some()),
                false => product_here(x, weight, y, bias.is_some()),
            }
            if let Some(before) = before {
                before.copy_from_slice(y);
            }
            match alone {
                true => apply_shared(f, y),
                false => apply(f, y),
            }
        };
        match alone {
            true => tasks.into_iter().enumerate().for_each(work),
            false => tasks.into_par_iter().enumerate().for_each(work),
        }
        let saved = before.map(|before| Array::from_buffer(before, [rows, output]));
        (
            Array::from_buffer(y, [rows, output]),
            saved.into_iter().collect(),
        )
    }

    fn backward(&self, pass: Pass<'_>) -> Vec<Option<Array>> {
        let (rows, input, output) = (self.rows, self.input, self.output);
        let dy = through(self.activation, pass.dy, pass.saved);
        let slope = Matrix::new(dy.f32(), rows, output);
        let dx = pass.wanted[0].then(|| {
            let weight = Matrix::new(pass.inputs[1].f32(), input, output);
            let mut dx = Buffer::new(rows * input);
            product(slope, weight.t(), &mut dx, false);
            Array::from_buffer(dx, [rows, input])
        });
        let dw = pass.wanted[1].then(|| {
            let x = Matrix::new(pass.inputs[0].f32(), rows, input);
            let mut dw = Buffer::new(input * output);
            product(x.t(), slope, &mut dw, false);
            Array::from_buffer(dw, [input, output])
        });
        let db = (pass.wanted.get(2) == Some(&true))
            .then(|| Array::new(column_sums(dy.f32(), output), [output]));
        vec![dx, dw, db]
    }

    fn reads(&self) -> Reads {
        Reads {
            output: keeps_output(self.activation),
            ..Reads::first(2)
        }
    }
}

/// Whether the backward pass of a layer with this activation reads the sum before it.
pub(crate) fn keeps_input(f: Activation) -> bool {
    f != Activation::Identity && !f.reads_output()
}

/// Whether it reads the output instead.
pub(crate) fn keeps_output(f: Activation) -> bool {
    f != Activation::Identity && f.reads_output()
}

/// Gradient before the activation, given the one after it and what [`Linear`] saved.
pub(crate) fn through(f: Activation, dy: Array, saved: &[Array]) -> Array {
    if f == Activation::Identity {
        return dy;
    }
    let read = if keeps_output(f) {
        &saved[0]
    } else {
        &saved[1]
    };
    rewritten(dy, PIECE, |start, dy| {
        slopes(f, dy, &read.f32()[start..][..dy.len()]);
    })
}

/// The bias in every row, or nothing where there is none: the product then overwrites `y`.
pub(crate) fn fill(y: &mut [f32], bias: Option<&[f32]>) {
    if let Some(bias) = bias {
        for y in y.chunks_exact_mut(bias.len().max(1)) {
            y.copy_from_slice(bias);
        }
    }
}

/// [`apply`] by several threads.
pub(crate) fn apply_shared(f: Activation, y: &mut [f32]) {
    if f != Activation::Identity {
        pieces(y, PIECE, |_, y| apply(f, y));
    }
}

/// Sums over the rows of a matrix with `columns` columns: blocks of rows from the first to the last, then the blocks in
/// order.
pub(crate) fn column_sums(values: &[f32], columns: usize) -> Vec<f32> {
    const BLOCK: usize = 256;
    let add = |sums: &mut [f32], row: &[f32]| {
        for (sum, value) in sums.iter_mut().zip(row) {
            *sum += value;
        }
    };
    let block = |rows: &[f32]| {
        let mut sums = vec![0.0; columns];
        for row in rows.chunks_exact(columns.max(1)) {
            add(&mut sums, row);
        }
        sums
    };
    let size = BLOCK * columns.max(1);
    let blocks: Vec<_> = if values.len() < SHARED {
        values.chunks(size).map(block).collect()
    } else {
        values.par_chunks(size).map(block).collect()
    };
    let mut sums = vec![0.0; columns];
    for block in blocks {
        add(&mut sums, &block);
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
