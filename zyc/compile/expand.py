"""What stands between a spec's text and its nodes: profiles, `--set`, vars, matrices and searches."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from zyc.errors import Problem, Span, guess, problem
from zyc.fields import describe, is_null
from zyc.graph import Search
from zyc.source import Map, Scalar, SecretName, Seq, Value

V = TypeVar("V", bound=Value)
FAMILY_LIMIT = 100_000
LABEL = re.compile(r"[A-Za-z0-9_.+-]{1,60}")
_EXPRESSION = re.compile(r"\$\$\(|\$\(([^()]*)\)?")
_RANGE = re.compile(r"\s*([-+0-9.eE]+)\s*\.\.\s*([-+0-9.eE]+)\s*")


@dataclass(frozen=True, slots=True)
class Row:
    """One member of a matrix: its coordinates, and the value behind each label."""

    labels: tuple[tuple[str, str], ...] = ()
    values: Mapping[str, Value] = field(default_factory=dict)


@dataclass(slots=True)
class Places:
    """Where values come from: their own file, unless a profile or `--set` brought them."""

    file: str
    foreign: dict[int, str] = field(default_factory=dict)  # id of a value -> the file it stands in

    def span(self, value: Value) -> Span:
        """The place of a value."""
        return Span(self.foreign.get(id(value), self.file), value.line, value.column, value.width)

    def adopt(self, value: Value, file: str) -> None:
        """Remember that a value and all in it stand in another file."""
        self.foreign[id(value)] = file
        for inner in (*value, *value.values()) if isinstance(value, Map) else value if isinstance(value, Seq) else ():
            self.adopt(inner, file)


def patched(base: Value, patch: Value, places: Places, file: str) -> Value:
    """The base with the fields of a patch: mappings are merged, everything else is replaced."""
    if not (isinstance(base, Map) and isinstance(patch, Map)):
        places.adopt(patch, file)
        return patch
    merged = Map(base)
    merged.line, merged.column, merged.width = base.line, base.column, base.width
    if id(base) in places.foreign:
        places.foreign[id(merged)] = places.foreign[id(base)]
    for key, value in patch.items():
        if key not in merged:
            places.foreign[id(key)] = file
        merged[key] = patched(merged[key], value, places, file) if key in merged else _adopted(value, places, file)
    return merged


def _adopted(value: Value, places: Places, file: str) -> Value:
    places.adopt(value, file)
    return value


@dataclass(slots=True)
class Scope:
    """What `$(...)` may name in one node, and which of it was named."""

    vars: Mapping[str, Value]
    matrix: Mapping[str, Value]
    searching: bool
    places: Places
    used: set[str] = field(default_factory=set)
    problems: list[Problem] = field(default_factory=list)

    def fill(self, value: Value) -> Value:
        """The value with every expression replaced."""
        if isinstance(value, Scalar):
            return self._scalar(value) if "$" in value else value
        if isinstance(value, Map):
            filled: Map | Seq = Map((key, self.fill(each)) for key, each in value.items())
        else:
            filled = Seq(self.fill(each) for each in value)
        return self._at(value, filled)

    def _at(self, where: Value, value: V) -> V:
        value.line, value.column, value.width = where.line, where.column, where.width
        if id(where) in self.places.foreign:
            self.places.foreign[id(value)] = self.places.foreign[id(where)]
        return value

    def _scalar(self, text: Scalar) -> Value:
        whole = _EXPRESSION.fullmatch(text)
        if whole and whole[1] is not None:
            return self._whole(text, whole[1])

        def put(found: re.Match[str]) -> str:
            if found[1] is None:
                return "$("
            value = self._look_up(text, found[1])
            if value is None:
                return ""
            if not isinstance(value, Scalar):
                self.problems.append(problem("value-in-text", self.places.span(text), text=found[1], found=describe(value)))
                return ""
            return str(value)

        return self._at(text, text.like(_EXPRESSION.sub(put, text)))

    def _whole(self, text: Scalar, expression: str) -> Value:
        if expression.startswith("env."):
            return self._at(text, SecretName.at(str(text), text.line, text.column, text.width))
        value = self._look_up(text, expression)
        if value is None:
            return text
        # a scalar stands where it is used; a list or mapping keeps the places of what is in it
        return self._at(text, value.like(str(value))) if isinstance(value, Scalar) else value

    def _look_up(self, text: Scalar, expression: str) -> Value | None:
        space, _, name = expression.partition(".")
        known: Mapping[str, Value] | None = {"vars": self.vars, "matrix": self.matrix}.get(space)
        if space == "search" and self.searching:
            known = self.matrix
        if known is not None and name in known:
            self.used.add(f"{'matrix' if space == 'search' else space}.{name}")
            return known[name]
        at = self.places.span(text)
        if space == "env":
            self.problems.append(problem("env-not-secret", at, name=name))
        elif known is None or (space == "matrix" and not known):
            self.problems.append(problem("unknown-expression", at, text=expression))
        elif space == "vars":
            self.problems.append(problem("unknown-var", at, name=name, hint=guess(name, known)))
        else:
            self.problems.append(problem("unknown-axis", at, name=name, space=space, hint=guess(name, known)))
        return None


Complain = Callable[[Value, str], None]


def matrix_rows(name: str, matrix: Value, complain: Complain, problems: list[Problem], places: Places) -> list[Row]:
    """The members that a matrix names: a product of axes, or a list of rows."""
    if isinstance(matrix, Seq):
        return list(_listed(matrix, complain, problems, places))
    if not isinstance(matrix, Map) or not matrix:
        complain(matrix, f"expected axes, found {describe(matrix) if matrix else 'none'}")
        return []
    axes = []
    for axis, values in matrix.items():
        labelled = list(_labelled(axis, values, complain, problems, places))
        if not labelled:
            return []
        axes.append(labelled)
    count = 1
    for labelled in axes:
        count *= len(labelled)
    if count > FAMILY_LIMIT:
        problems.append(problem("family-too-large", places.span(matrix), name=name, count=count, limit=FAMILY_LIMIT))
        return []
    names = [str(axis) for axis in matrix]
    return [
        Row(
            tuple(zip(names, (label for label, _ in values), strict=True)),
            dict(zip(names, (value for _, value in values), strict=True)),
        )
        for values in itertools.product(*axes)
    ]


def _axis_is_fine(axis: object, complain: Complain) -> bool:
    fine = re.fullmatch(r"[a-z][a-z0-9_-]*", str(axis)) is not None
    if not fine and isinstance(axis, Scalar):
        complain(axis, f"`{axis}` cannot name an axis")
    return fine


def _labelled(
    axis: str, values: Value, complain: Complain, problems: list[Problem], places: Places
) -> Iterator[tuple[str, Value]]:
    if not _axis_is_fine(axis, complain):
        return
    if isinstance(values, Map) and values:
        pairs: list[tuple[Any, str, Value]] = [(key, str(key), value) for key, value in values.items()]
    elif isinstance(values, Seq) and values:
        pairs = [(value, str(value) if isinstance(value, Scalar) else "", value) for value in values]
    else:
        complain(values, f"the axis `{axis}` needs a list of values, found {describe(values) if values else 'an empty one'}")
        return
    seen: set[str] = set()
    for where, label, value in pairs:
        if LABEL.fullmatch(label) is None:
            problems.append(problem("bad-label", places.span(where), label=label or describe(value), axis=axis))
        elif label in seen:
            complain(where, f"the axis `{axis}` has `{label}` twice")
        else:
            seen.add(label)
            yield label, value


def _listed(matrix: Seq, complain: Complain, problems: list[Problem], places: Places) -> Iterator[Row]:
    axes: list[str] | None = None
    seen: set[tuple[tuple[str, str], ...]] = set()
    for row in matrix:
        if not isinstance(row, Map) or not row:
            complain(row, f"expected a row such as `{{rank: 8}}`, found {describe(row)}")
            continue
        names = [str(axis) for axis in row]
        axes = axes or names
        if sorted(names) != sorted(axes):
            complain(row, f"this row has the axes {', '.join(names)}; the first one has {', '.join(axes)}")
            continue
        labels = []
        for axis in axes:
            value = row[axis]
            label = str(value) if isinstance(value, Scalar) else ""
            if not _axis_is_fine(axis, complain):
                return
            if LABEL.fullmatch(label) is None:
                problems.append(problem("bad-label", places.span(value), label=label or describe(value), axis=axis))
                return
            labels.append((axis, label))
        if tuple(labels) in seen:
            complain(row, "this row is given twice")
            continue
        seen.add(tuple(labels))
        yield Row(tuple(labels), {axis: row[axis] for axis in axes})


def read_search(name: str, value: Value, complain: Complain) -> Search | None:
    """`search: {over: {weight: [0.2 .. 0.8]}, from: my-exam, max: exam.accuracy, runs: 8}`."""
    if not isinstance(value, Map):
        complain(value, f"expected `over`, `max` or `min`, and `runs`, found {describe(value)}")
        return None
    unknown = next((key for key in value if key not in ("over", "from", "max", "min", "runs")), None)
    if unknown is not None:
        complain(unknown, f"no field `{unknown}`; {guess(unknown, ('over', 'from', 'max', 'min', 'runs'))}")  # type: ignore[arg-type]
        return None
    over, runs, measure = value.get("over"), value.get("runs"), value.get("max", value.get("min"))
    if not isinstance(over, Map) or not over:
        complain(value, "`over` names the axes and what they range over")
    elif ("max" in value) == ("min" in value) or not isinstance(measure, Scalar) or is_null(measure):
        complain(value, "give one of `max` and `min`: the measure that decides")
    elif not isinstance(runs, Scalar) or not re.fullmatch(r"[1-9]\d{0,3}", runs):
        complain(value if runs is None else runs, "`runs` is how many members to try, from 1 to 9999")
    else:
        axes = []
        for axis, span in over.items():
            bounds = _bounds(axis, span, complain)
            if bounds is None:
                return None
            axes.append((str(axis), bounds))
        judge = value.get("from")
        return Search(
            name, tuple(axes), str(judge) if isinstance(judge, Scalar) else name, str(measure), "max" in value, int(runs)
        )
    return None


def _bounds(axis: str, span: Value, complain: Complain) -> tuple[str, ...] | None:
    if not _axis_is_fine(axis, complain):
        return None
    if not isinstance(span, Seq) or not span or not all(isinstance(each, Scalar) for each in span):
        complain(span, f"`{axis}` ranges over `[low .. high]` or a list of values")
        return None
    found = _RANGE.fullmatch(str(span[0])) if len(span) == 1 else None
    if found is None:
        bad = next((each for each in span if LABEL.fullmatch(str(each)) is None), None)
        if bad is not None:
            complain(bad, f"`{bad}` cannot be a value of the axis `{axis}`")
            return None
        return tuple(str(each) for each in span)
    try:
        low, high = float(found[1]), float(found[2])
    except ValueError:
        complain(span, f"`{axis}` ranges over two numbers, such as `[0.2 .. 0.8]`")
        return None
    if not low < high:
        complain(span, f"the range of `{axis}` is empty: {found[1]} is not below {found[2]}")
        return None
    return (found[1], "..", found[2])
