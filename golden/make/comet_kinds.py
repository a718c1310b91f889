"""The kinds of COMET's golden cases, each derived twice: `*_torch` on batches, `*_numpy` one sample at a time.

Source: Ibrahim et al., "COMET" (2023); Hazimeh et al., "DSelect-k" (2021); Shazeer et al., "Sparsely-gated mixture of
experts" (2017); Mena et al., "Gumbel-Sinkhorn" (2018).
"""

import itertools

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment

LOWEST = float(np.finfo(np.float32).min)


# --- pieces in numpy, one sample at a time, safe for complex numbers -----------------------------------------------------


def np_smooth_step(t, gamma):
    inside = -2 * t**3 / gamma**3 + 3 * t / (2 * gamma) + 0.5
    return np.where(t.real <= -gamma / 2, 0, np.where(t.real >= gamma / 2, 1, inside))


def np_softmax(a):
    e = np.exp(a - a.real.max())
    return e / e.sum()


def np_relu(a):
    return np.where(a.real > 0, a, 0)


def np_logsumexp(a, axis):
    top = a.real.max(axis=axis, keepdims=True)
    return top + np.log(np.exp(a - top).sum(axis=axis, keepdims=True))


def leaves_left_to_right(experts):
    """The path of every leaf of the heap-ordered tree, in depth-first order: [(split, goes left), ...] from the root."""
    paths = []
    for leaf in range(experts - 1, 2 * experts - 1):
        path, node = [], leaf
        while node > 0:
            parent = (node - 1) // 2
            path.append((parent, node == 2 * parent + 1))
            node = parent
        paths.append(path[::-1])
    return sorted(paths, key=lambda path: "".join("0" if left else "1" for _, left in path))


def np_comet(config, x, wz, bz, wo, bo, permutation):
    """(weights[n], reach[k, n]) of one sample."""
    n, k = config["experts"], config["k"]
    split = np_smooth_step(np.einsum("ikd,d->ik", wz, x) + bz, config["gamma"])
    reach = np.ones((k, n), dtype=complex)
    for j, path in enumerate(leaves_left_to_right(n)):
        for i, left in path:
            reach[:, j] *= split[i] if left else 1 - split[i]
    score = np.einsum("jkd,d->kj", wo, x) + bo.T + np.log(reach + 1e-8)
    score = np.where(reach.real <= 0, LOWEST, score)
    gate = np_softmax(score.ravel()).reshape(k, n)
    weights = sum(gate[t] @ permutation[t % len(permutation)] for t in range(k))
    return weights / weights.sum(), reach


def np_average_permuted(g, permutation):
    weights = g @ permutation.mean(axis=0)
    return weights / weights.sum()


def np_conv_pool(image, kernel, bias):
    """conv (valid) - ReLU - 2x2 max over [channel, row, column]."""
    window = np.lib.stride_tricks.sliding_window_view(image, kernel.shape[2:], axis=(1, 2))
    z = np_relu(np.einsum("ihwrs,oirs->ohw", window, kernel, optimize=True) + bias[:, None, None])
    rows, columns = z.shape[1] // 2, z.shape[2] // 2
    blocks = z[:, : 2 * rows, : 2 * columns].reshape(len(z), rows, 2, columns, 2).transpose(0, 1, 3, 2, 4)
    blocks = blocks.reshape(len(z), rows, columns, 4)
    return np.take_along_axis(blocks, blocks.real.argmax(-1)[..., None], -1)[..., 0]


# --- each kind, twice ----------------------------------------------------------------------------------------------------


def t_smooth_step(t, gamma):
    inside = -2 * t**3 / gamma**3 + 3 * t / (2 * gamma) + 0.5
    return torch.where(t <= -gamma / 2, torch.zeros_like(t), torch.where(t >= gamma / 2, torch.ones_like(t), inside))


def t_comet(config, x, wz, bz, wo, bo, permutation):
    """(weights[b, n], reach[b, k, n], entropy)."""
    n, k = config["experts"], config["k"]
    split = t_smooth_step(torch.einsum("ikd,bd->bik", wz, x) + bz, config["gamma"])

    def below(node, reach):
        if node >= n - 1:
            return [reach]
        return below(2 * node + 1, reach * split[:, node]) + below(2 * node + 2, reach * (1 - split[:, node]))

    reach = torch.stack(below(0, torch.ones_like(split[:, 0])), dim=-1)
    score = torch.einsum("jkd,bd->bkj", wo, x) + bo.T + torch.log(reach + 1e-8)
    score = torch.where(reach <= 0, torch.full_like(score, LOWEST), score)
    gate = torch.softmax(score.flatten(1), dim=1).view(-1, k, n)
    weights = torch.einsum("bkj,kjl->bl", gate, permutation.expand(k, n, n))
    entropy = config["entropy_reg"] * (-reach * torch.log(reach + 1e-6)).sum((1, 2)).mean()
    return weights / weights.sum(1, keepdim=True), reach, entropy


