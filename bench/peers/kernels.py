"""The kernels in PyTorch eager: the peer of `offprint bench kernels --peer PYTHON`.

A kernel is a function of its sizes that gives its differentiable inputs and what computes it from them. `NAME` times
that without recording a graph; `NAME-backward` times it with the graph, and the gradients of the sum of the output.
"""

import torch
from peer import serve
from torch.nn import functional as F

BENCHES = {}


def forward(build, sizes):
    _, run = build(**sizes)

    def work():
        with torch.no_grad():
            run()

    return work


def backward(build, sizes):
    inputs, run = build(**sizes)
    for tensor in inputs:
        tensor.requires_grad_()
    ones = torch.ones_like(run())

    def work():
        for tensor in inputs:
            tensor.grad = None
        run().backward(ones)

    return work


def add(name, build, **fixed):
    """A kernel and its backward pass, with arguments that its name fixes."""
    BENCHES[name] = lambda **sizes: forward(build, {**fixed, **sizes})
    BENCHES[f"{name}-backward"] = lambda **sizes: backward(build, {**fixed, **sizes})


def add_forward(name, build, **fixed):
    BENCHES[name] = lambda **sizes: forward(build, {**fixed, **sizes})


# Products.


def linear(rows, input, output, activation=None):
    x, weight, bias = torch.randn(rows, input), torch.randn(output, input), torch.randn(output)
    f = activation or (lambda y: y)
    return [x, weight, bias], lambda: f(F.linear(x, weight, bias))


def matmul(m, k, n):
    a, b = torch.randn(m, k), torch.randn(k, n)
    return [a, b], lambda: a @ b


def batched_matmul(batch, m, k, n):
    a, b = torch.randn(batch, m, k), torch.randn(batch, k, n)
    return [a, b], lambda: torch.bmm(a, b)


