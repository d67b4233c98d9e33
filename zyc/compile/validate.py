"""One node's values -> its validated spec, or every problem in it with its place; and the shape of a valid spec."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from zyc import gates
from zyc.compile.expand import Places
from zyc.compile.mistakes import Subject, problems_of
from zyc.errors import Problem, problem
from zyc.fields import FilePath, Ref, Secret, describe, words
from zyc.graph import Link, Part, Shape
from zyc.kind import EnvironmentNeed, FileNeed, Kind, Spec
from zyc.source import Map, Scalar, Seq, Value

AnyKind = Kind[Any]


def owner_words(kind: str, name: str) -> str:
    """A node in a sentence: finetune `philo-lora`."""
    return f"{kind} `{name}`"


def field_words(path: str) -> str:
    """A field in a sentence: the carets tell which item of a list."""
    return ".".join(part for part in path.split(".") if not part.isdigit()) or path


def as_fields(kind: AnyKind, name: str, value: Value, places: Places) -> Map | Problem:
    """The fields of a node; a plain text may stand for some of them."""
    if isinstance(value, Map):
        return value
    if isinstance(value, Scalar) and value and not (value.plain and value in ("~", "null", "Null", "NULL")):
        short = kind.shorthand(str(value))
        if short is not None:
            filled = Map(
                (key_like(value, key), value.like(each) if isinstance(each, str) else each) for key, each in short.items()
            )
            filled.line, filled.column, filled.width = value.line, value.column, value.width
            return filled
    elif kind.Spec.model_fields and not any(field.is_required() for field in kind.Spec.model_fields.values()) and value == "":
        empty = Map()
        empty.line, empty.column, empty.width = value.line, value.column, value.width
        return empty
    sample = next((key for key, field in words(kind.Spec).items() if field.is_required()), "about")
    at = places.span(value)
    help_ = f"write `{name}: {{{sample}: ...}}`"
    return problem("not-a-mapping", at, what=f"the fields of {owner_words(kind.name, name)}", found=describe(value), help=help_)


def key_like(value: Scalar, key: str) -> Scalar:
    """A key that stands where a value stands."""
    return value.like(key)


def read_spec(kind: AnyKind, name: str, value: Map, places: Places) -> tuple[Spec | None, list[Problem]]:
    """The validated spec, or all that is wrong with it."""
    return read_fields(Subject(kind.Spec, owner_words(kind.name, name), places, ("matrix", "search")), value)


def read_fields(subject: Subject, value: Map) -> tuple[Any, list[Problem]]:
    """The validated fields of anything, or all that is wrong with them."""
    try:
        return subject.model.model_validate({key: _ordered(each) for key, each in value.items()}), []
    except ValidationError as errors:
        return None, problems_of(errors.errors(include_url=False), subject, value)


def _ordered(value: Value) -> Any:
    """The value with its mappings in order of their names: the order in which they are written reaches no byte."""
    if isinstance(value, Map):
        return {key: _ordered(value[key]) for key in sorted(value)}
    return [_ordered(each) for each in value] if isinstance(value, Seq) else value


def shape_of(kind: AnyKind, spec: Spec) -> Shape:
    """What the spec says by itself: references, needs, types, gates."""
    links: list[Link] = []
    needs: list[Any] = []
    accepts = kind.accepts(spec)
    for name, word in _bearing(type(spec)):
        for path, found in _bearers(word, getattr(spec, name)):
            if isinstance(found, Ref):
                pick = found.select
                select = (pick.judge, pick.measure, pick.largest, pick.take) if pick else None
                wanted = accepts.get(path, found.accepts)
                links.append(Link(path, found.name, wanted.__name__, found.order, found.collects, select))
            elif isinstance(found, Secret):
                needs.append(EnvironmentNeed(str(found), path, secret=True))
            else:
                needs.append(FileNeed(found.path, path))
    told = list(kind.needs(spec))
    asked = {(each.path, each.field) for each in told if isinstance(each, FileNeed)}
    needs = [each for each in needs if not isinstance(each, FileNeed) or (each.path, each.field) not in asked] + told
    proof = kind.proves(spec) if kind.proof else None
    placement = getattr(spec, "placement", None)
    return Shape(
        links=tuple(links),
        needs=tuple(needs),
        yields=kind.yields(spec).__name__,
        gates=_with_defaults(kind.bounds(spec), spec.gates),
        twin_gates=_with_defaults(kind.bounds(spec, twin=True), _rehearsed(kind, spec)),
        tags=spec.tags,
        about=spec.about,
        resumes=kind.resumes(spec),
        parts=tuple(Part(suffix, stem, _written(given)) for suffix, (stem, given) in sorted(kind.parts(spec).items())),
        proof=Part("proof", kind.proof, _written(proof)) if proof is not None else None,
        placement=tuple(sorted(placement.model_dump(mode="json").items())) if isinstance(placement, BaseModel) else (),
        lineage=kind.lineage,
    )


def _written(value: Any) -> Any:
    """What a kind hands on to another node, as a spec would say it: plain data."""
    if isinstance(value, Ref):
        return value.written
    if isinstance(value, FilePath):
        return value.path
    if isinstance(value, BaseModel):
        fields = type(value).model_fields
        return {fields[name].alias or name: _written(getattr(value, name)) for name in value.model_fields_set}
    if isinstance(value, Mapping):
        return {name: _written(each) for name, each in value.items()}
    return [_written(each) for each in value] if isinstance(value, list | tuple) else value


def _rehearsed(kind: AnyKind, spec: Spec) -> tuple[gates.Gate, ...]:
    return spec.twin if "twin" in spec.model_fields_set else kind.rehearsed(spec)


def _with_defaults(bounds: Sequence[gates.Gate], written: Sequence[gates.Gate]) -> tuple[gates.Gate, ...]:
    """What is written replaces the default of the same measure."""
    named = {gate.measure for gate in written}
    return (*(gate for gate in bounds if gate.measure not in named), *written)


@cache
def _bearing(spec: type[BaseModel]) -> tuple[tuple[str, str], ...]:
    """The fields that may hold a reference or a path, and their words, so that the others need no walk."""
    return tuple(
        (name, field.alias or name)
        for name, field in spec.model_fields.items()
        if _may_bear(field.annotation) or any(map(_may_bear, field.metadata))
    )


def _may_bear(annotation: Any) -> bool:
    if isinstance(annotation, type):
        if issubclass(annotation, Ref | FilePath | Secret):
            return True
        if issubclass(annotation, BaseModel):
            return bool(_bearing(annotation))
    origin = getattr(annotation, "__origin__", None)
    if isinstance(origin, type) and issubclass(origin, Ref):
        return True
    return annotation is Any or any(_may_bear(each) for each in get_args(annotation))


def _bearers(path: str, value: Any) -> Iterator[tuple[str, Ref[Any] | FilePath | Secret]]:
    if isinstance(value, Ref | FilePath | Secret):
        yield path, value
    elif isinstance(value, BaseModel):
        for name, word in _bearing(type(value)):
            yield from _bearers(f"{path}.{word}", getattr(value, name))
    elif isinstance(value, Mapping):
        for name, each in value.items():
            yield from _bearers(f"{path}.{name}", each)
    elif isinstance(value, tuple):
        for at, each in enumerate(value):
            yield from _bearers(f"{path}.{at}", each)


def place_of(value: Value, path: str) -> Value:
    """The value at a dotted path of a node, or the nearest one above it that was written."""
    here = value
    rest = path.split(".")
    while rest:
        if isinstance(here, Map):
            # a key of the user's may hold dots itself, so the longest one wins
            width = next((n for n in range(len(rest), 0, -1) if ".".join(rest[:n]) in here), 0)
            if not width:
                break
            here, rest = here[".".join(rest[:width])], rest[width:]
        elif isinstance(here, Seq) and rest[0].isdigit() and int(rest[0]) < len(here):
            here, rest = here[int(rest[0])], rest[1:]
        else:
            break
    return here
