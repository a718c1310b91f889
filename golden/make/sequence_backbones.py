"""Make the golden cases of encoder and encoder-decoder from PyTorch's own transformer layers.

    python golden/make/sequence_backbones.py       # writes golden/backbones/{encoder,encoder_decoder}-*.safetensors

Needs torch. Networks run in float64 with parameters that are float32 numbers; a second run in float32 must stay inside half
of the tolerance, else nothing is written.

A case holds `param.<path>` for every parameter by its path in the Rust module, linear weights as [input, output];
`in.tokens`, `in.target` of an encoder-decoder, `in.present` (1, or 0 for padding) and `in.cotangent`; `out.y`,
`out.loss` = sum(y * cotangent) and `grad.<path>`.
"""

import copy

import numpy as np
import torch
from torch import nn

import twice

SOURCE = f"PyTorch {torch.__version__.split('+')[0]}: TransformerEncoderLayer and TransformerDecoderLayer"


class Network(nn.Module):
    """What both have: a table of tokens, learned positions, and blocks."""

    def __init__(self, vocabulary, context, blocks):
        super().__init__()
        width = blocks["width"]
        self.first = blocks["norm_place"] == "before"
        self.tokens, self.positions = nn.Embedding(vocabulary, width), nn.Embedding(context, width)
        self.blocks = blocks

    def layers(self, kind):
        sizes = (self.blocks["width"], self.blocks["heads"], self.blocks["hidden"])
        settings = dict(dropout=0.0, activation=self.blocks["activation"], batch_first=True, norm_first=self.first)
        return nn.ModuleList(kind(*sizes, **settings) for _ in range(self.blocks["layers"]))

    def last_norm(self):
        return nn.LayerNorm(self.blocks["width"]) if self.first else nn.Identity()

    def embed(self, tokens):
        return self.tokens(tokens) + self.positions.weight[: tokens.shape[1]]


class Encoder(Network):
    def __init__(self, vocabulary, context, blocks, classes=None, pooling="first"):
        super().__init__(vocabulary, context, blocks)
        width = blocks["width"]
        self.norm = nn.Identity() if self.first else nn.LayerNorm(width)
        self.encoder, self.encoder_norm = self.layers(nn.TransformerEncoderLayer), self.last_norm()
        self.pooling = pooling
        self.pooler = nn.Linear(width, width) if classes and pooling == "first" else None
        self.head = nn.Linear(width, classes) if classes else None

    def forward(self, tokens, present):
        x = self.norm(self.embed(tokens))
        for layer in self.encoder:
            x = layer(x, src_key_padding_mask=~present)
        x = self.encoder_norm(x)
        if self.head is None:
            return (x @ self.tokens.weight.T).flatten(0, 1)
        if self.pooler is not None:
            return self.head(torch.tanh(self.pooler(x[:, 0])))
        weights = present[..., None].to(x.dtype)
        return self.head((x * weights).sum(1) / weights.sum(1))


class EncoderDecoder(Network):
    def __init__(self, vocabulary, context, blocks):
        super().__init__(vocabulary, context, blocks)
        self.encoder, self.encoder_norm = self.layers(nn.TransformerEncoderLayer), self.last_norm()
        self.decoder, self.decoder_norm = self.layers(nn.TransformerDecoderLayer), self.last_norm()

    def forward(self, tokens, present, target):
        memory = self.embed(tokens)
        for layer in self.encoder:
            memory = layer(memory, src_key_padding_mask=~present)
        memory = self.encoder_norm(memory)
        x = self.embed(target)
        future = torch.ones(target.shape[1], target.shape[1], dtype=torch.bool).triu(1)
        for layer in self.decoder:
            x = layer(x, memory, tgt_mask=future, memory_key_padding_mask=~present)
        return (self.decoder_norm(x) @ self.tokens.weight.T).flatten(0, 1)


def in_rust(name, array, has_decoder):
    """Paths in the Rust module and arrays in its layout."""
    last = name.rsplit(".", 1)[-1]
    if array.ndim == 2 and not name.startswith(("tokens", "positions")):
        array = array.T
    if name in ("tokens.weight", "positions.weight"):
        return {f"embedding.{name}": array}
    side, _, rest = name.partition(".")
    rust_side = side.removesuffix("_norm") if has_decoder else "blocks"
    if side in ("encoder_norm", "decoder_norm"):
        return {f"{rust_side}.norm.{last}": array}
    if side not in ("encoder", "decoder"):
        return {name: array}
    index, part, *_ = rest.split(".")
    at = f"{rust_side}.blocks.{index}"
    kind = "weight" if last.endswith("weight") else "bias"
    width = array.shape[-1] // 3
    match part, side:
        case "self_attn", _ if "out_proj" in name:
            return {f"{at}.token_mixer.output.{kind}": array}
        case "self_attn", _:
            return {f"{at}.token_mixer.qkv.{kind}": array}
        case "multihead_attn", _ if "out_proj" in name:
            return {f"{at}.cross.attention.output.{kind}": array}
        case "multihead_attn", _:
            cross = f"{at}.cross.attention"
            return {f"{cross}.q.{kind}": array[..., :width], f"{cross}.kv.{kind}": array[..., width:]}
        case "linear1", _:
            return {f"{at}.channel_mixer.up.{kind}": array}
        case "linear2", _:
            return {f"{at}.channel_mixer.down.{kind}": array}
        case ("norm2", "decoder"):
            return {f"{at}.cross.norm.{kind}": array}
        case ("norm3", _):
            return {f"{at}.norm2.{kind}": array}
        case _:
            return {f"{at}.{part}.{kind}": array}


