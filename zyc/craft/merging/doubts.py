"""What makes a merge impossible, told from its spec alone: models, parameters, slices, the tokenizer."""

from __future__ import annotations

from collections.abc import Iterator

from zyc.craft.merging.methods import METHODS, Method, Setting, out_of_bounds, words
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
    yield from _of_lengths(spec)
    yield from _of_tokenizer(spec)


def _of_lengths(spec: MergeSpec) -> Iterator[Objection]:
    """As many layers of each model of a slice, and layers that can be."""
    for at, each in enumerate(spec.slices):
        lengths = {source.layers[1] - source.layers[0] for source in each.models}
        if len(lengths) > 1:
            yield Objection(f"slices.{at}", "the models of a slice give different numbers of layers", "give as many of each")
        for number, sliced in enumerate(each.models):
            first, last = sliced.layers
            if not 0 <= first < last:
                says = f"there are no layers from {first} up to before {last}"
                yield Objection(
                    f"slices.{at}.models.{number}.layers", says, "layers count from 0: `[0, 16]` are the first sixteen"
                )


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
        yield from _of_count(name, method, field, refs, base)


def _of_count(name: str, method: Method, field: str, refs: list[Ref[Model]], base: Ref[Model] | None) -> Iterator[Objection]:
    """The models of a merge or of a slice."""
    twice = next((ref for at, ref in enumerate(refs) if ref in refs[:at]), None)
    if twice is not None:
        yield Objection(field, f"`{twice.name}` is there twice", "name each model once")
    if base is not None and base not in refs and method.base == "ignored":
        yield Objection("base", f"`{name}` merges models without a base", f"remove it, or name `{base.name}` in `models`")
        return
    if base is not None and base not in refs and field != "models":
        says = f"the base `{base.name}` gives no layers to this slice"
        yield Objection(field, says, "name it among the models of the slice, with its layers")
    based = {base} if base is not None and method.base != "ignored" else set()
    count = len({*refs, *based})
    others = count - len(based)
    if method.besides is not None and others != method.besides:
        says = f"`{name}` takes {method.besides} models besides the base, and here are {others}"
        yield Objection(field, says, _another(name))
    elif count < method.least:
        yield Objection(field, f"`{name}` takes {_count(method)} models, and here is {count}", "name another one")
    elif method.most is not None and count > method.most:
        says = f"`{name}` takes {_count(method)} models, the base among them, and here are {count}"
        yield Objection(field, says, _another(name))


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
    if spec.method == "linear" and sources and all(_is_nothing(spec, source, beside) for _, source, _, _, beside in sources):
        yield Objection(
            "slices" if spec.slices else "models", "every weight is 0: there is nothing to take the mean of", "`{a: 60%, b: 40%}`"
        )
    by_slice = [given(each.parameters) for each in spec.slices]
    for name in method.needs:
        if name in method.shared and name not in everywhere and not (by_slice and all(name in each for each in by_slice)):
            says = f"`{spec.method}` needs a `{name}`; it takes {_takes(method)}"
            yield Objection("", says, f"`parameters: {{{name}: 0.5}}`")


def _is_nothing(spec: MergeSpec, source: Each, beside: Each | None) -> bool:
    """Whether a model has no weight in any layer."""
    there = {**given(spec.parameters), **(given(beside) if beside is not None else {}), **given(source)}
    return "weight" in there and not any(there["weight"].values)


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
    yield from _without_parameters(spec)
    if spec.compute is not None:
        yield Objection("compute", f"`{name}` computes as it must", "remove it")
    if name == "moe":
        yield from _of_mixture(spec)
        return
    if len(spec.models) != 1:
        yield Objection("models", f"`{name}` takes one model, and here are {len(spec.models)}", "`models: NAME`")
    yield from (_of_extraction(spec) if name == "extract" else _of_transplant(spec))


def _without_parameters(spec: MergeSpec) -> Iterator[Objection]:
    """What only a method of merging, or only a mixture, has a use for."""
    name = spec.method
    for word in given(spec.parameters):
        yield Objection(f"parameters.{word}", f"`{name}` has no `{word}`", "remove it")
    for at, each in enumerate(spec.models):
        for word in given(each):
            yield Objection(f"models.{at}.{word}", f"`{name}` has no `{word}`", "remove it")
        for word in _OF_EXPERTS if name != "moe" else ():
            if word in each.model_fields_set:
                yield Objection(f"models.{at}.{word}", f"`{name}` has no experts", "remove it, or `method: moe`")


def _of_extraction(spec: MergeSpec) -> Iterator[Objection]:
    if spec.base is None:
        yield Objection("", "an adapter is what a model has beyond its base", "`base: NAME`")
    if spec.tokenizer is not None:
        yield Objection("tokenizer", "an adapter has no tokenizer", "remove it")


def _of_transplant(spec: MergeSpec) -> Iterator[Objection]:
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
