//! COMET: sparse mixtures of experts by soft trees, and local search over permutations for any gate.

mod bench;
mod errata;
mod files;
mod golden;
mod language;
pub mod study;

use offprint_lab::paper::{Part, Reference, Work};

/// The card of the paper, its study, cases and commands.
pub static WORK: Work = Work {
    what_it_does: "k soft binary trees route a row to at most k of n experts; smooth-step splits make most paths exactly \
        zero, so unreached experts are never computed. Local search learns which expert stands at which output of a gate, \
        softly at first (Sinkhorn), then for good (Hungarian).",
    equation: "g = softmax over all trees t and leaves j of (x·v_tj + c_tj + ln P_tj);  w_j = Σ_t Σ_i g_ti R[i,j]",
    parts: &[
        Part::new("tree gate: ≤ k of any n experts", "experts::CometGate"),
        Part::new("differentiable (smooth-step)", "experts::SmoothStep"),
        Part::new("sparsity used both ways, counted", "experts::ExpertLayer"),
        Part::new("local search for any gate", "experts::LocalSearch"),
        Part::new(
            "… Sinkhorn, Hungarian, schedule",
            "experts::{sinkhorn, assignment}",
        ),
        Part::new("Hash routing", "experts::HashGate"),
        Part::new("Top-k", "experts::TopK"),
        Part::new("DSelect-k", "experts::DSelectK"),
        Part::new("dense gate", "experts::SoftmaxGate"),
        Part::new("multi-task models", "experts::MultiGate"),
        Part::new("vision experiments", "run comet [--set expert=cnn]"),
        Part::new("recommender experiments", "run comet --set data=movielens"),
        Part::new("tuning budget", "run comet --budget full"),
        Part::new("bad initializations", "run comet: worst_start"),
        Part::new("language model distillation", "run comet-language"),
        Part::new("… neurons by importance", "experts::NeuronSplit"),
        Part::new("… encoder of experts", "language::expert_encoder"),
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
        "Scale: a sample of 10,000 MNIST digits gives 4,000 (quick) or 8,000 (full) training pictures for 6 epochs, of \
            which the one with the least validation loss counts; the paper has 100,000 pictures and up to 200 epochs with \
            early stopping.",
        "Tuning: 16 random trials an arm instead of 500; learning rates are higher and batches smaller, for short runs.",
        "Experts in both budgets are dense layers of 50 and 50 units; the paper's convolutional experts are \
            --set expert=cnn.",
        "The two digits are of different classes and the larger pixel wins; the released generator differs \
            (--set recipe=released).",
        "Hash routing needs ids: users on MovieLens as in the paper; on pictures, which have none, the number of the \
            picture, so that a test picture goes to an expert that no training told anything about it.",
        "At this scale the sparse gates end within the noise of five seeds of each other and of the dense gate: the \
            digits are few and every gate but hash learns them. The paper's gains are ROC AUC on recommenders with \
            millions of rows, after 500 tuning trials a gate.",
        "The language part is a study of its own, comet-language: small encoders trained here instead of BERT.",
    ],
    study: &study::CometStudy,
    golden: golden::METHODS,
    report: Some(include_str!("../../../../reports/comet/report.json")),
    benches: bench::benches,
    command: Some(&files::OnFiles),
    further: &[language::PAPER],
};
