"""KAT in PyTorch: the peer of `offprint bench kat --peer PYTHON`.

Benches: `rational`, `rational-forward` and `rational-small`, a function for each group of channels as it would be composed
in PyTorch (Horner's rule, the denominator in powers of |x| as in the released kernels); `rational-released`, the same as
the released code computes it on a CPU (all powers stacked, two batched products, the denominator in powers of x);
`gelu` and `gelu-forward`; `gr-kan` and `b-spline-kan`, a channel mixer of each kind forward and backward, the splines as
efficient-kan has them (all bases of all inputs by the recursion); `step`, a training step of a KAT.
"""

import torch
from peer import serve
from torch import nn
from torch.nn import functional as F

# About GELU; only its work counts here.
NUMERATOR = (0.0, 0.5, 0.4, 0.11, 0.03, 0.005)
DENOMINATOR = (0.01, 0.22, 0.003, 0.012)


def composed(x, a, b):
    groups = b.shape[0]
    z = x.view(-1, groups, x.shape[-1] // groups)
    size, weights = z.abs(), b.abs()
    p = a[:, -1:].expand(z.shape[0], groups, 1)
    for i in range(a.shape[1] - 2, -1, -1):
        p = p * z + a[:, i : i + 1]
    q = weights[:, -1:].expand(z.shape[0], groups, 1) * size
    for i in range(b.shape[1] - 2, -1, -1):
        q = (q + weights[:, i : i + 1]) * size
    return (p / (1 + q)).view(x.shape)


def released(x, a, b):
    groups = b.shape[0]
    rows, channels = x.shape
    z = x.view(rows, groups, channels // groups).permute(1, 0, 2).reshape(groups, -1)
    powers = [torch.ones_like(z), z]
    for _ in range(a.shape[1] - 2):
        powers.append(powers[-1] * z)
    powers = torch.stack(powers, 1)
    p = torch.bmm(a.repeat(groups, 1).unsqueeze(1), powers).squeeze(1)
    one, none = torch.ones(groups, 1), torch.zeros(groups, a.shape[1] - b.shape[1] - 1)
    weights = torch.cat([one, b, none], 1).abs()
    q = torch.bmm(weights.unsqueeze(1), powers).squeeze(1)
    return (p / q).view(groups, rows, -1).permute(1, 0, 2).reshape(rows, channels)


def functions(groups):
    a = torch.tensor([NUMERATOR]).requires_grad_()
    b = torch.tensor([DENOMINATOR]).repeat(groups, 1).requires_grad_()
    return a, b


def passes(f, x, cotangent, parameters=()):
    """Forward and backward."""

    def run():
        f(x).backward(cotangent)
        x.grad = None
        for parameter in parameters:
            parameter.grad = None

    return run


def forward_of(f, x):
    def run():
        with torch.no_grad():
            f(x)

    return run


def rational(rows=1576, channels=768, groups=8, f=composed, backward=True):
    a, b = functions(groups)
    x = torch.randn(rows, channels, requires_grad=backward)
    if not backward:
        return forward_of(lambda x: f(x, a, b), x)
    return passes(lambda x: f(x, a, b), x, torch.ones_like(x), (a, b))


def rational_forward(**sizes):
    return rational(backward=False, **sizes)


def rational_released(**sizes):
    return rational(f=released, **sizes)


def gelu(rows=1576, channels=768, groups=8, backward=True):
    x = torch.randn(rows, channels, requires_grad=backward)
    if not backward:
        return forward_of(F.gelu, x)
    return passes(F.gelu, x, torch.ones_like(x))


def gelu_forward(**sizes):
    return gelu(backward=False, **sizes)


class Rational(nn.Module):
    def __init__(self, groups):
        super().__init__()
        self.a, self.b = (nn.Parameter(table.detach()) for table in functions(groups))

    def forward(self, x):
        return composed(x, self.a, self.b)


def mixer(width, hidden, groups):
    return nn.Sequential(Rational(groups), nn.Linear(width, hidden), Rational(groups), nn.Linear(hidden, width))


def gr_kan(rows=1088, width=64, hidden=256, groups=8):
    layer = mixer(width, hidden, groups)
    x = torch.randn(rows, width, requires_grad=True)
    return passes(layer, x, torch.ones(rows, width), list(layer.parameters()))


class BSplineKan(nn.Module):
    def __init__(self, inputs, outputs, grid, order):
        super().__init__()
        self.order = order
        knots = torch.arange(-order, grid + order + 1) * (2 / grid) - 1
        self.register_buffer("knots", knots.expand(inputs, -1).contiguous())
        self.base = nn.Parameter(torch.randn(outputs, inputs) * inputs**-0.5)
        self.spline = nn.Parameter(0.01 * torch.randn(outputs, inputs, grid + order))
        self.scale = nn.Parameter(torch.ones(outputs, inputs))

    def bases(self, x):
        t, x = self.knots, x.unsqueeze(-1)
        b = ((x >= t[:, :-1]) & (x < t[:, 1:])).to(x.dtype)
        for k in range(1, self.order + 1):
            left = (x - t[:, : -k - 1]) / (t[:, k:-1] - t[:, : -k - 1])
            right = (t[:, k + 1 :] - x) / (t[:, k + 1 :] - t[:, 1:-k])
            b = left * b[:, :, :-1] + right * b[:, :, 1:]
        return b

    def forward(self, x):
        spline = self.spline * self.scale.unsqueeze(-1)
        splines = F.linear(self.bases(x).flatten(1), spline.flatten(1))
        return F.linear(F.silu(x), self.base) + splines


def b_spline_kan(rows=1088, input=64, output=64, grid=5, order=3):
    layer = BSplineKan(input, output, grid, order)
    x = torch.randn(rows, input, requires_grad=True)
    return passes(layer, x, torch.ones(rows, output), list(layer.parameters()))


class Block(nn.Module):
    def __init__(self, width, heads, groups):
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.mlp = mixer(width, 4 * width, groups)

    def forward(self, x):
        batch, length, width = x.shape
        qkv = self.qkv(self.norm1(x)).view(batch, length, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        y = F.scaled_dot_product_attention(*qkv).transpose(1, 2).reshape(batch, length, width)
        x = x + self.proj(y)
        return x + self.mlp(self.norm2(x))


class Vit(nn.Module):
    def __init__(self, size, patch, layers, width, heads, groups, classes=10):
        super().__init__()
        self.patches = nn.Conv2d(1, width, patch, patch)
        self.token = nn.Parameter(0.02 * torch.randn(1, 1, width))
        self.positions = nn.Parameter(0.02 * torch.randn(1, 1 + (size // patch) ** 2, width))
        self.blocks = nn.Sequential(*[Block(width, heads, groups) for _ in range(layers)])
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, classes)

    def forward(self, x):
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(len(x), -1, -1), x], 1) + self.positions
        return self.head(self.norm(self.blocks(x))[:, 0])


def step(batch=64, size=28, patch=7, layers=4, width=64, heads=4, groups=8):
    model = Vit(size, patch, layers, width, heads, groups)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    x, labels = torch.randn(batch, 1, size, size), torch.arange(batch) % 10

    def run():
        optimizer.zero_grad()
        F.cross_entropy(model(x), labels).backward()
        optimizer.step()

    return run


BENCHES = {
    "rational": rational,
    "rational-forward": rational_forward,
    "rational-small": rational,
    "rational-released": rational_released,
    "gelu": gelu,
    "gelu-forward": gelu_forward,
    "gr-kan": gr_kan,
    "b-spline-kan": b_spline_kan,
    "step": step,
}

if __name__ == "__main__":
    serve(BENCHES)
