"""COMET in PyTorch, the way its authors compute it: the peer of `offprint bench comet --peer PYTHON`.

Benches: `gate`, the gate forward and backward; `sinkhorn`, a permutation from its log-weights forward and backward;
`step-mlp` and `step-cnn`, a training step of a two-task mixture on pictures. As in the released code (TensorFlow in
mazumder-lab/COMET, PyTorch in mazumder-lab/COMET-BERT), a tree is a recursion over modules, one a node, and every
expert is evaluated on every sample, whatever its weight.
"""

import math

import torch
from peer import serve
from torch import nn
from torch.nn import functional as F


class SmoothStep(nn.Module):
    """0 up to -gamma/2, 1 from gamma/2, a cubic between."""

    def __init__(self, gamma):
        super().__init__()
        self.gamma = gamma

    def forward(self, t):
        inside = -2 / self.gamma**3 * t**3 + 3 / (2 * self.gamma) * t + 0.5
        inside = torch.where(t >= self.gamma / 2, torch.ones_like(t), inside)
        return torch.where(t <= -self.gamma / 2, torch.zeros_like(t), inside)


class Node(nn.Module):
    """A node of k trees in heap order, with the nodes below it: leaf scores and entropy."""

    def __init__(self, dim, experts, k, gamma, index=0):
        super().__init__()
        self.is_leaf = index >= experts - 1
        self.linear = nn.Linear(dim, k)
        spread = 0.05 if self.is_leaf else gamma / 100
        nn.init.uniform_(self.linear.weight, -spread, spread)
        nn.init.uniform_(self.linear.bias, -spread, spread)
        if not self.is_leaf:
            self.activation = SmoothStep(gamma)
            self.left = Node(dim, experts, k, gamma, 2 * index + 1)
            self.right = Node(dim, experts, k, gamma, 2 * index + 2)

    def forward(self, x, reach):
        if self.is_leaf:
            lowest = torch.full_like(reach, torch.finfo(reach.dtype).min)
            log_reach = torch.where(reach <= 0, lowest, torch.log(reach + 1e-8))
            entropy = torch.mean(torch.sum(-reach * torch.log(reach + 1e-6), dim=1))
            return (self.linear(x) + log_reach).unsqueeze(-1), entropy
        split = self.activation(self.linear(x))
        left, left_entropy = self.left(x, split * reach)
        right, right_entropy = self.right(x, (1 - split) * reach)
        return torch.cat([left, right], dim=-1), left_entropy + right_entropy


class CometGate(nn.Module):
    """Weights [batch, experts] and the entropy of the trees, with the identity for a permutation."""

    def __init__(self, dim, experts, k, gamma=1.0, entropy_reg=0.1):
        super().__init__()
        self.root = Node(dim, experts, k, gamma)
        self.k, self.experts, self.entropy_reg = k, experts, entropy_reg
        self.register_buffer("permutation", torch.eye(experts).repeat(k, 1, 1))

    def forward(self, x):
        scores, entropy = self.root(x, torch.ones(len(x), self.k))
        gate = torch.softmax(scores.flatten(1), dim=1).view(-1, self.k, self.experts)
        weights = torch.einsum("bki,kij->bj", gate, self.permutation)
        return weights / weights.sum(dim=1, keepdim=True), self.entropy_reg * entropy


def dense(sizes, last_relu):
    """Dense layers with ReLU between them, and after the last where asked for."""
    layers = []
    for inputs, outputs in zip(sizes, sizes[1:], strict=False):
        layers += [nn.Linear(inputs, outputs), nn.ReLU()]
    return nn.Sequential(*(layers if last_relu else layers[:-1]))


def conv_expert(side, width):
    """conv 5x5 to 10, pool, conv 5x5 to 20, pool, two dense layers; ReLU after each."""
    rest = ((side - 4) // 2 - 4) // 2
    convolutions = [nn.Conv2d(1, 10, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(10, 20, 5), nn.ReLU(), nn.MaxPool2d(2)]
    return nn.Sequential(
        nn.Unflatten(1, (1, side, side)), *convolutions, nn.Flatten(), dense([20 * rest * rest, width, width], True)
    )


class TwoTasks(nn.Module):
    """Experts shared by two tasks, a gate and a head each: the training loss."""

    def __init__(self, dim, experts, k, width, classes, expert):
        super().__init__()
        self.experts = nn.ModuleList([expert() for _ in range(experts)])
        self.gates = nn.ModuleList([CometGate(dim, experts, k) for _ in range(2)])
        self.heads = nn.ModuleList([dense([width, 50, 50, classes], False) for _ in range(2)])

    def forward(self, x, labels):
        hidden = torch.stack([expert(x) for expert in self.experts], dim=2)
        loss = 0.0
        for gate, head, label in zip(self.gates, self.heads, labels, strict=True):
            weights, entropy = gate(x)
            mixed = torch.sum(hidden * weights.unsqueeze(1), dim=2)
            loss = loss + 0.5 * F.cross_entropy(head(mixed), label) + entropy
        return loss


def gate(batch=512, dim=64, experts=16, k=4):
    module = CometGate(dim, experts, k)
    x = torch.randn(batch, dim, requires_grad=True)
    cotangent = torch.randn(batch, experts)

    def run():
        module.zero_grad()
        x.grad = None
        weights, entropy = module(x)
        (torch.sum(weights * cotangent) + entropy).backward()

    return run


def sinkhorn(experts=16, iterations=150, permutations=1, tau=1e-3, entropy_reg=1e-4):
    log_weights = torch.empty(permutations, experts, experts).uniform_(-0.05, 0.05).requires_grad_()
    cotangent = torch.randn(permutations, experts, experts)

    def run():
        log_weights.grad = None
        a = log_weights / tau
        for _ in range(iterations):
            a = a - torch.logsumexp(a, dim=2, keepdim=True)
            a = a - torch.logsumexp(a, dim=1, keepdim=True)
        soft = torch.exp(a)
        rows = soft / soft.sum(dim=2, keepdim=True)
        entropy = sum(torch.mean(torch.sum(-r * torch.log(r + 1e-6), dim=(1, 2))) for r in (soft, rows))
        (torch.sum(soft * cotangent) + entropy_reg * entropy).backward()

    return run


def training_step(model, x, labels):
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-4)

    def run():
        optimizer.zero_grad()
        model(x, labels).backward()
        optimizer.step()

    return run


def step_mlp(batch=512, dim=1296, experts=8, k=2, width=50, classes=10):
    model = TwoTasks(dim, experts, k, width, classes, lambda: dense([dim, width, width], True))
    return training_step(model, torch.rand(batch, dim), torch.randint(classes, (2, batch)))


def step_cnn(batch=128, dim=1296, experts=16, k=4, width=50, classes=10):
    side = math.isqrt(dim)
    if side * side != dim:
        raise ValueError(f"dim is {dim}: not a square picture")
    model = TwoTasks(dim, experts, k, width, classes, lambda: conv_expert(side, width))
    return training_step(model, torch.rand(batch, dim), torch.randint(classes, (2, batch)))


BENCHES = {"gate": gate, "sinkhorn": sinkhorn, "step-mlp": step_mlp, "step-cnn": step_cnn}

if __name__ == "__main__":
    serve(BENCHES)
