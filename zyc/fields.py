"""The types that a field of a spec may have: how each reads its text, and how an editor is told of it.

Scalars arrive as their source text, so it is the field that decides what they are: `revision: 12e4567` stays text,
`share: 10%` is 0.1, `"7"` in quotes is never a number.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Generic, NoReturn, TypeVar, get_args

from pydantic import BaseModel, BeforeValidator, Field, GetCoreSchemaHandler, GetJsonSchemaHandler, WithJsonSchema
from pydantic.fields import FieldInfo
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from zyc import gates, quantity
from zyc.errors import clipped, nearest
from zyc.types import Artifact

A_co = TypeVar("A_co", bound=Artifact, covariant=True)

NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")
# what may name a node where one is wanted: members of families and inserted nodes too
REFERENCE = re.compile(r"[a-z0-9][a-z0-9_-]*(?:@[^\s@]+)*(?:\.[a-z][a-z0-9_-]*)*")
VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_INTEGER = re.compile(r"[-+]?\d[\d_]*|0x[0-9a-fA-F]+|0o[0-7]+")
_ENV = re.compile(r"\$\(env\.([A-Za-z_][A-Za-z0-9_]*)\)")
_NULLS = ("", "~", "null", "Null", "NULL")


def words(group: type[BaseModel]) -> dict[str, FieldInfo]:
    """The fields of a group by the word that a spec has for each: `from` is a field too, though Python has other plans for it."""
    return {told.alias or name: told for name, told in group.model_fields.items()}


def wrong(what: str, found: object, help_: str = "") -> NoReturn:
    """Refuse a value; the compiler turns it into a problem with a place."""
    raise PydanticCustomError(
        "zyc_expected", "expected {what}, found {found}", {"what": what, "found": describe(found), "help": help_}
    )


def describe(value: object) -> str:
    """A value in words, for a sentence that says what was found instead."""
    if isinstance(value, str):
        short = clipped(" ".join(value.split()) if "\n" in value else value, 80)
        if not getattr(value, "plain", True):
            return f'the text "{short}"'
        return "nothing" if value in _NULLS else f"`{short}`"
    if isinstance(value, dict):
        return "a mapping" if value else "an empty mapping"
    if isinstance(value, list | tuple):
        return "a list" if value else "an empty list"
    return "nothing" if value is None else f"`{value}`"


_BILLIONS = re.compile(r"[\d._]+ *B")


def is_null(value: object) -> bool:
    """Whether nothing was written."""
    return value is None or (isinstance(value, str) and getattr(value, "plain", False) and value in _NULLS)


def _plain(value: object, what: str) -> str:
    if not isinstance(value, str) or is_null(value):
        wrong(what, value)
    if not getattr(value, "plain", True):
        wrong(what, value, "remove the quotes: text in quotes is never a number")
    return str(value)


def read_text(value: object) -> str:
    """Text of any style; never nothing, a list or a mapping."""
    if not isinstance(value, str) or is_null(value) or getattr(value, "secret", False):
        wrong("text", value, 'write `""` for an empty text' if is_null(value) else "")
    return str(value)


def read_integer(value: object) -> int:
    """`7`, `1_000`, `0x1f`."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    text = _plain(value, "a whole number")
    if _INTEGER.fullmatch(text) is None or len(text) > 40:
        wrong("a whole number", value)
    return int(text.replace("_", ""), 0 if text[:2] in ("0x", "0o") else 10)


def _read_quantity(value: object, what: str, dimension: str) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    text = _plain(value, what)
    if dimension == "count" and _BILLIONS.fullmatch(text):
        text = f"{text[:-1]}G"  # as plans and model cards write it
    found = quantity.read(text)
    if found is None or found.dimension not in (dimension, "number") or abs(found.value) > 1e300:
        wrong(what, value, quantity.mend(text, dimension))
    return found.value


def _read_measured(value: object, what: str, dimension: str) -> float:
    """What there cannot be less than nothing of."""
    found = _read_quantity(value, what, dimension)
    return wrong(what, value, "it cannot be less than nothing") if found < 0 else found


def read_number(value: object) -> float:
    """`2e-4`, `0.5`."""
    return _read_quantity(value, "a number", "number")


def read_share(value: object) -> float:
    """`10%` or `0.1`."""
    return _read_quantity(value, "a share such as `10%`", "share")


