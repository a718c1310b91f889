//! Where the authors' released code departs from the paper, or is wrong.

use offprint_lab::paper::Erratum;

pub(super) const ERRATA: &[Erratum] = &[
    // What is reported.
    Erratum {
        what: "The checkpoint that is kept as best, and whose errors are printed, is the one with the least verified error on the test set, looked at after every epoch.",
        place: "shizhouxing/Fast-Certified-Robust-Training@557797b train.py:224-233 (main)",
        ours: "The last network counts; the study's metric `selected` shows what choosing by test pictures gives.",
    },
    Erratum {
        what: "A sample counts as verified unless a lower margin is below 0: a margin of exactly 0, where the label ties with another class, and one that is not a number pass as verified. A loss that is not a number sets the error to 100, where all others are shares of 1.",
        place: "shizhouxing/Fast-Certified-Robust-Training@557797b certified.py:93, 97-98 (cert)",
        ours: "Every margin but the label's must be above 0; a network that diverged has error 1.",
    },
    Erratum {
        what: "Attacks that test take 10 steps of 2/255 whatever the radius: a reach of 0.078 from a random start, while MNIST is tested at 0.3 and 0.4. The attacked error is understated.",
        place: "shizhouxing/Fast-Certified-Robust-Training@281f6d1 parser.py:39-41, adversarial.py:160-162 (adv)",
        ours: "40 steps of 2.5 ε / 40; the study's metric `pgd_released` has the released attack.",
    },
    Erratum {
        what: "Bounds are rounded to nearest: a verified sample is verified for real numbers, not for the network as it is computed.",
        place: "shizhouxing/Fast-Certified-Robust-Training@557797b certified.py:25-62 (get_bound_loss), with auto_LiRPA@a050a3d",
        ours: "Certificates round outward (`Rounding::Outward`); training rounds to nearest.",
    },
    Erratum {
        what: "The README reports 82.13 % verified error on TinyImageNet, the abstract 82.36 %.",
        place: "shizhouxing/Fast-Certified-Robust-Training@557797b README.md",
        ours: "The abstract's number is on the card.",
    },
    // Training.
    Erratum {
        what: "Attacks in adversarial training run in training mode: every step of an attack moves the running statistics of the batch norms, eight times a batch instead of once, and normalizes by the attacked batch (unless --bn-eval is given).",
        place: "shizhouxing/Fast-Certified-Robust-Training@281f6d1 adversarial.py:52-69 (pgd)",
        ours: "Attacks use the running statistics and move none; the batch that is trained on moves them once.",
    },
    Erratum {
        what: "At the last commit the methods `pgd`, `fgsm` and `trades` are still accepted, but adversarial.py is deleted and nothing reads the mode that they set: they train on interval bounds at the whole radius from the first step.",
        place: "shizhouxing/Fast-Certified-Robust-Training@557797b argparser.py:80-89, 125-126 (override_neurips2021); d4b1147 deletes adversarial.py",
        ours: "`pgd` is adversarial training.",
    },
    Erratum {
        what: "The weights behind a residual addition are halved only where exactly one layer (the ReLU) stands between; with another one, a pooling or a batch norm, they are not, though the radius is doubled all the same.",
        place: "shizhouxing/Fast-Certified-Robust-Training@557797b manual_init.py:34-38 (ibp_init)",
        ours: "`ibp_init` looks through all layers without weights.",
    },
    Erratum {
        what: "A term of the ReLU regularizer that is not finite (a layer without inactive units, say) is left out of the sum, but its layer still counts in the mean: the others weigh less.",
        place: "shizhouxing/Fast-Certified-Robust-Training@557797b regularization.py:86, 103-104, 127 (compute_reg)",
        ours: "The same, because the golden cases follow the released code; the docs of `relu_balance` say so.",
    },
    Erratum {
        what: "The cross-entropy is that of clean samples while the radius is 0 and that of the bounds afterwards, never both; the paper's objective does not say so.",
        place: "shizhouxing/Fast-Certified-Robust-Training@557797b train.py:94-97 (Train)",
        ours: "The same; `Objective`'s docs say it.",
    },
    Erratum {
        what: "`SmoothedScheduler.step_epoch(verbose=False)` also steps through all batches of the epoch; with True it does not. train.py skips epochs with False when it goes on from a checkpoint, so that works, but printing is what decides.",
        place: "Verified-Intelligence/auto_LiRPA@a050a3d auto_LiRPA/eps_scheduler.py (SmoothedScheduler.step_epoch)",
        ours: "`EpsilonSchedule::at` is a function of the step alone.",
    },
    // Options.
    Erratum {
        what: "The method `reg-only`, the ablation with the regularizers alone, is handled but missing from the choices: it cannot be asked for.",
        place: "shizhouxing/Fast-Certified-Robust-Training@557797b argparser.py:65, 124-126",
        ours: "Arms `regularizers-only` and `no-init`.",
    },
    Erratum {
        what: "`--length 20` starts the warm-up in epoch 2, the README's command for the same schedule on MNIST in epoch 1.",
        place: "shizhouxing/Fast-Certified-Robust-Training@557797b argparser.py:92-95, README.md (MNIST)",
        ours: "The README's; `--set clean=` gives a share of clean steps.",
    },
    Erratum {
        what: "A seed of 0 and a radius of 0 are taken for none: `--seed 0` runs seed 100, `--eps 0` the config's radius.",
        place: "shizhouxing/Fast-Certified-Robust-Training@557797b train.py:156, 193 (main)",
        ours: "0 is a seed; a radius of 0 is refused in the study and exact in the library.",
    },
    Erratum {
        what: "With regularizers the schedule's options must be exactly `start` and `length`: naming the power or the middle of the smooth part (`mid=0.25`) ends in a ValueError.",
        place: "shizhouxing/Fast-Certified-Robust-Training@557797b argparser.py:103-108",
        ours: "`EpsilonSchedule` has all five settings.",
    },
    Erratum {
        what: "`--init-method orthogonal` ends in a NameError: the function reads a variable of another one.",
        place: "shizhouxing/Fast-Certified-Robust-Training@557797b manual_init.py:47-50 (orthogonal_init)",
        ours: "Not part of the paper.",
    },
    // What was released.
    Erratum {
        what: "`cnn_7layer_imagenet`, the network without batch norm beside `cnn_7layer_bn_imagenet`, has batch norm after four of its five convolutions.",
        place: "shizhouxing/Fast-Certified-Robust-Training@557797b models/feedforward.py:83-104",
        ours: "`NetworkConfig::cnn7` has batch norm before every ReLU, or none.",
    },
    Erratum {
        what: "The README asks for auto_LiRPA 0.2 and PyTorch 1.8.1, requirements.txt for the newest auto_LiRPA and PyTorch 2.3.1. The regularizers look the input up by the name that only the newer ones give it.",
        place: "shizhouxing/Fast-Certified-Robust-Training@557797b README.md, requirements.txt, regularization.py:70",
        ours: "One lock file, no Python.",
    },
    Erratum {
        what: "Importing train.py starts a tracking service, which asks for an account, even to verify a checkpoint.",
        place: "shizhouxing/Fast-Certified-Robust-Training@557797b train.py:19-24",
        ours: "Runs are recorded in a folder.",
    },
];
