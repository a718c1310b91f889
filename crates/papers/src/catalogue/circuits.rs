//! Logic and analog circuits.

use offprint_lab::paper::{Field, Paper};

pub(super) const PAPERS: &[Paper] = &[
    Paper {
        slug: "l2dc",
        title: "Learning to Design Circuits",
        date: "2018-12-05",
        authors: 4,
        arxiv: Some("1812.02734"),
        field: Field::Circuits,
        summary: "Sizes the transistors of an analog circuit with a given schematic by \
                  reinforcement learning. The agent observes simulated metrics and operating \
                  points, proposes parameters for each device, and is rewarded first for meeting \
                  hard constraints such as gain and bandwidth, then for lower area and power. \
                  Compared with expert designs, grid search and Bayesian optimization on two \
                  transimpedance amplifiers.",
        work: None,
    },
    Paper {
        slug: "mgvga",
        title: "Circuit Representation Learning with Masked Gate Modeling and Verilog-AIG Alignment",
        date: "2025-02-18",
        authors: 4,
        arxiv: Some("2502.12732"),
        field: Field::Circuits,
        summary: "Self-supervised pre-training of graph neural networks on And-Inverter graphs. \
                  Masked gate modeling hides node embeddings after the encoder, so the circuit's \
                  function is untouched, and predicts gate types and degrees. Verilog-AIG \
                  alignment masks gates of the circuit itself and recovers them by cross-attention \
                  to a language model's embedding of the equivalent Verilog text. Compared with \
                  earlier circuit encoders such as DeepGate2 on logic synthesis tasks.",
        work: None,
    },
];