def read_bytes(value: object) -> int:
    """`4 GB` is 4 * 10^9, `4 GiB` is 4 * 2^30."""
    return round(_read_measured(value, "a size such as `4 GB`", "bytes"))


def read_seconds(value: object) -> float:
    """`15 s`, `2 min`, `1.5 h`."""
    return _read_measured(value, "a time such as `15 s`", "time")


def read_amount(value: object) -> int:
    """`300M` is 300,000,000."""
    return round(_read_measured(value, "a count such as `300M`", "count"))


def read_flag(value: object) -> bool:
    """`true` or `false`, as YAML 1.2 has them: `yes` and `on` are words."""
    if isinstance(value, bool):
        return value
    text = _plain(value, "`true` or `false`")
    if text.lower() not in ("true", "false"):
        wrong("`true` or `false`", value)
    return text.lower() == "true"


def read_path(value: object) -> str:
    """A path inside the project, relative to its root, in one spelling."""
    text = read_text(value)
    if not text or "\0" in text or "\n" in text:
        wrong("a path inside the project", value)
    if text.startswith(("/", "~")) or re.match(r"[A-Za-z]:[\\/]", text):
        wrong("a path inside the project", value, "paths are relative to the project's root")
    clean = posixpath.normpath(text)
    if clean == ".." or clean.startswith("../"):
        wrong("a path inside the project", value, "paths are relative to the project's root, not to the spec, and stay below it")
    return clean


def read_list(value: object) -> object:
    """One thing where a list is wanted is a list of one."""
    return value if isinstance(value, list | tuple) else [value]


def read_named(setting: str) -> Callable[[object], object]:
    """`data: corpus`, `data: [a, b]`, `data: {corpus: 80%, code: 20%}`: nodes by name, each with a setting or several.

    It becomes a list of `{node: NAME, SETTING: ...}`; the largest setting comes first, so that a new name moves nothing.
    """

    def reading(value: object) -> object:
        if not isinstance(value, dict) or list(value) == ["select"]:
            return [each if isinstance(each, dict) and "node" in each else {"node": each} for each in _listed(value)]
        rows = [{"node": Plain(name), **(each if isinstance(each, dict) else {setting: each})} for name, each in value.items()]
        return sorted(rows, key=lambda row: weight_of(row.get(setting)), reverse=True)

    return reading


def _listed(value: object) -> list[object] | tuple[object, ...]:
    return value if isinstance(value, list | tuple) else [value]


def weight_of(value: object) -> float:
    """A setting as a number, to order by; what is none comes last."""
    found = quantity.read(str(value)) if isinstance(value, str | int | float) else None
    return found.value if found is not None else 0.0


def read_gate(value: object) -> gates.Gate:
    """`test.loss < 0.6`."""
    if isinstance(value, gates.Gate):
        return value
    text = value if isinstance(value, str) and not is_null(value) else ""
    gate = gates.parse(text, line=getattr(value, "line", 0))
    if gate is None:
        wrong("a gate such as `test.loss < 0.6`", value, gates.mend(text))
    return gate


def read_name(value: object) -> str:
    """The name of a thing of the user's."""
    text = read_text(value)
    if NAME.fullmatch(text) is None:
        wrong("a name", value, "names are lower-case letters, digits, `_` and `-`, and start with a letter or digit")
    return text


def read_variable(value: object) -> str:
    """The name of an environment variable."""
    text = read_text(value)
    if VARIABLE.fullmatch(text) is None:
        wrong("the name of an environment variable", value, "names of variables are letters, digits and `_`: `HF_TOKEN`")
    return text


def read_device(value: object) -> str:
    """The class of machine by its listed name: `a100-40`."""
    from zyc.catalogue import devices

    text = read_text(value)
    name = devices.known(text.lower())
    if name is None:
        close = nearest(text.lower(), devices.names())
        every = ", ".join(f"`{each}`" for each in devices.names())
        wrong("a class of machine", value, f"did you mean `{close}`?" if close else f"there are {every}")
    return name


def read_secret(value: object) -> str:
    """`$(env.HF_TOKEN)`: the name of the variable; the value is never read here."""
    found = _ENV.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise PydanticCustomError("zyc_secret", "a secret stands in the environment")  # what was found is not shown
    return found[1]


def _schema(kind: str, pattern: str = "", example: str = "") -> WithJsonSchema:
    shape: dict[str, Any] = {"type": kind}
    if pattern:
        shape = {"anyOf": [{"type": "number"}, {"type": "string", "pattern": pattern}]}
    if example:
        shape["examples"] = [example]
    return WithJsonSchema(shape)


