"""The kind `quant`: a model in fewer bits, in the format of those who will run it, and proven to be the same model still."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from zyc.craft import quantizing
from zyc.craft.quantizing.spec import Budget, QuantSpec
from zyc.errors import nearest
from zyc.fields import Ref
from zyc.kind import Case, Change, Estimate, Kind, Measure, Objection, Recipe
from zyc.measures import takes
from zyc.quantity import in_bytes
from zyc.types import Artifact, Model

SHORTEST = 256  # tokens of a context that is still one
APART = ("budget", "imatrix", "calibration", "on", "shards", "overrides", "metadata")  # fields that a format may not know


class Quant(Kind[QuantSpec]):
    """Writes a model in fewer bits: `gguf` for llama.cpp.

    A `type` says how, or a `budget` chooses the best type that fits; sizes are arithmetic over the shapes of the tensors. What
    comes out is held against what went in: the same tokens, the same chats, nearly the same chances.
    """

    name = "quant"
    section = "quants"
    Spec = QuantSpec
    measures = {
        "bytes": Measure("size of the files", "bytes"),
        "size.reduction": Measure("the share of the bytes that is saved, against 16 bits a weight", "share"),
    }
    only_real = ("size.reduction",)
    harness = ("environments.py", "llama_home.py", "telling.py")
    shares = (
        "gguf_file.py",
        "bases.py",
        "chats.py",
        "llmcompressor.txt",
        "mlc_conversation.py",
        "mlc_weights.py",
        "onnx_session.py",
    )
    proof = "fidelity"

    def yields(self, spec: QuantSpec) -> type[Artifact]:
        """What the format makes."""
        return quantizing.of(spec.format).gives

    def accepts(self, spec: QuantSpec) -> Mapping[str, type[Artifact]]:
        """A GGUF is made of a GGUF in 16 bits, the others of a model."""
        return {"model": quantizing.of(spec.format).wants}

    def proves(self, spec: QuantSpec) -> Mapping[str, Any]:
        """Against what it was made of, with the tokenizer of the model behind that."""
        return {"against": spec.model, "model": _behind(spec.model), "format": spec.format}

    def decided(self, case: Case[QuantSpec]) -> QuantSpec:
        """A tiny model fits any budget in its best type: what is rehearsed is the type that the real one fits in."""
        kind = quantizing.chosen(case) if case.spec.budget is not None else ""
        return case.spec.model_copy(update={"type": kind, "budget": None}) if kind else case.spec

    def facts(self, case: Case[QuantSpec]) -> Artifact:
        """Those of the model, with the type and the bytes."""
        return quantizing.of(case.spec.format).facts(case, quantizing.chosen(case))

    def check(self, case: Case[QuantSpec]) -> Iterable[Objection]:
        """A type that the format has, fields that it reads, a budget that something fits; then what the format itself minds."""
        told = [*_about_fields(case), *_about_the_type(case)]
        if told:
            return told
        return quantizing.of(case.spec.format).check(case, quantizing.chosen(case))

    def notes(self, case: Case[QuantSpec]) -> Iterable[Objection]:
        """What the format knows better."""
        return quantizing.of(case.spec.format).notes(case, quantizing.chosen(case))

    def estimate(self, case: Case[QuantSpec]) -> Estimate:
        """By the format."""
        return quantizing.of(case.spec.format).estimate(case, quantizing.chosen(case))

    def changes(self, case: Case[QuantSpec], missed: Collection[str] = ()) -> Iterable[Change]:
        """Types that take less, the best first, or a budget that chooses them; more, where it is not good enough."""
        spec, kind = case.spec, quantizing.chosen(case)
        told = quantizing.of(spec.format)
        every = [each for each in told.candidates(case) if each.type != kind]
        now = getattr(told.facts(case, kind), "bytes", None) if kind else None
        if not all(map(takes, missed)):
            every = [each for each in reversed(every) if now is not None and each.size is not None and each.size > now]
        else:
            every = [each for each in every if now is None or each.size is None or each.size < now]
        if spec.budget is None:
            yield from (Change("type", each.type) for each in every)
            return
        yield from (Change("budget.size", str(each.size)) for each in every if each.size is not None)
        for part in (2, 4, 8):
            if spec.budget.context // part >= SHORTEST:
                yield Change("budget.context", str(spec.budget.context // part))

    def recipe(self, case: Case[QuantSpec]) -> Recipe:
        """The values of the format, for its own scripts."""
        told = quantizing.of(case.spec.format)
        return Recipe(told.values(case, quantizing.chosen(case)), without=quantizing.others(told.name) | told.spare(case))


def _behind(model: Ref[Any]) -> object:
    """The model that a GGUF was made of, where that is what was named: `philo.fused` of `philo.fused.gguf`."""
    return Ref(model.name.removesuffix(".gguf"), Model, model.select)


def _about_fields(case: Case[QuantSpec]) -> Iterable[Objection]:
    spec, told = case.spec, quantizing.of(case.spec.format)
    for name in APART:
        if name not in told.reads and getattr(spec, name) != type(spec).model_fields[name].get_default(call_default_factory=True):
            yield Objection(name, f"{told.says} has no `{name}`", "leave it out")
    if spec.budget is not None and spec.type:
        yield Objection("budget", f"the type is `{spec.type}` already", "keep one of `type` and `budget`")
    if spec.budget is not None and spec.budget.size is None and spec.budget.memory is None:
        yield Objection("budget", "it limits nothing", "`size: 512 MB`, `memory: 2 GB`, or both")


def _about_the_type(case: Case[QuantSpec]) -> Iterable[Objection]:
    spec, told = case.spec, quantizing.of(case.spec.format)
    if spec.budget is not None and not spec.type:
        if not quantizing.chosen(case):
            yield Objection(
                "budget", f"no type of {told.says} fits: {_least(case, spec.budget)}", "a larger budget, or a smaller base"
            )
        return
    if not spec.type and not told.usual:
        yield Objection("type", f"{told.says} needs a type", f"`type: {told.types[0]}`, or a `budget`")
    if spec.type in told.refused:
        yield Objection("type", told.refused[spec.type], _listed(told.types))
    elif spec.type and spec.type not in (*told.types, *told.presets):
        close = nearest(spec.type.upper(), told.types) or nearest(spec.type, told.types)
        help_ = f"did you mean `{close}`?" if close else _listed((*told.types, *told.presets))
        yield Objection("type", f"{told.says} has no type `{spec.type}`", help_)


def _listed(names: Iterable[str]) -> str:
    return "there are " + ", ".join(f"`{each}`" for each in names)


def _least(case: Case[QuantSpec], budget: Budget) -> str:
    """What the smallest type would take, against what there is."""
    least = list(quantizing.of(case.spec.format).candidates(case))[-1]
    parts = []
    if least.size is not None and budget.size is not None:
        parts.append(f"{in_bytes(least.size)} of files, and {in_bytes(budget.size)} are allowed")
    if least.memory is not None and budget.memory is not None:
        words = f"{in_bytes(least.memory)} of memory with {budget.context:,} tokens, and {in_bytes(budget.memory)} are allowed"
        parts.append(words)
    return f"`{least.type}` takes {'; '.join(parts)}"
