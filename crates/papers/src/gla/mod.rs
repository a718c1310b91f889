//! GLA: linear attention whose state forgets as the input says, trained in chunks.

mod bench;
mod errata;
mod files;
mod golden;
pub mod study;

use offprint_lab::paper::{Part, Reference, Work};

/// The card of the paper, its study, cases and commands.
pub static WORK: Work = Work {
    what_it_does: "Each head keeps a matrix. At each position every key channel of it shrinks by a gate that the input \
        sets, then key times value is added; the query reads it. Chunks turn the recurrence into matrix products; decays \
        stay in log space where they would overflow.",
    equation: "S_t = diag(α_t) S_{t−1} + k_tᵀ v_t;  o_t = q_t S_t / √K;  α_t = σ(x_t W₁ W₂ + b)^{1/τ}",
    parts: &[
        Part::new("data-dependent gating", "layers::GatedLinearAttention"),
        Part::new(
            "RNN with 2D hidden states",
            "kernels::gated_recurrence::recurrent",
        ),
        Part::new(
            "parallel form, where it overflows",
            "kernels::gated_recurrence::parallel",
        ),
        Part::new(
            "block-parallel over chunks",
            "kernels::gated_recurrence::chunked",
        ),
        Part::new(
            "numerical stability in log-space",
            "kernels::gated_recurrence",
        ),
        Part::new("linear attention, ungated", "layers::LinearAttention"),
        Part::new("global decay (RetNet)", "layers::Retention"),
        Part::new(
            "Mamba and its scan",
            "layers::Mamba, kernels::selective_scan",
        ),
        Part::new("LLaMA Transformer", "backbones::GptConfig::llama"),
        Part::new("GLA Transformer", "backbones, token_mixer = \"gla\""),
        Part::new("language modeling", "run gla"),
        Part::new("recall (MQAR)", "data::mqar, run gla"),
        Part::new("length extrapolation", "run gla"),
        Part::new("linear inference complexity", "use gla generate --stream"),
        Part::new("speed beside FlashAttention-2", "run gla, bench gla"),
    ],
    headline: &[
        "competitive with a LLaMA-architecture Transformer and Mamba at 340M parameters on 15B tokens and 1.3B on 100B \
            (abstract)",
        "training as fast as FlashAttention-2 at 2,048 tokens and faster beyond 4,096 (abstract)",
    ],
    reference: Some(Reference {
        repository: "fla-org/flash-linear-attention",
        commit: "bc3b101",
        language: "PyTorch, Triton",
        licence: "MIT",
    }),
    errata: errata::ERRATA,
    differences: &[
        "Scale: bytes of Shakespeare and the King James Bible, 2 blocks of width 64, 60 (quick) or 200 (full) \
            steps; the paper has 340M and 1.3B parameters and 15 and 100 billion tokens.",
        "Every arm is LLaMA's block with another token mixer; the width of the channel mixers makes the parameters equal \
            within 3 %, but for gla-wide, whose keys alone take more. The paper's Mamba stacks two Mamba layers in place of a token and a channel mixer.",
        "Chunks: the paper multiplies queries and keys of each pair of sub-chunks of 16 within a chunk of 64; ours hands \
            the state on from sub-chunk to sub-chunk, which is less arithmetic on a CPU. One state for 64 positions is \
            kept for the backward pass, as there.",
        "Recall: the keys' places are uniform and the rest is blank, where Zoology's follow a power law among random \
            tokens; each arm has the same learning rate there.",
        "Contradicted, that its loss is that of attention and of Mamba: after 200 steps from random values it is 0.07 nats \
            above the one and 0.27 above the other. Mamba's short convolution reads the last four bytes from the first step \
            on, which no other arm has; the paper trains for tens of thousands of steps, where that head start is gone.",
        "Speed is that of one token-mixer layer on two CPU cores, beside our own tiled attention (run gla) and PyTorch's \
            scaled_dot_product_attention (bench gla --peer), not of a GPU's FlashAttention-2.",
    ],
    study: &study::GlaStudy,
    golden: golden::METHODS,
    report: Some(include_str!("../../../../reports/gla/report.json")),
    benches: bench::benches,
    command: Some(&files::OnFiles),
    further: &[],
};
