"""Make the golden cases of COMET that come from our own derivations.

    python golden/make/comet.py            # writes golden/comet/*.safetensors

Needs numpy, scipy and torch. `twice.py` is the frame, `comet_kinds.py` has the derivations; here are the
inputs, fixed by seed. `source` names the authors' code where it was run as well on the same file (mazumder-lab/COMET@cf27276,
TensorFlow 2.15, leaf penalty set to 0); that check was made outside this repository. The cases without a maker here (numbers
below the first ones used here, and the kinds permutation, schedule and smooth-step) were given with the project's brief.
"""

import functools
import itertools

import numpy as np
from scipy.optimize import linear_sum_assignment

import comet_kinds as kinds
import twice
from twice import DOUBLE, SINGLE, TWO_WAYS

AUTHORS = TWO_WAYS + "; checked against the authors' TensorFlow code mazumder-lab/COMET@cf27276 run on the same file"

make = functools.partial(twice.make, "comet")


def identity(m, n):
    return np.tile(np.eye(n), (m, 1, 1))


def shuffled(rng, m, n):
    """Hard permutations."""
    return np.stack([np.eye(n)[rng.permutation(n)] for _ in range(m)])


def soft_permutation(rng, m, n, sharpness=2.0, iterations=200):
    a = np.exp(sharpness * rng.standard_normal((m, n, n)))
    for _ in range(iterations):
        a /= a.sum(2, keepdims=True)
        a /= a.sum(1, keepdims=True)
    return a


def comet_parameters(rng, n, k, d, spread, tasks=()):
    """Splits spread over about `spread` (compare with gamma/2), leaves of unit size."""
    return {
        "param.wz": spread / np.sqrt(d) * rng.standard_normal((*tasks, n - 1, k, d)),
        "param.bz": 0.3 * spread * rng.standard_normal((*tasks, n - 1, k)),
        "param.wo": rng.standard_normal((*tasks, n, k, d)) / np.sqrt(d),
        "param.bo": 0.5 * rng.standard_normal((*tasks, n, k)),
    }


def comet_gates():
    note = (
        "splits in heap order (children of i: 2i+1 left, 2i+2 right); expert j = j-th leaf in depth-first left-to-right order; "
        "smooth-step gives P(left); loss = sum(weights*cotangent)+entropy; a permutation [1,n,n] is shared by all trees"
    )
    grads = ["in.x", "param.wz", "param.bz", "param.wo", "param.bo", "in.permutation"]

    def case(number, config, inputs):
        make(
            f"comet-gate-{number}",
            {**config, "note": note},
            inputs,
            kinds.comet_gate_torch,
            kinds.comet_gate_numpy,
            grads=grads,
            source=AUTHORS,
            **SINGLE,
        )

    def drawn(seed, b, n, k, d, spread, permutation):
        rng = np.random.default_rng(seed)
        inputs = {
            "in.x": rng.standard_normal((b, d)),
            "in.cotangent": rng.standard_normal((b, n)),
            **comet_parameters(rng, n, k, d, spread),
        }
        return {**inputs, "in.permutation": permutation(rng)}

    # three experts, as many trees as experts, soft permutations
    case(
        3,
        {"experts": 3, "k": 3, "gamma": 2.0, "entropy_reg": 0.5},
        drawn(3, 5, 3, 3, 4, 0.8, lambda r: soft_permutation(r, 3, 3)),
    )
    # one sample, five experts, one permutation shared by the trees
    case(
        4,
        {"experts": 5, "k": 2, "gamma": 1.0, "entropy_reg": 0.1},
        drawn(4, 1, 5, 2, 3, 0.35, lambda r: soft_permutation(r, 1, 5)),
    )
    # the smallest tree
    case(5, {"experts": 2, "k": 1, "gamma": 1.0, "entropy_reg": 1.0}, drawn(5, 4, 2, 1, 3, 0.4, lambda r: shuffled(r, 1, 2)))
    # nearly every split saturated: most weights and gradients are exactly zero
    case(6, {"experts": 16, "k": 4, "gamma": 0.1, "entropy_reg": 0.05}, drawn(60, 6, 16, 4, 7, 1.0, lambda r: shuffled(r, 4, 16)))

    # splits exactly at +-gamma/2: dyadic numbers, so that every product and sum is exact in float32
    rng = np.random.default_rng(7)
    n, k, d, b = 6, 2, 4, 4
    x = rng.integers(-8, 9, (b, d)) / 8
    wz = rng.integers(-4, 5, (n - 1, k, d)) / 8
    sample = rng.integers(0, b, (n - 1, k))
    edge = np.where(rng.random((n - 1, k)) < 0.5, 0.5, -0.5)
    bz = edge - np.einsum("ikd,ikd->ik", wz, x[sample])
    inputs = {
        "in.x": x,
        "in.cotangent": rng.standard_normal((b, n)),
        "in.permutation": soft_permutation(rng, 2, n),
        **comet_parameters(rng, n, k, d, 0.4),
        "param.wz": wz,
        "param.bz": bz,
    }
    z = np.einsum("ikd,bd->bik", wz, x) + bz
    assert (np.abs(z) == 0.5).sum() >= (n - 1) * k
    case(7, {"experts": n, "k": k, "gamma": 1.0, "entropy_reg": 0.1}, inputs)


