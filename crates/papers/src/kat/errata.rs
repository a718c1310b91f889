//! Where the released code departs from the paper, or is wrong. It was read, its torch form also run; the Triton and CUDA
//! kernels were not run.

use offprint_lab::paper::Erratum;

pub(super) const ERRATA: &[Erratum] = &[
    Erratum {
        what: "The torch form has x^i in the denominator where the CUDA and Triton kernels have |x|^i: for x < 0 the odd terms are subtracted, Q can vanish, and a model trained on a GPU computes another function on a CPU. Its doc comment gives the kernels' form.",
        place: "Adamdad/rational_kat_cu@181bae8 kat_rational/kat_1dgroup_torch.py, Rational_CUDA_A_1DGroup",
        ours: "The kernels' form everywhere, on every device (golden kind rational).",
    },
    Erratum {
        what: "The coefficients of init.json were fitted under a third form, 1 + |Σ b_i x^i|. Under the kernels' form the \"gelu\" start is not GELU: E[F(z)²] is 0.3132 in place of 0.4252, so the gain beside it does not keep the variance.",
        place: "Adamdad/rational_kat_cu@181bae8 kat_rational/fit.py, complex_function; kat_rational/init.json, gelu",
        ours: "`fit_rational` fits under the form that is used; the gain is that of the fitted function (golden kinds fit and gain).",
    },
    Erratum {
        what: "The variance-preserving initialization is undone: after the Kaiming rule for mlp.fc1 and mlp.fc2 comes `if 'qkv' … else trunc_normal_(std=.02)`, which runs for them too. No released model was started as section 4.4 says.",
        place: "Adamdad/kat@ecb0eb7 katransformer.py:751-790, init_weights_vit_kan_gelu, init_weights_vit_kan_swish",
        ours: "The paper's weights (arm kat), beside what the code comes to (arm kat-released-init).",
    },
    Erratum {
        what: "The gains are typed in, sqrt(2.3567850) and sqrt(2.8178205); they come from a million random draws through the misfitted functions. 1/E[f(z)²] is 2.3517157 for GELU and 2.8107611 for SiLU.",
        place: "Adamdad/kat@ecb0eb7 katransformer.py, calculate_gain; Adamdad/rational_kat_cu@181bae8 kat_rational/gain.py",
        ours: "`activation_gain` integrates, to 1e-9.",
    },
    Erratum {
        what: "The kernels take the sign of b = 0 as +1, the torch form as 0. The first function starts with b = 0, so its denominators learn on a GPU and never on a CPU.",
        place: "Adamdad/rational_kat_cu@181bae8 kat_rational/rational_triton.py, rational_bwd_kernel; src/rational_kernel_group.cu; kat_rational/kat_1dgroup_torch.py",
        ours: "sign(0) = 0 in the kernel (golden rational-3); a start of zero is written as 1e-12, which is the same function in 32 bits and learns.",
    },
    Erratum {
        what: "The CUDA backward returns from threads beyond the end before __syncthreads(), which is undefined unless the number of elements is a multiple of 256, and has shared memory for 32 groups without a check: more groups write beyond it.",
        place: "Adamdad/rational_kat_cu@181bae8 src/rational_kernel_group.cu, rational_bwd_cuda_kernel_1dgroup",
        ours: "Any size and any number of groups (tested to one channel a group).",
    },
    Erratum {
        what: "Channels that are no multiple of the groups are not refused: D // group rounds down, and the last channels read coefficients behind the last group.",
        place: "Adamdad/rational_kat_cu@181bae8 kat_rational/rational_triton.py, rational_fwd_triton; src/rational_kernel_group.cu",
        ours: "`RationalConfig::validate` refuses them and names both numbers.",
    },
    Erratum {
        what: "Slopes of the coefficients are added by atomics, one for each element in Triton, so two runs with one seed differ.",
        place: "Adamdad/rational_kat_cu@181bae8 kat_rational/rational_triton.py, rational_bwd_kernel; src/rational_kernel_group.cu",
        ours: "Added in registers and then in a fixed order: the same numbers for any number of threads.",
    },
    Erratum {
        what: "KAN ignores three of its arguments: act_layer is never used, norm_layer makes a norm that forward leaves out, and the number of groups is always 8.",
        place: "Adamdad/kat@ecb0eb7 katransformer.py:105-148, class KAN",
        ours: "`GroupRationalOptions`: groups, degrees, shared numerator, range, initial weights.",
    },
    Erratum {
        what: "The paper gives each group a numerator of its own; the code has one numerator for all groups and a denominator for each.",
        place: "Adamdad/rational_kat_cu@181bae8 kat_rational/kat_1dgroup_triton.py, KAT_Group.initialize, forward",
        ours: "`shared_numerator`, true by default as in the code; false as in the paper (golden rational-1).",
    },
    Erratum {
        what: "Fine-tuning \"from ViT\" starts the second function as SiLU (kat_tiny_swish_patch16_224) although the checkpoint's networks have GELU: the loaded weights do not compute what they were trained for.",
        place: "Adamdad/kat@ecb0eb7 scripts/train_kat_tiny_8x128_vitft.sh",
        ours: "`of_feed_forward` fits the activation that the network has, and tells the error.",
    },
    Erratum {
        what: "Weight decay of 0.05 also pulls the coefficients of the functions to zero: they have two axes, and only tensors of one axis and three named ones are spared.",
        place: "Adamdad/kat@ecb0eb7 katransformer.py:544, no_weight_decay",
        ours: "The same in the study, for the comparison's sake; said here.",
    },
    Erratum {
        what: "An unknown initialization makes an AssertionError and does not raise it: the function returns None, and the failure comes later elsewhere. A missing init.json is printed, not raised.",
        place: "Adamdad/kat@ecb0eb7 katransformer.py:848, get_init_weights_vit; Adamdad/rational_kat_cu@181bae8 kat_rational/kat_1dgroup_triton.py, initialize",
        ours: "Starts are an enum; what is wrong is an error before anything is allocated.",
    },
    Erratum {
        what: "The links of the table of checkpoints are exchanged: that of KAT-T leads to kat_small_patch16_224, that of KAT-S to kat_tiny_patch16_224.",
        place: "Adamdad/kat@ecb0eb7 README.md, Model Checkpoints",
        ours: "None are distributed.",
    },
];
