//! Value learning, bandits, GFlowNets and offline black-box optimization.

use offprint_lab::paper::{Field, Paper};

pub(super) const PAPERS: &[Paper] = &[
    Paper {
        slug: "digi-q",
        title: "Digi-Q: Learning Q-Value Functions for Training Device-Control Agents",
        date: "2025-02-13",
        authors: 5,
        arxiv: Some("2502.15760"),
        field: Field::Decide,
        summary: "Trains an agent that operates a phone from logged interactions only. The \
                  features of a vision-language model are fine-tuned to tell whether an action \
                  changed the screen and then frozen; a small Q-function on top is learned by \
                  offline temporal-difference updates; the policy imitates the best of N sampled \
                  actions as ranked by Q. Compared with filtered behavior cloning, offline DigiRL, \
                  policy-gradient and advantage-weighted extraction on Android-in-the-Wild.",
        work: None,
    },
    Paper {
        slug: "fl-gfn",
        title: "Better Training of GFlowNets with Local Credit and Incomplete Trajectories",
        date: "2023-02-03",
        authors: 4,
        arxiv: Some("2302.01687"),
        field: Field::Decide,
        summary: "GFlowNets sample objects with probability proportional to a reward, but learn \
                  only from rewards at the end of a trajectory. If an energy can be evaluated at \
                  intermediate states, the state flow is written as a learned factor times the \
                  exponential of the negative energy so far, which gives every transition its own \
                  signal and allows training on unfinished trajectories. Compared with detailed \
                  balance, sub-trajectory balance and trajectory balance on sets, bags and \
                  molecules.",
        work: None,
    },
    Paper {
        slug: "instinct",
        title: "Use Your INSTINCT: INSTruction optimization for LLMs usIng Neural bandits Coupled with Transformers",
        date: "2023-10-01",
        authors: 8,
        arxiv: Some("2310.02905"),
        field: Field::Decide,
        summary: "Searches for the instruction that makes a black-box language model perform best, \
                  with few queries. Soft prompts fed to an open model generate candidate \
                  instructions; a neural bandit (NeuralUCB) predicts their scores from the open \
                  model's hidden states and picks the next query by an upper confidence bound. \
                  Compared with Gaussian-process optimization (InstructZero), APE and evolutionary \
                  search on instruction induction and chain-of-thought prompts.",
        work: None,
    },
    Paper {
        slug: "root",
        title: "ROOT: Rethinking Offline Optimization as Distributional Translation via Probabilistic Bridge",
        date: "2025-09-19",
        authors: 5,
        arxiv: Some("2509.16300"),
        field: Field::Decide,
        summary: "Offline black-box optimization: find inputs of high value from a fixed data set, \
                  without new evaluations. A Brownian bridge model learns to transport low-value \
                  inputs to high-value ones; its training pairs come from gradient descent and \
                  ascent on posterior means of many Gaussian processes fitted to the data with \
                  different kernel parameters. Compared with surrogate ascent, conservative models \
                  and conditional diffusion on design benchmarks.",
        work: None,
    },
    Paper {
        slug: "stop-regressing",
        title: "Stop Regressing: Training Value Functions via Classification for Scalable Deep RL",
        date: "2024-03-06",
        authors: 12,
        arxiv: Some("2403.03950"),
        field: Field::Decide,
        summary: "Value networks in reinforcement learning are usually fitted by squared error to \
                  bootstrapped targets. Here the value is the mean of a categorical distribution \
                  over fixed bins and is trained by cross-entropy against the target projected on \
                  the bins: two-hot, Gaussian-smoothed (HL-Gauss) or distributional (C51). \
                  Compared with squared error as networks grow, and under noisy and non-stationary \
                  targets, on Atari, robotics, chess and a word game.",
        work: None,
    },
];
