"""Make the golden cases of the vision and graph backbones from PyTorch's own layers.

    python golden/make/vision_backbones.py            # writes golden/backbones/{mlp,lenet,convnet,resnet,unet,gnn}-*.safetensors

Needs torch, torchvision (the blocks of ResNet) and torch_geometric (the layers on graphs). Networks run in float64 with
parameters that are float32 numbers; a second run in float32 must stay inside half of the tolerance, else nothing is written.

A case holds `param.<path>` for every parameter by its path in the Rust module, linear weights as [input, output];
`in.x` and `in.cotangent`; `out.y`, the answer in training, `out.loss` = sum(y * cotangent), `out.evaluation`, the answer at
evaluation after that one step of training; `grad.x` and `grad.<path>`.
"""

import copy

import numpy as np
import torch
import torch_geometric
import torch_geometric.nn as graph_nn
import torchvision
from torch import nn

import twice

TORCH = f"PyTorch {torch.__version__.split('+')[0]}"
VISION = f"{TORCH}, torchvision {torchvision.__version__.split('+')[0]}: BasicBlock"
ACTIVATIONS = {"relu": nn.ReLU, "tanh": nn.Tanh, "silu": nn.SiLU, "gelu": nn.GELU, "sigmoid": nn.Sigmoid}
POOLS = {"max": nn.MaxPool2d, "average": nn.AvgPool2d}


class ChannelNorm(nn.Module):
    """Layer norm over the channels of each place."""

    def __init__(self, channels):
        super().__init__()
        self.norm = nn.LayerNorm(channels)

    def forward(self, x):
        return self.norm(x.movedim(1, -1)).movedim(-1, 1)


def norm(kind, channels, flat=False):
    match kind, flat:
        case "none", _:
            return nn.Identity()
        case "batch", True:
            return nn.BatchNorm1d(channels)
        case "batch", False:
            return nn.BatchNorm2d(channels)
        case "layer", True:
            return nn.LayerNorm(channels)
        case "layer", False:
            return ChannelNorm(channels)


class Mlp(nn.Module):
    def __init__(self, input, output, hidden, activation, norm_kind):
        super().__init__()
        widths = [input, *hidden]
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in zip(widths, hidden))
        self.norms = nn.ModuleList(norm(norm_kind, width, flat=True) for width in hidden)
        self.head = nn.Linear(widths[-1], output)
        self.f = ACTIVATIONS[activation]()

    def forward(self, x):
        for layer, normed in zip(self.layers, self.norms):
            x = self.f(normed(layer(x)))
        return self.head(x)


class Lenet(nn.Module):
    def __init__(self, channels, size, classes, activation, pool, norm_kind):
        super().__init__()
        self.convolutions = nn.ModuleList([nn.Conv2d(channels, 6, 5, padding=2), nn.Conv2d(6, 16, 5)])
        self.norms = nn.ModuleList([norm(norm_kind, 6), norm(norm_kind, 16)])
        height, width = ((side // 2 - 4) // 2 for side in size)
        widths = [16 * height * width, 120, 84, classes]
        self.dense = nn.ModuleList(nn.Linear(a, b) for a, b in zip(widths, widths[1:]))
        self.f, self.pool = ACTIVATIONS[activation](), POOLS[pool](2)

    def forward(self, x):
        for convolution, normed in zip(self.convolutions, self.norms):
            x = self.pool(self.f(normed(convolution(x))))
        x = x.flatten(1)
        for layer in self.dense[:-1]:
            x = self.f(layer(x))
        return self.dense[-1](x)


class Convnet(nn.Module):
    def __init__(self, channels, size, classes, widths, kernel, activation, pool, norm_kind):
        super().__init__()
        inputs = [channels, *widths]
        self.convolutions = nn.ModuleList(
            nn.Conv2d(a, b, kernel, padding=kernel // 2) for a, b in zip(inputs, widths)
        )
        self.norms = nn.ModuleList(norm(norm_kind, width) for width in widths)
        height, width = (side >> len(widths) for side in size)
        self.head = nn.Linear(inputs[-1] * height * width, classes)
        self.f, self.pool = ACTIVATIONS[activation](), POOLS[pool](2)

    def forward(self, x):
        for convolution, normed in zip(self.convolutions, self.norms):
            x = self.pool(self.f(normed(convolution(x))))
        return self.head(x.flatten(1))


class Padding(nn.Module):
    """Option A of He et al. (2016), section 3.3."""

    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.stride, self.more = stride, outputs - inputs

    def forward(self, x):
        before = self.more // 2
        return nn.functional.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, before, self.more - before))


class Resnet(nn.Module):
    """The blocks are torchvision's."""

    def __init__(self, channels, classes, blocks, width, large, shortcut):
        super().__init__()
        stem = (7, 2, 3) if large else (3, 1, 1)
        self.stem, self.norm = nn.Conv2d(channels, width, *stem, bias=False), nn.BatchNorm2d(width)
        self.pool = nn.MaxPool2d(3, 2, 1) if large else nn.Identity()
        self.blocks, inputs = nn.ModuleList(), width
        for stage, count in enumerate(blocks):
            outputs = width << stage
            for index in range(count):
                stride = 2 if stage > 0 and index == 0 else 1
                passed = None
                if (stride, inputs) != (1, outputs):
                    projection = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))
                    passed = projection if shortcut == "projection" else Padding(inputs, outputs, stride)
                self.blocks.append(torchvision.models.resnet.BasicBlock(inputs, outputs, stride, passed))
                inputs = outputs
        self.head = nn.Linear(inputs, classes)

    def forward(self, x):
        x = self.pool(nn.functional.relu(self.norm(self.stem(x))))
        for block in self.blocks:
            x = block(x)
        return self.head(x.mean((2, 3)))