def run(network, inputs, cotangent, dtype):
    network = copy.deepcopy(network).to(dtype)
    y = network(*inputs)
    loss = (y * cotangent.to(dtype)).sum()
    loss.backward()
    outputs = {"out.y": y, "out.loss": loss}
    outputs = {key: value.detach().double().numpy() for key, value in outputs.items()}
    has_decoder = hasattr(network, "decoder")
    for name, parameter in network.named_parameters():
        for path, array in in_rust(name, parameter.grad.double().numpy(), has_decoder).items():
            outputs[f"grad.{path}"] = array
    return outputs


def make(name, config, network, inputs, seed):
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.2 * torch.randn(parameter.shape, generator=generator))
    cotangent = torch.randn(network(*inputs).shape, generator=generator)
    exact, single = (run(network, inputs, cotangent, dtype) for dtype in (torch.float64, torch.float32))
    limits = {key: twice.SINGLE["atol"] + twice.SINGLE["rtol"] * np.abs(value) for key, value in exact.items()}
    strain = max(float(np.max(np.abs(single[key] - exact[key]) / limits[key])) for key in exact)
    if strain > 0.5:
        raise SystemExit(f"{name}: float32 spends {strain:.2f} of the tolerance; choose other inputs")
    names = ["in.tokens", "in.present", "in.target"]
    tensors = {key: value.long().numpy() for key, value in zip(names, inputs)}
    tensors["in.cotangent"] = cotangent.numpy()
    for path, parameter in network.named_parameters():
        for path, array in in_rust(path, parameter.detach().numpy(), hasattr(network, "decoder")).items():
            tensors[f"param.{path}"] = array
    tensors |= {key: value.astype(np.float32) for key, value in exact.items()}
    twice.write("backbones", name, config, tensors, source=SOURCE, **twice.SINGLE)
    print(f"{name:18} float32 spends {strain:.3f} of the tolerance")


def text(seed, lengths, vocabulary):
    """Sequences of these lengths, padded to the longest."""
    generator = torch.Generator().manual_seed(seed)
    present = torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]
    return torch.randint(vocabulary, present.shape, generator=generator), present


def blocks(layers, width, heads, hidden, activation, norm_place):
    sizes = {"layers": layers, "width": width, "heads": heads, "hidden": hidden}
    return sizes | {"activation": activation, "norm_place": norm_place}


def encoders():
    """Masked tokens with padding; classes by the first token with norms after; one token, by the mean, oddly wide."""
    for number, (lengths, sizes, more) in enumerate(
        [
            ([7, 4], blocks(2, 12, 3, 14, "gelu", "before"), {}),
            ([3, 6, 1], blocks(2, 8, 2, 9, "relu", "after"), {"classes": 3}),
            ([1], blocks(1, 15, 5, 7, "gelu", "before"), {"classes": 2, "pooling": "mean"}),
            ([5, 2], blocks(1, 9, 1, 20, "gelu", "before"), {"classes": 4, "pooling": "mean"}),
        ]
    ):
        config = {"vocabulary": 11, "context": 9, "blocks": sizes, **more}
        make(f"encoder-{number}", config, Encoder(**config), text(number, lengths, 11), seed=number)


def encoder_decoders():
    """Two layers with padding; norms after the sums; one token each way at an odd width."""
    for number, (lengths, target, sizes) in enumerate(
        [
            ([6, 3], 5, blocks(2, 12, 3, 14, "gelu", "before")),
            ([4, 7, 2], 8, blocks(1, 8, 2, 9, "relu", "after")),
            ([1], 1, blocks(1, 15, 5, 7, "gelu", "before")),
        ]
    ):
        config = {"vocabulary": 11, "context": 9, "blocks": sizes}
        source, present = text(10 + number, lengths, 11)
        written, _ = text(20 + number, [target] * len(lengths), 11)
        network = EncoderDecoder(**config)
        make(f"encoder_decoder-{number}", config, network, (source, present, written), seed=10 + number)


if __name__ == "__main__":
    torch.manual_seed(0)
    for family in (encoders, encoder_decoders):
        family()
