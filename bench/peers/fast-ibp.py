"""Interval bounds, CROWN-IBP and a certified training step in PyTorch: the peer of `offprint bench fast-ibp --peer PYTHON`.

As auto_LiRPA, which the authors' code uses, composes them: two passes for center and radius (lower and upper bounds where a
layer is monotone), the last linear layer merged with the rows of the specification, and for CROWN-IBP one pass backward
with a matrix of specifications, classes - 1 rows a sample. Benches: `interval-cnn`, `interval-dense` and `crown-ibp-cnn`,
the robust loss forward and backward; `step` and `step-crown-ibp`, a whole training step while the radius grows.
"""

import math

import torch
from peer import serve
from torch import nn
from torch.nn import functional as F

EPS = 0.1


def initialized(net):
    layers = [m for m in net if isinstance(m, (nn.Linear, nn.Conv2d))]
    for layer in layers[:-1]:
        nn.init.normal_(layer.weight, std=math.sqrt(2 * math.pi) / layer.weight[0].numel())
    return net


def cnn(side, width, hidden):
    inner = math.ceil(side / 4)
    return initialized(nn.Sequential(
        nn.Conv2d(1, width, 3, 2, 1), nn.BatchNorm2d(width), nn.ReLU(),
        nn.Conv2d(width, 2 * width, 3, 2, 1), nn.BatchNorm2d(2 * width), nn.ReLU(),
        nn.Flatten(), nn.Linear(2 * width * inner * inner, hidden), nn.BatchNorm1d(hidden), nn.ReLU(), nn.Linear(hidden, 10),
    ))


def dense(side, hidden):
    return initialized(nn.Sequential(
        nn.Flatten(), nn.Linear(side * side, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, 10),
    ))


def affine(norm, clean):
    """A batch norm as scale and shift of each channel: by the statistics of the clean batch, or the running ones."""
    if clean is None:
        mean, variance = norm.running_mean, norm.running_var
    else:
        axes = [0, 2, 3] if clean.ndim == 4 else [0]
        mean, variance = clean.mean(axes), clean.var(axes, unbiased=False)
    scale = norm.weight / torch.sqrt(variance + norm.eps)
    return scale, norm.bias - mean * scale


def of_channel(value, x):
    return value.view(1, -1, *[1] * (x.ndim - 2))


def intervals(net, lower, upper, clean=None):
    """Lower and upper bounds before every layer; `clean` are the clean values there, in training."""
    bounds = [(lower, upper)]
    for place, layer in enumerate(list(net)[:-1]):
        lower, upper = bounds[-1]
        if isinstance(layer, (nn.Linear, nn.Conv2d)):
            center, radius = (lower + upper) / 2, (upper - lower) / 2
            if isinstance(layer, nn.Linear):
                center, radius = layer(center), F.linear(radius, layer.weight.abs())
            else:
                center = layer(center)
                radius = F.conv2d(radius, layer.weight.abs(), None, layer.stride, layer.padding)
            bounds.append((center - radius, center + radius))
        elif isinstance(layer, (nn.BatchNorm2d, nn.BatchNorm1d)):
            scale, shift = affine(layer, clean and clean[place])
            center, radius = (lower + upper) / 2, (upper - lower) / 2
            center = center * of_channel(scale, center) + of_channel(shift, center)
            radius = radius * of_channel(scale.abs(), radius)
            bounds.append((center - radius, center + radius))
        else:
            bounds.append((layer(lower), layer(upper)))
    return bounds


def specification(labels, classes=10):
    eye = torch.eye(classes)
    rows = eye[labels].unsqueeze(1) - eye.unsqueeze(0)
    others = torch.arange(classes) != labels.unsqueeze(1)
    return rows[others].view(len(labels), classes - 1, classes)


def margins(net, bounds, rows):
    lower, upper = bounds[-1]
    weight, bias = rows @ net[-1].weight, rows @ net[-1].bias
    center, radius = (lower + upper).unsqueeze(2) / 2, (upper - lower).unsqueeze(2) / 2
    return (weight @ center - weight.abs() @ radius).squeeze(2) + bias


