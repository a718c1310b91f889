//! Quantum circuits, string diagrams and hybrid models.

use offprint_lab::paper::{Field, Paper};

pub(super) const PAPERS: &[Paper] = &[
    Paper {
        slug: "qaoa-circuits",
        title: "Fine-Tuning Large Language Models on Quantum Optimization Problems for Circuit Generation",
        date: "2025-04-15",
        authors: 4,
        arxiv: Some("2504.11109"),
        field: Field::Quantum,
        summary: "Fine-tunes language models to write parameterized quantum circuits in OpenQASM 3 \
                  for optimization problems on graphs. Training texts come from twelve problem \
                  classes, each solved in simulation by QAOA, VQE or adaptive VQE with optimized \
                  angles. Generated circuits are judged by syntax, expected energy and output \
                  distribution, against few-shot prompted models and random angles.",
        work: None,
    },
    Paper {
        slug: "qnlp",
        title: "Category Theory for Quantum Natural Language Processing",
        date: "2022-12-13",
        authors: 1,
        arxiv: Some("2212.06615"),
        field: Field::Quantum,
        summary: "A thesis that maps sentences to quantum circuits. A pregroup parse is a string \
                  diagram; a monoidal functor sends words to parameterized states and grammatical \
                  contractions to entangled effects, and the functor is trained so that measuring \
                  the circuit gives the sentence's label. It describes DisCoPy, a library for \
                  diagrams and functors, and gradients of diagrams. The classical counterpart \
                  sends words to tensors instead.",
        work: None,
    },
    Paper {
        slug: "quantum-transfer",
        title: "Quantum Transfer Learning for MNIST Classification Using a Hybrid Quantum-Classical Approach",
        date: "2024-08-05",
        authors: 1,
        arxiv: Some("2408.03351"),
        field: Field::Quantum,
        summary: "A hybrid classifier for MNIST digits. An autoencoder compresses each image to 64 \
                  numbers, a 5-qubit circuit of rotations, Hadamard and CNOT gates encodes them, \
                  and a dense network with batch normalization and dropout reads the measured \
                  outcomes. Compared with a classical network on the same compressed features, \
                  which is more accurate.",
        work: None,
    },
];
