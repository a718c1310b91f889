//! Kernels of two outputs.

use crate::op::{Array, Kernel, Pass, Reads, unary};
use burn::tensor::Tensor;
use std::fmt::Debug;
use std::sync::{Arc, Mutex, PoisonError};

/// A kernel of two outputs.
///
/// Burn records operations of one output. What is recorded of such a kernel is therefore a mark of one element, from which
/// both outputs are taken; they leave their gradients where the kernel's backward pass, which the mark's gradient starts
/// after both, finds them.
pub(crate) trait PairKernel: Debug + Send + Sync + 'static {
    /// As [`Kernel::forward`].
    fn forward(&self, inputs: &[Array], training: bool) -> ([Array; 2], Vec<Array>);

    /// As [`Kernel::backward`], with the gradients of both outputs; one that nothing depends on has none. The output that
    /// leads [`Pass::saved`] and [`Pass::dy`] are those of the mark.
    fn backward(&self, pass: Pass<'_>, dy: [Option<Array>; 2]) -> Vec<Option<Array>>;

    /// As [`Kernel::reads`], of the inputs.
    fn reads(&self) -> Reads {
        Reads::INPUTS
    }
}

/// A [`PairKernel`] as one of the mark.
#[derive(Debug)]
pub(crate) struct Pair<K> {
    kernel: K,
    sides: Sides,
}

/// Outputs on their way forward, gradients on their way back.
type Sides = Arc<[Mutex<Option<Array>>; 2]>;

impl<K: PairKernel> Pair<K> {
    /// What `run` records of the kernel, as its two outputs.
    pub fn run<const A: usize, const B: usize>(
        kernel: K,
        run: impl FnOnce(Self) -> Tensor<1>,
    ) -> (Tensor<A>, Tensor<B>) {
        let sides = Sides::default();
        let mark = run(Self {
            kernel,
            sides: sides.clone(),
        });
        let side = |index| Side {
            index,
            sides: sides.clone(),
        };
        (unary(side(0), mark.clone()), unary(side(1), mark))
    }
}

impl<K: PairKernel> Kernel for Pair<K> {
    fn forward(&self, inputs: &[Array], training: bool) -> (Array, Vec<Array>) {
        let (outputs, saved) = self.kernel.forward(inputs, training);
        for (side, output) in self.sides.iter().zip(outputs) {
            *side.lock().unwrap_or_else(PoisonError::into_inner) = Some(output);
        }
        (Array::new(vec![0.0_f32], [1]), saved)
    }

    fn backward(&self, pass: Pass<'_>) -> Vec<Option<Array>> {
        let dy = self.sides.each_ref().map(take);
        self.kernel.backward(pass, dy)
    }

    fn reads(&self) -> Reads {
        self.kernel.reads()
    }
}

/// One output of a [`Pair`].
#[derive(Debug)]
struct Side {
    index: usize,
    sides: Sides,
}

impl Kernel for Side {
    fn forward(&self, _: &[Array], _: bool) -> (Array, Vec<Array>) {
        let output = take(&self.sides[self.index]);
        (output.expect("the kernel has just run"), vec![])
    }

    fn backward(&self, pass: Pass<'_>) -> Vec<Option<Array>> {
        let mut side = self.sides[self.index]
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *side = Some(pass.dy);
        vec![Some(Array::new(vec![0.0_f32], [1]))]
    }

    fn reads(&self) -> Reads {
        Reads::NOTHING
    }
}

fn take(side: &Mutex<Option<Array>>) -> Option<Array> {
    side.lock().unwrap_or_else(PoisonError::into_inner).take()
}
