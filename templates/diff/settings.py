"""What else tells two models apart: configuration, tokenizer, chat template; of a folder, a GGUF, or one of each."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

DOCUMENTS = ("config.json", "generation_config.json", "tokenizer_config.json", "zyc.json", "adapter_config.json")
TEXTS = ("chat_template.jinja", "training_template.jinja", "tokenizer.json", "tokenizer.model")
LONG = 80  # letters: a longer value is told by its digest
SAME = {  # of a configuration: what llama.cpp calls it
    "hidden_size": ".embedding_length",
    "num_hidden_layers": ".block_count",
    "intermediate_size": ".feed_forward_length",
    "num_attention_heads": ".attention.head_count",
    "num_key_value_heads": ".attention.head_count_kv",
    "max_position_embeddings": ".context_length",
    "rms_norm_eps": ".attention.layer_norm_rms_epsilon",
    "rope_theta": ".rope.freq_base",
    "bos_token_id": "tokenizer.ggml.bos_token_id",
    "eos_token_id": "tokenizer.ggml.eos_token_id",
}


def differences(first: Path, last: Path) -> list[dict[str, str | None]]:
    """Every setting that is not the same in both; of a folder and a GGUF those that both have."""
    one, two = (gguf_facts(each) if each.suffix == ".gguf" else folder_facts(each) for each in (first, last))
    if first.suffix != last.suffix:
        one, two = (each if path.suffix == ".gguf" else as_gguf(each) for each, path in ((one, first), (two, last)))
        shared = one.keys() & two.keys()
        one, two = ({name: each[name] for name in shared} for each in (one, two))
    names = sorted(one.keys() | two.keys())
    return [
        {"name": name, "a": _short(one.get(name)), "b": _short(two.get(name))}
        for name in names
        if not _same(one.get(name), two.get(name))
    ]


def folder_facts(folder: Path) -> dict[str, object]:
    """Every value of its small files, and its texts."""
    told: dict[str, object] = {}
    for name in DOCUMENTS:
        if (folder / name).exists():
            told |= _flat(json.loads((folder / name).read_text(encoding="utf-8")), f"{name}: ")
    for name in TEXTS:
        if (folder / name).exists():
            told[name] = (folder / name).read_bytes()
    return told


def gguf_facts(file: Path) -> dict[str, object]:
    """Every fact that its head has."""
    from gguf_file import GgufFile

    return dict(GgufFile(file).facts)


def as_gguf(told: dict[str, object]) -> dict[str, object]:
    """What a folder says, under the names that a GGUF has for it."""
    config = {name.removeprefix("config.json: "): value for name, value in told.items() if name.startswith("config.json: ")}
    config.setdefault("rope_theta", config.get("rope_parameters.rope_theta"))
    family = {"mistral": "llama"}.get(str(config.get("model_type")), config.get("model_type"))
    made = {f"{family}{name}" if name.startswith(".") else name: config.get(own) for own, name in SAME.items()}
    template = told.get("chat_template.jinja")
    made["tokenizer.chat_template"] = template.decode() if isinstance(template, bytes) else None
    return {name: value for name, value in made.items() if value is not None}


def _same(one: object, two: object) -> bool:
    if isinstance(one, float) or isinstance(two, float):
        try:
            return abs(float(one) - float(two)) <= 1e-6 * max(abs(float(one)), abs(float(two)))  # a GGUF has 32 bits for it
        except (TypeError, ValueError):
            return False
    return one == two


def _flat(value: object, path: str) -> dict[str, object]:
    if isinstance(value, dict):
        told: dict[str, object] = {}
        for name, each in value.items():
            told |= _flat(each, f"{path}{name}" if path.endswith(": ") else f"{path}.{name}")
        return told
    return {path: value}


def _short(value: object) -> str | None:
    if value is None:
        return None
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else json.dumps(value, ensure_ascii=False, default=str)
    if len(text) <= LONG:
        return text
    digest = hashlib.sha256(value if isinstance(value, bytes) else text.encode()).hexdigest()[:12]
    count = f"{len(value):,} items" if isinstance(value, list) else f"{len(text):,} letters"
    return f"{count}, {digest}"