class Double(nn.Module):
    def __init__(self, input, output, activation, norm_kind):
        super().__init__()
        bias = norm_kind == "none"
        self.convolutions = nn.ModuleList(nn.Conv2d(a, output, 3, padding=1, bias=bias) for a in (input, output))
        self.norms = nn.ModuleList([norm(norm_kind, output), norm(norm_kind, output)])
        self.f = ACTIVATIONS[activation]()

    def forward(self, x):
        for convolution, normed in zip(self.convolutions, self.norms):
            x = self.f(normed(convolution(x)))
        return x


class Unet(nn.Module):
    def __init__(self, channels, classes, levels, width, activation, pool, norm_kind):
        super().__init__()
        widths = [width << level for level in range(levels + 1)]
        slots = (activation, norm_kind)
        self.down = nn.ModuleList(Double(a, b, *slots) for a, b in zip([channels, *widths], widths))
        self.rise = nn.ModuleList(nn.ConvTranspose2d(b, a, 2, 2) for a, b in zip(widths, widths[1:]))
        self.up = nn.ModuleList(Double(2 * a, a, *slots) for a in widths[:-1])
        self.head, self.pool = nn.Conv2d(width, classes, 1), POOLS[pool](2)

    def forward(self, x):
        passed = []
        for level, double in enumerate(self.down):
            if level:
                passed.append(x)
                x = self.pool(x)
            x = double(x)
        for rise, double, beside in reversed(list(zip(self.rise, self.up, passed))):
            x = double(torch.cat([beside, rise(x)], 1))
        return self.head(x)


class Gnn(nn.Module):
    """The layers are torch_geometric's."""

    def __init__(self, input, output, hidden, aggregation, readout, activation, norm_kind, edges, nodes, graphs):
        super().__init__()
        self.f, self.readout = ACTIVATIONS[activation](), readout
        widths = [input, *hidden]
        self.layers = nn.ModuleList(self.layer(aggregation, a, b) for a, b in zip(widths, hidden))
        self.norms = nn.ModuleList(norm(norm_kind, width, flat=True) for width in hidden)
        self.head = nn.Linear(widths[-1], output)
        self.edges = torch.tensor(edges).T if edges else torch.zeros(2, 0, dtype=torch.long)
        self.graph = torch.arange(graphs).repeat_interleave(nodes)

    def layer(self, aggregation, a, b):
        match aggregation:
            case "gcn":
                return graph_nn.GCNConv(a, b)
            case "gin":
                return graph_nn.GINConv(nn.Sequential(nn.Linear(a, b), self.f, nn.Linear(b, b)), eps=0.3, train_eps=True)
            case "sage":
                return graph_nn.SAGEConv(a, b)

    def forward(self, x):
        for layer, normed in zip(self.layers, self.norms):
            x = self.f(normed(layer(x, self.edges)))
        match self.readout:
            case "mean":
                x = graph_nn.global_mean_pool(x, self.graph)
            case "sum":
                x = graph_nn.global_add_pool(x, self.graph)
        return self.head(x)


