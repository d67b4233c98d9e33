"""One node's values -> its validated spec, or every problem in it with its place; and the shape of a valid spec."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from zyc import gates
from zyc.compile.expand import Places
from zyc.compile.outline import key_of
from zyc.errors import Problem, guess, problem
from zyc.fields import FilePath, Ref, describe
from zyc.graph import Link, Part, Shape
from zyc.kind import FileNeed, Kind, Spec
from zyc.source import Map, Scalar, Seq, Value

AnyKind = Kind[Any]


def owner_words(kind: str, name: str) -> str:
    """A node in a sentence: finetune `philo-lora`."""
    return f"{kind} `{name}`"


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
    sample = next((key for key, field in kind.Spec.model_fields.items() if field.is_required()), "about")
    at = places.span(value)
    help_ = f"write `{name}: {{{sample}: ...}}`"
    return problem("not-a-mapping", at, what=f"the fields of {owner_words(kind.name, name)}", found=describe(value), help=help_)


def key_like(value: Scalar, key: str) -> Scalar:
    """A key that stands where a value stands."""
    return value.like(key)


def read_spec(kind: AnyKind, name: str, value: Map, places: Places) -> tuple[Spec | None, list[Problem]]:
    """The validated spec, or all that is wrong with it."""
    try:
        return kind.Spec.model_validate(value), []
    except ValidationError as errors:
        told = [_problem(each, kind, name, value, places) for each in errors.errors(include_url=False)]
        return None, list(dict.fromkeys(told))


def _problem(error: Any, kind: AnyKind, name: str, value: Map, places: Places) -> Problem:
    what, owner = error["type"], owner_words(kind.name, name)
    path, here, key = _locate(value, error["loc"])
    context = error.get("ctx", {})
    at = places.span(key if key is not None and what == "extra_forbidden" else here)
    dotted = ".".join(path) or "fields"
    if what == "extra_forbidden":
        word, known = path[-1], _names_at(kind.Spec, path[:-1])
        return problem(
            "unknown-field", at, field=word, owner=_inside(owner, path[:-1]), hint=_field_hint(word, known, kind, path)
        )
    if what == "missing":
        field = str(error["loc"][-1])
        about = _about(kind.Spec, [*path, field])
        return problem("missing-field", places.span(key_or(here, key)), owner=_inside(owner, path), field=field, about=about)
    if what == "zyc_expected":
        return problem(
            "wrong-value", at, field=dotted, owner=owner, what=context["what"], found=context["found"], help=context["help"]
        )
    if what in ("literal_error", "enum"):
        choices = _choices(context.get("expected", ""))
        return problem("unknown-choice", at, field=dotted, owner=owner, found=describe(here), hint=guess(str(here), choices))
    if what in ("model_type", "dict_type", "model_attributes_type", "mapping_type"):
        return problem("wrong-value", at, field=dotted, owner=owner, what="a mapping", found=describe(here), help="")
    reason = error["msg"].removeprefix("Value error, ").removeprefix("Input ")
    return problem(
        "refused-value",
        at,
        field=dotted,
        owner=owner,
        reason=f"{describe(here)} {reason}" if reason.startswith("should") else reason,
    )


def key_or(here: Value, key: Scalar | None) -> Value:
    """The key where there is one: an empty or long value underlines badly."""
    return here if key is None else key


def _inside(owner: str, path: Sequence[str]) -> str:
    return f"`{'.'.join(path)}` of {owner}" if path else owner


def _locate(value: Value, loc: Sequence[str | int]) -> tuple[list[str], Value, Scalar | None]:
    """The value that an error is about, its path, and its key; parts that name a branch of a union are passed over."""
    here, key, path = value, None, []
    for part in loc:
        if isinstance(here, Map) and isinstance(part, str) and part in here:
            key, here = key_of(here, part), here[part]
            path.append(part)
        elif isinstance(here, Seq) and isinstance(part, int) and part < len(here):
            key, here = None, here[part]
            path.append(str(part))
    return path, here, key


def _model_at(spec: type[BaseModel], path: Sequence[str]) -> type[BaseModel] | None:
    here: Any = spec
    for part in path:
        model = _model_in(here)
        if model is not None and part in model.model_fields:
            here = model.model_fields[part].annotation
    return _model_in(here)


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for each in get_args(annotation) if (found := _model_in(each))), None)


def _names_at(spec: type[BaseModel], path: Sequence[str]) -> list[str]:
    model = _model_at(spec, path)
    return list(model.model_fields) if model else []


def _field_hint(word: str, known: list[str], kind: AnyKind, path: Sequence[str]) -> str:
    extra = ("matrix", "search") if len(path) == 1 else ()
    close = guess(word, [*known, *extra], otherwise="-")
    if close != "-":
        return close
    deeper = [f"{outer}.{word}" for outer in kind.Spec.model_fields if len(path) == 1 and word in _names_at(kind.Spec, [outer])]
    if deeper:
        return f"did you mean `{deeper[0]}`?"
    return "its fields are " + ", ".join(f"`{each}`" for each in known) if known else ""


def _about(spec: type[BaseModel], path: Sequence[str]) -> str:
    model = _model_at(spec, path[:-1])
    field = model.model_fields.get(path[-1]) if model else None
    return ((field.description or "") if field else "").split(". ")[0].rstrip(".").replace("`", "`") or "it is required"


def _choices(expected: str) -> list[str]:
    return [each.strip().strip("'") for each in expected.replace(" or ", ", ").split(",") if each.strip()]


def shape_of(kind: AnyKind, spec: Spec) -> Shape:
    """What the spec says by itself: references, needs, types, gates."""
    links: list[Link] = []
    needs: list[Any] = []
    for name in _bearing(type(spec)):
        for path, found in _bearers(name, getattr(spec, name)):
            if isinstance(found, Ref):
                pick = found.select
                select = (pick.judge, pick.measure, pick.largest, pick.take) if pick else None
                links.append(Link(path, found.name, found.accepts.__name__, found.order, found.collects, select))
            else:
                needs.append(FileNeed(found.path, path))
    wanted = list(kind.needs(spec))
    texts = {each.path for each in wanted if isinstance(each, FileNeed) and each.text}
    needs = [each for each in needs if each.path not in texts] + wanted
    proof = kind.proves(spec) if kind.proof else None
    placement = getattr(spec, "placement", None)
    return Shape(
        links=tuple(links),
        needs=tuple(needs),
        yields=kind.yields(spec).__name__,
        gates=_with_defaults(kind.bounds(spec), spec.gates),
        twin_gates=_with_defaults(kind.bounds(spec), spec.twin),
        tags=spec.tags,
        about=spec.about,
        resumes=kind.resumes(spec),
        parts=tuple(Part(suffix, stem, _written(given)) for suffix, (stem, given) in sorted(kind.parts(spec).items())),
        proof=Part("proof", kind.proof, _written(proof)) if proof is not None else None,
        placement=tuple(sorted(placement.model_dump(mode="json").items())) if isinstance(placement, BaseModel) else (),
    )


def _written(value: Any) -> Any:
    """What a kind hands on to another node, as a spec would say it: plain data."""
    if isinstance(value, Ref):
        return value.written
    if isinstance(value, FilePath):
        return value.path
    if isinstance(value, BaseModel):
        return {name: _written(getattr(value, name)) for name in value.model_fields_set}
    if isinstance(value, Mapping):
        return {name: _written(each) for name, each in value.items()}
    return [_written(each) for each in value] if isinstance(value, list | tuple) else value


def _with_defaults(bounds: Sequence[gates.Gate], written: Sequence[gates.Gate]) -> tuple[gates.Gate, ...]:
    """What is written replaces the default of the same measure."""
    named = {gate.measure for gate in written}
    return (*(gate for gate in bounds if gate.measure not in named), *written)


@cache
def _bearing(spec: type[BaseModel]) -> tuple[str, ...]:
    """The fields that may hold a reference or a path, so that the others need no walk."""
    return tuple(
        name for name, field in spec.model_fields.items() if _may_bear(field.annotation) or any(map(_may_bear, field.metadata))
    )


def _may_bear(annotation: Any) -> bool:
    if isinstance(annotation, type):
        if issubclass(annotation, Ref | FilePath):
            return True
        if issubclass(annotation, BaseModel):
            return bool(_bearing(annotation))
    origin = getattr(annotation, "__origin__", None)
    if isinstance(origin, type) and issubclass(origin, Ref):
        return True
    return annotation is Any or any(_may_bear(each) for each in get_args(annotation))


def _bearers(path: str, value: Any) -> Iterator[tuple[str, Ref[Any] | FilePath]]:
    if isinstance(value, Ref | FilePath):
        yield path, value
    elif isinstance(value, BaseModel):
        for name in _bearing(type(value)):
            yield from _bearers(f"{path}.{name}", getattr(value, name))
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
