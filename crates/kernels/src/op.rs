//! How a kernel on slices becomes a Burn operation.
//!
//! A kernel file implements [`Kernel`] for a small struct of its sizes and calls [`unary`] to [`senary`]. One extension
//! trait serves all kernels, so a new kernel needs no plumbing of its own. Kernels run on the `flex` backend; a kernel's
//! public function takes the way of Burn's primitives wherever [`runs_on`] says no.

use crate::memory::Buffer;
use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{
    Autodiff, Backend, BackendTensor, Dispatch, DispatchAutodiffContext, DispatchDevice,
    DispatchTensor, DispatchTensorKind, Flex, backend_extension,
};
use burn::tensor::{DType, Element, Shape, Tensor, TensorData};
use burn_flex::{FlexTensor, Layout};
use std::fmt::Debug;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A differentiable operation on dense row-major `f32` or `f64` arrays.
pub(crate) trait Kernel: Debug + Send + Sync + 'static {
    /// Computes the output, and what [`Kernel::backward`] will want besides inputs and output. Inputs are contiguous.
    /// Nothing needs saving when `training` is false.
    fn forward(&self, inputs: &[Array], training: bool) -> (Array, Vec<Array>);

    /// Gradients with respect to the inputs for which `wanted` is true, given the gradient `dy` of the output.
    fn backward(&self, pass: Pass<'_>) -> Vec<Option<Array>>;

    /// What the backward pass reads; the rest is not kept in memory for it.
    fn reads(&self) -> Reads {
        Reads::ALL
    }
}

/// Which arrays of the forward pass a backward pass reads.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reads {
    /// Whether it reads input `i`, for each of the first eight.
    pub inputs: [bool; 8],
    /// Whether it reads the output.
    pub output: bool,
}

impl Reads {
    pub const ALL: Self = Self {
        inputs: [true; 8],
        output: true,
    };
    pub const INPUTS: Self = Self {
        output: false,
        ..Self::ALL
    };
    pub const OUTPUT: Self = Self {
        inputs: [false; 8],
        output: true,
    };
    pub const NOTHING: Self = Self {
        inputs: [false; 8],
        output: false,
    };

    /// Only the first `count` inputs, no output.
    pub const fn first(count: usize) -> Self {
        let mut reads = Self::NOTHING;
        let mut index = 0;
        while index < count {
            reads.inputs[index] = true;
            index += 1;
        }
        reads
    }
}

/// What a backward pass works with.
pub(crate) struct Pass<'a> {
    /// The inputs of the forward pass; those that [`Kernel::reads`] leaves out have no elements.
    pub inputs: &'a [Array],
    /// The output of the forward pass, without elements unless [`Kernel::reads`] names it, then what the pass saved.
    pub saved: &'a [Array],
    /// Gradient of the output.
    pub dy: Array,
    /// Which inputs want a gradient.
    pub wanted: &'a [bool],
}

/// A contiguous tensor of the `flex` backend.
#[derive(Clone, Debug)]
pub(crate) struct Array(FlexTensor);

impl Array {
    /// Takes a tensor, copying only if its elements do not lie in row-major order from the start of its storage.
    fn from_flex(tensor: FlexTensor) -> Self {
        let layout = tensor.layout();
        let elements = tensor.bytes().len() / tensor.dtype().size();
        if layout.is_contiguous() && layout.start_offset() == 0 && elements == layout.num_elements()
        {
            Self(tensor)
        } else {
            Self(tensor.to_contiguous())
        }
    }

    /// An array of the given shape.
    pub fn new<E: Element + Copy>(values: Vec<E>, shape: impl Into<Shape>) -> Self {
        Self(FlexTensor::from_data(TensorData::new(values, shape.into())))
    }

    /// An array of the given shape.
    ///
    /// # Panics
    /// If the buffer has another number of elements.
    pub fn from_buffer(buffer: Buffer, shape: impl Into<Shape>) -> Self {
        let (shape, elements) = (shape.into(), buffer.len());
        assert_eq!(shape.num_elements(), elements, "elements of an array");
        let layout = Layout::contiguous(shape);
        Self(FlexTensor::new(buffer.into_bytes(), layout, DType::F32))
    }

    /// What takes the place of an array that is not kept.
    fn nothing() -> Self {
        Self::new::<f32>(Vec::new(), [0])
    }

    /// The elements in row-major order.
    pub fn f32(&self) -> &[f32] {
        self.0.storage()
    }

