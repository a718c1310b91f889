"""GLA, Mamba's scan and softmax attention in PyTorch: the peer of `offprint bench gla --peer PYTHON`.

Benches: `recurrence` and `recurrence-wide`, the chunked gated recurrence forward and backward; `selective-scan`, Mamba's
scan as the released code computes it without its CUDA kernel, a loop over positions; `step`, a training step of a GLA
Transformer; `generate`, tokens with a recurrent state; `gla-N` and `attention-N`, chunked recurrence and
`scaled_dot_product_attention` forward on N positions. The chunks are of 64 positions, whose queries and keys are multiplied
by e^B and e^-B at once, all chunks together; only the states go from chunk to chunk in a loop.
"""

import torch
from peer import serve
from torch import nn
from torch.nn import functional as F

CHUNK = 64


def chunked(q, k, v, log_decay, chunk=CHUNK):
    """[batch, length, heads, dim]; the length is a multiple of the chunk."""
    batch, length, heads, keys = q.shape
    chunk = min(chunk, length)
    q, k, v, g = (x.view(batch, length // chunk, chunk, heads, -1).permute(1, 0, 3, 2, 4) for x in (q, k, v, log_decay))
    b = g.cumsum(3)
    last = b[..., -1:, :]
    q = q * keys**-0.5 * b.exp()
    rest = k * (last - b).exp()
    scores = (q @ (k * (-b).exp()).transpose(3, 4)).tril()
    learned = rest.transpose(3, 4) @ v
    decay = last.exp().transpose(3, 4)
    state, states = torch.zeros_like(learned[0]), []
    for i in range(len(q)):
        states.append(state)
        state = state * decay[i] + learned[i]
    o = scores @ v + q @ torch.stack(states)
    return o.permute(1, 0, 3, 2, 4).reshape(batch, length, heads, -1)


def recurrence(batch=4, length=1024, heads=4, keys=32, values=64, backward=True):
    q, k = (torch.randn(batch, length, heads, keys, requires_grad=backward) for _ in range(2))
    v = torch.randn(batch, length, heads, values, requires_grad=backward)
    decay = (-0.1 * torch.rand(batch, length, heads, keys)).requires_grad_(backward)
    cotangent = torch.ones(batch, length, heads, values)

    def run():
        o = chunked(q, k, v, decay)
        if backward:
            o.backward(cotangent)
            q.grad = k.grad = v.grad = decay.grad = None

    def run_forward():
        with torch.no_grad():
            chunked(q, k, v, decay)

    return run if backward else run_forward


def forward_only(**sizes):
    return recurrence(backward=False, **sizes)


def attention(batch=1, length=1024, heads=2, keys=64, values=64):
    q, k, v = (torch.randn(batch, heads, length, keys) for _ in range(3))

    def run():
        with torch.no_grad():
            F.scaled_dot_product_attention(q, k, v, is_causal=True)

    return run


def selective_scan(batch=2, length=256, channels=256, n=16):
    u = torch.randn(batch, length, channels, requires_grad=True)
    delta = torch.empty(batch, length, channels).uniform_(0.001, 0.1).requires_grad_()
    a = torch.empty(channels, n).uniform_(-16, -1).requires_grad_()
    b, c = (torch.randn(batch, length, n, requires_grad=True) for _ in range(2))
    cotangent = torch.ones(batch, length, channels)

    def run():
        decay = torch.exp(delta[..., None] * a)
        drive = (delta * u)[..., None] * b[:, :, None]
        h, ys = torch.zeros(batch, channels, n), []
        for t in range(length):
            h = decay[:, t] * h + drive[:, t]
            ys.append((h * c[:, t, None]).sum(-1))
        torch.stack(ys, 1).backward(cotangent)
        for x in (u, delta, a, b, c):
            x.grad = None

    return run


class RmsNorm(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x):
        return F.rms_norm(x, self.weight.shape, self.weight, 1e-5)


class Gla(nn.Module):
    """Keys of half the width, a gate of rank 16, a norm of each head and an output gate."""

    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.q, self.k = (nn.Linear(width, width // 2, bias=False) for _ in range(2))
        self.v, self.g, self.o = (nn.Linear(width, width, bias=False) for _ in range(3))
        self.down, self.up = nn.Linear(width, 16, bias=False), nn.Linear(16, width // 2)
        self.norm = RmsNorm(width // heads)

    def forward(self, x, state=None):
        batch, length, width = x.shape
        q, k, v = (f(x).view(batch, length, self.heads, -1) for f in (self.q, self.k, self.v))
        decay = (F.logsigmoid(self.up(self.down(x))) / 16).view(q.shape)
        if state is None:
            o = chunked(q, k, v, decay)
        else:
            q, k, v, decay = q[:, 0], k[:, 0], v[:, 0], decay[:, 0]
            state.mul_(decay.exp()[..., None]).add_(k[..., None] * v[..., None, :])
            o = (q[..., None, :] * q.shape[-1] ** -0.5 @ state).transpose(1, 2)
        o = self.norm(o).reshape(batch, length, width)
        return self.o(o * F.silu(self.g(x)))


class Block(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        hidden = -(-(-(-8 * width // 3)) // 8) * 8
        self.norm1, self.norm2, self.mixer = RmsNorm(width), RmsNorm(width), Gla(width, heads)
        self.gate, self.up = (nn.Linear(width, hidden, bias=False) for _ in range(2))
        self.down = nn.Linear(hidden, width, bias=False)

    def forward(self, x, state=None):
        x = x + self.mixer(self.norm1(x), state)
        y = self.norm2(x)
        return x + self.down(F.silu(self.gate(y)) * self.up(y))


class Model(nn.Module):
    def __init__(self, layers, width, heads, vocab):
        super().__init__()
        self.embedding = nn.Embedding(vocab, width)
        self.blocks = nn.ModuleList([Block(width, heads) for _ in range(layers)])
        self.norm = RmsNorm(width)

    def forward(self, tokens, states=None):
        x = self.embedding(tokens)
        for index, block in enumerate(self.blocks):
            x = block(x, None if states is None else states[index])
        return self.norm(x) @ self.embedding.weight.T


def step(batch=16, layers=4, width=128, heads=4, length=128, vocab=256):
    model = Model(layers, width, heads, vocab)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    tokens, labels = torch.randint(vocab, (2, batch, length))

    def run():
        optimizer.zero_grad()
        F.cross_entropy(model(tokens).flatten(0, 1), labels.flatten()).backward()
        optimizer.step()

    return run


def generate(tokens=64, layers=4, width=128, heads=4, vocab=256):
    model = Model(layers, width, heads, vocab)
    keys, values = width // 2 // heads, width // heads

    def run():
        with torch.no_grad():
            states = [torch.zeros(1, heads, keys, values) for _ in range(layers)]
            token = torch.ones(1, 1, dtype=torch.long)
            for _ in range(tokens):
                token = model(token, states)[:, -1:].argmax(-1)

    return run


LENGTHS = (1024, 4096, 8192, 16384, 32768)
BENCHES = {
    "recurrence": recurrence,
    "recurrence-wide": recurrence,
    "selective-scan": selective_scan,
    "step": step,
    "generate": generate,
    **{f"gla-{length}": forward_only for length in LENGTHS},
    **{f"attention-{length}": attention for length in LENGTHS},
}

if __name__ == "__main__":
    serve(BENCHES)
