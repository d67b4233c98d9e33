"""What makes a merge impossible, told from its spec and from the facts of its models."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

from zyc.craft.arch.answering import differences
from zyc.craft.merging import pasting
from zyc.craft.merging.methods import METHODS, MIXTURES, Method, Setting, out_of_bounds, words
from zyc.craft.merging.pasting import Named
from zyc.craft.merging.spec import Each, MergeSpec, Parameters
from zyc.craft.merging.written import given
from zyc.errors import nearest
from zyc.fields import Ref
from zyc.kind import Objection
from zyc.types import Model

_OF_EXPERTS = ("prompts", "avoid", "noise", "residual", "shared")


def of_form(spec: MergeSpec) -> Iterator[Objection]:
    """What a method needs and has no use for, whatever the models are."""
    for name in ("moe", "extract", "transplant"):
        if name in spec.model_fields_set and spec.method != name:
            yield Objection(name, f"`{spec.method}` has no use for `{name}`", f"remove it, or `method: {name}`")
    if bool(spec.models) == bool(spec.slices):
        both = bool(spec.models)
        says = "`models` and `slices` both say what is merged" if both else "nothing says what is merged"
        yield Objection("slices" if both else "", says, "keep one of them" if both else "`models: {a: 60%, b: 40%}`")
        return
    if spec.method not in METHODS:
        yield from _of_others(spec)
        return
    method = METHODS[spec.method]
    yield from _of_counts(spec, method)
    yield from _of_parameters(spec, method)
    for at, source in enumerate(spec.models):
        for name in _OF_EXPERTS:
            if name in source.model_fields_set:
                yield Objection(f"models.{at}.{name}", f"`{spec.method}` has no experts", "remove it, or `method: moe`")
    for at, each in enumerate(spec.slices):
        lengths = {source.layers[1] - source.layers[0] for source in each.models}
        if len(lengths) > 1:
            yield Objection(f"slices.{at}", "the models of a slice give different numbers of layers", "give as many of each")
        for number, source in enumerate(each.models):
            first, last = source.layers
            if not 0 <= first < last:
                says = f"there are no layers from {first} up to before {last}"
                yield Objection(
                    f"slices.{at}.models.{number}.layers", says, "layers count from 0: `[0, 16]` are the first sixteen"
                )
    yield from _of_tokenizer(spec)


def _of_tokenizer(spec: MergeSpec) -> Iterator[Objection]:
    asked = spec.tokenizer
    if asked is None:
        return
    if asked.of != "model" and asked.model is not None:
        yield Objection("tokenizer.model", f"`of: {asked.of}` and a model both say whose tokenizer it is", "keep one of them")
    if asked.of == "model" and asked.model is None:
        yield Objection("tokenizer", "nothing says whose tokenizer it is", "`union`, `base`, or the name of a model")
    if asked.of == "base" and spec.base is None:
        yield Objection("tokenizer.of", "there is no base whose tokenizer it could be", "`base: NAME`, or `tokenizer: NAME`")
    if asked.model is not None and asked.model not in _merged(spec):
        says = f"`{asked.model.name}` is none of the models that are merged"
        yield Objection("tokenizer.model", says, "`method: transplant` gives a model the tokenizer of any other")
    for at, token in enumerate(asked.tokens):
        field = f"tokenizer.tokens.{at}"
        if token.named is not None and token.number is not None:
            yield Objection(f"{field}.number", "`named` and `number` both say which token it is", "keep one of them")
        if token.like is None and (token.named is not None or token.number is not None):
            yield Objection(f"{field}.like", "nothing says of which model", "`like: NAME`")
        if token.like is not None and token.like not in _merged(spec):
            yield Objection(f"{field}.like", f"`{token.like.name}` is none of the models that are merged", "name one of them")


def _merged(spec: MergeSpec) -> list[Ref[Model]]:
    told = [source.node for source in spec.models] + [source.node for each in spec.slices for source in each.models]
    return [*told, *([] if spec.base is None else [spec.base])]


# --- how many ---


def _of_counts(spec: MergeSpec, method: Method) -> Iterator[Objection]:
    """As many models as the method takes, with a base or without."""
    name = spec.method
    if method.base == "required" and spec.base is None and not (spec.slices and all(each.base for each in spec.slices)):
        yield Objection("", f"`{name}` needs a `base`", "`base: NAME`: the model whose changes are merged, or where `t` is 0")
        return
    groups: list[tuple[str, list[Ref[Model]], Ref[Model] | None]] = []
    if spec.models:
        groups.append(("models", [each.node for each in spec.models], spec.base))
    for at, each in enumerate(spec.slices):
        groups.append((f"slices.{at}", [source.node for source in each.models], each.base or spec.base))
    for field, refs, base in groups:
        twice = next((ref for at, ref in enumerate(refs) if ref in refs[:at]), None)
        if twice is not None:
            yield Objection(field, f"`{twice.name}` is there twice", "name each model once")
        if base is not None and base not in refs:
            if method.base == "ignored":
                yield Objection("base", f"`{name}` merges models without a base", f"remove it, or name `{base.name}` in `models`")
                return
            if field != "models":
                says = f"the base `{base.name}` gives no layers to this slice"
                yield Objection(field, says, "name it among the models of the slice, with its layers")
        count = len({*refs, *([base] if base is not None and method.base != "ignored" else [])})
        others = count - (1 if base is not None and method.base != "ignored" else 0)
        if method.besides is not None and others != method.besides:
            yield Objection(
                field, f"`{name}` takes {method.besides} models besides the base, and here are {others}", _another(name)
            )
        elif count < method.least:
            yield Objection(field, f"`{name}` takes {_count(method)} models, and here is {count}", "name another one")
        elif method.most is not None and count > method.most:
            yield Objection(
                field, f"`{name}` takes {_count(method)} models, the base among them, and here are {count}", _another(name)
            )


def _count(method: Method) -> str:
    return f"{method.least}" if method.least == method.most else f"{method.least} or more"


def _another(name: str) -> str:
    if name == "passthrough":
        return "`slices` puts layers of several models behind each other"
    return "`linear`, `ties` and `task_arithmetic` take any number; or merge two, and the result with the next"


# --- parameters ---


def _of_parameters(spec: MergeSpec, method: Method) -> Iterator[Objection]:
    """Each is one of the method's, stands where it counts, and is there where the method needs it."""
    yield from _known(spec.method, method, "parameters", spec.parameters)
    sources: list[tuple[str, Each, Ref[Model], Ref[Model] | None, Each | None]] = [
        (f"models.{at}", source, source.node, spec.base, None) for at, source in enumerate(spec.models)
    ]
    for at, each in enumerate(spec.slices):
        yield from _known(spec.method, method, f"slices.{at}.parameters", each.parameters)
        for number, sliced in enumerate(each.models):
            field = f"slices.{at}.models.{number}"
            sources.append((field, sliced, sliced.node, each.base or spec.base, each.parameters))
    everywhere = given(spec.parameters)
    for field, source, node, base, beside in sources:
        yield from _known(spec.method, method, field, source)
        plain_base = node == base and not method.of_base
        there = {**everywhere, **(given(beside) if beside is not None else {}), **given(source)}
        for name in given(source) if plain_base else ():
            yield Objection(f"{field}.{name}", f"the base has no `{name}` of its own in `{spec.method}`", "remove it")
        for name in method.needs:
            if name in method.each and not plain_base and name not in there:
                says = f"`{spec.method}` needs a `{name}` for `{node.name}`; it takes {_takes(method)}"
                yield Objection(field, says, f"`{{{node.name}: {{{name}: 50%}}}}`, or `parameters: {{{name}: 50%}}` for all")
    by_slice = [given(each.parameters) for each in spec.slices]
    for name in method.needs:
        if name in method.shared and name not in everywhere and not (by_slice and all(name in each for each in by_slice)):
            says = f"`{spec.method}` needs a `{name}`; it takes {_takes(method)}"
            yield Objection("", says, f"`parameters: {{{name}: 0.5}}`")


