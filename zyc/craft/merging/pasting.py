"""What works in place of a merge across architectures, as YAML to paste; and why that merge cannot be."""

from __future__ import annotations

from collections.abc import Sequence

from zyc import catalogue
from zyc.craft.arch.answering import differences
from zyc.craft.merging.spec import MergeSpec
from zyc.types import Model

Named = tuple[str, str, Model]  # field, name of the node, facts
_TRAITS = ("coder", "code", "math", "instruct", "chat")
_ALIKE = {"code": "coder", "coder": "code", "instruct": "it", "chat": "instruct"}


def told(one: Named, other: Named) -> str:
    """Both models with the facts that differ, in a sentence."""
    names = [name for name, _, _ in differences(one[2], other[2])]
    if names == ["vocabulary"]:
        return (
            f"`{one[1]}` has {one[2].vocabulary:,} rows in its embedding and `{other[1]}` {other[2].vocabulary:,}: "
            "the same row would be another token"
        )
    if names == ["tied"]:
        return f"the output of `{one[1] if one[2].tied else other[1]}` is its embedding, and that of the other one is not"
    facts = ", ".join(names)
    return f"`{one[1]}` and `{other[1]}` cannot be averaged: they differ in {facts}"


def _described(each: Named) -> str:
    name, model = each[1], each[2]
    sizes = [
        f"{model.layers} layers" if model.layers else "",
        f"width {model.width:,}" if model.width else "",
        f"{model.heads} heads" if model.heads else "",
        f"{model.vocabulary:,} rows" if model.vocabulary else "",
    ]
    return f"{name}: {', '.join(each for each in (model.family or 'of an unknown family', *sizes) if each)}"


def instead(spec: MergeSpec, models: Sequence[Named]) -> str:
    """A distillation from the same models with the same weights, and a pair that can be merged."""
    weights = _weights(spec, list(dict.fromkeys(name for _, name, _ in models)))
    student = min(models, key=lambda each: (each[2].layers or 0) * (each[2].width or 0))[1]
    teachers = ", ".join(f"{name}: {{weight: {share}%}}" for name, share in weights)
    lines = [
        *dict.fromkeys(_described(each) for each in models),
        "across architectures a distillation works; paste it, with prompts of yours:",
        "  distillations:",
        "    NAME:",
        f"      student: {student}",
        f"      teachers: {{{teachers}}}",
        "      prompts: DATASET",
        "      mode: responses",
    ]
    pair = _pair([model for _, _, model in models])
    if pair is not None:
        lines += [
            "or two models of one family, which can be merged:",
            "  models:",
            f"    one: {pair[0]}",
            f"    other: {pair[1]}",
            "  merges:",
            "    NAME: {method: slerp, models: [one, other], base: one, parameters: {t: 0.5}}",
        ]
    return "\n".join(lines)


def _weights(spec: MergeSpec, names: Sequence[str]) -> list[tuple[str, int]]:
    """The shares of the merge, as those of teachers: they make 100."""
    given = {each.node.name: each.weight.values[0] for each in spec.models if each.weight is not None and len(each.weight.values)}
    if not given and spec.parameters.t is not None and len(names) == 2 and spec.base is not None:
        t = sum(float(each) for each in spec.parameters.t.values) / len(spec.parameters.t.values)
        given = {name: (1 - t if name == spec.base.name else t) for name in names}
    some = {name: max(0.0, float(given.get(name, 0))) for name in names}
    if not all(some.values()):
        some = dict.fromkeys(names, 1.0)
    total = sum(some.values())
    shares = [round(100 * each / total) for each in some.values()]
    shares[0] += 100 - sum(shares)
    return list(zip(some, shares, strict=True))


def _pair(models: Sequence[Model]) -> tuple[str, str] | None:
    """Two listed models with one shape and tokenizer: one of these, and one that is good at what another of these is."""
    wanted = {trait for model in models for trait in _traits(model.name or "")}
    best: tuple[int, int, str, str] | None = None
    for model in models:
        if model.name is None or catalogue.model(model.name) is None:
            continue
        for name in catalogue.repositories():
            facts = catalogue.model(name)
            if facts is None or not _fits(model, facts) or name == model.name:
                continue
            first = _plain_of(name, facts)
            score = len(_traits(name) & wanted)
            row = (-score, len(name), *((first, name) if first else (model.name, name)))
            best = row if best is None or row < best else best
    return (best[2], best[3]) if best is not None else None


def _fits(one: Model, other: Model) -> bool:
    return not differences(one, other) and one.form == other.form and one.family == other.family


def _plain_of(name: str, facts: Model) -> str:
    """`Qwen2.5-1.5B` of `Qwen2.5-Coder-1.5B`: the general model beside one that was taught further."""
    for trait in ("-Coder", "code"):
        plain = name.replace(trait, "")
        found = catalogue.model(plain) if plain != name else None
        if found is not None and not differences(found, facts):
            return plain
    return ""


def _traits(name: str) -> set[str]:
    lowered = name.rpartition("/")[2].lower()
    found = {trait for trait in _TRAITS if trait in lowered}
    return found | {_ALIKE[trait] for trait in found if trait in _ALIKE}
