//! Where the released COMET-BERT departs from the paper, or is wrong.
//!
//! Every entry was checked by running the code named (PyTorch 2.15) or by reading the lines named.

use offprint_lab::paper::Erratum;

pub(super) const ERRATA: &[Erratum] = &[
    // Gates and local search.
    Erratum {
        what: "The gate's module imports `NoPermutations`, which its package does not define, so no COMET-BERT model can be imported.",
        place: "mazumder-lab/COMET-BERT@a6f0cf6 src/transformers/cometbert/moe_layer.py:9, permutations/__init__.py",
        ours: "A gate without local search takes no permutation.",
    },
    Erratum {
        what: "The COMET gate differs between the two repositories: in COMET-BERT splits have no bias, leaf biases start at 0, leaves reached with less than 1e-5 are cut to minus infinity and the logarithm uses 1e-6 (COMET: 0 and 1e-8), and the entropy is that of max(P, 1e-6) + 1e-6, whose gradient is 0 below 1e-6.",
        place: "mazumder-lab/COMET-BERT@a6f0cf6 src/transformers/cometbert/gates/comet.py:63, 72, 83-88, 165",
        ours: "The gate of the COMET repository.",
    },
    Erratum {
        what: "Both branches of a `torch.where` are computed, so after the search the soft permutation is computed on, with a temperature that is no longer bounded, and replaces the stored one; about 9.25 N steps after the start the temperature underflows and the Hungarian matching raises on NaN (seen at step 9,300 of N = 1,000; an epoch of MNLI has 24,500).",
        place: "mazumder-lab/COMET-BERT@a6f0cf6 src/transformers/cometbert/permutations/perm_local_search.py:110-142, 156-163",
        ours: "From step N on the permutation is fixed.",
    },
    Erratum {
        what: "`torch.split` by the number of permutations makes chunks of that size, not that many chunks: local search with k > 1 raises. It works for k = 1 alone, which the layer hard-codes.",
        place: "mazumder-lab/COMET-BERT@a6f0cf6 src/transformers/cometbert/permutations/perm_local_search.py:95-99, moe_layer.py:35-54",
        ours: "Any k, one permutation for all trees or one a tree.",
    },
    Erratum {
        what: "The step counter of the local search is a plain tensor, not in the state dict: a resumed run starts its search again.",
        place: "mazumder-lab/COMET-BERT@a6f0cf6 src/transformers/cometbert/permutations/perm_local_search.py:43",
        ours: "The step is part of the checkpoint.",
    },
    Erratum {
        what: "The COMET layer hard-codes 4 experts, and with local search k = 1 and 1,000 steps an epoch, whatever the options say; any other number of experts raises.",
        place: "mazumder-lab/COMET-BERT@a6f0cf6 src/transformers/cometbert/moe_layer.py:24-54",
        ours: "Experts, k and steps are settings.",
    },
    Erratum {
        what: "The gate is always called with its default `training=True`, so the entropy penalty is part of the evaluation loss too.",
        place: "mazumder-lab/COMET-BERT@a6f0cf6 src/transformers/cometbert/moe_layer.py:120, 139, gates/comet.py:90, 169-172",
        ours: "Penalties are part of the training loss only.",
    },
    Erratum {
        what: "Entropy and permutation penalties are multiplied once more by an option made for load balancing, 0.0 by default (no penalty at all) and 0.1 in the shipped script, so its lambda = 1 acts as 0.1 and the permutation's 1e-4 as 1e-5.",
        place: "mazumder-lab/COMET-BERT@a6f0cf6 src/transformers/models/bert/modeling_bert_moe.py:506, examples/text-classification/run_glue.py:149-151, scripts_comet/2_comet_finetuning.sh",
        ours: "The penalty is what its setting says.",
    },
    Erratum {
        what: "The importance of neurons, which decides what the experts are made of, is computed on the labelled development set that later reports the score.",
        place: "mazumder-lab/COMET-BERT@a6f0cf6 scripts_comet/1_importance.sh, src/transformers/trainer.py:1632-1638, 1884, models/bert/modeling_bert.py:1564-1581",
        ours: "Nothing is fitted on data that a result is reported on.",
    },
    Erratum {
        what: "Prediction on unlabelled test data, which the shipped script asks for, adds penalties to a loss that is None and raises; MoEBERT's token gate splits its experts by a list of lists and raises too.",
        place: "mazumder-lab/COMET-BERT@a6f0cf6 src/transformers/models/bert/modeling_bert_moe.py:506, cometbert/moe_layer.py:72-85",
        ours: "Prediction needs no labels.",
    },
    // Distillation.
    Erratum {
        what: "The random table of hash routing is a plain tensor, not in the state dict: a reloaded model of experts routes by another table.",
        place: "mazumder-lab/COMET-BERT@a6f0cf6 src/transformers/cometbert/moe_layer.py:20-21, 62-64",
        ours: "The table is drawn from the trial's seed.",
    },
    Erratum {
        what: "The teacher is a submodule of the student, so that training mode turns its dropout on: what it teaches is noisy. It is also saved with every checkpoint of the student.",
        place: "mazumder-lab/COMET-BERT@a6f0cf6 examples/text-classification/run_glue.py:370, src/transformers/models/bert/modeling_bert_moe.py:487-502",
        ours: "The teacher is evaluated without dropout.",
    },
    Erratum {
        what: "The distance of the logits takes logarithms of probabilities in 32 bits: where one underflows (logits about 104 apart) the loss is infinite and its gradient is not a number.",
        place: "mazumder-lab/COMET-BERT@a6f0cf6 src/transformers/models/bert/modeling_bert_moe.py:26-30",
        ours: "Logarithms of softmax are computed from the logits.",
    },
    Erratum {
        what: "The distance of the hidden layers is a mean over all positions, and texts are padded to 128 tokens: padding, most of a short text, weighs as much as words.",
        place: "mazumder-lab/COMET-BERT@a6f0cf6 src/transformers/models/bert/modeling_bert_moe.py:519-522, examples/text-classification/run_glue.py:85, 436",
        ours: "Only tokens that are present count; without a mask the mean is the authors'.",
    },
    Erratum {
        what: "Neurons that are no multiple of the experts make lists of unequal length, which NumPy from 1.24 on refuses to make an array of.",
        place: "mazumder-lab/COMET-BERT@a6f0cf6 src/transformers/cometbert/utils.py:54-61",
        ours: "Any number: shorter experts are filled up with neurons of zero weight.",
    },
    Erratum {
        what: "Evaluating a saved model of experts imports a module `process` that is not in the repository.",
        place: "mazumder-lab/COMET-BERT@a6f0cf6 examples/text-classification/run_glue.py:573",
        ours: "A checkpoint is the whole model.",
    },
];
