"""One kind as a page of markdown, from its declaration alone: what it is, its fields, its measures, what it takes and gives."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator
from typing import Any, Literal, get_args, get_origin

import annotated_types
from pydantic import BaseModel, BeforeValidator
from pydantic.fields import FieldInfo

from zyc import fields, kinds
from zyc.gates import Gate
from zyc.kind import GATES, NOTES, PLACEMENT, Kind, Placement, Spec
from zyc.types import Artifact

# what a field's reader reads, in words
_READS = {
    fields.read_text: "text",
    fields.read_name: "a name",
    fields.read_integer: "a whole number",
    fields.read_number: "a number",
    fields.read_share: "a share: `10%`",
    fields.read_bytes: "a size: `4 GB`",
    fields.read_seconds: "a time: `15 s`",
    fields.read_amount: "a count: `300M`",
    fields.read_flag: "`true`, `false`",
    fields.read_device: "a class of machine: `a100-40`",
    fields.read_gate: "a gate: `loss < 0.6`",
    fields.read_variable: "the name of a variable",
}
_BOUNDS = {annotated_types.Ge: ">=", annotated_types.Gt: ">", annotated_types.Le: "<=", annotated_types.Lt: "<"}


def page_of(kind: Kind[Any]) -> str:
    """The page, without what only examples can show."""
    parts = [f"# {kind.name}", _docs(kind), "", *_facts(kind), "", "## Fields", "", *_fields(kind), "", *_measures(kind)]
    return "\n".join(parts).rstrip("\n") + "\n"


def summary(kind: Kind[Any]) -> str:
    """The first sentence of its docs."""
    return " ".join((kind.__doc__ or "").split("\n\n")[0].split())


def _docs(kind: Kind[Any]) -> str:
    paragraphs = (kind.__doc__ or "").strip().split("\n\n")
    return "\n" + "\n\n".join(" ".join(each.split()) for each in paragraphs)


# --- what stands around it ---


def _facts(kind: Kind[Any]) -> Iterator[str]:
    yield "| | |"
    yield "|---|---|"
    if kind.section is not None:
        yield f"| section | `{kind.section}` |"
    else:
        yield f"| written by | the compiler, {_why_inserted(kind)} |"
    taken = dict.fromkeys(f"`{path}`: {_one(ref)}" for path, ref in _references(kind.Spec))
    if taken:
        yield f"| takes | {'<br>'.join(taken)} |"
    yield f"| gives | {' or '.join(_given(kind))} |"
    if kind.proof:
        yield f"| proven by | [{kind.proof}]({kind.proof}.md), inserted as `NODE.proof` |"


def _given(kind: Kind[Any]) -> list[str]:
    """The types that may come out: where the spec decides, those of every choice that a field of its own has."""
    if kind.gives is not Artifact:
        return [kind.gives.says]
    words = {
        name: get_args(told.annotation) for name, told in kind.Spec.model_fields.items() if get_origin(told.annotation) is Literal
    }
    first = {name: each[0] for name, each in words.items() if kind.Spec.model_fields[name].is_required()}
    specs = (kind.Spec.model_construct(**{**first, name: word}) for name, each in words.items() for word in each)
    given: list[type[Artifact]] = [kind.yields(each) for each in specs]
    return list(dict.fromkeys(each.says for each in given)) or [Artifact.says]


def _why_inserted(kind: Kind[Any]) -> str:
    if kind.coerces:
        given, wanted = kind.coerces
        return f"as `NODE.{kind.suffix}`, where {wanted.says} is wanted and {given.says} is there"
    proven = [each.name for each in kinds.every() if each.proof == kind.name]
    if proven:
        return "as `NODE.proof`: it proves " + ", ".join(f"[{each}]({each}.md)" for each in proven)
    return "as a part of another node"


def _one(ref: Any) -> str:
    accepts: type[Artifact] = next((each for each in get_args(ref) if isinstance(each, type)), Artifact)
    shape = getattr(get_origin(ref) or ref, "shape", "one")
    several = {"many": ", one or several", "either": ", or a list of them"}.get(shape, "")
    return f"{accepts.says}{several}"


def _references(spec: type[BaseModel], path: str = "") -> Iterator[tuple[str, Any]]:
    """Every field that takes a node, with its type."""
    for name, told in fields.words(spec).items():
        yield from _references_in(told.annotation, f"{path}{name}")


def _references_in(annotation: Any, path: str) -> Iterator[tuple[str, Any]]:
    origin = get_origin(annotation)
    if isinstance(origin or annotation, type) and issubclass(origin or annotation, fields.Ref):
        yield path, annotation
    elif isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield from _references(annotation, f"{path}.")
    elif origin is dict:
        yield from _references_in(get_args(annotation)[1], f"{path}.NAME")
    elif origin is not Literal:
        for each in get_args(annotation):
            yield from _references_in(each, path)


# --- fields ---


def _fields(kind: Kind[Any]) -> Iterator[str]:
    yield "A keyed field decides the result and is in the key, a placement says where and how fast, an order what comes first."
    yield "" if kind.section is None else "[What every node has besides](README.md#what-every-node-has) is not repeated here."
    yield ""
    yield "| field | type | default | class | |"
    yield "|---|---|---|---|---|"
    common = {*NOTES, *GATES, *(f"placement.{name}" for name in Placement.model_fields)}
    for path, told in _rows(kind.Spec):
        if path not in common:
            yield _row(path, told)


def common_fields() -> list[str]:
    """The fields of every node, as rows."""
    placed = ((f"placement.{name}", told) for name, told in Placement.model_fields.items())
    return [_row(path, told) for path, told in (*Spec.model_fields.items(), *placed)]


def _row(path: str, told: FieldInfo) -> str:
    text = " ".join((told.description or "").split()).replace("|", "\\|")
    return f"| `{path}` | {_type(told.annotation, told)} | {_default(told)} | {_class(path, told.annotation)} | {text} |"


def _rows(spec: type[BaseModel], path: str = "") -> Iterator[tuple[str, FieldInfo]]:
    """Every field, the fields of groups below their group."""
    for name, told in fields.words(spec).items():
        where = f"{path}{name}"
        yield where, told
        group, named = _group(told.annotation)
        if group is not None:
            yield from _rows(group, f"{where}.NAME." if named else f"{where}.")


def _group(annotation: Any) -> tuple[type[BaseModel] | None, bool]:
    """The group of fields that a type is made of, and whether the user names its entries."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation, False
    if get_origin(annotation) is Literal:
        return None, False
    for each in get_args(annotation):
        group, named = _group(each)
        if group is not None:
            return group, named or get_origin(annotation) is dict
    return None, False