def comet_gate_torch(config, t):
    weights, reach, entropy = t_comet(
        config, t["in.x"], t["param.wz"], t["param.bz"], t["param.wo"], t["param.bo"], t["in.permutation"]
    )
    loss = (weights * t["in.cotangent"]).sum() + entropy
    return {"weights": weights, "reach": reach, "entropy": entropy, "loss": loss}


def comet_gate_numpy(config, a):
    gate = [a["param.wz"], a["param.bz"], a["param.wo"], a["param.bo"], a["in.permutation"]]
    samples = [np_comet(config, x, *gate) for x in a["in.x"]]
    weights, reach = np.array([s[0] for s in samples]), np.array([s[1] for s in samples])
    entropy = config["entropy_reg"] * sum((-p * np.log(p + 1e-6)).sum() for p in reach) / len(reach)
    return {"weights": weights, "reach": reach, "entropy": entropy, "loss": (weights * a["in.cotangent"]).sum() + entropy}


def dselect_torch(config, t):
    n, k = config["experts"], config["k"]
    bits = max(1, (n - 1).bit_length())
    z = t_smooth_step((t["in.x"] @ t["param.wz"].T + t["param.bz"]).view(-1, k, 1, bits), config["gamma"])
    code = torch.tensor([[(v >> (bits - 1 - i)) & 1 for i in range(bits)] for v in range(n)], dtype=torch.bool)
    selectors = torch.where(code, z, 1 - z).prod(-1)
    share = torch.softmax(t["in.x"] @ t["param.ww"].T + t["param.bw"], dim=1)
    weights = torch.einsum("bk,bkj,kjl->bl", share, selectors, t["in.permutation"])
    entropy = config["entropy_reg"] * (-selectors * torch.log(selectors + 1e-6)).sum((1, 2)).mean()
    reachable = config["zeta"] * (1 / (1e-6 + selectors.sum(-1))).sum() if n != 2**bits else torch.zeros_like(entropy)
    loss = (weights * t["in.cotangent"]).sum() + entropy + reachable
    return {"weights": weights, "selectors": selectors, "entropy": entropy, "reachable_loss": reachable, "loss": loss}


def dselect_numpy(config, a):
    n, k = config["experts"], config["k"]
    bits = max(1, (n - 1).bit_length())
    all_weights, all_selectors = [], []
    for x in a["in.x"]:
        s = np_smooth_step(a["param.wz"] @ x + a["param.bz"], config["gamma"]).reshape(k, bits)
        selectors = np.ones((k, n), dtype=complex)
        for v in range(n):
            for i, bit in enumerate(format(v, f"0{bits}b")):
                selectors[:, v] *= s[:, i] if bit == "1" else 1 - s[:, i]
        share = np_softmax(a["param.ww"] @ x + a["param.bw"])
        all_weights.append(sum(share[t] * selectors[t] @ a["in.permutation"][t] for t in range(k)))
        all_selectors.append(selectors)
    weights, selectors = np.array(all_weights), np.array(all_selectors)
    entropy = config["entropy_reg"] * (-selectors * np.log(selectors + 1e-6)).sum() / len(weights)
    reachable = config["zeta"] * sum(1 / (1e-6 + row.sum()) for sample in selectors for row in sample) if n != 2**bits else 0.0
    loss = (weights * a["in.cotangent"]).sum() + entropy + reachable
    return {"weights": weights, "selectors": selectors, "entropy": entropy, "reachable_loss": np.asarray(reachable), "loss": loss}


def t_average_permuted(g, permutation):
    weights = g @ permutation.mean(0)
    return weights / weights.sum(1, keepdim=True)


def hash_torch(_, t):
    permuted = t["in.permutation"].mean(0)[t["in.table"][t["in.ids"]]]
    weights = permuted / permuted.sum(1, keepdim=True)
    return {"weights": weights, "loss": (weights * t["in.cotangent"]).sum()}


def hash_numpy(config, a):
    one_hot = np.eye(config["experts"])
    weights = np.array([np_average_permuted(one_hot[a["in.table"][i]], a["in.permutation"]) for i in a["in.ids"]])
    return {"weights": weights, "loss": (weights * a["in.cotangent"]).sum()}


def softmax_torch(_, t):
    gate = torch.softmax(t["in.x"] @ t["param.w"].T + t["param.b"], dim=1)
    weights = t_average_permuted(gate, t["in.permutation"])
    return {"weights": weights, "loss": (weights * t["in.cotangent"]).sum()}


