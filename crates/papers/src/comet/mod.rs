//! COMET: sparse mixtures of experts by soft trees, and local search over permutations for any gate.

mod bench;
mod errata;
mod files;
mod golden;
pub mod study;

use offprint_lab::paper::{Part, Reference, Work};

/// The card of the paper, its study, cases and commands.
pub static WORK: Work = Work {
    what_it_does: "k soft binary trees route a row to at most k of n experts; smooth-step splits make most paths exactly \
        zero, so unreached experts are never computed. Local search learns which expert stands at which output of a gate, \
        softly at first (Sinkhorn), then for good (Hungarian).",
    equation: "g = softmax over all trees t and leaves j of (x·v_tj + c_tj + ln P_tj);  w_j = Σ_t Σ_i g_ti R[i,j]",
    parts: &[
        Part { promise: "sparse gate by trees, at most k experts, any n", item: "offprint::experts::CometGate" },
        Part { promise: "differentiable: smooth-step splits", item: "offprint::experts::SmoothStep" },
        Part { promise: "sparsity used forward and backward (counted)", item: "offprint::experts::ExpertLayer, Pairs" },
        Part { promise: "permutation-based local search for any gate", item: "offprint::experts::LocalSearch" },
        Part { promise: "Sinkhorn and Hungarian algorithm", item: "offprint::experts::{sinkhorn, assignment}" },
        Part { promise: "Hash routing", item: "offprint::experts::HashGate" },
        Part { promise: "Top-k gate", item: "offprint::experts::TopK" },
        Part { promise: "DSelect-k gate, static and per input", item: "offprint::experts::DSelectK" },
        Part { promise: "dense softmax gate", item: "offprint::experts::SoftmaxGate" },
        Part { promise: "multi-gate models for several tasks", item: "offprint::experts::MultiGate" },
        Part { promise: "vision: Multi-MNIST, dense or convolutional experts", item: "offprint run comet [--set expert=cnn]" },
        Part { promise: "recommender: MovieLens, two tasks", item: "offprint run comet --set data=movielens --data-dir DIR" },
        Part { promise: "tuning budget: best of m, bootstrapped", item: "offprint run comet --budget full" },
        Part { promise: "escape from bad initializations", item: "metric worst_start of offprint run comet --budget full" },
        Part { promise: "language: BERT layers distilled into experts", item: "planned, with the backbones" },
        Part { promise: "a model for your own table", item: "offprint use comet train" },
    ],
    headline: &[
        "up to 13 % better ROC AUC of COMET with local search than Hash and Top-k (abstract)",
        "up to 9 % better ROC AUC than DSelect-k (abstract)",
        "up to 100 times smaller tuning budget of Top-k and Hash with local search (abstract)",
        "better than MoEBERT on 5 of 7 GLUE tasks and on SQuAD (abstract)",
    ],
    reference: Some(Reference {
        repository: "mazumder-lab/COMET",
        commit: "cf27276",
        language: "TensorFlow",
        licence: "MIT",
    }),
    errata: errata::ERRATA,
    differences: &[
        "Scale: a sample of 10,000 MNIST digits gives 4,000 (quick) or 6,000 (full) training pictures for 3 or 4 epochs; \
            the paper has 100,000 pictures and up to 200 epochs with early stopping.",
        "Tuning: 16 random trials an arm instead of 500; learning rates are higher and batches smaller, for short runs.",
        "Experts in both budgets are dense layers of 50 and 50 units; the paper's convolutional experts are \
            --set expert=cnn.",
        "The two digits are of different classes and the larger pixel wins; the released generator differs \
            (--set recipe=released).",
        "Hash routing needs ids: users on MovieLens as in the paper; on pictures, which have none, the number of the \
            picture, so that a test picture goes to an expert that no training told anything about it.",
        "The language part (distilling BERT) waits for backbones.",
    ],
    study: &study::CometStudy,
    golden: golden::METHODS,
    report: None,
    benches: bench::benches,
    command: Some(&files::OnFiles),
};