Text = Annotated[str, BeforeValidator(read_text), _schema("string")]
Name = Annotated[str, BeforeValidator(read_name), WithJsonSchema({"type": "string", "pattern": f"^{NAME.pattern}$"})]
Integer = Annotated[int, BeforeValidator(read_integer), _schema("integer")]
Number = Annotated[float, BeforeValidator(read_number), _schema("number")]
Flag = Annotated[bool, BeforeValidator(read_flag), _schema("boolean")]
Share = Annotated[float, BeforeValidator(read_share), _schema("", r"^[-+0-9._eE]+\s*%?$", "10%")]
Bytes = Annotated[int, BeforeValidator(read_bytes), _schema("", r"^[0-9._]+\s*[kKMGT]?i?B?$", "4 GB")]
Seconds = Annotated[float, BeforeValidator(read_seconds), _schema("", r"^[0-9._]+\s*(ms|s|min|h|d)?$", "15 s")]
Amount = Annotated[int, BeforeValidator(read_amount), _schema("", r"^[0-9._]+\s*[kKMGBT]?$", "300M")]
Device = Annotated[str, BeforeValidator(read_device), WithJsonSchema({"type": "string", "examples": ["a100-40"]})]
Gate = Annotated[gates.Gate, BeforeValidator(read_gate), WithJsonSchema({"type": "string", "examples": ["test.loss < 0.6"]})]
Gates = Annotated[tuple[Gate, ...], BeforeValidator(read_list)]
Texts = Annotated[tuple[Text, ...], BeforeValidator(read_list)]
Variable = Annotated[str, BeforeValidator(read_variable), WithJsonSchema({"type": "string", "pattern": f"^{VARIABLE.pattern}$"})]
# Code of the user's own: written out verbatim, and nothing in it is expanded.
Script = Annotated[str, BeforeValidator(read_text), _schema("string"), Field(json_schema_extra={"verbatim": True})]


class Shorter:
    """A value that may be written shorter, too: what an editor is told besides."""

    def __init__(self, *shapes: str) -> None:
        self.shapes = shapes

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"anyOf": [*({"type": shape} for shape in self.shapes), handler(schema)]}


class Secret(str):
    """A secret as `$(env.NAME)`: its value is the variable's name, and the step gets the variable."""

    __slots__ = ()

    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            lambda value: value if isinstance(value, cls) else cls(read_secret(value)),
            serialization=core_schema.plain_serializer_function_ser_schema(str),
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"type": "string", "pattern": r"^\$\(env\..+\)$"}


@dataclass(frozen=True, slots=True)
class FilePath:
    """A file, folder or glob of the user's that a field names; gathered and digested before anything is decided."""

    path: str

    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            lambda value: value if isinstance(value, cls) else cls(read_path(value)), serialization=_as_text("path")
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"type": "string", "description": "a path below the project's root"}


FilePaths = Annotated[tuple[FilePath, ...], BeforeValidator(read_list)]


def _as_text(attribute: str) -> core_schema.SerSchema:
    return core_schema.plain_serializer_function_ser_schema(lambda value: getattr(value, attribute))


@dataclass(frozen=True, slots=True)
class Select:
    """The best member of a family, by a measure of its own or of the family that judges it."""

    judge: str
    measure: str
    largest: bool
    take: str = ""


def read_select(value: dict[str, Any]) -> Select:
    """`{select: {from: philo-exam, max: questions.accuracy}}`."""
    inner = value.get("select")
    if list(value) != ["select"]:
        meant = bool(value) and set(value) <= {*_SELECT, "select"}
        wrong(
            "the name of a node",
            value,
            f"write `{{select: {_SELECTS}}}`" if meant else f"a name alone, or `{{select: {_SELECTS}}}`",
        )
    if not isinstance(inner, dict):
        wrong(f"`select: {_SELECTS}`", inner)
    unknown = next((str(key) for key in inner if key not in _SELECT), None)
    if unknown is not None:
        close = nearest(unknown, _SELECT)
        wrong(f"`select: {_SELECTS}`", Plain(unknown), f"did you mean `{close}`?" if close else "it may have `take`, too")
    for name in ("from", "take"):
        if name in inner and not isinstance(inner[name], str):
            wrong(f"the name of a family in `{name}` of `select`", inner[name])
    best = inner.get("max", inner.get("min"))
    if "from" not in inner or ("max" in inner) == ("min" in inner):
        given = " and ".join(f"`{name}`" for name in inner) or "nothing"
        raise PydanticCustomError(
            "zyc_expected",
            "",
            {
                "what": f"`select: {_SELECTS}`",
                "found": f"{given} only" if len(inner) < 2 else given,
                "help": "`from` says where, and one of `max` and `min` by which measure",
            },
        )
    if not isinstance(best, str) or re.fullmatch(gates.MEASURE, best) is None:
        wrong("the name of a measure in `select`", best, "for example `max: questions.accuracy`")
    return Select(
        _read_reference(inner["from"]), str(best), "max" in inner, _read_reference(inner["take"]) if "take" in inner else ""
    )