def in_rust(path, array):
    """Path and layout of a parameter in the Rust module."""
    parts = path.split(".")
    names = {
        "conv1": "first",
        "bn1": "first_norm",
        "conv2": "second",
        "bn2": "second_norm",
        "lin": "first",
        "lin_r": "first",
        "lin_l": "second",
        "eps": "epsilon",
    }
    if "downsample" in parts:
        at = parts.index("downsample")
        parts[at : at + 2] = ["projection" if parts[at + 1] == "0" else "projection_norm"]
    if "nn" in parts:
        at = parts.index("nn")
        parts[at : at + 2] = ["first" if parts[at + 1] == "0" else "second"]
    path = ".".join(names.get(part, part) for part in parts).replace("norm.norm", "norm")
    path = path.replace(".norm.weight", ".weight").replace(".norm.bias", ".bias")
    if "rise" in parts and array.ndim == 4:
        # [input, output, 2, 2] as the convolution of 1x1 that gives four outputs a channel.
        return path.replace("weight", "convolution.weight"), array.transpose(1, 2, 3, 0).reshape(-1, array.shape[0], 1, 1)
    return path, array.T if array.ndim == 2 else array


def run(network, x, cotangent, dtype):
    network, x = copy.deepcopy(network).to(dtype).train(), x.to(dtype).requires_grad_()
    y = network(x)
    loss = (y * cotangent.to(dtype)).sum()
    loss.backward()
    with torch.no_grad():
        evaluation = network.eval()(x)
    outputs = {"out.y": y, "out.loss": loss, "out.evaluation": evaluation, "grad.x": x.grad}
    for path, parameter in network.named_parameters():
        path, gradient = in_rust(path, parameter.grad.numpy())
        outputs[f"grad.{located(network, path)}"] = torch.from_numpy(np.ascontiguousarray(gradient))
    return {name: value.detach().double().numpy() for name, value in outputs.items()}


def located(network, path):
    """GCNConv and SAGEConv keep their bias beside, or in, another linear layer than ours."""
    if isinstance(network, Gnn) and path.startswith("layers.") and path.count(".") == 2 and path.endswith(".bias"):
        return path.replace(".bias", ".first.bias")
    if isinstance(network, Gnn) and path.startswith("layers.") and path.endswith(".second.bias") and "SAGE" in repr(network):
        return path.replace(".second.bias", ".first.bias")
    return path


def make(name, config, network, shape, source=TORCH, seed=0):
    # Parameters away from their first values, so that norms' weights and biases matter.
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))
    x = torch.randn(shape, generator=generator)
    cotangent = torch.randn(network(x).shape, generator=generator)
    tensors = {"in.x": x.numpy(), "in.cotangent": cotangent.numpy()}
    for path, parameter in network.named_parameters():
        path, array = in_rust(path, parameter.detach().numpy())
        tensors[f"param.{located(network, path)}"] = array
    if isinstance(network, Gnn):
        tensors["in.edges"] = network.edges.T.numpy().astype(np.int64)
    for module in network.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.reset_running_stats()
    exact, single = (run(network, x, cotangent, dtype) for dtype in (torch.float64, torch.float32))
    strain = max(
        float(np.max(np.abs(single[key] - exact[key]) / (twice.SINGLE["atol"] + twice.SINGLE["rtol"] * np.abs(exact[key]))))
        for key in exact
    )
    if strain > 0.5:
        raise SystemExit(f"{name}: float32 spends {strain:.2f} of the tolerance; choose other inputs")
    tensors |= {key: value.astype(np.float32) for key, value in exact.items()}
    twice.write("backbones", name, config, tensors, source=source, **twice.SINGLE)
    print(f"{name:12} float32 spends {strain:.3f} of the tolerance")


def mlps():
    for number, (rows, input, hidden, output, activation, norm_kind) in enumerate(
        [(5, 4, [7, 6], 3, "relu", "none"), (3, 6, [8], 2, "silu", "batch"), (1, 5, [9, 4], 1, "gelu", "layer")]
    ):
        config = {"input": input, "hidden": hidden, "output": output, "activation": activation, "norm": norm_kind}
        make(f"mlp-{number}", config, Mlp(input, output, hidden, activation, norm_kind), (rows, input), seed=number)


