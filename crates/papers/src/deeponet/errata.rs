//! Where the authors' released code departs from the paper, or is wrong.
//!
//! Every number was computed by running the lines named (NumPy 2.4, SciPy 1.17) on functions of the authors' own spaces.

use offprint_lab::paper::Erratum;

pub(super) const ERRATA: &[Erratum] = &[
    // Labels.
    Erratum {
        what: "The differential equations are solved with SciPy's default tolerance of 1e-3. On 30 functions of the default field the labels of the antiderivative and the nonlinear system are wrong by up to 7e-3, and by 2.2e-6 in mean square: more than the test error of 9.3e-7 that the README reports.",
        place: "lululxvi/deeponet@8d62345 src/system.py:113 (ODESystem.eval_s)",
        ours: "Tolerance 1e-10 a step, below 1e-8 in all, tested against closed forms.",
    },
    Erratum {
        what: "The Legendre transform is a sum over the right ends of 9,999 intervals, of order 1: off by up to 3.5e-4 where the mean size of a label is 0.12. It also integrates the cubic through the sensors, not the function.",
        place: "lululxvi/deeponet@8d62345 src/system.py:44-54 (LTSystem.eval_s)",
        ours: "Gauss-Legendre with 64 nodes more than there are terms.",
    },
    Erratum {
        what: "Diffusion and reaction are solved on a grid of as many points as there are sensors, under the source at the sensors alone: fewer sensors make worse labels, so the error cannot be studied by the number of sensors.",
        place: "lululxvi/deeponet@8d62345 src/system.py:155-172 (DRSystem.eval_s)",
        ours: "The solver has a grid of its own and the function itself for a source.",
    },
    Erratum {
        what: "The Caputo derivative is the scheme L1 with 1,000 steps, whose order 2 - alpha falls to 1: at alpha = 0.99 its labels are off by up to 3.2, 1.2 % in root mean square (0.15 % at alpha = 0.5), for Legendre series of degree 10.",
        place: "lululxvi/deeponet@8d62345 fractional/operator_Orthogonal_polynomials.m:3-24",
        ours: "Gauss-Jacobi with the singular kernel as weight: exact for these series.",
    },
    Erratum {
        what: "The moments of the stochastic equation assume the exponential covariance, whatever covariance the space has; nothing checks that the two agree.",
        place: "lululxvi/deeponet@8d62345 src/sde.py (SODESystem.eval_s)",
        ours: "Not part of the study.",
    },
    // Comparisons.
    Erratum {
        what: "Without bias (`use_bias=False`) the last layer of the branch loses its bias too, so the comparison of networks with and without b_0 changes two things at once.",
        place: "lululxvi/deepxde@v0.11.2 deepxde/maps/opnn.py (OpNN.build)",
        ours: "`bias` is b_0 alone; the layers keep theirs.",
    },
    Erratum {
        what: "The sequence-to-sequence model is trained on 1,000 functions with all 100 points of the answer, 100,000 labels; the DeepONet it is compared with has one label a function, 10,000.",
        place: "lululxvi/deeponet@8d62345 seq2seq/seq2seq_main.py:15-17, src/deeponet_pde.py:258",
        ours: "Every arm sees the same labels.",
    },
    Erratum {
        what: "The network that is tested is the one with the least training loss among those saved every 1,000 epochs.",
        place: "lululxvi/deeponet@8d62345 src/deeponet_pde.py:182-191; lululxvi/deepxde@v0.11.2 deepxde/callbacks.py (ModelCheckpoint)",
        ours: "The one with the least error on validation functions.",
    },
    Erratum {
        what: "The error \"without outliers\" leaves out the worst 0.1 % of the test points, rounded up, and is printed beside the test error without a word on how many that are; of a single error it is NaN.",
        place: "lululxvi/deeponet@8d62345 src/utils.py:40-43 (mean_squared_error_outlier)",
        ours: "A metric of its own, never the one that claims are judged by; one error stays at least.",
    },
    Erratum {
        what: "Errors during training are on the first 65,535 of 100,000 test points, those at the end on all.",
        place: "lululxvi/deeponet@8d62345 src/deeponet_pde.py:166-167",
        ours: "One test set.",
    },
    Erratum {
        what: "No seed is set for data or weights: no table of the paper can be reproduced.",
        place: "lululxvi/deeponet@8d62345 src/deeponet_pde.py, src/spaces.py",
        ours: "Everything follows from the trial's seed.",
    },
    // Spaces.
    Erratum {
        what: "The Karhunen-Loeve field evaluates one function as `np.sum(eigfun * y)`, right for one point and, for several, an error or the sum over the points too.",
        place: "lululxvi/deeponet@8d62345 src/spaces.py (GRF_KL.eval_u_one)",
        ours: "Functions are drawn by the Cholesky factor and evaluated at any points.",
    },
    Erratum {
        what: "The number of eigenfunctions for 99.9 % of the variance takes the second index above it instead of the first, and so reports one too many.",
        place: "lululxvi/deeponet@8d62345 src/sde.py:26-28 (KL)",
        ours: "No expansion is cut off.",
    },
    Erratum {
        what: "Functions for the Legendre transform are drawn on [0, 2] and transformed on [-1, 1]; the functions it is tested on are evaluated on [-1, 1] itself. A field does not mind, a Chebyshev or power series would be another function.",
        place: "lululxvi/deeponet@8d62345 src/system.py:34, src/deeponet_pde.py:18",
        ours: "`legendre_transform` takes a function on [-1, 1].",
    },
    // What was released.
    Erratum {
        what: "An experiment is chosen by commenting lines in and out of four files; what was set for which table is not recorded.",
        place: "lululxvi/deeponet@8d62345 src/deeponet_pde.py (main, ode_system), src/system.py, src/CVC_solver.py",
        ours: "Settings by name: `offprint run deeponet --set systems=pendulum`.",
    },
    Erratum {
        what: "Several experiments end by writing into a folder `test` that is not in the repository: after hours of training, FileNotFoundError.",
        place: "lululxvi/deeponet@8d62345 src/deeponet_pde.py:26-27, 77-78, 93-94",
        ours: "Results go to the run store, whose folders are made before the training.",
    },
    Erratum {
        what: "requirements.txt asks for any DeepXDE, but only 0.11.2 has the classes that are used, and for `sklearn`, which is not the name of scikit-learn on PyPI; TensorFlow 1 is needed.",
        place: "lululxvi/deeponet@8d62345 requirements.txt, README.md",
        ours: "One lock file, no Python.",
    },
];
