"""A GGUF file of a tiny Llama with the miniature's tokenizer, written for the tests."""

from __future__ import annotations

import json
from pathlib import Path

import gguf
import numpy as np

_WIDTH, _LAYERS, _HEADS, _FEED_FORWARD = 32, 1, 2, 48


def write_gguf(path: Path, miniature: Path) -> Path:
    """Random weights of one layer; the vocabulary is that of the folder `miniature`."""
    tokenizer = json.loads((miniature / "tokenizer.json").read_text("utf-8"))
    settings = json.loads((miniature / "tokenizer_config.json").read_text("utf-8"))
    added = {one["content"]: one["id"] for one in tokenizer["added_tokens"]}
    vocabulary = tokenizer["model"]["vocab"] | added
    tokens = [token for token, _ in sorted(vocabulary.items(), key=lambda pair: pair[1])]
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_context_length(2048)
    writer.add_embedding_length(_WIDTH)
    writer.add_block_count(_LAYERS)
    writer.add_feed_forward_length(_FEED_FORWARD)
    writer.add_head_count(_HEADS)
    writer.add_head_count_kv(_HEADS)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_rope_dimension_count(_WIDTH // _HEADS)
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(tokens)
    writer.add_token_types([3 if token in added else 1 for token in tokens])
    writer.add_token_merges([" ".join(merge) for merge in tokenizer["model"]["merges"]])
    writer.add_eos_token_id(vocabulary[settings["eos_token"]])
    writer.add_pad_token_id(vocabulary[settings["pad_token"]])
    writer.add_chat_template((miniature / "chat_template.jinja").read_text("utf-8"))
    for name, shape in _shapes(len(tokens)).items():
        values = np.random.default_rng(0).normal(0, 0.05, shape) if len(shape) > 1 else np.ones(shape)
        writer.add_tensor(f"{name}.weight", values.astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _shapes(vocabulary: int) -> dict[str, tuple[int, ...]]:
    block = dict.fromkeys(("attn_q", "attn_k", "attn_v", "attn_output"), (_WIDTH, _WIDTH))
    block |= {"attn_norm": (_WIDTH,), "ffn_norm": (_WIDTH,)}
    block |= dict.fromkeys(("ffn_gate", "ffn_up"), (_FEED_FORWARD, _WIDTH)) | {"ffn_down": (_WIDTH, _FEED_FORWARD)}
    whole = {"token_embd": (vocabulary, _WIDTH), "output_norm": (_WIDTH,), "output": (vocabulary, _WIDTH)}
    return whole | {f"blk.{i}.{name}": shape for i in range(_LAYERS) for name, shape in block.items()}