def _class(path: str, annotation: Any) -> str:
    top = path.split(".", maxsplit=1)[0]
    if top in NOTES:
        return "note"
    if top in GATES:
        return "gate"
    if top in PLACEMENT:
        return "placement"
    origin = get_origin(annotation) or annotation
    return "order" if getattr(origin, "waits", False) else "keyed"


def _default(told: FieldInfo) -> str:
    if told.is_required():
        return "**required**"
    value = told.get_default(call_default_factory=True) if told.default_factory is None else told.default_factory()  # type: ignore[call-arg]
    if value is None or isinstance(value, BaseModel) or value in ("", (), {}, []):
        return ""
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, tuple | list):
        return ", ".join(f"`{each}`" for each in value) if all(isinstance(each, str | int | float) for each in value) else ""
    return f"`{value:g}`" if isinstance(value, float) else f"`{value}`"


def _type(annotation: Any, told: FieldInfo | None = None) -> str:
    """What a spec may say there, in words."""
    metadata = list(told.metadata) if told is not None else []
    words = _worded(annotation, metadata)
    bounds = [f"{sign} {getattr(each, name):,}" for each in _flat(metadata, annotation) for name, sign in _bound(each)]
    return f"{words}, {', '.join(dict.fromkeys(bounds))}" if bounds else words


def _bound(each: object) -> Iterator[tuple[str, str]]:
    for kind, sign in _BOUNDS.items():
        if isinstance(each, kind) and isinstance(getattr(each, kind.__name__.lower()), int | float):
            yield kind.__name__.lower(), sign


def _flat(metadata: list[Any], annotation: Any) -> list[Any]:
    inner = getattr(annotation, "__metadata__", ())
    told = [*metadata, *inner, *(entry for each in get_args(annotation) for entry in getattr(each, "__metadata__", ()))]
    return [entry for each in told for entry in (each.metadata if isinstance(each, FieldInfo) else (each,))]


def _worded(annotation: Any, metadata: list[Any]) -> str:  # one return a shape
    if get_origin(annotation) is typing.Annotated:
        return _worded(annotation.__origin__, [*annotation.__metadata__, *metadata])
    reads = [_READS[each.func] for each in metadata if isinstance(each, BeforeValidator) and each.func in _READS]
    if reads:
        return reads[-1]
    origin, inside = get_origin(annotation), get_args(annotation)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(dict.fromkeys(_worded(each, []) for each in inside if each is not type(None)))
    if origin is Literal:
        return ", ".join(f"`{each}`" for each in inside)
    if origin is tuple or origin is list:
        return f"list of {_worded(inside[0], [])}"
    if origin is dict:
        return f"by name: {_worded(inside[1], [])}"
    return _plain(origin or annotation, annotation)


def _plain(kind: Any, annotation: Any) -> str:
    if isinstance(kind, type):
        if issubclass(kind, fields.Ref):
            return f"a node: {_one(annotation)}"
        if issubclass(kind, fields.FilePath):
            return "a path in the project"
        if issubclass(kind, fields.Secret):
            return "a secret: `$(env.NAME)`"
        if issubclass(kind, Gate):
            return "a gate: `loss < 0.6`"
        if issubclass(kind, BaseModel):
            return "the fields below"
    return {str: "text", int: "a whole number", float: "a number", bool: "`true`, `false`"}.get(kind, "a value")


# --- measures ---


def _measures(kind: Kind[Any]) -> Iterator[str]:
    if not kind.measures:
        return
    yield "## Measures"
    yield ""
    yield "What it measures, for gates and `select`; `*` stands for a name."
    yield ""
    yield "| measure | in | |"
    yield "|---|---|---|"
    for name, told in kind.measures.items():
        yield f"| `{name}` | {told.dimension} | {told.about.replace('|', chr(92) + '|')} |"