_SELECT = ("from", "max", "min", "take")
_SELECTS = "{from: FAMILY, max: MEASURE}"


class Plain(str):
    """A word as it is written."""

    plain = True
    __slots__ = ()


def _read_reference(value: object) -> str:
    text = read_text(value) if not isinstance(value, dict | list | tuple) else wrong("the name of a node", value)
    if REFERENCE.fullmatch(text) is None:
        wrong("the name of a node", value)
    return text


class Ref(Generic[A_co]):
    """A field that takes another node: its name, and the type that it must yield. Edges are read off these."""

    # no dataclass: pydantic would read its fields in place of the name
    __slots__ = ("accepts", "collects", "name", "order", "select")

    waits: ClassVar[bool] = False
    shape: ClassVar[str] = "one"

    def __init__(
        self, name: str, accepts: type[Artifact] = Artifact, select: Select | None = None, *, collects: bool = False
    ) -> None:
        self.name = name
        self.accepts = accepts
        self.select = select
        self.order = self.waits
        self.collects = collects  # an entry of a list: a family stands for all of its members

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Ref) and (self.name, self.select) == (other.name, other.select)

    def __hash__(self) -> int:
        return hash((self.name, self.select))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r})"

    @property
    def written(self) -> str | dict[str, Any]:
        """As a spec would say it."""
        if self.select is None:
            return self.name
        told = {"from": self.select.judge, "max" if self.select.largest else "min": self.select.measure}
        return {"select": {**told, "take": self.select.take} if self.select.take else told}

    @classmethod
    def read(cls, value: object, accepts: type[Artifact], *, collects: bool = False) -> Ref[A_co]:
        """A name, or a select."""
        if isinstance(value, Ref):
            return value
        if isinstance(value, dict):
            select = read_select(value)
            return cls(select.take or select.judge, accepts, select, collects=collects)
        return cls(_read_reference(value), accepts, collects=collects)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        accepts = next((each for each in get_args(source) if isinstance(each, type)), Artifact)

        def reading(value: object) -> object:
            if cls.shape == "many" or (cls.shape == "either" and isinstance(value, list | tuple)):
                entries = value if isinstance(value, list | tuple) else [value]
                return tuple(cls.read(each, accepts, collects=True) for each in entries)
            return cls.read(value, accepts)

        written = core_schema.plain_serializer_function_ser_schema(
            lambda value: [each.name for each in value] if isinstance(value, tuple) else value.name
        )
        return core_schema.no_info_plain_validator_function(reading, serialization=written, metadata={"accepts": accepts})

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        accepts = schema.get("metadata", {}).get("accepts", Artifact)
        one = {
            "anyOf": [
                {"type": "string"},
                {
                    "type": "object",
                    "required": ["select"],
                    "additionalProperties": False,
                    "properties": {"select": {"type": "object"}},
                },
            ],
            "description": f"the name of a node that yields {accepts.says}",
        }
        many = {"type": "array", "items": one}
        shapes: dict[str, dict[str, Any]] = {"one": one, "many": {"anyOf": [one, many]}, "either": {"anyOf": [one, many]}}
        return shapes[cls.shape]


class Refs(Ref[A_co]):
    """A field that takes a list of nodes; a family in it stands for all of its members. Its value is a tuple of `Ref`."""

    __slots__ = ()
    shape = "many"


class RefOrRefs(Ref[A_co]):
    """One node as a name, or several as a list: only the list collects a family."""

    __slots__ = ()
    shape = "either"


class Requires(Ref[A_co]):
    """Nodes whose verdicts must hold first: order, not content, so never in the key."""

    __slots__ = ()
    shape = "many"
    waits = True
