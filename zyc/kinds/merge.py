"""The kind `merge`: one model of several by mergekit, a mixture of them, an adapter of one, or one with another tokenizer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from zyc.craft import arch
from zyc.craft.merging import doubts, fitting, written
from zyc.craft.merging.methods import DTYPES, METHODS, MIXTURE_FAMILIES
from zyc.craft.merging.pasting import Named
from zyc.craft.merging.spec import MergeSpec, Slice
from zyc.gates import Interval
from zyc.kind import Case, Estimate, Kind, Measure, Objection, Recipe
from zyc.quantity import in_bytes
from zyc.types import Adapter, Artifact, Model, values_of

FREE = ("apache-2.0", "mit", "bsd-2-clause", "bsd-3-clause", "cc0-1.0", "unlicense", "cc-by-4.0")  # they bind nobody further
LIMITED = ("nc", "research", "mnpl", "mrl")  # a part of the names of licences that forbid something
SHARD = 1_000_000_000  # parameters of one file: what is written stays in memory until its file is full
LIBRARIES = 900_000_000  # bytes of torch, transformers and mergekit
TWIN_LAYERS, TWIN_RANK, TWIN_NEIGHBOURS = 4, 64, 16
MOST_RANK = 512


class MergeKind(Kind[MergeSpec]):
    """Weights of several models become those of one, tensor by tensor, so that no model is in memory as a whole.

    What mergekit is asked for stands in the recipe as the file that it reads. Tokenizer and templates are those of the base, or
    else of the first model, to the byte; only a union of tokenizers that differ is written anew. The same recipe gives the
    same bytes.
    """

    name = "merge"
    section = "merges"
    Spec = MergeSpec
    gives = Model
    measures = {
        "bytes": Measure("size of the weights", "bytes"),
        "parameters": Measure("parameters; a tied output counts once", "count"),
    }
    only_real = ("parameters",)
    proof = "wholeness"
    harness = ("telling.py",)
    shares = ("bases.py",)

    def yields(self, spec: MergeSpec) -> type[Artifact]:
        """An adapter when it is extracted, else a model."""
        return Adapter if spec.method == "extract" else Model

    def proves(self, spec: MergeSpec) -> Mapping[str, Any] | None:
        """A model is looked at as a whole; an adapter is looked at where it is made."""
        return None if spec.method == "extract" else {}

    def place(self, path: str) -> str:
        """`models.0.node` stands at `in/models/0`, `tokenizer.model` at `in/tokenizer/model`."""
        return written.place(path)

    def twin(self, spec: MergeSpec) -> MergeSpec:
        """The same merge of toy models: slices of fewer layers, a thinner adapter."""
        update: dict[str, Any] = {}
        deepest = max((source.layers[1] for each in spec.slices for source in each.models), default=0)
        if deepest > TWIN_LAYERS:
            update["slices"] = tuple(_shorter(each, deepest) for each in spec.slices)
        if spec.method == "extract":
            update["extract"] = spec.extract.model_copy(update={"rank": min(spec.extract.rank, TWIN_RANK)})
        if spec.method == "transplant":
            few = min(spec.transplant.neighbours, TWIN_NEIGHBOURS)
            update["transplant"] = spec.transplant.model_copy(update={"neighbours": few})
        return spec.model_copy(update=update) if update else spec

    def facts(self, case: Case[MergeSpec]) -> Artifact:
        """Those of the base or of the first model, and what the merge changes of them."""
        spec, models = case.spec, _named(case)
        home = _home(case)
        licence = _licence([model.licence for _, _, model in models])
        if spec.method == "extract":
            return Adapter(values_of(home), "lora", spec.extract.rank, _extracted(case), spec.dtype, licence)
        told = replace(home, name=None, dtype=spec.dtype, gated=None, licence=licence, code=False)
        if spec.slices:
            told = replace(told, layers=sum(each.models[0].layers[1] - each.models[0].layers[0] for each in spec.slices))
        if spec.method == "moe":
            mixture = fitting.mixture_of(spec, home.family)
            return replace(told, family=MIXTURE_FAMILIES[mixture] if mixture else None)
        return _speaking(case, told)

    def check(self, case: Case[MergeSpec]) -> Iterable[Objection]:
        """The method with its parameters, and whether the models can be merged at all."""
        spec = case.spec
        found = list(doubts.of_form(spec))
        yield from found
        if found or case.twin:
            return  # a twin was checked at its real size
        models = _named(case)
        wrong = list(fitting.of_models(spec, models))
        yield from wrong
        if wrong:
            return
        yield from fitting.of_tokenizers(spec, models)
        if spec.slices:
            yield from fitting.of_slices(spec, {field: model for field, _, model in models})
        if spec.method == "extract" and spec.extract.rank > MOST_RANK:
            yield Objection(
                "extract.rank", f"a rank of {spec.extract.rank} is hardly thinner than a layer", f"`rank: {MOST_RANK}`"
            )

    def notes(self, case: Case[MergeSpec]) -> Iterable[Objection]:
        """Tokenizers that are only found to be the same once they are there; rows that a pile of layers no longer fits."""
        spec, models = case.spec, _named(case)
        told = {model.tokenizer for _, _, model in models if model.tokenizer is not None}
        if len(told) > 1 and spec.tokenizer is None and spec.method in METHODS and not case.twin:
            says = "whether these models have the same tokenizer is seen when they are there; if not, the merge refuses"
            yield Objection("models" if spec.models else "slices", says, "`tokenizer: union` or `tokenizer: base` settles it")

    def estimate(self, case: Case[MergeSpec]) -> Estimate:
        """Everything is read once and written once; between lies what the method computes."""
        spec, models = case.spec, _named(case)
        facts, counts = self.facts(case), [arch.parameters(model) for _, _, model in _distinct(case)]
        count = _parameters(case, facts)
        if count is None or any(each is None for each in counts):
            return Estimate()
        read = sum(each or 0 for each in counts)
        size = round(count * arch.BYTES[spec.dtype])
        cost = METHODS[spec.method].cost if spec.method in METHODS else 4e-8
        worked = read * cost
        seconds = Interval(5 + worked / 3 + size / 2e9, 12 + 2 * worked + 2 * size / 1.5e8, f"{read / 1e9:.2g} B parameters read")
        kept = round(min(count, SHARD) * arch.BYTES[spec.dtype])
        widest = max((model.vocabulary or 0) * (model.width or 0) for _, _, model in models)
        memory = LIBRARIES + 2 * kept + 4 * widest * (len(counts) + 2)
        if spec.method == "moe" and spec.moe.gate == "hidden":
            memory += arch.weight_bytes(_home(case), "bf16") or 0
        told = (("bytes", Interval(size, size * 1.001 + 100_000, f"{arch.BYTES[spec.dtype]:g} bytes a parameter")),)
        measures = told if spec.method != "extract" and not _is_open(spec) else ()
        return Estimate(seconds, memory, disk=size + 20_000_000, result=in_bytes(size), measures=measures)

    def recipe(self, case: Case[MergeSpec]) -> Recipe:
        """The file that mergekit reads, and what is around it."""
        spec, places = case.spec, written.places(case.spec)
        way = spec.method if spec.method not in METHODS else "merge"
        base = places[spec.base] if spec.base is not None else next(iter(places.values()))
        values: dict[str, object] = {
            "way": way,
            "method": spec.method,
            "base": base,
            "model": next(iter(places.values())),
            "models": sorted({*places.values()}),
            "home": _tokenizer_of(spec, base, places),
            "same": spec.tokenizer is None and way in ("merge", "moe"),
            "dtype": spec.dtype,
            "kept": DTYPES[spec.dtype],
            "seed": spec.seed,
            "shard": SHARD,
            "extract": spec.extract,
            "transplant": spec.transplant,
            "donor": base if spec.tokenizer is None or spec.tokenizer.model is None else places[spec.tokenizer.model],
        }
        files = {}
        if way == "merge":
            files["merge.yml"] = written.of_merge(spec)
        elif way == "moe":
            files["mixture.yml"] = written.of_mixture(spec, base)
        return Recipe(values=values, files=files)


def _shorter(each: Slice, deepest: int) -> Slice:
    """A slice of a toy model: about the same part of it."""
    sources = []
    length = max(1, round((each.models[0].layers[1] - each.models[0].layers[0]) * TWIN_LAYERS / deepest))
    for source in each.models:
        first = min(round(source.layers[0] * TWIN_LAYERS / deepest), TWIN_LAYERS - length)
        sources.append(source.model_copy(update={"layers": (first, first + length)}))
    return each.model_copy(update={"models": tuple(sources)})


# --- the models ---


def _model(case: Case[MergeSpec], field: str) -> Model:
    found = case.inputs[field]
    assert isinstance(found, Model)
    return found


def _named(case: Case[MergeSpec]) -> list[Named]:
    """The models that are merged, each time that they are named: field, name, facts."""
    told = [
        (path, ref.name, _model(case, path))
        for ref, path in written.references(case.spec)
        if not path.startswith("tokenizer") and path in case.inputs
    ]
    return told or [("", "", Model())]


def _distinct(case: Case[MergeSpec]) -> list[Named]:
    """Each of them once."""
    firsts = {name: each for each in reversed(_named(case)) for name in (each[1],)}
    return list(firsts.values())


def _home(case: Case[MergeSpec]) -> Model:
    """The model that the result is like: the base, or else the first one."""
    return _model(case, "base") if "base" in case.inputs else _named(case)[0][2]


def _speaking(case: Case[MergeSpec], told: Model) -> Model:
    """The facts of the tokenizer: of whom it is, or of all together."""
    spec = case.spec
    asked = spec.tokenizer
    if asked is None:
        return told
    models = [model for _, _, model in _named(case)]
    if asked.of != "union":
        home = (
            _home(case) if asked.of == "base" else _model(case, "tokenizer.model") if "tokenizer.model" in case.inputs else told
        )
        same = {name: getattr(home, name) for name in ("tokenizer", "form", "ids", "template", "begins", "end_of_turn")}
        rows = home.vocabulary if spec.method == "transplant" else home.ids
        told = replace(told, **same, vocabulary=_padded(rows, asked.pad))
    elif any(model.tokenizer != told.tokenizer or model.tokenizer is None for model in models):
        forms = {model.form for model in models}
        told = replace(told, tokenizer=None, ids=None, vocabulary=None, form=forms.pop() if forms == {"byte-bpe"} else "union")
    return told


def _padded(rows: int | None, pad: int | None) -> int | None:
    return rows if rows is None or pad is None else -(-rows // pad) * pad


def _licence(found: list[str | None]) -> str | None:
    """The one that binds most: what forbids something, then what has conditions, then what is not known."""
    bound = sorted({each for each in found if each is not None and each.lower() not in FREE})
    limited = [each for each in bound if any(part in each.lower() for part in LIMITED)]
    if limited or bound:
        return (limited or bound)[0]
    return None if None in found else found[0]


def _is_open(spec: MergeSpec) -> bool:
    """Whether the number of rows is only known when the tokenizers are there."""
    return spec.tokenizer is not None or spec.method == "moe"


def _extracted(case: Case[MergeSpec]) -> int | None:
    """The parameters of an adapter at its full rank."""
    return arch.adapter_parameters(_home(case), case.spec.extract.rank, "all-linear")


def _parameters(case: Case[MergeSpec], facts: Artifact) -> int | None:
    """How many there are in the result."""
    if isinstance(facts, Adapter):
        return facts.parameters
    assert isinstance(facts, Model)
    home = _home(case)
    if case.spec.method != "moe":
        like = facts if facts.vocabulary is not None else replace(facts, vocabulary=home.vocabulary)
        return arch.parameters(like)
    one = arch.parameters(home)
    experts = [each for each in arch.linears(home) if each.name in ("gate_proj", "up_proj", "down_proj")]
    if one is None:
        return None
    further = (len(case.spec.models) - 1) * sum(each.parameters for each in experts)
    return one + (home.layers or 0) * (further + len(case.spec.models) * (home.width or 0))


def _tokenizer_of(spec: MergeSpec, base: str, places: Mapping[Any, str]) -> str:
    """Whose tokenizer the result has; empty when it is a union of several."""
    if spec.tokenizer is None or spec.tokenizer.of == "base":
        return base
    return "" if spec.tokenizer.of == "union" else places[spec.tokenizer.model]
