"""Training steps of the backbones in PyTorch eager: the peer of `offprint bench backbones --peer PYTHON`.

A step clears the gradients, runs forward, takes the cross-entropy, runs backward and lets AdamW move the weights.
`generate` writes tokens with a key-value cache, the likeliest each time. `startup` times another process, from its
start until it has imported torch and done its first step of the MLP: `backbones.py --first-step THREADS`.
"""

import subprocess
import sys

import torch
from peer import serve
from torch import nn
from torch.nn import functional as F


def training_step(model, x, labels):
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)

    def work():
        optimizer.zero_grad()
        logits = model(x)
        F.cross_entropy(logits.flatten(0, -2), labels.flatten()).backward()
        optimizer.step()

    return work


def step_mlp(batch=128, input=784, hidden=512, classes=10):
    model = nn.Sequential(
        nn.Linear(input, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, classes)
    )
    return training_step(model, torch.rand(batch, input), torch.randint(classes, (batch,)))


class Attention(nn.Module):
    """Self-attention with the three projections in one product, and a cache where one is given."""

    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)

    def forward(self, x, causal, cache=None, seen=0):
        batch, length, width = x.shape
        q, k, v = self.qkv(x).view(batch, length, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        if cache is not None:
            cache[0][:, :, seen : seen + length] = k
            cache[1][:, :, seen : seen + length] = v
            k, v = cache[:, :, :, : seen + length]
        y = F.scaled_dot_product_attention(q, k, v, is_causal=causal and length > 1)
        return self.out(y.transpose(1, 2).reshape(batch, length, width))


class Block(nn.Module):
    def __init__(self, width, heads, approximate):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = Attention(width, heads)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(approximate), nn.Linear(4 * width, width))

    def forward(self, x, causal, cache=None, seen=0):
        x = x + self.attention(self.norm1(x), causal, cache, seen)
        return x + self.mlp(self.norm2(x))


class Gpt(nn.Module):
    """As GPT-2: learned positions, norms before, the head's weight tied to the embedding's; no dropout."""

    def __init__(self, layers, width, heads, context, vocab):
        super().__init__()
        self.tokens, self.positions = nn.Embedding(vocab, width), nn.Embedding(context, width)
        self.blocks = nn.ModuleList([Block(width, heads, "tanh") for _ in range(layers)])
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, vocab, bias=False)
        self.head.weight = self.tokens.weight

    def forward(self, ids, caches=None, seen=0):
        x = self.tokens(ids) + self.positions.weight[seen : seen + ids.shape[1]]
        for index, block in enumerate(self.blocks):
            x = block(x, True, None if caches is None else caches[index], seen)
        return self.head(self.norm(x))


def step_gpt(batch=16, layers=4, width=128, heads=4, length=128, vocab=256):
    model = Gpt(layers, width, heads, length, vocab)
    text = torch.randint(vocab, (batch, length + 1))
    return training_step(model, text[:, :-1], text[:, 1:])


class Vit(nn.Module):
    """Patches by a convolution, a class token, learned positions, norms before, GELU."""

    def __init__(self, layers, width, heads, side, patch, classes):
        super().__init__()
        self.patches = nn.Conv2d(3, width, patch, patch)
        self.class_token = nn.Parameter(torch.zeros(1, 1, width))
        self.positions = nn.Parameter(0.02 * torch.randn(1, (side // patch) ** 2 + 1, width))
        self.blocks = nn.ModuleList([Block(width, heads, "none") for _ in range(layers)])
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, classes)

    def forward(self, pictures):
        x = self.patches(pictures).flatten(2).transpose(1, 2)
        x = torch.cat([self.class_token.expand(len(x), -1, -1), x], dim=1) + self.positions
        for block in self.blocks:
            x = block(x, False)
        return self.head(self.norm(x)[:, 0])


def step_vit(batch=32, layers=6, width=192, heads=3, side=32, patch=4, classes=10):
    model = Vit(layers, width, heads, side, patch, classes)
    return training_step(model, torch.randn(batch, 3, side, side), torch.randint(classes, (batch,)))


def step_convnet(batch=64, side=32, classes=10):
    model = nn.Sequential(
        nn.Conv2d(3, 32, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(64 * (side // 4) ** 2, classes),
    )
    return training_step(model, torch.randn(batch, 3, side, side), torch.randint(classes, (batch,)))


class Residual(nn.Module):
    """Two 3x3 convolutions with batch norm; the shortcut is a 1x1 convolution where the shape changes."""

    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.norm1, self.norm2 = nn.BatchNorm2d(outputs), nn.BatchNorm2d(outputs)
        self.shortcut = nn.Identity()
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x):
        y = F.relu(self.norm1(self.conv1(x)))
        return F.relu(self.norm2(self.conv2(y)) + self.shortcut(x))


def step_resnet(batch=64, depth=20, side=32, classes=10):
    """The CIFAR family of depth 6n + 2."""
    layers = [nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU()]
    inputs = 16
    for outputs in (16, 32, 64):
        for index in range((depth - 2) // 6):
            layers.append(Residual(inputs, outputs, 2 if index == 0 and outputs > 16 else 1))
            inputs = outputs
    model = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, classes))
    return training_step(model, torch.randn(batch, 3, side, side), torch.randint(classes, (batch,)))


def step_lenet(batch=128, classes=10):
    """LeNet-5 on pictures of 28x28, with ReLU and max pooling."""
    convolutions = [nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2)]
    convolutions += [nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten()]
    dense = [nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, classes)]
    model = nn.Sequential(*convolutions, *dense)
    return training_step(model, torch.randn(batch, 1, 28, 28), torch.randint(classes, (batch,)))


def generate(layers=6, width=256, heads=8, context=256, vocab=256, prompt=16, tokens=128):
    model = Gpt(layers, width, heads, context, vocab).eval()
    given = torch.randint(vocab, (1, prompt))

    @torch.no_grad()
    def work():
        caches = torch.empty(layers, 2, 1, heads, context, width // heads)
        text, fresh = given, given
        for _ in range(tokens):
            seen = text.shape[1] - fresh.shape[1]
            fresh = model(fresh, caches, seen)[:, -1].argmax(-1, keepdim=True)
            text = torch.cat([text, fresh], dim=1)

    return work


FIRST_STEP = "--first-step"


def startup():
    command = [sys.executable, __file__, FIRST_STEP, str(torch.get_num_threads())]
    return lambda: subprocess.run(command, check=True)


BENCHES = {
    "startup": startup,
    "step-mlp": step_mlp,
    "step-gpt": step_gpt,
    "step-vit": step_vit,
    "step-convnet": step_convnet,
    "step-resnet20": step_resnet,
    "step-lenet": step_lenet,
    "generate": generate,
}

if __name__ == "__main__":
    if FIRST_STEP in sys.argv:
        torch.set_num_threads(int(sys.argv[-1]))
        step_mlp()()
    else:
        serve(BENCHES)
