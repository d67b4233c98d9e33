"""One node's values -> its validated spec, or every problem in it with its place; and the shape of a valid spec."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, NamedTuple, get_args, get_origin

from pydantic import BaseModel, ValidationError

from zyc import gates
from zyc.compile.expand import Places, secret_in
from zyc.compile.outline import key_of
from zyc.errors import Problem, guess, nearest, problem
from zyc.fields import FilePath, Ref, Secret, describe
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
    sample = next((key for key, field in kind.Spec.model_fields.items() if field.is_required()), "about")
    at = places.span(value)
    help_ = f"write `{name}: {{{sample}: ...}}`"
    return problem("not-a-mapping", at, what=f"the fields of {owner_words(kind.name, name)}", found=describe(value), help=help_)


def key_like(value: Scalar, key: str) -> Scalar:
    """A key that stands where a value stands."""
    return value.like(key)


@dataclass(frozen=True, slots=True)
class Subject:
    """Whose fields are read: a node, a host."""

    model: type[BaseModel]
    words: str  # in a sentence: finetune `philo-lora`
    places: Places
    more: tuple[str, ...] = ()  # fields that it may have besides, which others read


def read_spec(kind: AnyKind, name: str, value: Map, places: Places) -> tuple[Spec | None, list[Problem]]:
    """The validated spec, or all that is wrong with it."""
    return read_fields(Subject(kind.Spec, owner_words(kind.name, name), places, ("matrix", "search")), value)


def read_fields(subject: Subject, value: Map) -> tuple[Any, list[Problem]]:
    """The validated fields of anything, or all that is wrong with them."""
    try:
        return subject.model.model_validate({key: _ordered(each) for key, each in value.items()}), []
    except ValidationError as errors:
        found = errors.errors(include_url=False)
    # a word that is nearly the missing one is that one
    meant = {
        (*each["loc"][:-1], nearest(str(each["loc"][-1]), _names_at(subject.model, _locate(value, each["loc"][:-1]).path)))
        for each in found
        if each["type"] == "extra_forbidden"
    }
    told = [_problem(each, subject, value) for each in found if each["type"] != "missing" or each["loc"] not in meant]
    return None, list(dict.fromkeys(told))


def _ordered(value: Value) -> Any:
    """The value with its mappings in order of their names: the order in which they are written reaches no byte."""
    if isinstance(value, Map):
        return {key: _ordered(value[key]) for key in sorted(value)}
    return [_ordered(each) for each in value] if isinstance(value, Seq) else value


class Located(NamedTuple):
    """What an error is about."""

    path: list[str]  # without the numbers of list items: the carets tell which
    value: Value
    key: Scalar | None


def _problem(error: Any, subject: Subject, value: Map) -> Problem:
    what, owner, context = error["type"], subject.words, error.get("ctx", {})
    path, here, key = located = _locate(value, error["loc"])
    field = ".".join(path) or "fields"
    if error["loc"][-1:] == ("[key]",) and key is not None:
        path, here = path[:-1], key
        field = ".".join(path)
    at = subject.places.spans(here)
    if what == "extra_forbidden":
        return _unknown_field(located, subject)
    if what == "missing":
        return _missing_field(str(error["loc"][-1]), located, subject, value)
    secret = secret_in(here) if path else None
    if secret is not None:
        return problem("env-not-secret", subject.places.span(secret), name=secret[6:-1])
    if what == "zyc_secret":
        return problem("not-a-secret", at[0], field=field, owner=owner)
    if what in ("literal_error", "enum"):
        hint = guess(str(here), _choices(context.get("expected", "")), listed="it can be")
        return problem("unknown-choice", *at, field=field, owner=owner, found=describe(here), hint=hint)
    wanted, help_ = _wanted(what, context, subject, path)
    if wanted:
        found = context.get("found") or (
            f"{count:,}" if isinstance(count := context.get("actual_length"), int) else describe(here)
        )
        return problem("wrong-value", *at, field=field, owner=owner, what=wanted, found=found, help=help_)
    reason = error["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, ")
    return problem("refused-value", *at, owner=f"`{field}` in {owner}" if path else owner, reason=reason, help="")


def _unknown_field(located: Located, subject: Subject) -> Problem:
    path, here, key = located
    at = subject.places.span(key if key is not None else here)
    word, known = path[-1], _names_at(subject.model, path[:-1])
    hint = _field_hint(word, known, subject, path)
    return problem("unknown-field", at, field=word, owner=_inside(subject.words, path[:-1]), hint=hint)


def _missing_field(field: str, located: Located, subject: Subject, value: Map) -> Problem:
    path, here, key = located
    at = subject.places.owner if here is value else None
    if at is None:
        at = subject.places.span(here if key is None else key)  # an empty or long value underlines badly
    about = _about(subject.model, [*path, field])
    return problem("missing-field", at, owner=_inside(subject.words, path), field=field, about=about)


# what pydantic found wrong -> what was wanted, in our words
_BOUNDS = {
    "greater_than_equal": "at least {ge}",
    "greater_than": "more than {gt}",
    "less_than_equal": "at most {le}",
    "less_than": "less than {lt}",
    "multiple_of": "a multiple of {multiple_of}",
    "too_short": "at least {min_length} of them",
    "too_long": "at most {max_length} of them",
    "string_too_short": "at least {min_length} characters",
    "string_too_long": "at most {max_length} characters",
}
_MAPPINGS = ("model_type", "dict_type", "model_attributes_type", "mapping_type")
_LISTS = ("list_type", "tuple_type", "set_type", "frozen_set_type")


def _wanted(what: str, context: dict[str, Any], subject: Subject, path: Sequence[str]) -> tuple[str, str]:
    """What a field takes, and how to write it; nothing where only its kind can tell."""
    if what == "zyc_expected":
        return context["what"], context["help"]
    if what in _BOUNDS:
        return _BOUNDS[what].format(**{name: _number(value) for name, value in context.items()}), ""
    if what in _MAPPINGS:
        sample = next(iter(_names_at(subject.model, path)), "name")
        return "a mapping", f"write `{path[-1]}: {{{sample}: ...}}`" if path else ""
    return ("a list", f"write `{path[-1]}: [...]`" if path else "") if what in _LISTS else ("", "")


def _number(value: object) -> str:
    return f"{value:,.12g}" if isinstance(value, int | float) else str(value)


def _inside(owner: str, path: Sequence[str]) -> str:
    return f"`{'.'.join(path)}` of {owner}" if path else owner


def _locate(value: Value, loc: Sequence[str | int]) -> Located:
    """The value that an error is about, its path, and its key; parts that name a branch of a union are passed over."""
    here, key, path = value, None, []
    for part in loc:
        if isinstance(here, Map) and isinstance(part, str) and part in here:
            key, here = key_of(here, part), here[part]
            path.append(part)
        elif isinstance(here, Seq) and isinstance(part, int) and part < len(here):
            key, here = None, here[part]
    return Located(path, here, key)


def _ends(annotation: Any) -> Iterator[Any]:
    """The types behind what may be missing, many, or one of several."""
    inner = get_args(annotation)
    if get_origin(annotation) is Annotated:
        yield from _ends(inner[0])
    elif inner and get_origin(annotation) is not dict:
        for each in inner:
            yield from _ends(each)
    else:
        yield annotation


def _types_at(model: type[BaseModel], path: Sequence[str]) -> list[Any]:
    """The types that may stand at a path of fields."""
    here: list[Any] = [model]
    for part in path:
        below = []
        for each in here:
            if isinstance(each, type) and issubclass(each, BaseModel):
                below += [each.model_fields[part].annotation] if part in each.model_fields else []
            elif get_origin(each) is dict:
                below.append(get_args(each)[1])
        here = [end for each in below for end in _ends(each)]
    return here


def _names_at(model: type[BaseModel], path: Sequence[str]) -> list[str]:
    models = [each for each in _types_at(model, path) if isinstance(each, type) and issubclass(each, BaseModel)]
    return [name for each in models for name in each.model_fields]


def _field_hint(word: str, known: list[str], subject: Subject, path: Sequence[str]) -> str:
    close = guess(word, [*known, *(subject.more if len(path) == 1 else ())], otherwise="-")
    if close != "-":
        return close
    deeper = [
        f"{outer}.{word}" for outer in subject.model.model_fields if len(path) == 1 and word in _names_at(subject.model, [outer])
    ]
    if deeper:
        return f"did you mean `{deeper[0]}`?"
    return "its fields are " + ", ".join(f"`{each}`" for each in known) if known else ""


def _about(model: type[BaseModel], path: Sequence[str]) -> str:
    holders = [each for each in _types_at(model, path[:-1]) if isinstance(each, type) and issubclass(each, BaseModel)]
    told = next((each.model_fields[path[-1]].description for each in holders if path[-1] in each.model_fields), None)
    about = " ".join((told or "it is required").split()).split(". ")[0].rstrip(".")
    return about if about[:2].isupper() else about[:1].lower() + about[1:]


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
            elif isinstance(found, Secret):
                needs.append(EnvironmentNeed(str(found), path, secret=True))
            else:
                needs.append(FileNeed(found.path, path))
    wanted = list(kind.needs(spec))
    texts = {(each.path, each.field) for each in wanted if isinstance(each, FileNeed) and each.text}
    needs = [each for each in needs if not isinstance(each, FileNeed) or (each.path, each.field) not in texts] + wanted
    proof = kind.proves(spec) if kind.proof else None
    placement = getattr(spec, "placement", None)
    return Shape(
        links=tuple(links),
        needs=tuple(needs),
        yields=kind.yields(spec).__name__,
        gates=_with_defaults(kind.bounds(spec), spec.gates),
        twin_gates=_with_defaults(kind.bounds(spec, twin=True), spec.twin),
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