def softmax_numpy(_, a):
    weights = np.array([np_average_permuted(np_softmax(a["param.w"] @ x + a["param.b"]), a["in.permutation"]) for x in a["in.x"]])
    return {"weights": weights, "loss": (weights * a["in.cotangent"]).sum()}


def topk_torch(config, t):
    x = t["in.x"]
    logits = x @ t["param.w"].T + t["param.b"] + t["in.noise"] * torch.nn.functional.softplus(x @ t["param.w_noise"].T)
    top, selected = logits.topk(config["k"], dim=1)
    gate = torch.zeros_like(logits).scatter(1, selected, torch.softmax(top, dim=1))
    weights = t_average_permuted(gate, t["in.permutation"])
    return {"weights": weights, "selected": selected.sort(dim=1).values, "loss": (weights * t["in.cotangent"]).sum()}


def topk_numpy(config, a):
    all_weights, all_selected = [], []
    for x, noise in zip(a["in.x"], a["in.noise"], strict=True):
        logits = a["param.w"] @ x + a["param.b"] + noise * np.log1p(np.exp(a["param.w_noise"] @ x))
        selected = np.sort(np.argsort(-logits.real, kind="stable")[: config["k"]])
        gate = np.zeros(config["experts"], dtype=complex)
        gate[selected] = np_softmax(logits[selected])
        all_weights.append(np_average_permuted(gate, a["in.permutation"]))
        all_selected.append(selected)
    weights = np.array(all_weights)
    return {"weights": weights, "selected": np.array(all_selected), "loss": (weights * a["in.cotangent"]).sum()}


def mixture_torch(config, t):
    weights, entropies = [], []
    for task in range(config["tasks"]):
        gate = [t[f"param.{name}"][task] for name in ("wz", "bz", "wo", "bo")]
        w, _, entropy = t_comet(config, t["in.x"], *gate, t["in.permutation"])
        weights.append(w)
        entropies.append(entropy)
    weights, entropy = torch.stack(weights), sum(entropies)
    hidden = torch.relu(torch.einsum("bd,jdh->bjh", t["in.x"], t["param.w1"]) + t["param.b1"])
    experts = torch.relu(torch.einsum("bjh,jho->bjo", hidden, t["param.w2"]) + t["param.b2"])
    outputs = torch.einsum("tbj,bjo->tbo", weights, experts)
    evaluated = (weights != 0).any(0).sum()
    loss = (outputs * t["in.cotangent"]).sum() + entropy
    return {"weights": weights, "outputs": outputs, "entropy": entropy, "evaluated": evaluated, "loss": loss}


def mixture_numpy(config, a):
    """Evaluates only the (sample, expert) pairs that some task gives weight: the sparse evaluator's view."""
    tasks, n = config["tasks"], config["experts"]
    weights, outputs, entropy, evaluated = [], [], 0.0, 0
    for x in a["in.x"]:
        w = []
        for task in range(tasks):
            gate = [a[f"param.{name}"][task] for name in ("wz", "bz", "wo", "bo")]
            weight, reach = np_comet(config, x, *gate, a["in.permutation"])
            w.append(weight)
            entropy += config["entropy_reg"] * (-reach * np.log(reach + 1e-6)).sum() / len(a["in.x"])
        y = np.zeros((tasks, a["in.cotangent"].shape[2]), dtype=complex)
        for j in range(n):
            if any(w[task][j].real != 0 for task in range(tasks)):
                evaluated += 1
                hidden = np_relu(x @ a["param.w1"][j] + a["param.b1"][j])
                expert = np_relu(hidden @ a["param.w2"][j] + a["param.b2"][j])
                for task in range(tasks):
                    y[task] += w[task][j] * expert
        weights.append(w)
        outputs.append(y)
    weights, outputs = np.array(weights).transpose(1, 0, 2), np.array(outputs).transpose(1, 0, 2)
    loss = (outputs * a["in.cotangent"]).sum() + entropy
    return {"weights": weights, "outputs": outputs, "entropy": entropy, "evaluated": np.asarray(evaluated), "loss": loss}


def conv_expert_torch(_, t):
    f = torch.nn.functional
    z = f.max_pool2d(torch.relu(f.conv2d(t["in.x"], t["param.conv1_w"], t["param.conv1_b"])), 2)
    z = f.max_pool2d(torch.relu(f.conv2d(z, t["param.conv2_w"], t["param.conv2_b"])), 2).flatten(1)
    z = torch.relu(z @ t["param.dense1_w"] + t["param.dense1_b"])
    y = torch.relu(z @ t["param.dense2_w"] + t["param.dense2_b"])
    return {"y": y, "loss": (y * t["in.cotangent"]).sum()}