def dselect_gates():
    note = (
        "expert v chosen by the big-endian binary code of v over ceil(log2 n) smooth-steps; bit 1 = s, bit 0 = 1-s; "
        "reachable loss only when n is not a power of 2 (sum over batch and selectors, not mean)"
    )
    grads = ["in.x", "param.wz", "param.bz", "param.ww", "param.bw", "in.permutation"]
    for number, b, n, k, d, permutation in [
        (4, 1, 3, 1, 4, shuffled),
        (5, 5, 2, 2, 3, soft_permutation),
        (6, 4, 5, 5, 4, soft_permutation),
    ]:
        rng = np.random.default_rng(100 + number)
        bits = max(1, (n - 1).bit_length())
        config = {"experts": n, "k": k, "gamma": 1.0, "entropy_reg": 0.1, "zeta": 1.0, "static": False, "note": note}
        inputs = {
            "in.x": rng.standard_normal((b, d)),
            "in.cotangent": rng.standard_normal((b, n)),
            "in.permutation": permutation(rng, k, n),
            "param.wz": 0.3 / np.sqrt(d) * rng.standard_normal((k * bits, d)),
            "param.bz": 0.05 * rng.standard_normal(k * bits),
            "param.ww": rng.standard_normal((k, d)) / np.sqrt(d),
            "param.bw": rng.standard_normal(k),
        }
        make(
            f"dselect-k-{number}", config, inputs, kinds.dselect_torch, kinds.dselect_numpy, grads=grads, source=AUTHORS, **SINGLE
        )


def hash_gates():
    note = "weights = one-hot(table[id]) @ mean permutation, divided by their sum"
    cases = [
        (7, 4, 9, lambda r: soft_permutation(r, 1, 4)),  # one shared permutation
        (1, 5, 6, lambda r: soft_permutation(r, 3, 5)),  # batch 1, not a power of 2, averaged over three
        (5, 3, 3, lambda r: shuffled(r, 2, 3)),  # two hard permutations that differ: weights of one half
        (6, 8, 40, lambda r: identity(1, 8)),  # no local search
    ]
    for number, (b, n, entries, permutation) in enumerate(cases):
        rng = np.random.default_rng(200 + number)
        inputs = {
            "in.ids": rng.integers(0, entries, b),
            "in.table": rng.integers(0, n, entries),
            "in.permutation": permutation(rng),
            "in.cotangent": rng.standard_normal((b, n)),
        }
        make(
            f"hash-gate-{number}",
            {"experts": n, "note": note},
            inputs,
            kinds.hash_torch,
            kinds.hash_numpy,
            grads=["in.permutation"],
            source=AUTHORS,
            **SINGLE,
        )


def softmax_gates():
    note = "weights = softmax(xW^T+b) @ mean permutation, divided by their sum"
    cases = [
        (6, 4, 5, lambda r: identity(1, 4)),
        (1, 3, 4, lambda r: soft_permutation(r, 3, 3)),  # batch 1
        (5, 7, 3, lambda r: soft_permutation(r, 1, 7)),
        (3, 2, 2, lambda r: shuffled(r, 2, 2)),
    ]
    for number, (b, n, d, permutation) in enumerate(cases):
        rng = np.random.default_rng(300 + number)
        inputs = {
            "in.x": rng.standard_normal((b, d)),
            "in.permutation": permutation(rng),
            "in.cotangent": rng.standard_normal((b, n)),
            "param.w": rng.standard_normal((n, d)),
            "param.b": rng.standard_normal(n),
        }
        grads = ["in.x", "param.w", "param.b", "in.permutation"]
        make(
            f"softmax-gate-{number}",
            {"experts": n, "note": note},
            inputs,
            kinds.softmax_torch,
            kinds.softmax_numpy,
            grads=grads,
            source=TWO_WAYS,
            **SINGLE,
        )


