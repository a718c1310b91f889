//! Gates, mixtures of experts and their statistics.

use offprint_lab::paper::{Field, Paper};

pub(super) const PAPERS: &[Paper] = &[
    Paper {
        slug: "advmoe",
        title: "Robust Mixture-of-Expert Training for Convolutional Neural Networks",
        date: "2023-08-19",
        authors: 9,
        arxiv: Some("2308.10110"),
        field: Field::Experts,
        summary: "Adversarial training of convolutional networks whose layers choose one expert \
                  per input through a router. Training router and experts at once on attacked \
                  images works poorly; AdvMoE alternates between the experts and the router, each \
                  with its own robust loss and freshly computed perturbations. Compared with dense \
                  networks, small dense networks of equal cost and jointly trained mixtures by \
                  clean accuracy, accuracy under PGD and AutoAttack, and inference cost.",
        work: None,
    },
    Paper {
        slug: "aw-moe",
        title: "Attention Weighted Mixture of Experts with Contrastive Learning for Personalized Ranking in E-commerce",
        date: "2023-06-08",
        authors: 10,
        arxiv: Some("2306.05011"),
        field: Field::Experts,
        summary: "Ranks products for a user from the behavior history. Expert networks read the \
                  history with the other features, and their outputs are summed with weights that \
                  a gate unit and an activation unit compute by attention over the same history. A \
                  contrastive loss between the gate outputs of a history and of a randomly masked \
                  copy helps users with few behaviors. Compared with DIN-style rankers and other \
                  mixtures of experts.",
        work: None,
    },
    Paper {
        slug: "comet",
        title: "COMET: Learning Cardinality Constrained Mixture of Experts with Trees and Local Search",
        date: "2023-06-05",
        authors: 6,
        arxiv: Some("2306.02824"),
        field: Field::Experts,
        summary: "A sparse gate for mixtures of experts made of k soft decision trees: smooth-step \
                  splits send most samples down one branch with weight exactly zero on the other, \
                  so at most k of n experts need evaluation once trained, and the gate stays \
                  differentiable. A local search that learns a permutation of the experts can be \
                  combined with any gate to leave poor starting points. Compared with Hash \
                  routing, Top-k and DSelect-k, with and without local search, on recommendation, \
                  vision and language tasks.",
        work: Some(&crate::comet::WORK),
    },
    Paper {
        slug: "evomoe",
        title: "EvoMoE: An Evolutional Mixture-of-Experts Training Framework via Dense-To-Sparse Gate",
        date: "2021-12-28",
        authors: 10,
        arxiv: Some("2112.14397"),
        field: Field::Experts,
        summary: "Trains a mixture-of-experts language model in stages instead of routing sparsely \
                  between random experts from the start. A single expert is trained first and \
                  copied into several perturbed ones; then a dense-to-sparse gate, a softmax whose \
                  temperature falls, drops experts below a threshold until each token uses few. \
                  Compared with Switch, BASE, Hash and StableMoE routing on masked and causal \
                  language modeling and machine translation.",
        work: None,
    },
    Paper {
        slug: "expert-customization",
        title: "A Mixture of Expert Approach for Low-Cost Customization of Deep Neural Networks",
        date: "2018-10-31",
        authors: 3,
        arxiv: Some("1811.00056"),
        field: Field::Experts,
        summary: "Adapts a deployed classifier to one user on the device. A small local expert is \
                  trained on that user's samples to correct the large pre-trained global expert, \
                  which stays frozen, and a gating network decides per input which of the two \
                  answers. Compared by accuracy on the user's and on the generic data, size and \
                  energy, with the global expert alone and with retraining, on handwritten \
                  characters.",
        work: None,
    },
    Paper {
        slug: "optfs",
        title: "Optimizing Feature Set for Click-Through Rate Prediction",
        date: "2023-01-25",
        authors: 6,
        arxiv: Some("2301.10909"),
        field: Field::Experts,
        summary: "Selects features for click-through-rate models at the level of single feature \
                  values instead of whole fields. Every value has a learnable gate, the gate of an \
                  interaction is the product of its two features' gates, and a temperature turns \
                  soft gates into hard ones during training; the model is then retrained on what \
                  is kept. Compared with no selection, with field selection (AutoField, LPFS, \
                  AdaFS) and with interaction selection (AutoFIS).",
        work: None,
    },
    Paper {
        slug: "pregated-moe",
        title: "Pre-gated MoE: An Algorithm-System Co-Design for Fast and Scalable Mixture-of-Expert Inference",
        date: "2023-08-23",
        authors: 8,
        arxiv: Some("2308.12066"),
        field: Field::Experts,
        summary: "Serves mixture-of-experts language models whose expert parameters do not fit in \
                  GPU memory. The gate of one block chooses the experts of the next, so those \
                  parameters are copied from host memory while the current block computes. The \
                  changed model is fine-tuned to keep its quality. Compared with holding all \
                  experts on the GPU, fetching on demand and prefetching every expert, by memory, \
                  latency and throughput.",
        work: None,
    },
    Paper {
        slug: "temperature-moe",
        title: "Is Temperature Sample Efficient for Softmax Gaussian Mixture of Experts?",
        date: "2024-01-24",
        authors: 3,
        arxiv: Some("2401.13875"),
        field: Field::Experts,
        summary: "Estimation theory for Gaussian mixtures of experts whose softmax gate has a \
                  learned temperature. With a linear gate the temperature interacts with the other \
                  parameters through differential equations, and their maximum-likelihood \
                  estimates converge slower than any polynomial rate. Passing the linear scores \
                  through a suitable non-linear activation before the softmax restores polynomial \
                  rates. The two gates are compared by Voronoi losses between true and fitted \
                  parameters.",
        work: None,
    },
    Paper {
        slug: "topk-gaussian-moe",
        title: "Statistical Perspective of Top-K Sparse Softmax Gating Mixture of Experts",
        date: "2023-09-24",
        authors: 4,
        arxiv: Some("2309.13850"),
        field: Field::Experts,
        summary: "Estimation theory for Gaussian mixtures of experts whose gate keeps the K \
                  largest scores and applies softmax to them, which splits the input space into \
                  regions. If the number of experts is known, density and parameters are estimated \
                  at the parametric rate; with more experts than needed, the number selected must \
                  reach the combined size of certain Voronoi cells or the density estimate does \
                  not converge, and parameters converge slowly. The dense softmax gate is the case \
                  K = k.",
        work: None,
    },
];
