//! Where the authors' released code departs from the paper, or is wrong; found by reading the lines named.

use offprint_lab::paper::Erratum;

pub(super) const ERRATA: &[Erratum] = &[
    // Validity.
    Erratum {
        what: "Solutions are listed while the solver answers `sat`. With its limit of 15 s it answers `unknown`, which ends the list like `unsat`: a puzzle whose other solutions were not found in time counts as having none, and is published as verified.",
        place: "puzzleclone/PuzzleClone@5c21efe translator.py, init_program (set_option), translator and process_post_generation (while _solver.check() == sat)",
        ours: "A solver that gives up is an error of its own; the draw is thrown away and counted.",
    },
    Erratum {
        what: "A found solution is excluded by the variables that the model mentions. Z3 leaves out variables that may have any value, so that solutions which differ only there count once, and a model without variables ends the list.",
        place: "puzzleclone/PuzzleClone@5c21efe translator.py, `for var in model: block.append(var() != model[var])`, five places",
        ours: "Every unknown has a domain and counts.",
    },
    Erratum {
        what: "Reproduction evaluates the recorded number of a first solution in a list of at most 10 that is sorted after Z3 has chosen it: another version of Z3, or another order of constraints, may list others. The number is always 0.",
        place: "puzzleclone/PuzzleClone@5c21efe translator.py, process_post_generation (_sol_id, random_seed 50, cnt < 10)",
        ours: "The secret solution itself is recorded and checked against the constraints.",
    },
    Erratum {
        what: "After post-generation all solutions are listed without the bound `max_solution`, so that a loose puzzle never ends.",
        place: "puzzleclone/PuzzleClone@5c21efe translator.py, process_post_generation (second while)",
        ours: "The bound holds always.",
    },
    Erratum {
        what: "Optimization rejects a puzzle with two optimal assignments although its answer, the optimal value, is one; and what is printed as the number of solutions is the number of variables of the model.",
        place: "puzzleclone/PuzzleClone@5c21efe translator.py, process_optimize",
        ours: "Optimal solutions are listed like others; answers have to agree.",
    },
    Erratum {
        what: "The unsatisfiable core in the message of a puzzle without solution is always empty: no constraint is tracked by a name.",
        place: "puzzleclone/PuzzleClone@5c21efe translator.py, translator (_solver.unsat_core())",
        ours: "`offprint use puzzleclone explain` prints minimal cores.",
    },
    // The specification language.
    Erratum {
        what: "Formulas, custom operators and texts are Python that is executed, custom operators also from any file a specification names: a downloaded specification can do anything.",
        place: "puzzleclone/PuzzleClone@5c21efe translator.py, process, process_with_config (exec), process_custom_operator (sys.path.append)",
        ours: "Formulas are data: parsed, checked and evaluated within limits on depth, size and steps.",
    },
    Erratum {
        what: "A dynamic condition's `order` and `duplicate` are read and never used: its items are always drawn in order and without repetition.",
        place: "puzzleclone/PuzzleClone@5c21efe translator.py, process_dynamic_conditions (generate_random_indices without order, duplicate)",
        ours: "`ordered` and `repeat` hold for every part of every draw.",
    },
    Erratum {
        what: "The domain of a variable is cut at every comma, so that a bound that is a call with two arguments is torn apart.",
        place: "puzzleclone/PuzzleClone@5c21efe translator.py, process_vars, resolve_rand (split(','))",
        ours: "A domain is a formula that gives a list.",
    },
    Erratum {
        what: "A text of one character is doubled: its first and last character are added separately.",
        place: "puzzleclone/PuzzleClone@5c21efe translator.py, ext",
        ours: "Templates are parsed.",
    },
    Erratum {
        what: "Reproducing derived symbols with several templates and `dim` above 1 looks a list up by a text, which raises TypeError.",
        place: "puzzleclone/PuzzleClone@5c21efe translator.py, process_multiple_derived_symbols (config[…][\"pool\"][\"{i}\"])",
        ours: "One record for every draw, reproduced in a test for each seed puzzle.",
    },
    Erratum {
        what: "Every possible choice is listed before one is drawn, for several parts their product: memory grows with the number of choices (10 of 20 names in order are 6.7·10¹¹).",
        place: "puzzleclone/PuzzleClone@5c21efe utils/auxiliary_operator.py, generate_random_indices (generate_pool, itertools.product)",
        ours: "Items are drawn directly.",
    },
    // Generation.
    Erratum {
        what: "Python's random numbers are never seeded, so that a data set cannot be made again but by its recorded configurations.",
        place: "puzzleclone/PuzzleClone@5c21efe translator.py, repeat_process",
        ours: "A puzzle is a function of specification, seed and index, whatever the number of threads.",
    },
    Erratum {
        what: "In continuous mode every exception is retried without end and without a word, also those that no draw can avoid.",
        place: "puzzleclone/PuzzleClone@5c21efe translator.py, repeat_process (except Exception)",
        ours: "At most 2,000 draws a puzzle, with the reasons counted; a wrong formula ends at once with its place.",
    },
    // Data processing.
    Erratum {
        what: "De-duplication means to leave out the questions, but skips the key `_query`, while the generator writes `_queries`.",
        place: "puzzleclone/PuzzleClone@5c21efe data_processing_scripts/deduplicate.py, extract_numeric_values",
        ours: "Questions do not count.",
    },
    Erratum {
        what: "Lists with one text in them drop out of the signature whole, so that puzzles which differ only in the numbers beside a name are called duplicates.",
        place: "puzzleclone/PuzzleClone@5c21efe data_processing_scripts/deduplicate.py, is_numeric_value",
        ours: "Draws are compared by their places in the lists, whatever the lists hold.",
    },
    Erratum {
        what: "The supervised training file holds the items that reinforcement learning validates on, and of a group of fewer than 6 items the last ones are cut off by a negative index.",
        place: "puzzleclone/PuzzleClone@5c21efe data_processing_scripts/split_rl.py (train_items = items[:validate_index], validate_index - 5)",
        ours: "Parts are disjoint; `split` tests it.",
    },
    Erratum {
        what: "The split is within each seed puzzle, so that every seed puzzle of the test is trained on: the gain on the test set says nothing about new kinds of puzzles.",
        place: "puzzleclone/PuzzleClone@5c21efe data_processing_scripts/split_rl.py",
        ours: "`split --hold-out` keeps whole seed puzzles apart, and the study reports them separately.",
    },
    Erratum {
        what: "The variable scale is relative to the smallest and largest value that happened to be drawn in the file, so that the same puzzle has another difficulty in another file; the weight of `diff_factor` counts by its sign only.",
        place: "puzzleclone/PuzzleClone@5c21efe data_processing_scripts/data_format.py (var_min_max, diff)",
        ours: "The scale is relative to what can be drawn; the sign alone counts here too, and the docs say so.",
    },
];
