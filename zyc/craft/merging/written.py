"""A merge as mergekit reads it: a YAML file whose models are the inputs of the step."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from zyc.craft.merging.methods import DTYPES, Setting
from zyc.craft.merging.spec import Each, MergeSpec
from zyc.fields import Ref

FIRST = "# What mergekit is asked for. Models are the inputs of this step.\n"


def places(spec: MergeSpec) -> dict[Ref[Any], str]:
    """Where each model stands below this step; one that is named twice is one model, at its first place."""
    told: dict[Ref[Any], str] = {}
    for ref, path in references(spec):
        told.setdefault(ref, f"./in/{place(path)}")
    return told


def references(spec: MergeSpec) -> Iterator[tuple[Ref[Any], str]]:
    """Every model that is named, with the path of its field; the models to be merged come first."""
    for at, source in enumerate(spec.models):
        yield source.node, f"models.{at}.node"
    for at, each in enumerate(spec.slices):
        for number, sliced in enumerate(each.models):
            yield sliced.node, f"slices.{at}.models.{number}.node"
    if spec.base is not None:
        yield spec.base, "base"
    for at, each in enumerate(spec.slices):
        if each.base is not None:
            yield each.base, f"slices.{at}.base"
    yield from _of_tokenizer(spec)


def _of_tokenizer(spec: MergeSpec) -> Iterator[tuple[Ref[Any], str]]:
    if spec.tokenizer is None:
        return
    if spec.tokenizer.model is not None:
        yield spec.tokenizer.model, "tokenizer.model"
    for at, token in enumerate(spec.tokenizer.tokens):
        if token.like is not None:
            yield token.like, f"tokenizer.tokens.{at}.like"


def place(path: str) -> str:
    """`slices.1.models.0.node` stands at `slices/1/models/0`, below `in/`."""
    return path.removesuffix(".node").replace(".", "/")


def given(group: Each) -> dict[str, Setting]:
    """The parameters that a group has, by the names of mergekit."""
    told = {}
    for name, about in type(group).model_fields.items():
        value = getattr(group, name)
        if isinstance(value, Setting):
            told[about.alias or name] = value
    return told


def of_merge(spec: MergeSpec) -> str:
    """The file of a merge."""
    at = places(spec)
    told: dict[str, Any] = {"merge_method": spec.method}
    if spec.slices:
        told["slices"] = [
            {
                "sources": [
                    {"model": at[source.node], "layer_range": list(source.layers), **_parameters(source)}
                    for source in each.models
                ],
                **({} if each.base is None else {"base_model": at[each.base]}),
                **_parameters(each.parameters),
            }
            for each in spec.slices
        ]
    else:
        told["models"] = [{"model": at[source.node], **_parameters(source)} for source in spec.models]
    if spec.base is not None:
        told["base_model"] = at[spec.base]
    told |= _parameters(spec.parameters)
    if spec.compute is not None:
        told["dtype"] = DTYPES[spec.compute]
    told["out_dtype"] = DTYPES[spec.dtype]
    if spec.tokenizer is not None:
        told["tokenizer"] = _tokenizer(spec, at)
    return FIRST + "".join(f"{line}\n" for line in lines(told))


def of_mixture(spec: MergeSpec, base: str) -> str:
    """The file of a mixture of experts."""
    at = places(spec)
    experts = [(source.shared, _expert(source, at[source.node])) for source in spec.models]
    told: dict[str, Any] = {
        "base_model": base,
        "gate_mode": spec.moe.gate,
        "dtype": DTYPES[spec.dtype],
        "experts_per_token": spec.moe.per_token,
        **({} if spec.moe.architecture is None else {"architecture": spec.moe.architecture}),
        "experts": [expert for shared, expert in experts if not shared],
        "shared_experts": [expert for shared, expert in experts if shared],
    }
    return FIRST + "".join(f"{line}\n" for line in lines({name: each for name, each in told.items() if each != []}))


def _expert(source: Any, path: str) -> dict[str, Any]:
    told = {
        "source_model": path,
        "positive_prompts": list(source.prompts),
        "negative_prompts": list(source.avoid),
        "noise_scale": source.noise,
        "residual_scale": source.residual,
    }
    return {name: each for name, each in told.items() if each not in (None, [])}


def _parameters(group: Each) -> dict[str, Any]:
    told = {name: _whole(each.written) if name == "max_iter" else each.written for name, each in sorted(given(group).items())}
    return {"parameters": told} if told else {}


def _whole(value: object) -> object:
    return int(value) if isinstance(value, float) else value


def _tokenizer(spec: MergeSpec, at: Mapping[Ref[Any], str]) -> dict[str, Any]:
    asked = spec.tokenizer
    assert asked is not None
    told: dict[str, Any] = {"source": asked.of if asked.model is None else at[asked.model]}
    tokens = {}
    for each in asked.tokens:
        if each.like is None:
            source: Any = {"kind": "zero"}
        elif each.named is None and each.number is None:
            source = at[each.like]
        else:
            named = {"token": each.named} if each.named is not None else {"token_id": each.number}
            source = {"kind": "model_token", "model": at[each.like], **named}
        tokens[each.token] = {"source": source, **({"force": True} if each.force else {})}
    if tokens:
        told["tokens"] = tokens
    if asked.pad is not None:
        told["pad_to_multiple_of"] = asked.pad
    return told


# --- YAML ---


def lines(value: Mapping[str, Any], indent: int = 0) -> Iterator[str]:
    """A mapping in block style, short lists of plain values in flow style."""
    pad = "  " * indent
    for name, each in value.items():
        key = _text(name)
        if isinstance(each, Mapping):
            yield f"{pad}{key}:"
            yield from lines(each, indent + 1)
        elif isinstance(each, list) and any(isinstance(inner, Mapping) for inner in each):
            yield f"{pad}{key}:"
            for inner in each:
                first, *rest = lines(inner, indent + 2)
                yield f"{pad}  - {first.strip()}"
                yield from rest
        elif isinstance(each, list) and any(isinstance(inner, str) for inner in each):
            yield f"{pad}{key}:"
            yield from (f"{pad}  - {scalar(inner)}" for inner in each)
        else:
            yield f"{pad}{key}: {scalar(each)}"


def scalar(value: object) -> str:
    """A value on one line, as YAML 1.1 reads it back."""
    if isinstance(value, list):
        return "[" + ", ".join(scalar(each) for each in value) + "]"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        text = repr(value)
        return text.replace("e", ".0e") if "e" in text and "." not in text else text
    return _text(value) if isinstance(value, str) else json.dumps(value)


# words that YAML 1.1 reads as something else than text
_OTHERWISE = ("y", "n", "yes", "no", "on", "off", "true", "false", "null")
_UNSEEN = re.compile("[\x7f-\x9f\u2028\u2029\ufeff]")


def _text(value: str) -> str:
    """A text that is read back as it is: plain where that is no other word, else in quotes, signs of any script as they are."""
    plain = value.startswith("./in/") or (value.isascii() and value.isidentifier() and value.lower() not in _OTHERWISE)
    quoted = json.dumps(value, ensure_ascii=False)  # a pair of escapes for one sign would be read as two
    return value if plain else _UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04x}", quoted)
