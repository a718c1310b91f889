"""The frame of golden cases that are derived twice: run both derivations, compare them, write the file.

A paper's maker (`comet.py` is one) gives for each kind one derivation in torch and one in plain numpy, which share no code.
They run in float64: torch with its automatic differentiation, numpy with complex-step derivatives, which are exact to
rounding where a function is analytic on each of its pieces and branches on real parts only. The two must agree to 1e-9. For
single precision a third run, of the torch derivation in float32, must stay inside half of the tolerance. Otherwise nothing
is written.
"""

import json
from pathlib import Path

import numpy as np
import torch

GOLDEN = Path(__file__).resolve().parents[1]
TWO_WAYS = "two float64 derivations that agree: torch autograd, and numpy with complex-step derivatives"
SINGLE = {"rtol": 1e-4, "atol": 2e-5}
DOUBLE = {"rtol": 1e-6, "atol": 1e-8}


def make(method, name, config, inputs, derive_torch, derive_numpy, *, grads, source, rtol, atol, dtype=np.float32):
    """Write one case, or raise when its derivations disagree.

    `inputs` maps `in.*` and `param.*` to arrays; `grads` lists those whose gradient of `out.loss` is stored.
    """
    inputs = {key: np.asarray(value) for key, value in inputs.items()}
    inputs = {key: value.astype(dtype) if value.dtype.kind == "f" else value for key, value in inputs.items()}

    outputs, gradients = run_torch(config, inputs, derive_torch, grads, torch.float64)
    again = derive_numpy(
        config, {key: value.astype(complex) if value.dtype.kind == "f" else value for key, value in inputs.items()}
    )
    worst = 0.0
    for key, value in outputs.items():
        worst = max(worst, relative_difference(value, np.real(again[key])))
    for key in grads:
        worst = max(worst, check_gradient(config, inputs, key, gradients[key], derive_numpy))
    if worst > 1e-9:
        raise SystemExit(f"{name}: the two derivations differ by {worst:.1e}")

    report = f"{name:16} derivations differ by {worst:.1e}"
    if dtype == np.float32:
        single, single_gradients = run_torch(config, inputs, derive_torch, grads, torch.float32)
        pairs = [(single[key], outputs[key]) for key in outputs] + [(single_gradients[key], gradients[key]) for key in grads]
        strain = max(float(np.max(np.abs(a - b) / (atol + rtol * np.abs(b)))) for a, b in pairs)
        if strain > 0.5:
            raise SystemExit(f"{name}: float32 spends {strain:.2f} of the tolerance; choose other inputs")
        report += f", float32 spends {strain:.3f} of the tolerance"

    tensors = dict(inputs)
    for key, value in outputs.items():
        tensors[f"out.{key}"] = value.astype(dtype) if value.dtype.kind == "f" else value.astype(np.int64)
    for key in grads:
        tensors["grad." + key.split(".", 1)[1]] = gradients[key].astype(dtype)
    write(method, name, config, tensors, source=source, rtol=rtol, atol=atol)
    print(report)


def write(method, name, config, tensors, *, source, rtol, atol):
    """Write the file of one case; its kind is the name without the number.

    The bytes depend on the arguments alone (safetensors' own writer shuffles the metadata), so that making a case again
    leaves no difference in the repository.
    """
    metadata = {
        "method": method,
        "kind": name.rsplit("-", 1)[0],
        "config": json.dumps(config, sort_keys=True),
        "source": source,
        "rtol": repr(rtol),
        "atol": repr(atol),
    }
    arrays = {key: np.array(value, order="C") for key, value in tensors.items()}
    header, data = {"__metadata__": metadata}, b""
    for key in sorted(arrays, key=lambda key: (-arrays[key].itemsize, key)):
        array = arrays[key]
        start, data = len(data), data + array.tobytes()
        dtype = array.dtype.kind.upper() + str(8 * array.itemsize)
        header[key] = {"dtype": dtype, "shape": array.shape, "data_offsets": [start, len(data)]}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    (GOLDEN / method / f"{name}.safetensors").write_bytes(len(text).to_bytes(8, "little") + text + data)


def run_torch(config, inputs, derive, grads, dtype):
    tensors = {}
    for key, value in inputs.items():
        tensor = torch.from_numpy(value.copy())
        tensors[key] = tensor.to(dtype) if tensor.is_floating_point() else tensor
        tensors[key].requires_grad_(key in grads)
    outputs = derive(config, tensors)
    if grads:
        outputs["loss"].backward()
    gradients = {key: tensors[key].grad.double().numpy() for key in grads}
    return {key: value.detach().numpy() for key, value in outputs.items()}, gradients


def check_gradient(config, inputs, key, gradient, derive, directions=24, step=1e-30):
    """Complex-step derivatives of the numpy derivation along every coordinate, or along random directions of a large tensor."""
    size = inputs[key].size
    along = np.eye(size) if size <= 300 else np.random.default_rng(0).standard_normal((directions, size))
    worst = 0.0
    for direction in along:
        shifted = {name: value.astype(complex) if value.dtype.kind == "f" else value for name, value in inputs.items()}
        shifted[key] = shifted[key] + 1j * step * direction.reshape(inputs[key].shape)
        slope = np.imag(derive(config, shifted)["loss"]) / step
        expected = float(direction @ gradient.ravel())
        scale = max(1.0, float(np.abs(direction) @ np.abs(gradient.ravel())), float(np.abs(gradient).max()))
        worst = max(worst, abs(float(slope) - expected) / scale)
    return worst


def relative_difference(a, b):
    a, b = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    if a.shape != b.shape:
        raise SystemExit(f"shapes {a.shape} and {b.shape} differ")
    return float(np.max(np.abs(a - b) / np.maximum(1.0, np.abs(a)), initial=0.0))