def topk_gates():
    note = "logits = xW^T+b+noise*softplus(xW_noise^T); softmax over the k largest; weights = gate @ mean permutation, divided by their sum"
    grads = ["in.x", "param.w", "param.b", "param.w_noise", "in.permutation"]

    def case(number, config, inputs, source=AUTHORS):
        make(
            f"topk-gate-{number}",
            {**config, "note": note},
            inputs,
            kinds.topk_torch,
            kinds.topk_numpy,
            grads=grads,
            source=source,
            **SINGLE,
        )

    for number, b, n, k, d, noisy, permutation in [
        (3, 5, 6, 2, 4, False, lambda r: soft_permutation(r, 2, 6)),
        (4, 4, 3, 3, 3, False, lambda r: soft_permutation(r, 1, 3)),  # k = n
        (5, 1, 5, 1, 4, True, lambda r: soft_permutation(r, 1, 5)),  # batch 1, one expert: no gradient reaches the logits
    ]:
        rng = np.random.default_rng(400 + number)
        inputs = {
            "in.x": rng.standard_normal((b, d)),
            "in.noise": rng.standard_normal((b, n)) if noisy else np.zeros((b, n)),
            "in.cotangent": rng.standard_normal((b, n)),
            "in.permutation": permutation(rng),
            "param.w": rng.standard_normal((n, d)) / np.sqrt(d),
            "param.b": 0.3 * rng.standard_normal(n),
            "param.w_noise": rng.standard_normal((n, d)) / np.sqrt(d),
        }
        source = TWO_WAYS if noisy else AUTHORS
        case(number, {"experts": n, "k": k}, inputs, source)

    # selected logits that are exactly zero, as the larger, as the smaller and as the only one beside a negative
    logits = np.array([[0, -0.5, -1, -2, -0.75], [1, 0, -1, -2, -0.5], [-0.25, -3, 0, -1, -2], [0.5, -1, -2, 2, 0]])
    rng = np.random.default_rng(406)
    zero = {
        "in.x": np.eye(4),
        "in.noise": np.zeros((4, 5)),
        "in.cotangent": rng.standard_normal((4, 5)),
        "in.permutation": soft_permutation(rng, 2, 5),
        "param.w": logits.T - 0.25,
        "param.b": np.full(5, 0.25),
        "param.w_noise": rng.standard_normal((5, 4)),
    }
    source = (
        TWO_WAYS
        + "; the authors' TopkGate (mazumder-lab/COMET@cf27276) drops a selected logit that is exactly 0.0, here it is kept"
    )
    case(6, {"experts": 5, "k": 2}, zero, source)


def mixtures():
    note = (
        "each task has its own COMET gate over x; both share the experts f_j(x) = relu(relu(x w1_j + b1_j) w2_j + b2_j) and the permutation; "
        "outputs = sum_j weights_j f_j; entropy = sum over tasks; evaluated = (sample, expert) pairs with a nonzero weight in some task; "
        "loss = sum(outputs*cotangent)+entropy"
    )
    params = [f"param.{name}" for name in ("wz", "bz", "wo", "bo", "w1", "b1", "w2", "b2")]
    source = AUTHORS.replace("code", "gate", 1)

    cases = [
        # hard permutation, saturated splits: most pairs are not evaluated
        (500, 6, 8, 2, 5, 4, 3, 0.2, 0.5, lambda r: shuffled(r, 2, 8), False),
        # soft permutation: every pair has weight
        (501, 4, 5, 2, 4, 3, 2, 2.0, 0.5, lambda r: soft_permutation(r, 2, 5, 1.0), True),
        # batch 1, k = n = 3, one hard permutation for all trees
        (502, 1, 3, 3, 4, 5, 2, 0.5, 0.5, lambda r: shuffled(r, 1, 3), False),
        # one tree, all splits saturated: one expert a sample and task, and experts that no sample reaches
        (503, 5, 7, 1, 4, 3, 4, 0.001, 1.0, lambda r: identity(1, 7), False),
    ]
    for number, (seed, b, n, k, d, h, o, gamma, spread, permutation, soft) in enumerate(cases):
        rng = np.random.default_rng(seed)
        config = {"experts": n, "k": k, "gamma": gamma, "entropy_reg": 0.1, "tasks": 2, "note": note}
        inputs = {
            "in.x": rng.standard_normal((b, d)),
            "in.cotangent": rng.standard_normal((2, b, o)),
            "in.permutation": permutation(rng),
            **comet_parameters(rng, n, k, d, spread, tasks=(2,)),
            "param.w1": rng.standard_normal((n, d, h)) / np.sqrt(d),
            "param.b1": 0.3 * rng.standard_normal((n, h)) + 0.2,
            "param.w2": rng.standard_normal((n, h, o)) / np.sqrt(h),
            "param.b2": 0.3 * rng.standard_normal((n, o)) + 0.2,
        }
        grads = ["in.x", *params] + (["in.permutation"] if soft else [])
        make(f"mixture-{number}", config, inputs, kinds.mixture_torch, kinds.mixture_numpy, grads=grads, source=source, **SINGLE)


