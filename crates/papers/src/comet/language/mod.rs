//! The language part of COMET as a study of its own: `offprint run comet-language`.

mod errata;
pub mod study;

use offprint_lab::paper::{Field, Paper, Part, Reference, Work};

/// The card of the language part, on that of the paper.
pub(super) const PAPER: Paper = Paper {
    slug: "comet-language",
    title: "COMET: Learning Cardinality Constrained Mixture of Experts with Trees and Local Search",
    date: "2023-06-05",
    authors: 6,
    arxiv: Some("2306.02824"),
    field: Field::Experts,
    summary: "The language part of COMET: the feed-forward layers of a trained encoder become experts, its most \
        important neurons in all of them, routed by COMET and taught by the dense encoder.",
    work: Some(&WORK),
};

static WORK: Work = Work {
    what_it_does: "The feed-forward neurons of a trained encoder are ranked by importance; the best go to every expert, the \
        rest are dealt out. A COMET gate sends each token to one expert, and the dense encoder teaches the new one: its \
        logits and all hidden layers.",
    equation: "I_j = Σ_x |w_j·∂L_x/∂w_j + v_j·∂L_x/∂v_j|;  loss = task + gate + KL(p, q) + Σ_l |h_l − t_l|²",
    parts: &[
        Part::new("importance of neurons", "experts::NeuronImportance"),
        Part::new("shared and dealt neurons", "experts::NeuronSplit"),
        Part::new(
            "experts of a trained layer",
            "backbones::FeedForwardExperts",
        ),
        Part::new("encoder of experts", "language::expert_encoder"),
        Part::new("… routed by COMET", "experts::CometGate"),
        Part::new("… local search", "experts::LocalSearch"),
        Part::new("… routed by hash (MoEBERT)", "experts::HashGate"),
        Part::new("dense student", "language::expert_encoder::narrowed"),
        Part::new("distillation of logits, layers", "language::distillation"),
    ],
    headline: &["better than MoEBERT on 5 of 7 GLUE tasks and on SQuAD (abstract)"],
    reference: Some(Reference {
        repository: "mazumder-lab/COMET-BERT",
        commit: "a6f0cf6",
        language: "PyTorch",
        licence: "Apache-2.0",
    }),
    errata: errata::ERRATA,
    differences: &[
        "Scale: the teacher is an encoder of 2 blocks of width 48 (quick) or 64 (full), trained here from its initial \
            values on thousands of verses; the paper distils BERT-base, pre-trained on 3 billion words, on GLUE and SQuAD.",
        "The task inside is to name the part of the Bible that a verse is from; film reviews and AG News come from \
            --data-dir. Tokens are words. No GLUE task and no question answering.",
        "As in the authors' script, each of 4 experts has a quarter as many neurons as the teacher, and a sixth of the \
            teacher's are in every expert; what is dealt beyond that width is left out, and both parts of the distillation weigh 1.",
        "No Top-k arm: with one expert a token its gate gets no gradient, and two would double the neurons at work.",
        "One norm stands after the mixture; the authors give each expert a copy of it, which is the same at the start and \
            wherever a token goes to one expert whose copy has not changed.",
        "The gate is COMET's as in the paper's first code: biases in the splits, and a branch is cut where its probability \
            is 0, not below 1e-5.",
        "Importance is summed over training texts, not over those of the reported score; the teacher's dropout is off while \
            it teaches; padding does not count in the distance of hidden layers.",
        "Contradicted, that at most one expert is active: 1.5 a token after 300 steps. A tree keeps two branches until its \
            smooth-step saturates; tuning chose its width and the entropy penalty by accuracy, which does not ask for it. \
            The authors' runs have thousands of steps for it to happen in.",
        "Undecided, which student is best: dense, hash and COMET are within 0.002 of each other. What the students lose by \
            narrower layers, distillation gives back here, whatever the routing.",
        "Every trial trains its own teacher, which is the same for all arms of a seed; 6 tuning trials an arm.",
    ],
    study: &study::LanguageStudy,
    // Its cases are COMET's: golden/comet.
    golden: &[],
    report: Some(include_str!(
        "../../../../../reports/comet-language/report.json"
    )),
    benches: Vec::new,
    command: None,
    further: &[],
};