def segments(rows, experts):
    """Unequal numbers of rows an expert: by turns 3/2 and 1/2 of the mean; `experts` is even and divides `rows`."""
    mean = rows // experts
    return [mean + mean // 2, mean - mean // 2] * (experts // 2)


def grouped_linear(rows, experts, input, output):
    x, weight = torch.randn(rows, input), torch.randn(experts, output, input)
    bias, counts = torch.randn(experts, output), segments(rows, experts)

    def run():
        return torch.cat([F.linear(part, w, b) for part, w, b in zip(x.split(counts), weight, bias, strict=True)])

    return [x, weight, bias], run


add("linear", linear)
add("linear-relu", linear, activation=F.relu)
add("linear-gelu", linear, activation=F.gelu)
add("matmul", matmul)
add("batched-matmul", batched_matmul)
add("grouped-linear", grouped_linear)

# Rows by index.


def embedding(rows, entries, width):
    table, ids = torch.randn(entries, width), torch.randint(entries, (rows,))
    return [table], lambda: F.embedding(ids, table)


def gather(rows, picked, width):
    x, ids = torch.randn(rows, width), torch.randint(rows, (picked,))
    return [x], lambda: x.index_select(0, ids)


def scatter_add(rows, picked, width):
    values, ids = torch.randn(picked, width), torch.randint(rows, (picked,))
    return [values], lambda: torch.zeros(rows, width).index_add(0, ids, values)


add("embedding", embedding)
add("gather", gather)
add("scatter-add", scatter_add)

# Rows of scores.


def of_rows(f):
    def build(rows, columns):
        x = torch.randn(rows, columns)
        return [x], lambda: f(x)

    return build


def cross_entropy(rows, columns, smoothing=0.0, ignored=False):
    x, labels = torch.randn(rows, columns), torch.randint(columns, (rows,))
    if ignored:
        labels[::16] = -100
    return [x], lambda: F.cross_entropy(x, labels, label_smoothing=smoothing)


def top_k(rows, columns, k):
    x = torch.randn(rows, columns)
    return [x], lambda: x.topk(k)[0]


add("softmax", of_rows(lambda x: x.softmax(1)))
add("log-softmax", of_rows(lambda x: x.log_softmax(1)))
add("cross-entropy", cross_entropy)
add("label-smoothing", cross_entropy, smoothing=0.1, ignored=True)
add("top-k", top_k)
add("sort", of_rows(lambda x: x.sort(1)[0]))
add_forward("argmax", of_rows(lambda x: x.argmax(1)))

# Norms.


def layer_norm(rows, width):
    x, weight, bias = torch.randn(rows, width), torch.randn(width), torch.randn(width)
    return [x, weight, bias], lambda: F.layer_norm(x, (width,), weight, bias)


def rms_norm(rows, width):
    x, weight = torch.randn(rows, width), torch.randn(width)
    return [x, weight], lambda: F.rms_norm(x, (width,), weight)


def batch_norm(batch, channels, side, training):
    x, weight, bias = torch.randn(batch, channels, side, side), torch.randn(channels), torch.randn(channels)
    mean, var = torch.zeros(channels), torch.ones(channels)
    return [x, weight, bias], lambda: F.batch_norm(x, mean, var, weight, bias, training)


add("layer-norm", layer_norm)
add("rms-norm", rms_norm)
add("batch-norm", batch_norm, training=True)
add("batch-norm-eval", batch_norm, training=False)

# Element by element.


def of_elements(f):
    def build(elements):
        x = torch.randn(elements)
        return [x], lambda: f(x)

    return build


add("gelu", of_elements(F.gelu))
add("gelu-tanh", of_elements(lambda x: F.gelu(x, approximate="tanh")))
add("silu", of_elements(F.silu))
add("relu", of_elements(F.relu))
add("sigmoid", of_elements(torch.sigmoid))
add("tanh", of_elements(torch.tanh))
add("softplus", of_elements(F.softplus))
add("exp", of_elements(torch.exp))
add("dropout", of_elements(lambda x: F.dropout(x, 0.1)))

# Attention.


def attention(batch, heads, queries, dim, keys=None, kv_heads=None, causal=False, masked=False, dropout=0.0):
    """`masked` lets each query see three keys of four, at random, the first always."""
    keys, kv_heads = keys or queries, kv_heads or heads
    q = torch.randn(batch, heads, queries, dim)
    k, v = torch.randn(2, batch, kv_heads, keys, dim)
    mask = None
    if masked:
        mask = torch.rand(batch, 1, queries, keys) < 0.75
        mask[..., 0] = True

    def run():
        return F.scaled_dot_product_attention(
            q, k, v, attn_mask=mask, dropout_p=dropout, is_causal=causal, enable_gqa=kv_heads != heads
        )

    return [q, k, v], run


add("attention", attention)
add("attention-causal", attention, causal=True)
add("attention-masked", attention, masked=True)
add("attention-cross", attention)
add("attention-grouped", attention, causal=True)
add("attention-dropout", attention, causal=True, dropout=0.1)

# Pictures.


def conv2d(batch, input, output, side, kernel=3, stride=1, dilation=1, groups=1):
    """Padded so that a stride of 1 keeps the side."""
    x, bias = torch.randn(batch, input, side, side), torch.randn(output)
    weight = torch.randn(output, input // groups, kernel, kernel)
    padding = dilation * (kernel - 1) // 2
    return [x, weight, bias], lambda: F.conv2d(x, weight, bias, stride, padding, dilation, groups)


def pool(f):
    def build(batch, channels, side, kernel=2):
        x = torch.randn(batch, channels, side, side)
        return [x], lambda: f(x, kernel)

    return build


def depthwise(batch, channels, side):
    return conv2d(batch, channels, channels, side, groups=channels)


add("conv2d", conv2d)
add("conv2d-grouped", conv2d, groups=4)
add("conv2d-depthwise", depthwise)
add("conv2d-1x1", conv2d, kernel=1)
add("conv2d-strided", conv2d, stride=2)
add("conv2d-dilated", conv2d, dilation=2)
add("max-pool2d", pool(F.max_pool2d))
add("avg-pool2d", pool(F.avg_pool2d))

# Reductions along the middle axis.


def reduction(f):
    def build(outer, length, inner):
        x = torch.randn(outer, length, inner)
        return [x], lambda: f(x, dim=1)

    return build


add("sum", reduction(torch.sum))
add("mean", reduction(torch.mean))
add("var", reduction(torch.var))

# Optimizers: a step with the same gradients each time.


def parameters(tensors, elements):
    made = [torch.nn.Parameter(torch.randn(elements)) for _ in range(tensors)]
    for parameter in made:
        parameter.grad = torch.randn(elements)
    return made


def adamw(tensors, elements):
    return torch.optim.AdamW(parameters(tensors, elements)).step


def sgd_momentum(tensors, elements):
    return torch.optim.SGD(parameters(tensors, elements), momentum=0.9).step


def clip_grad_norm(tensors, elements):
    made = parameters(tensors, elements)
    return lambda: torch.nn.utils.clip_grad_norm_(made, 1.0)


BENCHES |= {"adamw": adamw, "sgd-momentum": sgd_momentum, "clip-grad-norm": clip_grad_norm}

if __name__ == "__main__":
    serve(BENCHES)