def _takes(method: Method) -> str:
    each, shared = words(method.each, ""), words(method.shared, "")
    told = [f"{each} for each model" if each else "", f"{shared} for all of them" if shared else ""]
    return "; ".join(filter(None, told)) or "no parameters"


def _known(name: str, method: Method, field: str, group: Each) -> Iterator[Objection]:
    for word, setting in given(group).items():
        at = f"{field}.{word}"
        if word not in (*method.each, *method.shared):
            close = nearest(word, (*method.each, *method.shared))
            yield Objection(
                at, f"`{name}` has no `{word}`: it takes {_takes(method)}", f"did you mean `{close}`?" if close else "remove it"
            )
        elif word not in method.each and not isinstance(group, Parameters):
            yield Objection(at, f"`{name}` has one `{word}` for all models", f"`parameters: {{{word}: ...}}`")
        else:
            yield from _valued(at, word, setting)


def _valued(at: str, word: str, setting: Setting) -> Iterator[Objection]:
    flaw = out_of_bounds(word, setting)
    if flaw:
        yield Objection(at, flaw, "")
    elif word == "max_iter" and any(float(each) != int(each) for each in setting.values):
        yield Objection(at, "`max_iter` counts steps", "a whole number")


# --- mixtures, adapters, transplants ---


def _of_others(spec: MergeSpec) -> Iterator[Objection]:
    name = spec.method
    if spec.slices:
        yield Objection("slices", f"`{name}` takes whole models", "name them in `models`")
        return
    for field, group in (("parameters", spec.parameters), *((f"models.{at}", each) for at, each in enumerate(spec.models))):
        for word in given(group):
            yield Objection(f"{field}.{word}", f"`{name}` has no `{word}`", "remove it")
        if name != "moe" and isinstance(group, Each):
            for word in _OF_EXPERTS:
                if word in group.model_fields_set:
                    yield Objection(f"{field}.{word}", f"`{name}` has no experts", "remove it, or `method: moe`")
    if spec.compute is not None:
        yield Objection("compute", f"`{name}` computes as it must", "remove it")
    if name == "moe":
        yield from _of_mixture(spec)
        return
    if len(spec.models) != 1:
        yield Objection("models", f"`{name}` takes one model, and here are {len(spec.models)}", "`models: NAME`")
    if name == "extract":
        if spec.base is None:
            yield Objection("", "an adapter is what a model has beyond its base", "`base: NAME`")
        if spec.tokenizer is not None:
            yield Objection("tokenizer", "an adapter has no tokenizer", "remove it")
    else:
        if spec.base is not None:
            yield Objection("base", "`transplant` has no base", "remove it")
        asked = spec.tokenizer
        if asked is None or asked.model is None:
            yield Objection("tokenizer" if asked else "", "nothing says whose tokenizer the model gets", "`tokenizer: NAME`")
        elif asked.tokens or asked.pad is not None:
            yield Objection("tokenizer", "`transplant` takes the whole tokenizer of a model", "only its name")


