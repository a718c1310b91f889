//! Limits, sample complexity, compiled networks and interpretability benchmarks.

use offprint_lab::paper::{Field, Paper};

pub(super) const PAPERS: &[Paper] = &[
    Paper {
        slug: "cot-information",
        title: "CoT Information: Improved Sample Complexity under Chain-of-Thought Supervision",
        date: "2025-05-21",
        authors: 3,
        arxiv: Some("2505.15927"),
        field: Field::Theory,
        summary: "Sample complexity of learning when training shows the reasoning steps but only \
                  the final answer is tested. The CoT information of a hypothesis class measures \
                  how likely one example, its trace included, is to expose a hypothesis whose \
                  answers err too often; it replaces the error level in upper bounds on the number \
                  of samples, and appears in information-theoretic lower bounds as well. Compared \
                  with learning from answers only.",
        work: None,
    },
    Paper {
        slug: "find",
        title: "A Function Interpretation Benchmark for Evaluating Interpretability Methods",
        date: "2023-09-07",
        authors: 8,
        arxiv: Some("2309.03886"),
        field: Field::Theory,
        summary: "A benchmark for methods that explain parts of neural networks. It generates \
                  black-box functions on numbers and strings and simulated neurons, with known \
                  descriptions and with noise, composition, approximation or locally corrupted \
                  regions. Interpreters query a function and return a description and code, scored \
                  against the truth. Language-model agents that experiment are compared with ones \
                  that only see fixed examples.",
        work: None,
    },
    Paper {
        slug: "hierarchical-polynomials",
        title: "Learning Hierarchical Polynomials with Three-Layer Neural Networks",
        date: "2023-11-22",
        authors: 3,
        arxiv: Some("2311.13774"),
        field: Field::Theory,
        summary: "Proves that three-layer networks learn targets g(p(x)) on Gaussian inputs in d \
                  dimensions, with p from a broad class of polynomials of degree k and g of degree \
                  q, from about d^k samples. Layerwise gradient descent first fits a feature that \
                  aligns with p, then a univariate function of it. Compared with kernel methods, \
                  which need about d^(kq) samples, with two-layer networks and with an earlier \
                  analysis for quadratic p.",
        work: None,
    },
    Paper {
        slug: "neural-compilation",
        title: "Mind The Gap: Deep Learning Doesn't Learn Deeply",
        date: "2025-05-24",
        authors: 2,
        arxiv: Some("2505.18623"),
        field: Field::Theory,
        summary: "Compares algorithms learned by graph neural networks with the same algorithms \
                  written into the weights. A compiler sets the parameters of a graph attention \
                  network so that it runs breadth-first search, depth-first search or Bellman-Ford \
                  exactly. Conventionally trained networks are then compared with the compiled \
                  ones in parameters, intermediate states, attention and accuracy.",
        work: None,
    },
    Paper {
        slug: "wide-deep-optimal",
        title: "Wide and Deep Neural Networks Achieve Optimality for Classification",
        date: "2022-04-29",
        authors: 3,
        arxiv: Some("2204.14126"),
        field: Field::Theory,
        summary: "Characterizes networks of infinite width and depth as classifiers, through the \
                  limit of their neural tangent kernel. Depending on the values and slopes of the \
                  activation's dual, the limit is 1-nearest neighbor, a majority vote, or a \
                  singular kernel classifier, and for some activations the last is \
                  Bayes-consistent. These activations are compared with ReLU networks, nearest \
                  neighbors and the Bayes classifier.",
        work: None,
    },
];