def crown(net, bounds, rows, clean=None):
    samples, count, _ = rows.shape
    slope, constant = rows, torch.zeros(samples, count)
    for place in reversed(range(len(net))):
        layer, (lower, upper) = net[place], bounds[place]
        if isinstance(layer, nn.Linear):
            constant = constant + slope @ layer.bias
            slope = slope @ layer.weight
        elif isinstance(layer, nn.Conv2d):
            constant = constant + slope.sum([3, 4]) @ layer.bias
            size = lower.shape[2] + 2 * layer.padding[0] - (slope.shape[3] - 1) * layer.stride[0] - layer.kernel_size[0]
            flat = F.conv_transpose2d(slope.flatten(0, 1), layer.weight, None, layer.stride, layer.padding, size)
            slope = flat.view(samples, count, *flat.shape[1:])
        elif isinstance(layer, nn.Flatten):
            slope = slope.view(samples, count, *lower.shape[1:])
        elif isinstance(layer, nn.ReLU):
            low, high = lower.clamp(max=0), upper.clamp(min=0)
            high = torch.max(high, low + 1e-8)
            above = high / (high - low)
            below = (above > 0.5).to(above)
            positive, negative = slope.clamp(min=0), slope.clamp(max=0)
            constant = constant + (negative * (-above * low).unsqueeze(1)).flatten(2).sum(2)
            slope = positive * below.unsqueeze(1) + negative * above.unsqueeze(1)
        else:
            scale, shift = affine(layer, clean and clean[place])
            channels = slope.flatten(3).sum(3) if slope.ndim == 5 else slope
            constant = constant + channels @ shift
            slope = slope * of_channel(scale, lower).unsqueeze(1)
    lower, upper = bounds[0]
    center, radius = ((lower + upper) / 2).flatten(1), ((upper - lower) / 2).flatten(1)
    slope = slope.flatten(2)
    return (slope @ center.unsqueeze(2) - slope.abs() @ radius.unsqueeze(2)).squeeze(2) + constant


def robust_loss(lower):
    padded = torch.cat([torch.zeros(len(lower), 1), lower], 1)
    return F.cross_entropy(-padded, torch.zeros(len(lower), dtype=torch.long))


def regularizers(net, bounds, tolerance=0.5):
    width = (bounds[0][1] - bounds[0][0]).mean() / 2
    tight, balance, count = 0.0, 0.0, 0
    for layer, (lower, upper) in zip(net, bounds):
        if not isinstance(layer, nn.ReLU):
            continue
        count += 1
        center = (lower + upper) / 2
        tight = tight + F.relu(tolerance - width / ((upper - lower) / 2).mean().clamp(min=1e-12)) / tolerance
        active, inactive = lower > 0, upper < 0
        mean = (center * active).mean() / -(center * inactive).mean()
        spread = (center - center.mean()) ** 2
        variance = (spread * active).sum() / (spread * inactive).sum()
        term = sum(F.relu(tolerance - torch.min(r, 1 / r.clamp(min=1e-12))) for r in (mean, variance)) / tolerance
        if not torch.isnan(term) and not torch.isinf(term):
            balance = balance + term
    return (tight + balance) / count


def box(x, eps):
    return (x - eps).clamp(0, 1), (x + eps).clamp(0, 1)


def bounds_work(net, batch, side, linear):
    net.eval()
    lower, upper = box(torch.rand(batch, 1, side, side), EPS)
    rows = specification(torch.arange(batch) % 10)

    def run():
        net.zero_grad()
        bounds = intervals(net, lower, upper)
        robust_loss(crown(net, bounds, rows) if linear else margins(net, bounds, rows)).backward()

    return run


def interval_cnn(batch=128, side=28, width=16, hidden=100):
    return bounds_work(cnn(side, width, hidden), batch, side, False)


def interval_dense(batch=128, side=28, hidden=512):
    return bounds_work(dense(side, hidden), batch, side, False)


def crown_ibp_cnn(batch=128, side=28, width=16, hidden=100):
    return bounds_work(cnn(side, width, hidden), batch, side, True)


def training_step(batch, side, width, hidden, linear):
    net = cnn(side, width, hidden).train()
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
    x, labels = torch.rand(batch, 1, side, side), torch.arange(batch) % 10
    left = 0.5

    def run():
        clean = [x]
        for layer in net:
            clean.append(layer(clean[-1]))
        bounds = intervals(net, *box(x, EPS * left), clean)
        rows = specification(labels)
        lower = margins(net, bounds, rows)
        if linear:
            lower = crown(net, bounds, rows, clean) * left + lower * (1 - left)
        loss = robust_loss(lower) + 0.5 * left * regularizers(net, bounds)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 10.0)
        optimizer.step()

    return run


def step(batch=128, side=28, width=16, hidden=100):
    return training_step(batch, side, width, hidden, False)


def step_crown_ibp(batch=128, side=28, width=16, hidden=100):
    return training_step(batch, side, width, hidden, True)


BENCHES = {
    "interval-cnn": interval_cnn,
    "interval-dense": interval_dense,
    "crown-ibp-cnn": crown_ibp_cnn,
    "step": step,
    "step-crown-ibp": step_crown_ibp,
}

if __name__ == "__main__":
    serve(BENCHES)