def lenets():
    for number, (rows, channels, size, classes, activation, pool, norm_kind) in enumerate(
        [
            (2, 1, [16, 16], 4, "relu", "max", "none"),
            (1, 2, [13, 15], 3, "tanh", "average", "none"),
            (3, 1, [12, 14], 2, "sigmoid", "max", "batch"),
        ]
    ):
        config = {"channels": channels, "size": size, "classes": classes}
        config |= {"activation": activation, "pool": pool, "norm": norm_kind}
        network = Lenet(channels, size, classes, activation, pool, norm_kind)
        make(f"lenet-{number}", config, network, (rows, channels, *size), seed=10 + number)


def convnets():
    for number, (rows, channels, size, classes, widths, kernel, activation, pool, norm_kind) in enumerate(
        [
            (2, 3, [8, 8], 4, [5, 6], 3, "relu", "max", "none"),
            (1, 1, [9, 7], 2, [4], 5, "silu", "average", "none"),
            (3, 2, [12, 9], 3, [3, 4, 5], 3, "gelu", "max", "batch"),
        ]
    ):
        config = {"channels": channels, "size": size, "classes": classes, "widths": widths, "kernel": kernel}
        config |= {"activation": activation, "pool": pool, "norm": norm_kind}
        network = Convnet(channels, size, classes, widths, kernel, activation, pool, norm_kind)
        make(f"convnet-{number}", config, network, (rows, channels, *size), seed=20 + number)


def resnets():
    for number, (rows, channels, size, classes, depth, width, shortcut) in enumerate(
        [
            (3, 3, [8, 8], 4, 8, 4, "projection"),
            (2, 1, [9, 7], 2, 14, 3, "padding"),
            (3, 3, [33, 40], 3, 8, 3, "projection"),
        ]
    ):
        stem = "large" if number == 2 else "small"
        config = {"channels": channels, "classes": classes, "depth": depth, "width": width, "shortcut": shortcut}
        network = Resnet(channels, classes, 3 * [(depth - 2) // 6], width, stem == "large", shortcut)
        make(f"resnet-{number}", config | {"stem": stem}, network, (rows, channels, *size), source=VISION, seed=30 + number)


def unets():
    for number, (rows, channels, size, classes, levels, width, activation, pool, norm_kind) in enumerate(
        [
            (2, 1, [8, 8], 3, 2, 3, "relu", "max", "batch"),
            (1, 2, [4, 6], 2, 1, 4, "silu", "average", "none"),
            (1, 3, [5, 3], 2, 0, 3, "relu", "max", "layer"),
        ]
    ):
        config = {"channels": channels, "size": size, "classes": classes, "levels": levels, "width": width}
        config |= {"activation": activation, "pool": pool, "norm": norm_kind}
        network = Unet(channels, classes, levels, width, activation, pool, norm_kind)
        make(f"unet-{number}", config, network, (rows, channels, *size), seed=40 + number)


def gnns():
    path = [(0, 1), (1, 0), (1, 2), (2, 1), (2, 3), (3, 2)]
    directed = [(0, 1), (2, 1), (3, 0), (1, 4)]
    twins = path + [(a + 4, b + 4) for a, b in path]
    for number, (nodes, graphs, edges, input, hidden, output, aggregation, readout, activation, norm_kind) in enumerate(
        [
            (4, 1, path, 3, [5, 4], 2, "gcn", "nodes", "relu", "none"),
            (5, 1, directed, 3, [4], 2, "sage", "nodes", "silu", "batch"),
            (4, 2, twins, 2, [5, 6], 3, "gin", "sum", "relu", "none"),
            (4, 2, twins, 2, [5], 3, "gcn", "mean", "tanh", "layer"),
            (1, 1, [], 3, [4], 2, "sage", "mean", "relu", "none"),
        ]
    ):
        config = {"input": input, "output": output, "hidden": hidden, "aggregation": aggregation, "readout": readout}
        config |= {"activation": activation, "norm": norm_kind}
        network = Gnn(input, output, hidden, aggregation, readout, activation, norm_kind, edges, nodes, graphs)
        source = f"{TORCH}, torch_geometric {torch_geometric.__version__}"
        graph = {"nodes": nodes, "graphs": graphs}
        make(f"gnn-{number}", config | {"graph": graph}, network, (nodes * graphs, input), source=source, seed=50 + number)


if __name__ == "__main__":
    (twice.GOLDEN / "backbones").mkdir(exist_ok=True)
    torch.manual_seed(0)
    for family in (mlps, lenets, convnets, resnets, unets, gnns):
        family()
