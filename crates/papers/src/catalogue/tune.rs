//! Population training, self-tuning networks and target surrogates.

use offprint_lab::paper::{Field, Paper};

pub(super) const PAPERS: &[Paper] = &[
    Paper {
        slug: "pbt",
        title: "Population Based Training of Neural Networks",
        date: "2017-11-27",
        authors: 12,
        arxiv: Some("1711.09846"),
        field: Field::Tune,
        summary: "Tunes hyperparameters while a population of models trains in parallel. From time \
                  to time a weak member copies the weights and hyperparameters of a stronger one \
                  and perturbs or resamples the latter, without a global barrier, so that the \
                  winners carry a schedule. Compared with random search and fixed hyperparameters \
                  at equal cost on reinforcement learning, translation and generative adversarial \
                  networks.",
        work: None,
    },
    Paper {
        slug: "sso",
        title: "Target-based Surrogates for Stochastic Optimization",
        date: "2023-02-06",
        authors: 5,
        arxiv: Some("2302.02607"),
        field: Field::Tune,
        summary: "Reduces the number of expensive gradient evaluations. The gradient with respect \
                  to the model's outputs is computed once and gives a quadratic surrogate of the \
                  loss in output space, on which many cheap parameter updates are made; with \
                  mini-batches this is projected stochastic gradient descent in output space. \
                  Compared with SGD, line search, Adam, AdaGrad and SVRG on supervised and \
                  imitation learning.",
        work: None,
    },
    Paper {
        slug: "stn",
        title: "Self-Tuning Networks: Bilevel Optimization of Hyperparameters using Structured Best-Response Functions",
        date: "2019-03-07",
        authors: 5,
        arxiv: Some("1903.03088"),
        field: Field::Tune,
        summary: "Tunes regularization hyperparameters during training. Each layer's weights are \
                  an affine function of the hyperparameters, a gated approximation to how the \
                  optimal weights respond to them; training alternates between fitting this \
                  response near the current values and descending on the validation loss through \
                  it. Compared with grid, random and Bayesian search and Hyperband on image \
                  classification and language modeling.",
        work: None,
    },
];
