//! Where the released code departs from the paper, or is wrong.
//!
//! Two releases: the authors' first repository, and flash-linear-attention, which they keep. Their kernels are Triton and were
//! read, not run; the naive forms gave golden cases.

use offprint_lab::paper::Erratum;

pub(super) const ERRATA: &[Erratum] = &[
    Erratum {
        what: "`fused_chunk_gla` takes [batch, time, head, dim] since `head_first` became false, but pads axis -2, the heads, to a multiple of 16 and unpacks the shape as batch, head, time: the recurrence runs over the heads of one position, and nothing is passed on in time.",
        place: "fla-org/flash-linear-attention@20ceee5 fla/ops/gla/fused_chunk.py, FusedChunkGLAFunction.forward, fused_chunk_gla",
        ours: "One layout, [batch, length, heads, dim], checked; any length without padding (golden cases of 1, 33, 129 and 130 positions).",
    },
    Erratum {
        what: "The layer still offers mode=\"fused_chunk\" and accepts it when it is built; the function behind it takes keyword arguments only to raise NotImplementedError, at the first forward pass of more than 64 positions.",
        place: "fla-org/flash-linear-attention@bc3b101 fla/layers/gla.py:120, 256, fla/ops/gla/fused_chunk.py:8",
        ours: "No modes: a state and one position take the recurrent form, all else the chunked one.",
    },
    Erratum {
        what: "In mode fused_chunk the layer asks the recurrent kernel, which serves up to 64 positions, for a state of [value, key], and hands it to a kernel that reads [key, value]: a cache filled by a short prompt is read transposed, silently where both are as wide.",
        place: "fla-org/flash-linear-attention@0c4ada1 fla/layers/gla.py, forward (state_v_first)",
        ours: "A state is [batch, heads, keys, values] in every form; a sequence in pieces, through both forms, equals the whole (tested).",
    },
    Erratum {
        what: "No gradient reaches a state: the initial one is detached and gets None, and the gradient of the final one is accepted and ignored, so training through a state, by chunks of a long text, learns nothing across chunks.",
        place: "fla-org/flash-linear-attention@26d0c0a fla/ops/gla/recurrent_fuse.py:317, fused_recurrent_gla; @20ceee5 fla/ops/gla/fused_chunk.py, backward",
        ours: "Both states have gradients (golden cases recurrence-1 to 8, with cotangents of the final state).",
    },
    Erratum {
        what: "The gate's gradient is the reverse cumulative sum of q dq - k dk over the whole sequence, in one running sum: large terms that cancel at strong decay leave their rounding to every earlier position; without the final state's term the closed form is complete only if no gradient comes from that state.",
        place: "fla-org/flash-linear-attention@26d0c0a fla/ops/gla/recurrent_fuse.py:353-358",
        ours: "The sum begins anew at each chunk of 16 from the state times its gradient, which is exact there.",
    },
    Erratum {
        what: "Log decays are clamped at -3 a position and clamped ones get no gradient, which the paper does not say; the diagonal blocks of 16 are plain products of q e^B and k e^-B, where the paper computes them in log space: without the clamp they would overflow.",
        place: "berlino/gated_linear_attention@442e096 kernels/inter_chunk_contribution/fn.py, preprocess_cumsum_gk.py, kernels/intra_chunk_contribution/fn_only_gk.py",
        ours: "No clamp: a chunk that decays by more than e^-60 takes the differences in log space, the others the products.",
    },
    Erratum {
        what: "Keys are multiplied by (width / heads)^-1/2 although heads have keys of half that width, and the kernel multiplies by its own K^-1/2 again; the norm of the heads hides the factor but for its epsilon.",
        place: "berlino/gated_linear_attention@9d83fa0 gla.py:29-30, 46",
        ours: "K^-1/2 once, on the queries, as in flash-linear-attention.",
    },
    Erratum {
        what: "The paper's output is LayerNorm of each head times Swish(x W + b). The first release has a LayerNorm without weights; the second an RMS norm with a weight and no bias b.",
        place: "berlino/gated_linear_attention@9d83fa0 gla.py:21, 31; fla-org/flash-linear-attention@bc3b101 fla/layers/gla.py",
        ours: "The second's, which the golden cases hold; a bias is an option (`bias`).",
    },
    Erratum {
        what: "The first release cannot generate: the model asserts that there is no cache, drops the state that a block returns, and evaluates through `fused_recurrent_gla` without one.",
        place: "berlino/gated_linear_attention@9d83fa0 gla.py:64-68, gla_model.py, GLAModel.forward",
        ours: "A state goes in and out of every layer, can be saved, and is of constant size.",
    },
    Erratum {
        what: "Mamba's cached path looks at the first new position alone: a cache and several new positions broadcast one output over all of them (later versions refuse instead).",
        place: "fla-org/flash-linear-attention@00937f2 fla/layers/mamba.py, slow_forward",
        ours: "Any number of positions may follow a state (tested).",
    },
];
