//! Language-model training, tool calling, puzzles and checkpoint diagnostics.

use offprint_lab::paper::{Field, Paper};

pub(super) const PAPERS: &[Paper] = &[
    Paper {
        slug: "fc-grpo",
        title: "Exploring Superior Function Calls via Reinforcement Learning",
        date: "2025-08-07",
        authors: 7,
        arxiv: Some("2508.05118"),
        field: Field::Language,
        summary: "Reinforcement learning for function calling by language models. It builds on \
                  group relative policy optimization (GRPO), adds a bounded bonus for token \
                  entropy in the reasoning part to the advantage, and rewards only answers whose \
                  format and calls are both right. Training data are filtered by a model's \
                  judgement and by parsing the calls. Compared with supervised fine-tuning and \
                  plain GRPO by the checker of the Berkeley leaderboard (BFCL).",
        work: None,
    },
    Paper {
        slug: "funreason-mt",
        title: "FunReason-MT Technical Report: Overcoming the Complexity Barrier in Multi-Turn Function Calling",
        date: "2025-10-28",
        authors: 15,
        arxiv: Some("2510.24645"),
        field: Field::Language,
        summary: "Synthesizes multi-turn tool-use dialogues for training. A walk over a graph of \
                  tools and their dependencies is directed to a chosen tool and executed; the \
                  resulting trace is folded into one composite tool from which a hard query is \
                  written; reasoning is then produced in a loop of attempt, check, critique and \
                  hint. Compared with random tool sampling and role-playing agents by training on \
                  the data and testing on the Berkeley leaderboard.",
        work: None,
    },
    Paper {
        slug: "granite-fc",
        title: "Granite-Function Calling Model: Introducing Function Calling Abilities via Multi-task Learning of Granular Tasks",
        date: "2024-06-27",
        authors: 26,
        arxiv: Some("2407.00121"),
        field: Field::Language,
        summary: "Trains an open language model for tool use on seven small tasks derived from the \
                  same records: nested calls, chains, parallel calls, naming the function, filling \
                  its arguments, choosing the next call and writing the reply. All share one JSON \
                  format and are mixed by weight. Compared with open and proprietary models on \
                  function-calling benchmarks unseen in training.",
        work: None,
    },
    Paper {
        slug: "gui-g1",
        title: "GUI-G1: Understanding R1-Zero-Like Training for Visual Grounding in GUI Agents",
        date: "2025-05-21",
        authors: 6,
        arxiv: Some("2505.15810"),
        field: Field::Language,
        summary: "Locates interface elements in screenshots by reinforcement learning of a \
                  vision-language model. Three faults of the usual recipe are studied and changed: \
                  answers are given without a chain of thought, the reward also checks the size of \
                  the box, and the GRPO objective divides by a constant length and weighs hard \
                  samples more. Compared with supervised fine-tuning and unmodified GRPO on \
                  ScreenSpot and ScreenSpot-Pro.",
        work: None,
    },
    Paper {
        slug: "masked-thought",
        title: "Masked Thought: Simply Masking Partial Reasoning Steps Can Improve Mathematical Reasoning Learning of Language Models",
        date: "2024-03-04",
        authors: 9,
        arxiv: Some("2403.02178"),
        field: Field::Language,
        summary: "Fine-tunes language models on worked solutions while randomly replacing tokens \
                  of the solution in the input by a mask token; the targets stay complete. The \
                  model must then rely more on the question and on earlier steps. Compared with \
                  plain supervised fine-tuning, noisy embeddings (NEFTune), token dropout and \
                  other perturbations on grade-school and competition mathematics, alone and on \
                  augmented data.",
        work: None,
    },
    Paper {
        slug: "puzzleclone",
        title: "PuzzleClone: An SMT-Powered Framework for Synthesizing Verifiable Data",
        date: "2025-08-20",
        authors: 5,
        arxiv: Some("2508.15180"),
        field: Field::Language,
        summary: "Generates logic and mathematics puzzles with verified answers. A seed puzzle is \
                  written as a specification of variables, unknowns and constraints; variables and \
                  constraints are randomized, an SMT solver finds and checks the answer, and every \
                  puzzle can be rebuilt from its recorded choices. Models fine-tuned and trained \
                  by reinforcement learning on the puzzles are compared with their base models on \
                  held-out puzzles and public benchmarks.",
        work: Some(&crate::puzzleclone::WORK),
    },
    Paper {
        slug: "rlvr-three-gates",
        title: "The Path Not Taken: RLVR Provably Learns Off the Principals",
        date: "2025-11-11",
        authors: 14,
        arxiv: Some("2511.08567"),
        field: Field::Language,
        summary: "Asks where in the weights reinforcement learning with verifiable rewards acts. \
                  Its updates look sparse in bfloat16; the paper explains this by three gates: a \
                  KL constraint bounds the step, the geometry of the pretrained weights turns it \
                  away from principal directions, and rounding hides small changes. Spectra, \
                  principal angles and update masks are compared with supervised fine-tuning, and \
                  sparse tuning and LoRA variants are tested.",
        work: None,
    },
];
