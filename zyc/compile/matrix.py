"""What a matrix or a search says: the members of a family, and the values behind their labels."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from zyc.compile.expand import Complain, Places, Row, plain_words, variable_of
from zyc.errors import Problem, guess, listing, problem
from zyc.fields import describe, is_null
from zyc.gates import MEASURE
from zyc.graph import Search
from zyc.source import Map, Scalar, Seq, Value

FAMILY_LIMIT = 100_000


LABEL = re.compile(r"[A-Za-z0-9_.+-]{1,60}")


_RANGE = re.compile(r"\s*([-+0-9.eE]+)\s*\.\.\s*([-+0-9.eE]+)\s*")


_AXES = "write `{rank: [8, 64]}`, `{data: {small: NODE, large: NODE}}`, or a list of rows such as `[{rank: 8}, {rank: 64}]`"


_WORDS = "labels are up to 60 letters, digits, `_`, `.`, `+` and `-`"


@dataclass(slots=True)
class Matrix:
    """Reads the members that a matrix names."""

    name: str
    places: Places
    problems: list[Problem] = field(default_factory=list)

    def rows(self, matrix: Value) -> list[Row]:
        """A product of axes, or a list of rows; none when something is wrong."""
        before = len(self.problems)
        rows = self._listed(matrix) if isinstance(matrix, Seq) and matrix else self._product(matrix)
        if rows and len(self.problems) == before:
            self._variables(rows[0], matrix)
        return rows if len(self.problems) == before else []

    def _wrong(self, where: Value, reason: str, help_: str = _AXES) -> None:
        self.problems.append(problem("bad-matrix", self.places.span(where), name=self.name, reason=reason, help=help_))

    def _product(self, matrix: Value) -> list[Row]:
        if not isinstance(matrix, Map) or not matrix:
            self._wrong(matrix, f"expected axes or rows, found {describe(matrix) if matrix or is_null(matrix) else 'none'}")
            return []
        axes = [self._labelled(axis, values) for axis, values in matrix.items()]
        count = math.prod(len(labelled) for labelled in axes)
        if count > FAMILY_LIMIT:
            self._too_large(matrix, count)
            return []
        names = [str(axis) for axis in matrix]
        return [
            Row(
                tuple(zip(names, (label for label, _ in values), strict=True)),
                dict(zip(names, (value for _, value in values), strict=True)),
            )
            for values in itertools.product(*axes)
        ]

    def _too_large(self, matrix: Value, count: int) -> None:
        self.problems.append(
            problem("family-too-large", self.places.span(matrix), name=self.name, count=count, limit=FAMILY_LIMIT)
        )

    def _labelled(self, axis: str, values: Value) -> list[tuple[str, Value]]:
        if not axis_is_fine(axis, self._wrong):
            return []
        if isinstance(values, Map) and values:
            pairs: list[tuple[Any, str, Value]] = [(key, str(key), value) for key, value in values.items()]
        elif isinstance(values, Seq) and values:
            pairs = [(value, str(value) if isinstance(value, Scalar) else "", value) for value in values]
        else:
            found = "none" if isinstance(values, Map | Seq) else describe(values)
            self._wrong(values, f"the axis `{axis}` needs a list of values, found {found}", f"write `{axis}: [...]`")
            return []
        seen: dict[str, str] = {}
        told = []
        for where, label, value in pairs:
            if LABEL.fullmatch(label) is None:
                short = f"give it a label: `{{{axis}: {{short: {plain_words(value)}}}}}`"
                self._bad_label(where, _WORDS if isinstance(values, Map) else short)
            elif self._is_new(where, axis, label, seen):
                told.append((label, value))
        return told

    def _is_new(self, where: Value, axis: str, label: str, seen: dict[str, str]) -> bool:
        """Members stand in folders, which may not tell `A` from `a`."""
        folder = label.lower().replace("+", "_")
        if folder not in seen:
            seen[folder] = label
            return True
        if seen[folder] == label:
            self._wrong(where, f"the axis `{axis}` has `{label}` twice", "remove one of them")
        else:
            self._wrong(where, f"`{seen[folder]}` and `{label}` would have one folder", "give one of them another label")
        return False

    def _bad_label(self, where: Value, hint: str) -> None:
        self.problems.append(problem("bad-label", self.places.span(where), found=describe(where), name=self.name, hint=hint))

    def _listed(self, matrix: Seq) -> list[Row]:
        axes: list[str] = []
        seen: set[tuple[str, ...]] = set()
        rows = []
        if len(matrix) > FAMILY_LIMIT:
            self._too_large(matrix, len(matrix))
            return []
        for row in matrix:
            if not isinstance(row, Map) or not row:
                self._wrong(row, f"expected a row, found {describe(row)}", "write `{rank: 8}`")
                continue
            names = [str(axis) for axis in row]
            if [axis for axis in row if not axis_is_fine(axis, self._wrong)]:
                continue
            axes = axes or names
            if sorted(names) != sorted(axes):
                reason = f"this row has {listing(names, 'the axes')}; the first one has {listing(axes, '').strip()}"
                self._wrong(row, reason, "give every row the same axes")
                continue
            labels = tuple(str(row[axis]) if isinstance(row[axis], Scalar) else "" for axis in axes)
            bad = [axis for axis, label in zip(axes, labels, strict=True) if LABEL.fullmatch(label) is None]
            for axis in bad:
                self._bad_label(
                    row[axis], f"a row holds words and numbers; write an axis with labels: `{{{axis}: {{short: ...}}}}`"
                )
            if not bad and labels in seen:
                self._wrong(row, "this row is given twice", "remove one of them")
            elif not bad:
                seen.add(labels)
                rows.append(Row(tuple(zip(axes, labels, strict=True)), {axis: row[axis] for axis in axes}))
        return rows

    def _variables(self, row: Row, matrix: Value) -> None:
        """A step sees each axis in a variable of its own."""
        seen: dict[str, str] = {}
        for axis, _ in row.labels:
            variable = variable_of("matrix", axis)
            if variable in seen:
                self._wrong(matrix, f"`{seen[variable]}` and `{axis}` would both be `{variable}` to a step", "rename one of them")
            seen[variable] = axis


def axis_is_fine(axis: object, complain: Complain) -> bool:
    """Whether a word can name an axis."""
    fine = len(str(axis)) <= 60 and re.fullmatch(r"[a-z][a-z0-9_-]*", str(axis)) is not None
    if not fine and isinstance(axis, Scalar):
        complain(
            axis, f"`{axis}` cannot name an axis", "axes are lower-case letters, digits, `_` and `-`, and start with a letter"
        )
    return fine


_FIELDS = ("over", "from", "max", "min", "runs")


_EXAMPLE = "for example `search: {over: {weight: [0.2 .. 0.8]}, from: my-exam, max: exam.accuracy, runs: 8}`"


def read_search(name: str, value: Value, complain: Complain) -> Search | None:
    """`search: {over: {weight: [0.2 .. 0.8]}, from: my-exam, max: exam.accuracy, runs: 8}`."""
    if not isinstance(value, Map):
        complain(value, f"expected `over`, `max` or `min`, and `runs`, found {describe(value)}", _EXAMPLE)
        return None
    told = list(_search_flaws(value))
    for where, reason, help_ in told:
        complain(where, reason, help_)
    over, runs, measure = value.get("over"), value.get("runs"), value.get("max", value.get("min"))
    if told or not isinstance(over, Map):
        return None
    axes = [(str(axis), _bounds(axis, span, complain)) for axis, span in over.items()]
    fine = [(axis, bounds) for axis, bounds in axes if bounds is not None]
    if len(fine) < len(axes):
        return None
    return Search(name, tuple(fine), str(value.get("from", name)), str(measure), "max" in value, int(str(runs)))


def _search_flaws(value: Map) -> Iterator[tuple[Value, str, str]]:
    """What is wrong with the fields of a search, besides what its axes range over."""
    over, runs, measure = value.get("over"), value.get("runs"), value.get("max", value.get("min"))
    judge = value.get("from")
    written: list[Any] = list(value)
    for key in written:
        if key not in _FIELDS:
            yield key, f"no field `{key}`", guess(key, _FIELDS, listed="its fields are")
    if not isinstance(over, Map) or not over:
        yield value if over is None else over, "`over` names the axes and what they range over", _EXAMPLE
    elif len(over) > 10:
        yield over, f"it has {len(over):,} axes; a search may have 10", "use fewer: each axis needs members of its own"
    if ("max" in value) == ("min" in value):
        yield value, "give one of `max` and `min`: the measure that decides", _EXAMPLE
    elif not isinstance(measure, Scalar) or re.fullmatch(MEASURE, measure) is None:
        yield value if measure is None else measure, f"expected the name of a measure, found {describe(measure)}", _EXAMPLE
    if not isinstance(runs, Scalar) or not re.fullmatch(r"[1-9]\d{0,3}", runs):
        yield value if runs is None else runs, "`runs` is how many members to try, from 1 to 9999", "write `runs: 8`"
    if judge is not None and (not isinstance(judge, Scalar) or is_null(judge)):
        yield judge, f"`from` is the name of a family, found {describe(judge)}", _EXAMPLE


def _bounds(axis: str, span: Value, complain: Complain) -> tuple[str, ...] | None:
    if not axis_is_fine(axis, complain):
        return None
    values = [str(each) for each in span if isinstance(each, Scalar)] if isinstance(span, Seq) else []
    if not values or len(values) != len(span):
        complain(
            span,
            f"`{axis}` ranges over `[low .. high]` or a list of values, found {describe(span)}",
            f"write `{axis}: [0.2 .. 0.8]`",
        )
        return None
    found = _RANGE.fullmatch(values[0]) if len(values) == 1 else None
    if found is None:
        return _listed_values(axis, span, complain)
    low, high = _finite(found[1]), _finite(found[2])
    if low is None or high is None:
        complain(span, f"`{axis}` ranges over two numbers, found `{values[0]}`", f"write `{axis}: [0.2 .. 0.8]`")
    elif not low < high:
        complain(span, f"the range of `{axis}` is empty: {found[1]} is not below {found[2]}", f"write `{axis}: [low .. high]`")
    else:
        return (found[1], "..", found[2])
    return None


def _finite(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if abs(value) < 1e100 else None


def _listed_values(axis: str, span: Value, complain: Complain) -> tuple[str, ...] | None:
    values = list(span)
    for at, each in enumerate(values):
        if LABEL.fullmatch(str(each)) is None or ".." in str(each):
            complain(each, f"`{each}` cannot be a value of the axis `{axis}`", _WORDS)  # type: ignore[arg-type]
            return None
        if each in values[:at]:
            complain(each, f"the axis `{axis}` has `{each}` twice", "remove one of them")  # type: ignore[arg-type]
            return None
    return tuple(str(each) for each in values)
