//! Transfer, parameter-efficient tuning, learngenes, guidance and continual learning.

use offprint_lab::paper::{Field, Paper};

pub(super) const PAPERS: &[Paper] = &[
    Paper {
        slug: "clr",
        title: "CLR: Channel-wise Lightweight Reprogramming for Continual Learning",
        date: "2023-07-21",
        authors: 6,
        arxiv: Some("2307.11386"),
        field: Field::Adapt,
        summary: "Continual learning without forgetting by construction: a convolutional network \
                  is trained once and frozen, and each new task gets a depthwise 3x3 kernel after \
                  selected convolutions, its own normalization parameters and its own head. The \
                  kernels start as the identity, so a new task begins at the frozen network. \
                  Compared with regularization, replay, parameter-isolation and adapter methods on \
                  a long sequence of image classification tasks.",
        work: None,
    },
    Paper {
        slug: "dvpt",
        title: "DVPT: Dynamic Visual Prompt Tuning of Large Pre-trained Models for Medical Image Analysis",
        date: "2023-07-19",
        authors: 5,
        arxiv: Some("2307.09787"),
        field: Field::Adapt,
        summary: "Parameter-efficient tuning of a frozen vision transformer for medical images. A \
                  small bottleneck maps the frozen features to a low dimension; there, learnable \
                  prompts query them by cross-attention, and the result is mapped back and added, \
                  so the prompts' contribution depends on the image. One module may serve several \
                  layers. Compared with full fine-tuning, linear probing, static visual prompts, \
                  adapters and LoRA on classification and segmentation.",
        work: None,
    },
    Paper {
        slug: "gated-class-attention",
        title: "Exemplar-free Continual Learning of Vision Transformers via Gated Class-Attention and Cascaded Feature Drift Compensation",
        date: "2022-11-22",
        authors: 5,
        arxiv: Some("2211.12292"),
        field: Field::Adapt,
        summary: "Class-incremental learning of vision transformers that keeps no samples of \
                  earlier tasks. Sigmoid masks, hardened after each task, gate the class-attention \
                  of the last block, so weights that earlier tasks use are no longer updated, and \
                  inference needs no task label. A chain of learned projectors maps the drifting \
                  backbone features of later tasks back to those that the earlier heads expect. \
                  Compared with rehearsal methods and with regularization such as EWC and LwF.",
        work: None,
    },
    Paper {
        slug: "guidance",
        title: "Training the Untrainable: Introducing Inductive Bias via Representational Alignment",
        date: "2024-10-25",
        authors: 7,
        arxiv: Some("2410.20035"),
        field: Field::Adapt,
        summary: "Some architectures, such as deep fully connected networks on images or \
                  convolutional networks without shortcuts, train badly however they are tuned. \
                  Here such a target network minimizes its task loss plus one minus the centered \
                  kernel alignment (CKA) between its layers and those of a frozen guide of another \
                  architecture, trained or randomly initialized. Compared with the unguided \
                  target, with distillation and with the guide itself on vision and sequence \
                  tasks.",
        work: None,
    },
    Paper {
        slug: "hlop",
        title: "Hebbian Learning based Orthogonal Projection for Continual Learning of Spiking Neural Networks",
        date: "2024-02-19",
        authors: 5,
        arxiv: Some("2402.11984"),
        field: Field::Adapt,
        summary: "Continual learning of spiking neural networks by orthogonal projection, done \
                  with neuronal operations. Lateral connections in each layer, trained by Hebbian \
                  and anti-Hebbian rules, find the principal subspace of the layer's input \
                  activity; presynaptic traces are projected off it, so that updates for a new \
                  task leave the responses to old ones alone. It combines with several spiking \
                  training rules (DSR, OTTT, surrogate-gradient BPTT) and is compared with \
                  sequential training, replay and gradient projection.",
        work: None,
    },
    Paper {
        slug: "kind",
        title: "KIND: Knowledge Integration and Diversion in Diffusion Models",
        date: "2024-08-14",
        authors: 5,
        arxiv: Some("2408.07337"),
        field: Field::Adapt,
        summary: "Pre-training that separates what transfers from what does not. The weight \
                  matrices of a diffusion transformer are trained as products U diag(s) V^T; some \
                  rank-one components, the learngenes, are always active, while others, the \
                  tailors, are opened by a gate only for their own class. A new task reuses the \
                  learngenes and trains fresh tailors. Compared with LoRA, other \
                  parameter-efficient tuning and learngene methods on class-conditional image \
                  generation.",
        work: None,
    },
    Paper {
        slug: "tleg",
        title: "Transformer as Linear Expansion of Learngene",
        date: "2023-12-09",
        authors: 6,
        arxiv: Some("2312.05614"),
        field: Field::Adapt,
        summary: "Initializes transformers of any depth from one compact module. Two sets of \
                  weights, a base and a slope, give layer l of L the weights base + (l/L) slope; \
                  they are learned by distilling a teacher into an auxiliary transformer under \
                  that constraint. Descendants of other depths are then expanded from the module \
                  and trained freely. Compared with training from scratch, pre-training each \
                  depth, and earlier learngene and initialization methods.",
        work: None,
    },
];
