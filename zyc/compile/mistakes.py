"""What pydantic found wrong with the fields of a node -> problems with places, in the words of the person who wrote them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, NamedTuple, get_args, get_origin

from pydantic import BaseModel

from zyc.compile.expand import Places, secret_in
from zyc.compile.outline import key_of
from zyc.errors import Problem, guess, nearest, problem
from zyc.fields import NAME, describe, words
from zyc.source import Map, Scalar, Seq, Value


@dataclass(frozen=True, slots=True)
class Subject:
    """Whose fields are read: a node, a host."""

    model: type[BaseModel]
    words: str  # in a sentence: finetune `philo-lora`
    places: Places
    more: tuple[str, ...] = ()  # fields that it may have besides, which others read


def problems_of(found: Iterable[Any], subject: Subject, value: Map) -> list[Problem]:
    """Every error as a problem, each place once; a word that is nearly a missing one is that one."""
    errors = list(found)
    meant = {
        (*each["loc"][:-1], _meant(str(each["loc"][-1]), _names_at(subject.model, _locate(value, each["loc"][:-1]).path)))
        for each in errors
        if each["type"] == "extra_forbidden"
    }
    told = [_problem(each, subject, value) for each in errors if each["type"] != "missing" or each["loc"] not in meant]
    return list(dict.fromkeys(told))


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
    wanted, help_ = _wanted(what, context, subject, located)
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


def _wanted(what: str, context: dict[str, Any], subject: Subject, located: Located) -> tuple[str, str]:
    """What a field takes, and how to write it; nothing where only its kind can tell."""
    path, here, _ = located
    if what == "zyc_expected":
        return context["what"], context["help"]
    if what in _BOUNDS:
        return _BOUNDS[what].format(**{name: _number(value) for name, value in context.items()}), ""
    if what in _MAPPINGS:
        field = next(iter(_names_at(subject.model, path)), "")
        word = here[0] if isinstance(here, Seq) and here else here
        # `inputs: greeting` means `inputs: {greeting: greeting}`
        same = f"{word}: {word}" if isinstance(word, Scalar) and NAME.fullmatch(word) else "name: ..."
        return "a mapping", f"write `{path[-1]}: {{{f'{field}: ...' if field else same}}}`" if path else ""
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
                below += [words(each)[part].annotation] if part in words(each) else []
            elif get_origin(each) is dict:
                below.append(get_args(each)[1])
        here = [end for each in below for end in _ends(each)]
    return here


def _names_at(model: type[BaseModel], path: Sequence[str]) -> list[str]:
    models = [each for each in _types_at(model, path) if isinstance(each, type) and issubclass(each, BaseModel)]
    return [name for each in models for name in words(each)]


# a field, and what other tools call it
_MEANT: Mapping[str, str] = {
    "run": "args cmd command output outputs script",
    "about": "description doc note summary title",
    "tags": "labels",
    "env": "environment",
    "from": "source sources path input file",
    "inputs": "dependencies depends_on deps input needs",
    "base": "depends_on needs",
    "model": "depends_on needs",
    "data": "depends_on input needs",
    "learning_rate": "lr",
    "batch": "batch_size",
    "matrix": "params strategy",
    "packages": "requirements",
    "placement": "resources",
    "gates": "thresholds",
}


def _meant(word: str, known: Sequence[str]) -> str | None:
    other = word.lower().replace("-", "_")
    return nearest(word, known) or next((each for each in known if other in _MEANT.get(each, "").split()), None)


def _field_hint(word: str, known: list[str], subject: Subject, path: Sequence[str]) -> str:
    here = [*known, *(subject.more if len(path) == 1 else ())]
    meant = _meant(word, here)
    if meant is not None:
        return f"did you mean `{meant}`?"
    deeper = [f"{outer}.{word}" for outer in words(subject.model) if len(path) == 1 and word in _names_at(subject.model, [outer])]
    if deeper:
        return f"did you mean `{deeper[0]}`?"
    return "its fields are " + ", ".join(f"`{each}`" for each in known) if known else ""


def _about(model: type[BaseModel], path: Sequence[str]) -> str:
    holders = [each for each in _types_at(model, path[:-1]) if isinstance(each, type) and issubclass(each, BaseModel)]
    told = next((words(each)[path[-1]].description for each in holders if path[-1] in words(each)), None)
    about = " ".join((told or "it is required").split()).split(". ")[0].rstrip(".")
    return about if about[:2].isupper() else about[:1].lower() + about[1:]


def _choices(expected: str) -> list[str]:
    return [each.strip().strip("'") for each in expected.replace(" or ", ", ").split(",") if each.strip()]
