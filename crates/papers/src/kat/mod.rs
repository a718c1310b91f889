//! KAT: a vision transformer whose channel mixers are Kolmogorov-Arnold layers of rational functions.

mod bench;
mod errata;
mod files;
mod golden;
pub mod study;

use offprint_lab::paper::{Part, Reference, Work};

/// The card of the paper, its study, cases and commands.
pub static WORK: Work = Work {
    what_it_does: "In place of a transformer's MLP: a learnable rational function on each channel, a linear layer, another \
        function, another layer. Channels of a group share a function. The first starts as the identity, the second as a \
        fitted GELU, the weights so that variances stay.",
    equation: "y = F₂(F₁(x)W₁)W₂;  F(x) = Σᵢ aᵢxⁱ / (1 + Σⱼ |bⱼ||x|ʲ);  W ~ N(0, 1/(n E[F(z)²]))",
    parts: &[
        Part::new(
            "KAT: transformer, KAN layers",
            "backbones, channel_mixer = \"gr-kan\"",
        ),
        Part::new("S1 rational basis", "layers::rational::Rational"),
        Part::new("its kernel", "kernels::group_rational"),
        Part::new("S2 group KAN", "layers::kan::GroupRationalKan"),
        Part::new(
            "S3 variance-preserving start",
            "layers::rational::activation_gain",
        ),
        Part::new(
            "initial functions, fitted",
            "layers::rational::fit_rational",
        ),
        Part::new("C1 the cost of B-splines", "layers::kan::BSplineKan"),
        Part::new("C2 parameters and computation", "run kat, table sizes"),
        Part::new(
            "C3 sensitivity to the start",
            "run kat, arm kat-released-init",
        ),
        Part::new("MLP transformer, ViT + KAN", "backbones, channel_mixer"),
        Part::new("scales, outperforms MLPs", "run kat"),
        Part::new("fine-tuning from a ViT", "backbones::Vit::with_kans"),
    ],
    headline: &[
        "ImageNet top-1 from scratch: KAT-T 74.6, KAT-S 81.2, KAT-B 82.3 % (README)",
        "fine-tuned from a ViT: 75.7, 82.0, 82.8 %; parameters as a ViT's, 5.7M, 22.1M, 86.6M (README)",
    ],
    reference: Some(Reference {
        repository: "Adamdad/kat",
        commit: "ecb0eb7",
        language: "PyTorch, Triton, CUDA",
        licence: "MIT (a badge, and its file LICENSE)",
    }),
    errata: errata::ERRATA,
    differences: &[
        "Scale: 10,000 digits of MNIST in patches of 7 x 7, 2 blocks of width 48 (quick) or 4 of 64 (full), some hundred \
            steps; the paper has ImageNet, 12 blocks of 192 to 768 and 300 epochs. `--set data=letters` and `cifar10` \
            are there too.",
        "AdamW with a warm-up and half a cosine; no mixup, cutmix, drop path, augmentation or averaging of weights.",
        "Every arm is the same ViT; the width inside the B-spline KAN makes its parameters those of the MLP.",
        "Functions are fitted from -5 to 5, the code's from -3 to 3: of a normal variable 0.3 % lie beyond 3. In place of a \
            trained MLP they are fitted where its own numbers are: in the first quick runs, fitted from -5 to 5, the swap \
            changed logits by 0.02 to 0.05, and that is now the arm finetune-kat-wide. An arm with degrees 7 and 6 and its \
            claim of a smaller change went with it, and the steps were made more, both after quick runs had been seen.",
        "Coefficients of our B-splines start as uniform noise; efficient-kan fits them to noise on the grid.",
        "Contradicted, that the swap changes no logit by a thousandth: 0.03 in the mean of five seeds. Each function is off \
            by little, by the error of its fit, but the errors of all channels and four blocks add up. After training on, \
            accuracy is the MLP's within 0.01. Higher degrees fit better (use kat convert --numerator-degree).",
        "Undecided, which groups do best: one function, one a group and one a channel are within 0.01 of each other.",
        "Speed is that of two CPU cores, not of a GPU.",
    ],
    study: &study::KatStudy,
    golden: golden::METHODS,
    report: Some(include_str!("../../../../reports/kat/report.json")),
    benches: bench::benches,
    command: Some(&files::OnFiles),
    further: &[],
};