def assignments():
    for number, n in enumerate([1, 5, 16]):
        rng = np.random.default_rng(600 + number)
        cost = rng.normal(-0.5, 2.0, (n, n))
        rows, columns = linear_sum_assignment(cost)
        total = cost[rows, columns].sum()
        # unique: forbidding any one of its pairs costs more
        for i in range(n):
            without = cost.copy()
            without[i, columns[i]] = 1e6
            assert without[linear_sum_assignment(without)].sum() > total + 1e-3
        if n <= 5:
            assert np.isclose(total, min(cost[range(n), p].sum() for p in itertools.permutations(range(n))))
        tensors = {"in.cost": cost, "out.total": np.float64(total), "out.columns": columns.astype(np.int64)}
        config = {"size": n, "note": "minimize the sum of cost[i, columns[i]]; the optimum is unique"}
        twice.write(
            "comet",
            f"assignment-{number}",
            config,
            tensors,
            source="scipy.optimize.linear_sum_assignment",
            rtol=1e-12,
            atol=1e-12,
        )
        print(f"{f'assignment-{number}':16} total {total:.6f}")


def local_searches():
    note = (
        "calls in order on unchanged log-weights; step < learning_steps: Sinkhorn((B+noise_factor*gumbel)/tau), rows first, then columns, in log space; "
        "later: hard matching of the last soft matrix, constant; regularization = entropy_reg * mean over permutations of the entropies of R and of its "
        "row-normalized form; loss = sum(permutation*cotangent)+sum(regularization); float64"
    )
    cases = [
        (700, 1, 4, 10, [0, 1, 2], 0.0),  # the first steps
        (712, 2, 6, 40, [3, 4, 6], 0.01),  # two permutations, Gumbel noise
        (702, 1, 5, 5, [1, 2, 5, 6], 0.0),  # ends frozen
        (703, 3, 3, 1000, [999, 1000], 0.0),  # the coldest step of a long search, then frozen
    ]
    for number, (seed, m, n, learning_steps, steps, noise) in enumerate(cases):
        rng = np.random.default_rng(seed)
        config = {
            "experts": n,
            "learning_steps": learning_steps,
            "noise_factor": noise,
            "entropy_reg": 1e-4,
            "tau_start": 1e-3,
            "tau_end": 1e-7,
            "iterations_start": 20,
            "iterations_end": 150,
            "note": note,
        }
        shape = (len(steps), m, n, n)
        inputs = {
            "param.log_weights": rng.uniform(-0.05, 0.05, (m, n, n)),
            "in.step": np.array(steps),
            "in.gumbel": rng.gumbel(size=shape) if noise else np.zeros(shape),
            "in.cotangent": rng.standard_normal(shape),
        }
        make(
            f"local-search-{number}",
            config,
            inputs,
            kinds.local_search_torch,
            kinds.local_search_numpy,
            grads=["param.log_weights"],
            source=AUTHORS,
            dtype=np.float64,
            **DOUBLE,
        )


def conv_experts():
    note = (
        "conv is a cross-correlation, stride 1, no padding; max pool 2x2, stride 2, an odd last row or column is dropped; "
        "flatten as (channel, row, column); dense = z @ w + b"
    )
    for number, (b, height, width) in enumerate([(2, 36, 36), (1, 35, 35), (3, 19, 23)]):
        rng = np.random.default_rng(800 + number)
        rows, columns = (((height - 4) // 2) - 4) // 2, (((width - 4) // 2) - 4) // 2
        flat = 20 * rows * columns
        inputs = {
            "in.x": rng.random((b, 1, height, width)),
            "in.cotangent": rng.standard_normal((b, 50)),
            "param.conv1_w": rng.standard_normal((10, 1, 5, 5)) / 5,
            "param.conv1_b": 0.1 * rng.standard_normal(10),
            "param.conv2_w": rng.standard_normal((20, 10, 5, 5)) / np.sqrt(250),
            "param.conv2_b": 0.1 * rng.standard_normal(20),
            "param.dense1_w": rng.standard_normal((flat, 50)) / np.sqrt(flat),
            "param.dense1_b": 0.1 * rng.standard_normal(50),
            "param.dense2_w": rng.standard_normal((50, 50)) / np.sqrt(50),
            "param.dense2_b": 0.1 * rng.standard_normal(50),
        }
        grads = ["in.x"] + [key for key in inputs if key.startswith("param.")]
        config = {"height": height, "width": width, "note": note}
        make(
            f"conv-expert-{number}",
            config,
            inputs,
            kinds.conv_expert_torch,
            kinds.conv_expert_numpy,
            grads=grads,
            source=TWO_WAYS,
            **SINGLE,
        )


if __name__ == "__main__":
    comet_gates()
    dselect_gates()
    hash_gates()
    softmax_gates()
    topk_gates()
    mixtures()
    assignments()
    local_searches()
    conv_experts()