    /// The elements to be overwritten, if nothing else reads them.
    pub fn f32_mut(&mut self) -> Option<&mut [f32]> {
        self.0.try_storage_mut()
    }

    /// The elements in row-major order.
    pub fn f64(&self) -> &[f64] {
        self.0.storage()
    }

    /// The elements, of an array that holds marks rather than numbers.
    pub fn u8(&self) -> &[u8] {
        self.0.storage()
    }

    /// The type of the elements.
    pub fn dtype(&self) -> DType {
        self.0.dtype()
    }

    /// The lengths of the axes.
    pub fn shape(&self) -> Shape {
        self.0.layout().shape().clone()
    }
}

/// The elements of a tensor on the `flex` backend, without its history; a copy only where they do not lie in order.
///
/// # Panics
/// If the tensor is on another backend: [`runs_on`] tells.
pub(crate) fn array<const D: usize>(tensor: Tensor<D>) -> Array {
    match tensor.inner().into_dispatch().kind {
        DispatchTensorKind::Flex(BackendTensor::Float(tensor)) => Array::from_flex(tensor),
        other => panic!("a kernel of the flex backend was given {other:?}"),
    }
}

/// A tensor without history on the `flex` backend.
pub(crate) fn tensor<const D: usize>(array: Array) -> Tensor<D> {
    Tensor::from_dispatch(DispatchTensor {
        kind: DispatchTensorKind::Flex(BackendTensor::Float(array.0)),
        autodiff: DispatchAutodiffContext::Disabled,
    })
}

/// Whether kernels serve this tensor: `flex` backend and one of the element types.
pub(crate) fn runs_on<const D: usize>(tensor: &Tensor<D>, dtypes: &[DType]) -> bool {
    dtypes.contains(&tensor.dtype())
        && matches!(
            tensor.device().inner().as_dispatch(),
            DispatchDevice::Flex(_)
        )
}

/// Runs a kernel of one input on the `flex` backend, with gradients where its device has them.
pub(crate) fn unary<const A: usize, const D: usize>(
    kernel: impl Kernel,
    a: Tensor<A>,
) -> Tensor<D> {
    Tensor::from_dispatch(<Dispatch as KernelBackend>::unary(
        a.into_dispatch(),
        Arc::new(kernel),
    ))
}

/// Runs a kernel of two inputs, like [`unary`].
pub(crate) fn binary<const A: usize, const B: usize, const D: usize>(
    kernel: impl Kernel,
    a: Tensor<A>,
    b: Tensor<B>,
) -> Tensor<D> {
    Tensor::from_dispatch(<Dispatch as KernelBackend>::binary(
        a.into_dispatch(),
        b.into_dispatch(),
        Arc::new(kernel),
    ))
}

/// Runs a kernel of three inputs, like [`unary`].
pub(crate) fn ternary<const A: usize, const B: usize, const C: usize, const D: usize>(
    kernel: impl Kernel,
    a: Tensor<A>,
    b: Tensor<B>,
    c: Tensor<C>,
) -> Tensor<D> {
    Tensor::from_dispatch(<Dispatch as KernelBackend>::ternary(
        a.into_dispatch(),
        b.into_dispatch(),
        c.into_dispatch(),
        Arc::new(kernel),
    ))
}

/// Runs a kernel of four inputs, like [`unary`].
pub(crate) fn quaternary<
    const A: usize,
    const B: usize,
    const C: usize,
    const E: usize,
    const D: usize,
>(
    kernel: impl Kernel,
    a: Tensor<A>,
    b: Tensor<B>,
    c: Tensor<C>,
    d: Tensor<E>,
) -> Tensor<D> {
    Tensor::from_dispatch(<Dispatch as KernelBackend>::quaternary(
        a.into_dispatch(),
        b.into_dispatch(),
        c.into_dispatch(),
        d.into_dispatch(),
        Arc::new(kernel),
    ))
}

/// Runs a kernel of five inputs, like [`unary`].
pub(crate) fn quinary<
    const A: usize,
    const B: usize,
    const C: usize,
    const E: usize,
    const F: usize,
    const D: usize,
>(
    kernel: impl Kernel,
    (a, b, c): (Tensor<A>, Tensor<B>, Tensor<C>),
    (d, e): (Tensor<E>, Tensor<F>),
) -> Tensor<D> {
    Tensor::from_dispatch(<Dispatch as KernelBackend>::quinary(
        a.into_dispatch(),
        b.into_dispatch(),
        c.into_dispatch(),
        d.into_dispatch(),
        e.into_dispatch(),
        Arc::new(kernel),
    ))
}

