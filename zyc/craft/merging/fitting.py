"""What keeps models from being merged, told from their facts: weights, shapes, depth, tokenizers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

from zyc.craft.arch.answering import differences
from zyc.craft.merging import pasting
from zyc.craft.merging.methods import MIXTURES, words
from zyc.craft.merging.pasting import Named
from zyc.craft.merging.spec import MergeSpec
from zyc.kind import Objection
from zyc.types import Model


def of_models(spec: MergeSpec, models: Sequence[Named]) -> Iterator[Objection]:
    """Weights that are all there and of one shape."""
    for field, name, model in models:
        if model.quantized:
            says = f"`{name}` is kept as {model.quantized}: what is merged would be rounded away"
            yield Objection(field, says, "take the model in bf16")
            return
        if model.code:
            yield Objection(
                field, f"`{name}` brings Python of its own, and mergekit does not know its tensors", "take another model"
            )
            return
    if spec.method == "transplant":
        return
    yield from _unlike(spec, models)
    if spec.method == "moe":
        yield from _mixable(spec, models)


def _unlike(spec: MergeSpec, models: Sequence[Named]) -> Iterator[Objection]:
    first = models[0]
    lenient = ({"layers"} if spec.slices else set()) | ({"vocabulary"} if spec.tokenizer is not None else set())
    for other in models[1:]:
        found = {name for name, _, _ in differences(first[2], other[2])} - lenient
        if not found:
            continue
        says = pasting.told(first, other)
        if found == {"vocabulary"}:
            help_ = "`tokenizer: union` gives every token of both its row, `tokenizer: base` those of the base"
            if spec.method in ("moe", "extract"):
                help_ = f"`method: transplant` gives `{other[1]}` the tokenizer of `{first[1]}`"
        elif found == {"tied"}:
            help_ = "take two models that are both tied, or both not"
        elif found == {"layers"}:
            help_ = "`slices` takes layers of each: `[{models: {a: [0, 16], b: [0, 16]}}]`"
        else:
            help_ = pasting.instead(spec, models)
        yield Objection(other[0], says, help_)
        return


def _mixable(spec: MergeSpec, models: Sequence[Named]) -> Iterator[Objection]:
    family, shared = models[0][2].family, sum(each.shared for each in spec.models)
    asked = spec.moe.architecture
    if family is None:
        return
    able = [name for name in MIXTURES if family in MIXTURES[name] and _takes_shared(name, shared)]
    if asked is not None and asked not in able:
        yield Objection(
            "moe.architecture", f"experts of {family} with {shared} shared ones cannot become `{asked}`", _could(able)
        )
    elif not able:
        says = f"{len(spec.models)} models of {family} with {shared} shared ones make no mixture that mergekit knows"
        least = 1 + max(2, spec.moe.per_token)
        help_ = "mixtures are made of llama, mistral, qwen2 (one shared) and qwen3"
        if family == "qwen2" and not shared:
            help_ = "one of them `shared: true`, with prompts"
            help_ += f", and {least} models in all" if len(spec.models) < least else ""
        yield Objection("models", says, help_)


def _takes_shared(name: str, shared: int) -> bool:
    return {"mixtral": shared == 0, "qwen3": shared == 0, "qwen": shared == 1, "deepseek": shared <= 1}[name]


def _could(names: Sequence[str]) -> str:
    return f"they could become {words(tuple(names))}" if names else "they make no mixture that mergekit knows"


def mixture_of(spec: MergeSpec, family: str | None) -> str | None:
    """What a mixture becomes where nobody says it, as mergekit chooses."""
    if spec.moe.architecture is not None:
        return spec.moe.architecture
    shared = sum(each.shared for each in spec.models)
    able = [name for name in ("mixtral", "deepseek", "qwen", "qwen3") if family in MIXTURES[name] and _takes_shared(name, shared)]
    return able[0] if able else None


def of_slices(spec: MergeSpec, facts: Mapping[str, Model]) -> Iterator[Objection]:
    """Layers that are there."""
    for at, each in enumerate(spec.slices):
        for number, source in enumerate(each.models):
            field = f"slices.{at}.models.{number}"
            depth = facts[f"{field}.node"].layers
            if depth is not None and source.layers[1] > depth:
                says = f"`{source.node.name}` has {depth} layers, and this takes them up to {source.layers[1]}"
                yield Objection(f"{field}.layers", says, f"`[{min(source.layers[0], depth - 1)}, {depth}]`")


def of_tokenizers(spec: MergeSpec, models: Sequence[Named]) -> Iterator[Objection]:
    """Without a word about the tokenizer, a row is the same token in each model."""
    if spec.method in ("transplant", "extract"):
        return
    for (_, one, first), (field, two, second) in pairwise(models):
        if first.ids is not None and first.vocabulary is not None and first.ids > first.vocabulary:
            yield _beyond(models[0][0], one, first)
            return
        if second.ids is not None and second.vocabulary is not None and second.ids > second.vocabulary:
            yield _beyond(field, two, second)
            return
        if spec.tokenizer is not None:
            continue
        known = None not in (first.tokenizer, second.tokenizer) and "/" not in f"{first.tokenizer}{second.tokenizer}"
        other_form = None not in (first.form, second.form) and first.form != second.form
        if other_form or (known and first.tokenizer != second.tokenizer):
            says = f"`{one}` and `{two}` have different tokenizers: the same row would be another token"
            help_ = "`tokenizer: union` or `tokenizer: base`" if spec.method != "moe" else f"`method: transplant` for `{two}`"
            yield Objection(field, says, help_)
            return


def _beyond(field: str, name: str, model: Model) -> Objection:
    says = f"the tokenizer of `{name}` gives {model.ids:,} ids, and its embedding has {model.vocabulary:,} rows"
    return Objection(field, says, "`add_tokens` in that model gives new tokens their rows")