def conv_expert_numpy(_, a):
    rows = []
    for image in a["in.x"]:
        z = np_conv_pool(image, a["param.conv1_w"], a["param.conv1_b"])
        z = np_conv_pool(z, a["param.conv2_w"], a["param.conv2_b"]).ravel()
        z = np_relu(z @ a["param.dense1_w"] + a["param.dense1_b"])
        rows.append(np_relu(z @ a["param.dense2_w"] + a["param.dense2_b"]))
    y = np.array(rows)
    return {"y": y, "loss": (y * a["in.cotangent"]).sum()}


def schedule(config, step):
    """(tau, iterations, frozen) of one call."""
    fraction = min(step / config["learning_steps"], 1.0)
    start, end = np.log10(config["tau_start"]), np.log10(config["tau_end"])
    iterations = config["iterations_start"] + (config["iterations_end"] - config["iterations_start"]) * fraction
    return 10 ** (start + (end - start) * fraction), int(iterations), step >= config["learning_steps"]


def matching(soft):
    """The permutation matrix of the largest total."""
    hard = np.zeros_like(soft)
    for matrix, result in zip(soft, hard, strict=True):
        result[linear_sum_assignment(matrix, maximize=True)] = 1
    return hard


def local_search_torch(config, t):
    permutations, schedules, penalties, soft = [], [], [], None
    for step, gumbel in zip(t["in.step"].tolist(), t["in.gumbel"], strict=True):
        tau, iterations, frozen = schedule(config, step)
        if frozen:
            r = torch.from_numpy(matching(soft.detach().numpy()))
        else:
            a = (t["param.log_weights"] + config["noise_factor"] * gumbel) / tau
            for _ in range(iterations):
                a = torch.log_softmax(torch.log_softmax(a, dim=2), dim=1)
            r = soft = a.exp()
        q = r / r.sum(2, keepdim=True)
        entropy = (-r * torch.log(r + 1e-6)).sum((1, 2)).mean() + (-q * torch.log(q + 1e-6)).sum((1, 2)).mean()
        permutations.append(r)
        schedules.append((tau, iterations, frozen))
        penalties.append(config["entropy_reg"] * entropy)
    permutation, regularization = torch.stack(permutations), torch.stack(penalties)
    return {
        "tau": torch.tensor([s[0] for s in schedules], dtype=torch.float64),
        "iterations": torch.tensor([s[1] for s in schedules]),
        "frozen": torch.tensor([int(s[2]) for s in schedules]),
        "permutation": permutation,
        "regularization": regularization,
        "hard": torch.from_numpy(matching(soft.detach().numpy())),
        "loss": (permutation * t["in.cotangent"]).sum() + regularization.sum(),
    }


def best_by_enumeration(soft):
    """`matching` by trying every permutation. Truncated Sinkhorn can leave ties, which no case may depend on."""
    hard = np.zeros(soft.shape)
    for matrix, result in zip(soft.real, hard, strict=True):
        n = len(matrix)
        totals = sorted((sum(matrix[i, p[i]] for i in range(n)), p) for p in itertools.permutations(range(n)))
        if totals[-1][0] - totals[-2][0] < 1e-3:
            raise SystemExit("two matchings tie; choose other log-weights")
        result[range(n), totals[-1][1]] = 1
    return hard


def local_search_numpy(config, a):
    permutations, schedules, penalties, soft = [], [], [], None
    for step, gumbel in zip(a["in.step"], a["in.gumbel"], strict=True):
        tau, iterations, frozen = schedule(config, int(step))
        if frozen:
            r = best_by_enumeration(soft)
        else:
            z = (a["param.log_weights"] + config["noise_factor"] * gumbel) / tau
            rows, columns = 0, 0  # scaling vectors instead of a changed matrix
            for _ in range(iterations):
                rows = -np_logsumexp(z + columns, axis=2)
                columns = -np_logsumexp(z + rows, axis=1)
            r = soft = np.exp(z + rows + columns)
        penalty = 0.0
        for matrix in r:
            q = matrix / matrix.sum(axis=1, keepdims=True)
            penalty += ((-matrix * np.log(matrix + 1e-6)).sum() + (-q * np.log(q + 1e-6)).sum()) / len(r)
        permutations.append(r)
        schedules.append((tau, iterations, frozen))
        penalties.append(config["entropy_reg"] * penalty)
    permutation, regularization = np.array(permutations), np.array(penalties)
    return {
        "tau": np.array([s[0] for s in schedules]),
        "iterations": np.array([s[1] for s in schedules]),
        "frozen": np.array([s[2] for s in schedules]),
        "permutation": permutation,
        "regularization": regularization,
        "hard": best_by_enumeration(soft),
        "loss": (permutation * a["in.cotangent"]).sum() + regularization.sum(),
    }
