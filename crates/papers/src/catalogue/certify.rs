//! Certified training, robust conformal prediction and data protection.

use offprint_lab::paper::{Field, Paper};

pub(super) const PAPERS: &[Paper] = &[
    Paper {
        slug: "bayes-unlearnable",
        title: "Towards Provably Unlearnable Examples via Bayes Error Optimisation",
        date: "2025-11-11",
        authors: 4,
        arxiv: Some("2511.08191"),
        field: Field::Certify,
        summary: "Perturbs training data within a small norm ball so that models trained on them \
                  generalize poorly. Instead of a heuristic objective, the perturbation maximizes \
                  an estimate of the Bayes error, computed from kernel-weighted neighbors' labels, \
                  by projected gradient ascent. Compared with error-minimizing noise and \
                  adversarial poisoning, also when protected samples are mixed with clean ones.",
        work: None,
    },
    Paper {
        slug: "colep",
        title: "COLEP: Certifiably Robust Learning-Reasoning Conformal Prediction via Probabilistic Circuits",
        date: "2024-03-17",
        authors: 4,
        arxiv: Some("2403.11348"),
        field: Field::Certify,
        summary: "Conformal prediction sets whose coverage is certified under bounded l2 \
                  perturbations of the input. One model per label and per concept estimates \
                  probabilities; a probabilistic circuit that encodes logical rules between labels \
                  and concepts corrects them by exact marginal inference; bounds from randomized \
                  smoothing are propagated through the circuit. Compared with conformal prediction \
                  of a single model and with randomly smoothed conformal prediction (RSCP).",
        work: None,
    },
    Paper {
        slug: "fast-ibp",
        title: "Fast Certified Robust Training with Short Warmup",
        date: "2021-03-31",
        authors: 5,
        arxiv: Some("2103.17268"),
        field: Field::Certify,
        summary: "Training with interval bound propagation (IBP) usually needs a long schedule in \
                  which the perturbation radius grows slowly. The paper traces this to bounds that \
                  explode at initialization and to unbalanced ReLU states, and answers with a \
                  weight initialization, batch normalization after every layer, and two \
                  regularizers used while the radius grows. Compared with IBP and CROWN-IBP under \
                  long schedules by verified error.",
        work: Some(&crate::fast_ibp::WORK),
    },
    Paper {
        slug: "ibp-tightness",
        title: "Understanding Certified Training with Interval Bound Propagation",
        date: "2023-06-17",
        authors: 4,
        arxiv: Some("2306.10426"),
        field: Field::Certify,
        summary: "Studies why certified training with loose interval bounds (IBP) beats training \
                  with tighter ones. It defines the tightness of IBP as the ratio of the optimal \
                  box to the propagated box, shows for deep linear networks how it depends on \
                  width, depth and training, and gives conditions on the weights under which the \
                  bounds are exact. Standard, PGD, IBP and SABR training of ReLU networks are \
                  compared by tightness, certified and standard accuracy.",
        work: None,
    },
];
