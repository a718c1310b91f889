//! Activations, normalization, attention, Kolmogorov-Arnold and spatial layers.

use offprint_lab::paper::{Field, Paper};

pub(super) const PAPERS: &[Paper] = &[
    Paper {
        slug: "af-kan",
        title: "AF-KAN: Activation Function-Based Kolmogorov-Arnold Networks for Efficient Representation Learning",
        date: "2025-03-08",
        authors: 2,
        arxiv: Some("2503.06112"),
        field: Field::Layers,
        summary: "Kolmogorov-Arnold layers whose basis functions combine two shifted copies of an \
                  ordinary activation, generalizing ReLU-KAN beyond ReLU. The grid of basis values \
                  per input is reduced by attention or a linear map before the output projection, \
                  which keeps the parameter count near that of an MLP. Compared at equal \
                  parameters with MLP, ReLU-KAN and further KAN variants on image classification, \
                  with training time and FLOPs reported.",
        work: None,
    },
    Paper {
        slug: "crrelu",
        title: "A Method on Searching Better Activation Functions",
        date: "2024-05-18",
        authors: 8,
        arxiv: Some("2405.12954"),
        field: Field::Layers,
        summary: "Derives activation functions from information entropy. A variational argument \
                  gives the worst bounded activation and a correction that lowers the entropy of a \
                  given one; applied to ReLU under Gaussian inputs it yields CRReLU, max(0, x) + e \
                  x exp(-x^2/2) with one trainable e. Compared with ReLU, GELU, ELU, PReLU, SiLU \
                  and Mish in vision transformers, and with GELU in language-model fine-tuning.",
        work: None,
    },
    Paper {
        slug: "evonorm",
        title: "Evolving Normalization-Activation Layers",
        date: "2020-04-06",
        authors: 4,
        arxiv: Some("2004.02967"),
        field: Field::Layers,
        summary: "Searches for layers that do the work of normalization and activation together. \
                  Candidates are small graphs of additions, products, nonlinearities and moments; \
                  evolution mutates them, tests each on several architectures, and discards early \
                  those that train badly or are unstable. The layers found, EvoNorm-B (with batch \
                  statistics) and EvoNorm-S (per sample), are compared with batch and group \
                  normalization followed by ReLU or Swish.",
        work: None,
    },
    Paper {
        slug: "feature-selection-gates",
        title: "Hard-Attention Gates with Gradient Routing for Endoscopic Image Computing",
        date: "2024-07-05",
        authors: 4,
        arxiv: Some("2407.04400"),
        field: Field::Layers,
        summary: "Multiplies each channel or token feature by the sigmoid of a learned weight, as \
                  a regularizer that favors sparse use of features. The gates are updated in a \
                  forward and backward pass of their own, before the pass that updates the rest. \
                  Compared with the same convolutional networks and vision transformers without \
                  gates on CIFAR-100 and on estimating polyp size in endoscopy.",
        work: None,
    },
    Paper {
        slug: "gated-attention",
        title: "Gated Attention for Large Language Models: Non-linearity, Sparsity, and Attention-Sink-Free",
        date: "2025-05-10",
        authors: 13,
        arxiv: Some("2505.06708"),
        field: Field::Layers,
        summary: "Adds a sigmoid gate, computed from the layer's input, to softmax attention in \
                  language models, and compares over thirty variants by position, granularity, \
                  sharing and activation. The best multiplies each head's attention output before \
                  the output projection. The study separates the effects of non-linearity and of \
                  sparsity, and measures perplexity, training stability, attention on the first \
                  token and use beyond the training length against ungated attention of equal \
                  size.",
        work: None,
    },
    Paper {
        slug: "gla",
        title: "Gated Linear Attention Transformers with Hardware-Efficient Training",
        date: "2023-12-11",
        authors: 5,
        arxiv: Some("2312.06635"),
        field: Field::Layers,
        summary: "Linear attention with a forget gate: the state, a matrix per head, decays by a \
                  data-dependent factor for each key channel before the outer product of key and \
                  value is added. A chunked form turns the recurrence into matrix products and \
                  stays stable by working in log space within a chunk. Compared with softmax \
                  attention (LLaMA), RetNet and Mamba in language modeling, and with \
                  FlashAttention-2 in speed.",
        work: Some(&crate::gla::WORK),
    },
    Paper {
        slug: "karat",
        title: "Kolmogorov-Arnold Attention: Is Learnable Attention Better For Vision Transformers?",
        date: "2025-03-13",
        authors: 4,
        arxiv: Some("2503.10632"),
        field: Field::Layers,
        summary: "Replaces the softmax of vision-transformer attention by learnable functions in \
                  the Kolmogorov-Arnold form, each row of scores being mapped by a matrix of \
                  univariate functions in a chosen basis. A modular variant with a Fourier basis \
                  and a low-rank structure reduces the cost. Compared with standard ViTs of equal \
                  size by accuracy, loss landscape, weight spectra, memory and speed.",
        work: None,
    },
    Paper {
        slug: "kat",
        title: "Kolmogorov-Arnold Transformer",
        date: "2024-09-16",
        authors: 2,
        arxiv: Some("2409.10594"),
        field: Field::Layers,
        summary: "A vision transformer whose feed-forward blocks use Kolmogorov-Arnold layers. \
                  Three changes make them affordable: rational functions replace B-splines, \
                  channels in a group share one function instead of one per edge, and coefficients \
                  are initialized so that activation variance is kept. Compared with the MLP \
                  transformer and with B-spline KAN layers, also when fine-tuned from a \
                  pre-trained ViT.",
        work: Some(&crate::kat::WORK),
    },
    Paper {
        slug: "liger",
        title: "Liger: Linearizing Large Language Models to Gated Recurrent Structures",
        date: "2025-03-03",
        authors: 5,
        arxiv: Some("2503.01496"),
        field: Field::Layers,
        summary: "Converts a pre-trained softmax transformer into a gated linear recurrent model \
                  without new parameters. The forget gate is pooled from the existing key \
                  projection, softmax serves as feature map, and each layer mixes the recurrence \
                  with attention in a short sliding window; LoRA fine-tuning restores quality. \
                  Compared with the original model and with the linearization method LoLCATs, for \
                  several recurrent forms (GLA, HGRN2, GSA).",
        work: None,
    },
    Paper {
        slug: "pflayer",
        title: "Learning Features with Parameter-Free Layers",
        date: "2022-02-06",
        authors: 4,
        arxiv: Some("2202.02777"),
        field: Field::Layers,
        summary: "Asks whether the spatial operations of a network need parameters. In ResNet \
                  bottlenecks and transformer blocks, 3x3 convolutions or self-attention are \
                  replaced by max-pooling, everywhere or in part, after studies of single layers \
                  and an architecture search. Compared with regular and depthwise convolution, \
                  average pooling and attention by accuracy, parameters, FLOPs and measured speed.",
        work: None,
    },
    Paper {
        slug: "proact",
        title: "ProAct: Progressive Training for Hybrid Clipped Activation Function to Enhance Resilience of DNNs",
        date: "2024-06-10",
        authors: 5,
        arxiv: Some("2406.06313"),
        field: Field::Layers,
        summary: "Protects networks against bit flips in memory by activations that fall to zero \
                  above a threshold. Thresholds are per layer, except per neuron in the last \
                  activation layer, and are trained one layer after another rather than all at \
                  once. Compared with Ranger, FT-ClipAct and FitAct by accuracy over bit error \
                  rates, memory for thresholds and search time.",
        work: None,
    },
];
