"""What the small files of a published model say of it, as facts: configuration, tokenizer, card. What they do not say is None."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from zyc.craft.chats import CHATS, is_marked
from zyc.craft.rendering import looked
from zyc.types import Model

INDEX = "model.safetensors.index.json"
READ = ("config.json", "tokenizer_config.json", "generation_config.json", "chat_template.jinja", "zyc.json", "README.md", INDEX)
PIECES_FILE = "tokenizer.json"  # of a folder: every id that its tokenizer gives is in it
DTYPES = {"bfloat16": "bf16", "float16": "fp16", "float32": "fp32"}
UNIGRAM = ("T5Tokenizer", "XLMRobertaTokenizer", "AlbertTokenizer", "CamembertTokenizer", "MBartTokenizer", "XGLMTokenizer")
PIECES = ("LlamaTokenizer", "CodeLlamaTokenizer", "GemmaTokenizer")
_CARD = re.compile(r"\A---\n(.*?)\n---", re.DOTALL)
_LICENCE = re.compile(r"^license(_name)?:\s*[\"']?([A-Za-z0-9._+-]+)", re.MULTILINE)


def mapping(text: str | None) -> dict[str, Any]:
    """A JSON text that is a mapping; anything else is an empty one."""
    try:
        told = json.loads(text or "{}")
    except (ValueError, RecursionError):
        return {}
    return told if isinstance(told, dict) else {}


def shards(index: str | None) -> set[str]:
    """The files that an index of weights names."""
    weights = mapping(index).get("weight_map")
    return {each for each in weights.values() if isinstance(each, str)} if isinstance(weights, dict) else set()


def model(texts: Mapping[str, str], names: Iterable[str] = ()) -> Model:
    """The facts of a model, from its small files and the names of all of them."""
    config = mapping(texts.get("config.json"))
    inner = config.get("text_config")
    told = {**config, **inner} if isinstance(inner, dict) else config
    family = _text(config.get("model_type"))
    heads, width = _count(told.get("num_attention_heads")), _count(told.get("hidden_size"))
    quantized = config.get("quantization_config")
    tied = told.get("tie_word_embeddings", bool(family and family.startswith("gemma")))
    return Model(
        family=family,
        layers=_count(told.get("num_hidden_layers")),
        width=width,
        mlp=_count(told.get("intermediate_size")),
        heads=heads,
        kv_heads=_count(told.get("num_key_value_heads")) or heads,
        head_size=_count(told.get("head_dim")) or (width // heads if width and heads else None),
        vocabulary=_count(told.get("vocab_size")),
        context=_count(told.get("max_position_embeddings")),
        window=_count(told.get("sliding_window")) if told.get("use_sliding_window", True) else None,
        tied=bool(tied) if family else None,
        biased=bool(told.get("attention_bias", family == "qwen2")) if family else None,
        dtype=DTYPES.get(str(told.get("dtype") or told.get("torch_dtype") or "")),
        quantized=(str(quantized.get("quant_method", "yes")) if isinstance(quantized, dict) else "") if family else None,
        licence=licence(texts.get("README.md")),
        code=bool(config.get("auto_map")) if family else None,
        ids=_ids(mapping(texts.get(PIECES_FILE))),
        **_tokenizer(texts, {*names}),
    )


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _ids(told: Mapping[str, Any]) -> int | None:
    """How many ids a tokenizer may give: one more than its largest."""
    vocabulary = told.get("model", {}).get("vocab") if isinstance(told.get("model"), dict) else None
    if isinstance(vocabulary, list):
        found = [len(vocabulary) - 1]
    else:
        found = [each for each in vocabulary.values() if isinstance(each, int)] if isinstance(vocabulary, dict) else []
    added = told.get("added_tokens")
    tokens = [each for each in added if isinstance(each, dict)] if isinstance(added, list) else []
    found += [each["id"] for each in tokens if isinstance(each.get("id"), int)]
    return max(found) + 1 if found else None


def licence(card: str | None) -> str | None:
    """What the head of a card says; `other` has a name of its own."""
    head = _CARD.match(card or "")
    found = {bool(name): each for name, each in _LICENCE.findall(head[1])} if head else {}
    told = found.get(False)
    return (found.get(True) or told) if told == "other" else told


def _tokenizer(texts: Mapping[str, str], names: set[str]) -> dict[str, Any]:
    """What zyc wrote of a tokenizer; of one that it did not make, what its configuration tells."""
    notes = mapping(texts.get("zyc.json"))
    if notes:
        told = {name: notes.get(name) for name in ("form", "template", "begins", "end_of_turn")}
        return {**told, "marked": told["template"] in CHATS or "training_template.jinja" in names}
    config = mapping(texts.get("tokenizer_config.json"))
    if not config:
        return {}
    template = template_of(texts)
    name = recognise(template)
    eos = config.get("eos_token")
    ends = _text(eos.get("content") if isinstance(eos, dict) else eos)
    written = int("bos_token" in template or "{{ '<s>'" in template) if template else int(bool(config.get("add_bos_token")))
    return {
        "form": _form(str(config.get("tokenizer_class") or ""), names),
        "template": name,
        "marked": bool(template) and is_marked(name, template),
        "begins": written,
        "end_of_turn": CHATS[name].end_of_turn if name in CHATS else _end_of_turn(template, config, ends),
    }


def _end_of_turn(template: str, config: Mapping[str, Any], eos: str | None) -> str | None:
    """What a template that is like none of ours writes behind an answer; empty when that is nothing."""
    after = looked(template, eos=eos or "").after if template else None
    if after is None:
        return eos
    added = config.get("added_tokens_decoder")
    tokens = [each for each in added.values() if isinstance(each, dict)] if isinstance(added, dict) else []
    special = [eos, *(_text(each.get("content")) for each in tokens if each.get("special"))]
    found = [each for each in special if each and each in after]
    return min(found, key=after.index) if found else eos if after.strip() else ""


def _form(name: str, names: set[str]) -> str | None:
    bare = name.removesuffix("Fast")
    if bare in UNIGRAM:
        return "sentencepiece-unigram"
    if "tokenizer.model" in names or bare in PIECES:
        return "sentencepiece-bpe"
    return "byte-bpe" if bare else None


def template_of(texts: Mapping[str, str]) -> str:
    """The chat template: a file of its own, or in the configuration, where it may be one of several."""
    if "chat_template.jinja" in texts:
        return texts["chat_template.jinja"]
    told = mapping(texts.get("tokenizer_config.json")).get("chat_template")
    if isinstance(told, list):
        named = {each.get("name"): each.get("template") for each in told if isinstance(each, dict)}
        told = named.get("default") or next(iter(named.values()), None)
    return told if isinstance(told, str) else ""


# what only one template writes, the telling ones first; whether it renders the same bytes is shown when it is there
_SIGNS = (
    (
        "<|im_start|>",
        (("created by Alibaba", "qwen"), ("named SmolLM", "smollm"), ("<think>", "qwen3"), ("helpful assistant", "qwen2")),
    ),
    ("<|start_header_id|>", (("Cutting Knowledge Date", "llama3.1"), ("", "llama3"))),
    ("<<SYS>>", (("", "llama2"),)),
    ("[INST]", (("[AVAILABLE_TOOLS]", "mistral"), ("", "mistral-v0.1"))),
    ("<start_of_turn>", (("System role not supported", "gemma"), ("", "gemma3"))),
    ("<|end|>", (("and message['content']", "phi3.5"), ("", "phi3"))),
    ("<|assistant|>", (("", "zephyr"),)),
)


def recognise(template: str) -> str:
    """The name of the template that this text looks like; `own` when it is like none, empty when there is none."""
    for sign, told in _SIGNS:
        if sign in template:
            return next((name for part, name in told if part in template), "chatml" if sign == "<|im_start|>" else "own")
    return "own" if template else ""
