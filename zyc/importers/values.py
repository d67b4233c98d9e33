"""Values of other tools' files as ours: each conversion takes what their YAML holds, or says what it expected."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from typing import Any, NoReturn

from zyc.source import Map, Scalar, Seq, Value, is_null
from zyc.source.foreign import flag_of

ON = True
_NUMBER = re.compile(r"[-+]?(\d[\d_]*)?\.?\d[\d_]*\.?([eE][-+]?\d+)?")
_ENVIRONMENT = re.compile(r"\$\{(?:oc\.env:|env:)?([A-Za-z_][A-Za-z0-9_]*)(?:,[^}]*)?\}|\$([A-Z_][A-Z0-9_]*)")


class Wrong(Exception):
    """A value is not what the key takes."""

    def __init__(self, what: str, do: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.do = do


class Plain(str):
    """A text that a spec writes without quotes: a number with its digits as they were, a share, a size."""

    __slots__ = ()


def wrong(what: str, do: str = "") -> NoReturn:
    """The value is something else."""
    raise Wrong(what, do)


def is_off(value: Value | None) -> bool:
    """Whether a value says that nothing happens: null, false, an empty text, list or mapping."""
    if value is None or is_null(value):
        return True
    if isinstance(value, Scalar):
        return not value or flag_of(value) is False or (value.plain and value.lower() == "none")
    return not value


def text(value: Value) -> str:
    """One text."""
    if not isinstance(value, Scalar):
        wrong("one value, not a list or a mapping")
    return str(value)


def number(value: Value) -> Plain:
    """A number with the digits that it was written with: `2e-4`."""
    word = text(value).strip()
    if _NUMBER.fullmatch(word) is None:
        wrong("a number")
    return Plain(word.replace("_", "").removesuffix("."))


def amount(value: Value) -> float:
    """A number, to reckon with."""
    found = float(number(value))
    if not math.isfinite(found):
        wrong("a number that can be written out")
    return found


def integer(value: Value) -> int:
    """A whole number."""
    found = amount(value)
    if found != int(found):
        wrong("a whole number")
    return int(found)


def share(value: Value) -> Plain:
    """`0.05` is `5%`."""
    return percent(amount(value))


def percent(found: float) -> Plain:
    """A share, as a spec writes it."""
    return Plain(f"{found * 100:.10g}%")


def flag(value: Value) -> bool:
    """True or false, as YAML 1.1 has them."""
    found = flag_of(value)
    if found is None and isinstance(value, Scalar) and value.lower() in ("true", "false"):
        found = value.lower() == "true"  # quoted: their own schema reads it, too
    if found is None:
        wrong("`true` or `false`")
    return found


def words(value: Value) -> list[str]:
    """A list of texts; one text is a list of one."""
    if isinstance(value, Map):
        wrong("a list of words")
    return [text(each) for each in (value if isinstance(value, Seq) else [value])]


def comma_words(value: Value) -> list[str]:
    """A list, or a text with commas."""
    return [part.strip() for each in words(value) for part in each.split(",") if part.strip()]


def choice(**told: str) -> Callable[[Value], str]:
    """One of some words, each with ours."""

    def read(value: Value) -> str:
        word = text(value)
        if word not in told:
            wrong(f"one of {', '.join(f'`{each}`' for each in told)}")
        return told[word]

    return read


def plainly(value: Value) -> object:
    """Whatever it is, as plain data: what an engine's setting takes."""
    if isinstance(value, Map):
        return {str(key): plainly(each) for key, each in value.items()}
    if isinstance(value, Seq):
        return [plainly(each) for each in value]
    if is_null(value):
        return None
    found = flag_of(value)
    if found is not None:
        return found
    if value.plain and _NUMBER.fullmatch(value):
        return number(value)
    return str(value)


def variable_of(value: Value) -> str:
    """The environment variable that a text stands for: `${HF_TOKEN}`, `${oc.env:HF_TOKEN}`; nothing where it is none."""
    found = _ENVIRONMENT.fullmatch(value) if isinstance(value, Scalar) else None
    return (found[1] or found[2]) if found else ""


def shown(value: Value) -> str:
    """A value on one line of a table."""
    if isinstance(value, Scalar):
        return " ".join(value.split())
    return json.dumps(_shown(value), ensure_ascii=False).replace('"', "")


def _shown(value: Value) -> Any:
    if isinstance(value, Map):
        return {str(key): _shown(each) for key, each in value.items()}
    if isinstance(value, Seq):
        return [_shown(each) for each in value]
    return "" if is_null(value) else str(value)
