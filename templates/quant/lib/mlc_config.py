"""The mlc-chat-config.json of a model: its sizes, its tokenizer, and its conversation, as MLC and web-llm read them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

FILES = ("tokenizer.model", "tokenizer.json", "vocab.json", "merges.txt", "added_tokens.json", "tokenizer_config.json")
PREFILL = 2048  # tokens that are read at once


def write(source: Path, out: Path, tokenizer: Any, conversation: dict[str, Any], kind: str) -> dict[str, Any]:
    """Write it, and give it."""
    config = json.loads((source / "config.json").read_text(encoding="utf-8"))
    drawn = source / "generation_config.json"
    usual = json.loads(drawn.read_text(encoding="utf-8")) if drawn.exists() else {}
    context = config["max_position_embeddings"]
    window = config.get("sliding_window") if config.get("use_sliding_window", True) else None
    rope = config.get("rope_parameters") or {}
    sizes = {
        name: config[name]
        for name in (
            "hidden_size", "intermediate_size", "num_attention_heads", "num_hidden_layers", "num_key_value_heads", "head_dim",
            "rms_norm_eps", "vocab_size", "tie_word_embeddings", "hidden_act",
        )
        if config.get(name) is not None
    }  # fmt: skip
    sizes |= {"position_embedding_base": rope.get("rope_theta", config.get("rope_theta", 10000))}
    sizes |= {"context_window_size": context, "prefill_chunk_size": min(PREFILL, context), "tensor_parallel_shards": 1}
    told = {
        "version": "0.1.0",
        "model_type": config["model_type"],
        "quantization": kind,
        "model_config": sizes,
        "vocab_size": config["vocab_size"],
        "active_vocab_size": len(tokenizer),
        "context_window_size": -1 if window else context,
        "sliding_window_size": window or -1,
        "prefill_chunk_size": min(PREFILL, window or context),
        "attention_sink_size": 0 if window else -1,
        "tensor_parallel_shards": 1,
        "pipeline_parallel_stages": 1,
        "temperature": usual.get("temperature", 1.0),
        "top_p": usual.get("top_p", 1.0),
        "presence_penalty": 0.0,
        "frequency_penalty": 0.0,
        "repetition_penalty": usual.get("repetition_penalty", 1.0),
        "tokenizer_files": [name for name in FILES if (source / name).is_file()],
        "tokenizer_info": _info(source),
        "conv_template": conversation,
        "pad_token_id": tokenizer.pad_token_id,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": conversation["stop_token_ids"],
    }
    (out / "mlc-chat-config.json").write_text(json.dumps(told, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return told


def _info(source: Path) -> dict[str, Any]:
    """How ids become text again: by bytes that stand for letters, or by pieces with bytes for what has none."""
    pieces = (source / "tokenizer.model").is_file()
    told = json.loads((source / "tokenizer.json").read_text(encoding="utf-8"))
    steps = json.dumps([told.get("normalizer"), told.get("pre_tokenizer")])
    prepends = '"Prepend"' in steps or '"prepend_scheme": "always"' in steps or '"prepend_scheme": "first"' in steps
    strips = '"Strip"' in json.dumps(told.get("decoder"))
    return {
        "token_postproc_method": "byte_fallback" if pieces else "byte_level",
        "prepend_space_in_encode": prepends,
        "strip_space_in_decode": strips,
    }