/// Runs a kernel of six inputs, like [`unary`].
pub(crate) fn senary<
    const A: usize,
    const B: usize,
    const C: usize,
    const E: usize,
    const F: usize,
    const G: usize,
    const D: usize,
>(
    kernel: impl Kernel,
    (a, b, c): (Tensor<A>, Tensor<B>, Tensor<C>),
    (d, e, f): (Tensor<E>, Tensor<F>, Tensor<G>),
) -> Tensor<D> {
    Tensor::from_dispatch(<Dispatch as KernelBackend>::senary(
        a.into_dispatch(),
        b.into_dispatch(),
        c.into_dispatch(),
        d.into_dispatch(),
        e.into_dispatch(),
        f.into_dispatch(),
        Arc::new(kernel),
    ))
}

/// How many kernels have run in this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Operations {
    /// Forward passes.
    pub forward: u64,
    /// Backward passes.
    pub backward: u64,
}

static FORWARD: AtomicU64 = AtomicU64::new(0);
static BACKWARD: AtomicU64 = AtomicU64::new(0);

/// The kernels that this process has run so far: with [`allocations`](crate::allocations) a measure of work that no clock
/// disturbs.
pub fn operations() -> Operations {
    Operations {
        forward: FORWARD.load(Ordering::Relaxed),
        backward: BACKWARD.load(Ordering::Relaxed),
    }
}

type AnyKernel = Arc<dyn Kernel>;

#[backend_extension(Flex, Autodiff)]
trait KernelBackend: Backend {
    fn unary(a: FloatTensor<Self>, kernel: AnyKernel) -> FloatTensor<Self>;
    fn binary(a: FloatTensor<Self>, b: FloatTensor<Self>, kernel: AnyKernel) -> FloatTensor<Self>;
    fn ternary(
        a: FloatTensor<Self>,
        b: FloatTensor<Self>,
        c: FloatTensor<Self>,
        kernel: AnyKernel,
    ) -> FloatTensor<Self>;
    fn quaternary(
        a: FloatTensor<Self>,
        b: FloatTensor<Self>,
        c: FloatTensor<Self>,
        d: FloatTensor<Self>,
        kernel: AnyKernel,
    ) -> FloatTensor<Self>;
    fn quinary(
        a: FloatTensor<Self>,
        b: FloatTensor<Self>,
        c: FloatTensor<Self>,
        d: FloatTensor<Self>,
        e: FloatTensor<Self>,
        kernel: AnyKernel,
    ) -> FloatTensor<Self>;
    fn senary(
        a: FloatTensor<Self>,
        b: FloatTensor<Self>,
        c: FloatTensor<Self>,
        d: FloatTensor<Self>,
        e: FloatTensor<Self>,
        f: FloatTensor<Self>,
        kernel: AnyKernel,
    ) -> FloatTensor<Self>;
}

fn run<const N: usize>(inputs: [FlexTensor; N], kernel: &dyn Kernel) -> FlexTensor {
    FORWARD.fetch_add(1, Ordering::Relaxed);
    kernel.forward(&inputs.map(Array::from_flex), false).0.0
}

impl KernelBackend for Flex {
    fn unary(a: FlexTensor, kernel: AnyKernel) -> FlexTensor {
        run([a], &*kernel)
    }
    fn binary(a: FlexTensor, b: FlexTensor, kernel: AnyKernel) -> FlexTensor {
        run([a, b], &*kernel)
    }
    fn ternary(a: FlexTensor, b: FlexTensor, c: FlexTensor, kernel: AnyKernel) -> FlexTensor {
        run([a, b, c], &*kernel)
    }
    fn quaternary(
        a: FlexTensor,
        b: FlexTensor,
        c: FlexTensor,
        d: FlexTensor,
        kernel: AnyKernel,
    ) -> FlexTensor {
        run([a, b, c, d], &*kernel)
    }
    fn quinary(
        a: FlexTensor,
        b: FlexTensor,
        c: FlexTensor,
        d: FlexTensor,
        e: FlexTensor,
        kernel: AnyKernel,
    ) -> FlexTensor {
        run([a, b, c, d, e], &*kernel)
    }
    fn senary(
        a: FlexTensor,
        b: FlexTensor,
        c: FlexTensor,
        d: FlexTensor,
        e: FlexTensor,
        f: FlexTensor,
        kernel: AnyKernel,
    ) -> FlexTensor {
        run([a, b, c, d, e, f], &*kernel)
    }
}

