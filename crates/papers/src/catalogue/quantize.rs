//! Training-time and post-training quantization.

use offprint_lab::paper::{Field, Paper};

pub(super) const PAPERS: &[Paper] = &[
    Paper {
        slug: "asq",
        title: "Precision Neural Network Quantization via Learnable Adaptive Modules",
        date: "2025-04-24",
        authors: 8,
        arxiv: Some("2504.17263"),
        field: Field::Quantize,
        summary: "Quantization-aware training in two parts. A small adapter network scales the \
                  step size of each activation quantizer by a factor that depends on the input \
                  (ASQ), and weights are rounded to powers of the square root of two, a finer grid \
                  than powers of two, which inference reads from a look-up table (POST). Compared \
                  with LSQ, PACT, DoReFa and APoT at low bit-widths on image classification.",
        work: None,
    },
    Paper {
        slug: "biper",
        title: "BiPer: Binary Neural Networks using a Periodic Function",
        date: "2024-04-01",
        authors: 4,
        arxiv: Some("2404.01278"),
        field: Field::Quantize,
        summary: "Binary neural networks whose weights pass through a square wave in the forward \
                  pass and, for gradients, through a sine of the same period; its frequency sets \
                  the quantization error. Training goes in two stages, first with real sine \
                  weights and binary features, then with binary weights too. Compared with earlier \
                  binarization methods such as IR-Net and ReCU on CIFAR-10 and ImageNet.",
        work: None,
    },
    Paper {
        slug: "nupes",
        title: "NUPES : Non-Uniform Post-Training Quantization via Power Exponent Search",
        date: "2023-08-10",
        authors: 3,
        arxiv: Some("2308.05600"),
        field: Field::Quantize,
        summary: "Post-training quantization on a non-uniform grid. Values are raised to a power \
                  before rounding, a transformation that keeps products of quantized values \
                  products, so inference can stay in integers. Without data the exponent is \
                  searched; with data the exponent and the integer codes, free to move over the \
                  whole grid, are learned by gradient descent. Compared with uniform quantization, \
                  PowerQuant and AdaRound.",
        work: None,
    },
];