def _of_mixture(spec: MergeSpec) -> Iterator[Objection]:
    """Gates know what an expert is asked from its prompts."""
    if spec.base is None:
        yield Objection("", "`moe` needs a `base`: attention, embeddings and the tokenizer are its", "`base: NAME`")
    if spec.tokenizer is not None:
        yield Objection("tokenizer", "a mixture has the tokenizer of its base", "remove it")
    experts = [(at, each) for at, each in enumerate(spec.models) if not each.shared]
    if len(experts) < max(2, spec.moe.per_token):
        says = f"{len(experts)} experts are too few for {spec.moe.per_token} a token"
        yield Objection("models", says, "name more models, or a smaller `moe.per_token`")
    for at, each in experts:
        if spec.moe.gate != "random" and not each.prompts:
            says = f"nothing says what `{each.node.name}` is asked, so no token would be led to it"
            yield Objection(f"models.{at}", says, "`prompts: [...]`, or `moe: {gate: random}` and train it")
    told = {(each.prompts, each.avoid) for _, each in experts}
    if spec.moe.gate != "random" and len(experts) > 1 and len(told) == 1 and experts[0][1].prompts:
        yield Objection(
            "models", "every expert is asked the same, so a gate has nothing to tell them apart by", "give each its own"
        )


# --- what the models are ---


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
        help_ = (
            "one of them `shared: true`, with prompts"
            if family == "qwen2" and not shared
            else "mixtures are made of llama, mistral, qwen2 (one shared) and qwen3"
        )
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
