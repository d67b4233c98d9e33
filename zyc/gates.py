"""Gates: bounds on measures, as people write them, and the verdict of kept numbers on them."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from zyc import quantity

_OPERATORS = {"<=": operator.le, ">=": operator.ge, "!=": operator.ne, "=": operator.eq, "<": operator.lt, ">": operator.gt}
CHANCE = 0.01  # that what a twin learned is luck: less
MEASURE = r"[A-Za-z_][\w-]*(?:\.[\w-]+)*"
_GATE = re.compile(rf"\s*({MEASURE})\s*(<=|>=|!=|==|=|<|>)\s*(.+?)\s*")
_RELATIVE = re.compile(rf"({MEASURE})(?:\s*([-+])\s*(.+))?")


class Verdict(StrEnum):
    """What numbers say about a gate."""

    HOLDS = "holds"
    FAILS = "fails"
    UNKNOWN = "unknown"  # the measure is not there yet


class Outlook(StrEnum):
    """What arithmetic says about a gate before anything ran."""

    COULD = "could hold"
    CANNOT = "cannot hold"
    RUNNING = "by running"


class Interval(NamedTuple):
    """What a measure will lie between, and the sum that says so."""

    low: float
    high: float
    because: str = ""


@dataclass(frozen=True, slots=True)
class Gate:
    """A bound on a measure: a number, or another measure plus a number."""

    measure: str
    sign: str
    bound: float
    against: str = ""
    dimension: str = "number"
    line: int = 0  # where it is written; 0 for a default of its kind

    def __str__(self) -> str:
        number = show(abs(self.bound) if self.against else self.bound, self.dimension)
        if self.against:
            number = self.against if self.bound == 0 else f"{self.against} {'-' if self.bound < 0 else '+'} {number}"
        return f"{self.measure} {self.sign} {number}"


def show(value: float, dimension: str) -> str:
    """A value in the unit that its gate was written in."""
    telling = {"share": quantity.in_share, "time": quantity.in_time, "bytes": quantity.in_bytes}
    return telling.get(dimension, quantity.in_number)(value)


def show_beside(value: float, gate: Gate) -> str:
    """A value beside the bound of its gate: where both would read alike and are not, in more digits."""
    told = show(value, gate.dimension)
    if gate.against or value == gate.bound or told != show(gate.bound, gate.dimension):
        return told
    unit, scale = {"share": (" %", 0.01), "time": (" s", 1.0), "bytes": (" B", 1.0)}.get(gate.dimension, ("", 1.0))
    digits = next((each for each in range(3, 16) if f"{value:.{each}g}" != f"{gate.bound:.{each}g}"), 16)
    return f"{value / scale:,.0f}{unit}" if unit == " B" else f"{value / scale:.{digits}g}{unit}"


def parse(text: str, *, line: int = 0) -> Gate | None:
    """`speed.answer_p95 <= 15 s`; None when the text is no gate."""
    found = _GATE.fullmatch(text)
    if found is None:
        return None
    measure, sign, right = found[1], found[2].replace("==", "="), found[3]
    plain = quantity.read(right)
    if plain is not None:
        return Gate(measure, sign, plain.value, "", plain.dimension, line)
    relative = _RELATIVE.fullmatch(right)
    if relative is None:
        return None
    if relative[2] is None:
        return Gate(measure, sign, 0.0, relative[1], "number", line)
    offset = quantity.read(relative[3])
    if offset is None:
        return None
    value = -offset.value if relative[2] == "-" else offset.value
    return Gate(measure, sign, value, relative[1], offset.dimension, line)


def mend(text: str) -> str:
    """What may have been meant by a text that is no gate."""
    for wrong, right in (("=>", ">="), ("=<", "<="), ("<>", "!="), ("≥", ">="), ("≤", "<=")):
        if wrong in text and parse(text.replace(wrong, right)) is not None:
            return f"did you mean `{right}`?"
    turned = re.fullmatch(r"\s*([^<>=!]+?)\s*(<=|>=|!=|==|=|<|>)\s*(\S+)\s*", text)
    if turned is not None:
        sign = {"<": ">", ">": "<", "<=": ">=", ">=": "<="}.get(turned[2], turned[2])
        if parse(f"{turned[3]} {sign} {turned[1]}") is not None:
            return f"a measure comes first: `{turned[3]} {sign} {turned[1]}`"
    if re.search(r"\band\b|&&|\bor\b|\|\|", text):
        return "one comparison is one gate: write them as items of the list; all of them have to hold"
    return "write a measure, one of `<`, `<=`, `=`, `!=`, `>=` and `>`, then a number or another measure"


_KINDS = {"share": "a share, from 0 to 100 %", "time": "a time", "bytes": "bytes"}
_UNITS = {"share": "`60%`", "time": "`15 s`", "bytes": "`4 GB`"}


def odd_bound(gate: Gate, dimension: str) -> tuple[str, str]:
    """Of a bound in other units, or larger than any share: what is measured, and what may have been meant; else nothing."""
    if dimension == "share" and not gate.against and gate.bound > 1 and gate.dimension in ("number", "share"):
        meant = f"did you mean `{gate.bound:g}%`?" if gate.dimension == "number" and gate.bound <= 100 else "none is larger"
        return _KINDS[dimension], meant
    if gate.dimension in _KINDS and gate.dimension != dimension and (dimension in _KINDS or gate.dimension != "share"):
        return _KINDS.get(
            dimension, "a number"
        ), f"write it like {_UNITS[dimension]}" if dimension in _UNITS else "leave out the unit"
    return "", ""


def judge(gate: Gate, measures: Mapping[str, float]) -> Verdict:
    """The verdict of measured numbers; a NaN fails every gate."""
    if gate.measure not in measures or (gate.against and gate.against not in measures):
        return Verdict.UNKNOWN
    bound = gate.bound + (measures[gate.against] if gate.against else 0.0)
    value = measures[gate.measure]
    if math.isnan(value) or math.isnan(bound):
        return Verdict.FAILS
    return Verdict.HOLDS if _OPERATORS[gate.sign](value, bound) else Verdict.FAILS


def by_how_much(gate: Gate, measures: Mapping[str, float]) -> str:
    """`accuracy is 71 %, 4 % short of 75 %`: the sentence of a failed gate."""
    if gate.measure not in measures:
        return f"`{gate.measure}` was not measured"
    if gate.against and gate.against not in measures:
        return f"`{gate.against}` was not measured"
    bound = gate.bound + (measures[gate.against] if gate.against else 0.0)
    value, gap = measures[gate.measure], abs(measures[gate.measure] - bound)
    off = "" if math.isnan(gap) or gate.sign == "!=" else f", off by {show(gap, gate.dimension)}"
    return f"`{gate}`: it is {show(value, gate.dimension)}{off}"


def foresee(gate: Gate, known: Mapping[str, Interval]) -> Outlook:
    """Whether arithmetic alone decides the gate."""
    if gate.measure not in known or (gate.against and gate.against not in known):
        return Outlook.RUNNING
    value = known[gate.measure]
    other = known[gate.against] if gate.against else Interval(0.0, 0.0)
    low, high = gate.bound + other.low, gate.bound + other.high
    could = {
        "<": value.low < high,
        "<=": value.low <= high,
        ">": value.high > low,
        ">=": value.high >= low,
        "=": value.low <= high and value.high >= low,
        "!=": not (value.low == value.high == low == high),
    }[gate.sign]
    return Outlook.COULD if could else Outlook.CANNOT


def best(members: Iterable[tuple[str, Mapping[str, float], bool]], measure: str, *, largest: bool) -> str | None:
    """The label of the best member that passed its gates; ties go to the first."""
    winner: tuple[float, str] | None = None
    for label, measures, passed in members:
        value = measures.get(measure)
        if not passed or value is None or math.isnan(value):
            continue
        score = value if largest else -value
        if winner is None or score > winner[0]:
            winner = (score, label)
    return winner[1] if winner else None
