//! Neural operators and their reference solvers.

use offprint_lab::paper::{Field, Paper};

pub(super) const PAPERS: &[Paper] = &[
    Paper {
        slug: "deeponet",
        title: "DeepONet: Learning nonlinear operators for identifying differential equations based on the universal approximation theorem of operators",
        date: "2019-10-07",
        authors: 3,
        arxiv: Some("1910.03193"),
        field: Field::Operators,
        summary: "Learns operators, maps from functions to functions. A branch network reads the \
                  input function at fixed sensor points, a trunk network reads the location where \
                  the output is wanted, and the prediction is the inner product of their outputs. \
                  Compared with fully connected, residual and recurrent networks on ODEs and PDEs, \
                  with error studied as a function of sensors and training set size.",
        work: Some(&crate::deeponet::WORK),
    },
    Paper {
        slug: "mgno",
        title: "MgNO: Efficient Parameterization of Linear Operators via Multigrid",
        date: "2023-10-16",
        authors: 3,
        arxiv: Some("2310.19809"),
        field: Field::Operators,
        summary: "A neural operator built like a fully connected network: each neuron is a \
                  function, each connection a bounded linear operator, each bias a function. The \
                  operators are multigrid V-cycles of small convolutions, whose padding carries \
                  the boundary condition, and no lifting or projection layers are used. Compared \
                  with Fourier neural operators, U-Net and dilated ResNet on Darcy, Navier-Stokes \
                  and Helmholtz problems.",
        work: None,
    },
    Paper {
        slug: "neural-operator-recipe",
        title: "Principled Approaches for Extending Neural Architectures to Function Spaces for Operator Learning",
        date: "2025-06-12",
        authors: 7,
        arxiv: Some("2506.10973"),
        field: Field::Operators,
        summary: "Gives rules for turning ordinary layers into operators on functions, independent \
                  of the grid: sums become quadratures, receptive fields are fixed in physical \
                  units, pointwise maps act on channels, and outputs can be queried anywhere. \
                  MLPs, convolutional, graph and transformer networks are converted accordingly. \
                  Converted models are compared with the originals, plain or with interpolated \
                  inputs, on Navier-Stokes at seen and unseen resolutions.",
        work: None,
    },
];