impl<C: CheckpointStrategy> KernelBackend for Autodiff<Flex, C> {
    fn unary(a: FloatTensor<Self>, kernel: AnyKernel) -> FloatTensor<Self> {
        record::<C, 1>([a], kernel)
    }
    fn binary(a: FloatTensor<Self>, b: FloatTensor<Self>, kernel: AnyKernel) -> FloatTensor<Self> {
        record::<C, 2>([a, b], kernel)
    }
    fn ternary(
        a: FloatTensor<Self>,
        b: FloatTensor<Self>,
        c: FloatTensor<Self>,
        kernel: AnyKernel,
    ) -> FloatTensor<Self> {
        record::<C, 3>([a, b, c], kernel)
    }
    fn quaternary(
        a: FloatTensor<Self>,
        b: FloatTensor<Self>,
        c: FloatTensor<Self>,
        d: FloatTensor<Self>,
        kernel: AnyKernel,
    ) -> FloatTensor<Self> {
        record::<C, 4>([a, b, c, d], kernel)
    }
    fn quinary(
        a: FloatTensor<Self>,
        b: FloatTensor<Self>,
        c: FloatTensor<Self>,
        d: FloatTensor<Self>,
        e: FloatTensor<Self>,
        kernel: AnyKernel,
    ) -> FloatTensor<Self> {
        record::<C, 5>([a, b, c, d, e], kernel)
    }
    fn senary(
        a: FloatTensor<Self>,
        b: FloatTensor<Self>,
        c: FloatTensor<Self>,
        d: FloatTensor<Self>,
        e: FloatTensor<Self>,
        f: FloatTensor<Self>,
        kernel: AnyKernel,
    ) -> FloatTensor<Self> {
        record::<C, 6>([a, b, c, d, e, f], kernel)
    }
}

/// A kernel in the graph of recorded operations.
#[derive(Debug)]
struct Node;

#[derive(Clone, Debug)]
struct State {
    kernel: AnyKernel,
    inputs: Vec<Array>,
    saved: Vec<Array>,
}

fn record<C: CheckpointStrategy, const N: usize>(
    tensors: [FloatTensor<Autodiff<Flex, C>>; N],
    kernel: AnyKernel,
) -> FloatTensor<Autodiff<Flex, C>> {
    FORWARD.fetch_add(1, Ordering::Relaxed);
    let nodes = tensors.each_ref().map(|tensor| tensor.node());
    let mut inputs = tensors.map(|tensor| Array::from_flex(tensor.into_primitive()));
    match Node.prepare::<C>(nodes).compute_bound().stateful() {
        OpsKind::Tracked(prep) => {
            let (output, mut saved) = kernel.forward(&inputs, true);
            let reads = kernel.reads();
            saved.insert(
                0,
                if reads.output {
                    output.clone()
                } else {
                    Array::nothing()
                },
            );
            for (input, read) in inputs.iter_mut().zip(reads.inputs) {
                if !read {
                    *input = Array::nothing();
                }
            }
            prep.finish(
                State {
                    kernel,
                    inputs: inputs.into(),
                    saved,
                },
                output.0,
            )
        }
        OpsKind::UnTracked(prep) => prep.finish(kernel.forward(&inputs, false).0.0),
    }
}

impl<const N: usize> Backward<Flex, N> for Node {
    type State = State;

    fn backward(self, ops: Ops<State, N>, grads: &mut Gradients, _: &mut Checkpointer) {
        BACKWARD.fetch_add(1, Ordering::Relaxed);
        let dy = Array::from_flex(grads.consume::<Flex>(&ops.node));
        let wanted = ops.parents.each_ref().map(Option::is_some);
        let State {
            kernel,
            inputs,
            saved,
        } = ops.state;
        let gradients = kernel.backward(Pass {
            inputs: &inputs,
            saved: &saved,
            dy,
            wanted: &wanted,
        });
        for (parent, gradient) in ops.parents.into_iter().zip(gradients) {
            if let (Some(parent), Some(gradient)) = (parent, gradient) {
                grads.register::<Flex>(parent.id, gradient.0);
            }
        }
    }
}
