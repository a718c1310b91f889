//! Where the authors' released code departs from the paper, or is wrong; that of the language part is in `language`.
//!
//! Every entry was checked by running the code named (TensorFlow 2.15, PyTorch 2.15) or by reading the lines named.

use offprint_lab::paper::Erratum;

pub(super) const ERRATA: &[Erratum] = &[
    // The gates.
    Erratum {
        what: "The leaf layers ask for an L2 penalty of `self.L2`, which is never set, so building a COMET gate raises AttributeError.",
        place: "mazumder-lab/COMET@cf27276 model/gates/comet.py:122",
        ours: "No leaf penalty: its strength is nowhere given.",
    },
    Erratum {
        what: "Top-k marks the logits that were not selected by the value 0.0, so a selected logit that is exactly 0.0 is dropped; if all k are, every weight is NaN.",
        place: "mazumder-lab/COMET@cf27276 model/gates/topk.py:114-130",
        ours: "Selects by index; a logit of 0.0 is like any other (golden case topk-gate-6).",
    },
    Erratum {
        what: "The noise of the Top-k gate is drawn for the static shape of the logits and raises when the batch size is not known before the call, as in the training loop; the shipped configurations leave it off (`jitter: false`).",
        place: "mazumder-lab/COMET@cf27276 model/gates/topk.py:93-99, config/model_config/movielens2M/topk.json",
        ours: "The noise works for any batch and is an option of the gate.",
    },
    Erratum {
        what: "The input-free form of DSelect-k raises when it is built (two values for three names); past that it ignores the permutation, and its training branch reads a variable that only the input-dependent form sets.",
        place: "mazumder-lab/COMET@cf27276 model/gates/dselect_k.py:178, 293, 307",
        ours: "Both forms work, with or without local search.",
    },
    Erratum {
        what: "DSelect-k's loss against unreachable experts is summed over the batch (at initialization 10.7 for 4 samples, 1358 for 512, with 6 experts and k = 2), while its entropy and the task losses are means: its weight relative to them depends on the batch size.",
        place: "mazumder-lab/COMET@cf27276 model/gates/dselect_k.py:395-397",
        ours: "The same sum, as the golden cases demand; `zeta` has to be chosen with the batch size.",
    },
    Erratum {
        what: "The entropy penalty of COMET acts on the reach P of each tree, before the softmax over all leaves and the permutation, not on the weights that mix the experts.",
        place: "mazumder-lab/COMET@cf27276 model/gates/comet.py:128-140, 250-257",
        ours: "The same: with P one-hot in each tree, at most k weights are nonzero under a hard permutation.",
    },
    Erratum {
        what: "Sparsity is never used to save work: every expert is evaluated on every sample, every node of a tree is evaluated, and each of the 2n-1 nodes concatenates all experts' outputs although only the root reads them.",
        place: "mazumder-lab/COMET@cf27276 model/main_model.py:79-81, model/gates/comet.py:150-157; mazumder-lab/COMET-BERT@a6f0cf6 src/transformers/cometbert/moe_layer.py:118, 137",
        ours: "An expert is evaluated only on the samples that give it weight, forward and backward.",
    },
    // Local search.
    Erratum {
        what: "The counter of the local search is incremented before it is used, so step 0 (temperature 1e-3) never occurs and N steps give N-1 soft permutations; with N = 1 the search ends at the identity without having learned anything.",
        place: "mazumder-lab/COMET@cf27276 model/permutations/learn_permutations.py:352-364",
        ours: "The same count, said aloud: `LocalSearch::permutation(step)` counts from 1 and is frozen from step N; the study searches for at least 2 steps.",
    },
    Erratum {
        what: "At most 150 Sinkhorn iterations at temperatures down to 1e-7 do not converge: for 40 draws of the initial 16 x 16 log-weights the last soft matrix always had a row sum more than 5 % from 1, and its Hungarian matching was never the best matching of the log-weights. Equal entries leave the final permutation to rounding.",
        place: "mazumder-lab/COMET@cf27276 model/permutations/learn_permutations.py:29-37, 104-107",
        ours: "The same schedule and truncation, tested in float64; what is frozen is always a permutation.",
    },
    Erratum {
        what: "During the search each training step solves a Hungarian matching whose result goes into a norm that nothing reads.",
        place: "mazumder-lab/COMET@cf27276 model/permutations/learn_permutations.py:324-327",
        ours: "The matching is solved when a hard permutation is wanted.",
    },
    Erratum {
        what: "The supplement draws the length of the search uniformly from 1 to 10 epochs; the configurations take the integer part of a log-uniform draw from 1 to 10, which is 1 in 30 % of trials and never 10.",
        place: "mazumder-lab/COMET@cf27276 config/model_config/movielens2M/comet_perm.json:28-35, topk_perm.json, hash_routing_perm.json, main.py:281",
        ours: "The length is a share of all steps, drawn uniformly.",
    },
    // Training, tuning, metrics.
    Erratum {
        what: "The users' experts for Hash routing come from numpy's generator, which the entry point never seeds (it seeds Python's and TensorFlow's): `--seed` does not fix them. They are drawn once for all tuning trials, so the reported standard errors leave this source of variance out.",
        place: "mazumder-lab/COMET@cf27276 data/dataset_openers/movielens_dataset_opener.py:115-119, main.py:117-118, 199",
        ours: "The table is drawn from the trial's seed.",
    },
    Erratum {
        what: "The best weights come back only when early stopping fires. A trial that runs its 100 epochs is validated and tested with the weights of the last epoch, though the comment and the recorded best epoch say otherwise.",
        place: "mazumder-lab/COMET@cf27276 main.py:416-431, 475-489, train_tasks.py:718-740",
        ours: "The weights of the best validation epoch are always restored.",
    },
    Erratum {
        what: "The squared error of the rating task is a mean over the rated rows of a batch, but epochs weight it by all rows of the batch; a batch without a rated row makes the loss NaN and ends the trial.",
        place: "mazumder-lab/COMET@cf27276 task_utils.py:27-38, train_tasks.py:604-606, main.py:432-436",
        ours: "Validation and test divide by the number of rated rows; a batch without one adds nothing.",
    },
    Erratum {
        what: "The ROC AUC is Keras' sum over 200 fixed thresholds, an approximation that is coarse when predictions crowd together.",
        place: "mazumder-lab/COMET@cf27276 config/task_config/task_configs.yml:13, task_utils.py:127-136",
        ours: "The exact rank statistic, ties counted one half.",
    },
    Erratum {
        what: "The sparsity of a batch is read from a metric that averages over the epoch so far, and these running means are averaged again: early batches count more. It is the second objective of the tuning study.",
        place: "mazumder-lab/COMET@cf27276 train_tasks.py:482-506, 582-598, 610-614, main.py:492-521, 599",
        ours: "The mean number of active experts over all samples.",
    },
    Erratum {
        what: "An error while the list of results is written is swallowed after the file has been opened for writing, which loses the results of all earlier trials without a word.",
        place: "mazumder-lab/COMET@cf27276 main.py:582-592",
        ours: "Records are written to a temporary name and renamed; a failure is reported.",
    },
    // What was released.
    Erratum {
        what: "No entry point starts: modules that were not released are imported (`main_model_stacked`, `random_permutations`, five data set openers, `dselect_k_gate`), and `main.py` reads an option `use_MoE_stacked` that it does not define.",
        place: "mazumder-lab/COMET@cf27276 main.py:34, 170, model/permutations/__init__.py:2, data/dataset_openers/__init__.py:4-9, test_tasks.py:26-28",
        ours: "`offprint run comet`.",
    },
    Erratum {
        what: "`train_tasks.py` cannot run for reasons of its own: an argument of type 'store_true' raises, the data loader's three parts are unpacked into two, `pickle` and `np` are not imported, and its saving flag is passed as the file format.",
        place: "mazumder-lab/COMET@cf27276 train_tasks.py:87, 124, 151-158, 229-239",
        ours: "`offprint run comet`.",
    },
    Erratum {
        what: "Both Hash routing configurations have trailing commas and are not JSON.",
        place: "mazumder-lab/COMET@cf27276 config/model_config/movielens2M/hash_routing.json:37, hash_routing_perm.json:54",
        ours: "Hash and hash+ are arms of the study.",
    },
    Erratum {
        what: "The README asks for TensorFlow 2.9.2 and numpy 1.21.6, requirements.txt for 2.4.1 and 1.21.2 and for packages that pip does not have under these names (cudatoolkit, hdf5, numpy-base).",
        place: "mazumder-lab/COMET@cf27276 README.md, requirements.txt",
        ours: "One lock file, no Python.",
    },
    Erratum {
        what: "Neither the convolutional experts nor the configurations of the vision tasks were released, nor the softmax gate, nor the openers of Digits and CelebA; the opener of Multi-MNIST takes the number of experts for its `trainval` flag and returns two parts where three are expected.",
        place: "mazumder-lab/COMET@cf27276 model/experts/__init__.py, model/gates/__init__.py, data/dataset_openers/image_multiclass_classifications_dataset_opener.py:33-39, task_utils.py:232-239",
        ours: "Experts and heads follow the supplement, S1.2; the search space is scaled to short runs.",
    },
    Erratum {
        what: "In Multi-MNIST the bottom-right digit is drawn with an exclusive upper bound reduced once more, so the last image of a part is never drawn; digits are added without a bound, so pixels reach 2; the two digits may be of one class.",
        place: "mazumder-lab/COMET@cf27276 data/utils/data_generators/generate_mnist_dataset.py:115-139",
        ours: "Uniform over all allowed digits; the larger pixel wins and classes differ by default, `Recipe::COMET_RELEASED` has the released overlay and pairing.",
    },
    Erratum {
        what: "The supplement gives MovieLens 1.6 million training, 200,000 validation and 200,000 test rows; the generator and the released files hold 1,574,602, 224,944 and 199,950. How unwatched pairs were sampled is not in the code.",
        place: "mazumder-lab/COMET@cf27276 data/utils/data_generators/generate_movielens_dataset.py:5-50, data/datasets/movielens",
        ours: "The released files are read as they are (`--data-dir`).",
    },
];
