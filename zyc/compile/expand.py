"""What stands between a spec's text and its nodes: profiles, `--set`, vars, matrices and searches."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from zyc.errors import Problem, Span, guess, problem
from zyc.fields import describe
from zyc.source import Map, Scalar, SecretName, Seq, Value

V = TypeVar("V", bound=Value)
_EXPRESSION = re.compile(r"\$\$\(|\$\(([^()]*)\)?")
_VARIABLE = re.compile(r"env\.[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True, slots=True)
class Row:
    """One member of a matrix: its coordinates, and the value behind each label."""

    labels: tuple[tuple[str, str], ...] = ()
    values: Mapping[str, Value] = field(default_factory=dict)


@dataclass(slots=True)
class Places:
    """Where values come from: their own file, unless a profile or `--set` brought them."""

    file: str
    owner: Span | None = None  # the name of the node that they belong to
    foreign: dict[int, tuple[Value, str]] = field(default_factory=dict)  # id of a value -> itself, and the file it stands in

    def file_of(self, value: Value) -> str:
        """The file that a value stands in."""
        return self.foreign[id(value)][1] if id(value) in self.foreign else self.file

    def span(self, value: Value) -> Span:
        """The place of a value."""
        return Span(self.file_of(value), value.line, value.column, value.width)

    def spans(self, value: Value) -> tuple[Span, ...]:
        """The place of a value, and the one that its text was taken from."""
        return (self.span(value), self.span(value.origin)) if isinstance(value, Filled) else (self.span(value),)

    def put(self, value: Value, file: str) -> None:
        """Remember that a value stands in another file; held, so that no other value gets its id."""
        self.foreign[id(value)] = (value, file)

    def follow(self, value: Value, where: Value) -> None:
        """Remember that a value stands where another one does."""
        if id(where) in self.foreign:
            self.put(value, self.foreign[id(where)][1])

    def adopt(self, value: Value, file: str) -> None:
        """Remember that a value and all in it stand in another file."""
        self.put(value, file)
        for inner in (*value, *value.values()) if isinstance(value, Map) else value if isinstance(value, Seq) else ():
            self.adopt(inner, file)


class Filled(Scalar):
    """The text of a var or axis in the place of its expression."""

    __slots__ = ("origin",)
    origin: Scalar

    @classmethod
    def of(cls, where: Scalar, origin: Scalar) -> Filled:
        """The text of one scalar in the place of another."""
        value = cls.at(str(origin), where.line, where.column, where.width, plain=origin.plain)
        value.origin = origin
        return value


def patched(base: Value, patch: Value, places: Places, file: str) -> Value:
    """The base with the fields of a patch: mappings are merged, everything else is replaced."""
    if not (isinstance(base, Map) and isinstance(patch, Map)):
        places.adopt(patch, file)
        return patch
    merged = placed(Map(base), base)
    places.follow(merged, base)
    for key, value in patch.items():
        if key in merged:
            merged[key] = patched(merged[key], value, places, file)
        else:
            places.put(key, file)  # type: ignore[arg-type]
            places.adopt(value, file)
            merged[key] = value
    return merged


def placed(value: V, where: Value) -> V:
    """A new mapping or list in the place of another value."""
    value.line, value.column, value.width = where.line, where.column, where.width
    return value


@dataclass(slots=True)
class Scope:
    """What `$(...)` may name in one node, and which of it was named."""

    vars: Mapping[str, Value]
    matrix: Mapping[str, Value]
    space: str  # what the node has: `matrix`, `search` or nothing
    places: Places
    secrets: bool = True  # whether `$(env.NAME)` may stay, for a field that is a secret
    used: set[str] = field(default_factory=set)
    problems: list[Problem] = field(default_factory=list)

    def fill(self, value: Value) -> Value:
        """The value with every expression replaced."""
        if isinstance(value, Scalar):
            return self._scalar(value) if "$" in value else value
        if isinstance(value, Map):
            for key in value:
                if "$(" in key:
                    at = self.places.span(key)  # type: ignore[arg-type]
                    self.problems.append(problem("expression-in-name", at, name=str(key)))
            filled: Map | Seq = Map((key, self.fill(each)) for key, each in value.items())
        else:
            filled = Seq(self.fill(each) for each in value)
        return self._at(value, filled)

    def _at(self, where: Value, value: V) -> V:
        placed(value, where)
        self.places.follow(value, where)
        return value

    def _scalar(self, text: Scalar) -> Value:
        whole = _EXPRESSION.fullmatch(text)
        if whole and whole[1] is not None:
            return self._whole(text, whole)

        def put(found: re.Match[str]) -> str:
            if found[1] is None:
                return "$("
            value = self._look_up(text, found)
            if value is None:
                return ""
            if not isinstance(value, Scalar):
                self.problems.append(problem("value-in-text", self._span(text, found), text=found[1], found=describe(value)))
                return ""
            return str(value)

        return self._at(text, text.like(_EXPRESSION.sub(put, text)))

    def _whole(self, text: Scalar, found: re.Match[str]) -> Value:
        if self.secrets and _VARIABLE.fullmatch(found[1]) and found[0].endswith(")"):
            return self._at(text, SecretName.at(str(text), text.line, text.column, text.width))
        value = self._look_up(text, found)
        if value is None:
            return text
        # a scalar stands where it is used; a list or mapping keeps the places of what is in it
        return self._at(text, Filled.of(text, value)) if isinstance(value, Scalar) else value

    def _look_up(self, text: Scalar, found: re.Match[str]) -> Value | None:
        space, _, name = found[1].partition(".")
        known: Mapping[str, Value] | None = {"vars": self.vars, "matrix": self.matrix}.get(space)
        if space == "search" and self.space == "search":
            known = self.matrix
        at = self._span(text, found)
        if not found[0].endswith(")"):
            self.problems.append(problem("unknown-expression", at, text=found[0], hint="close it with `)`, or write `$$(`"))
        elif known is not None and name in known:
            self.used.add(f"{'matrix' if space == 'search' else space}.{name}")
            return known[name]
        elif space == "env":
            self.problems.append(problem("env-not-secret", at, name=name))
        elif space == "vars":
            self.problems.append(problem("unknown-var", at, name=name, hint=guess(name, self.vars, otherwise=self._no_vars())))
        elif space in ("matrix", "search") and self.space:
            hint = guess(name, self.matrix, listed="its axes are")
            self.problems.append(problem("unknown-axis", at, name=name, space=self.space, hint=hint))
        else:
            self.problems.append(problem("unknown-expression", at, text=found[0], hint=self._means(space, name)))
        return None

    def _no_vars(self) -> str:
        return "" if self.vars else "it has no `vars`: write `vars: {name: value}` beside the sections"

    @staticmethod
    def _means(space: str, name: str) -> str:
        if space == "matrix":
            return f"give this node a matrix: `matrix: {{{name or 'rank'}: [...]}}`"
        if space == "search":
            return f"give this node a search: `search: {{over: {{{name or 'weight'}: [0.2 .. 0.8]}}, ...}}`"
        return "write `$(vars.NAME)`, `$(matrix.AXIS)` or `$(search.AXIS)`; `$$(` is a literal `$(`"

    def _span(self, text: Scalar, found: re.Match[str]) -> Span:
        """The expression in its text, where the text stands as it is written."""
        whole = self.places.span(text)
        quotes = 0 if text.plain else 1
        if whole.width != len(text) + 2 * quotes:
            return whole
        return Span(whole.file, whole.line, whole.column + quotes + found.start(), found.end() - found.start())


Complain = Callable[[Value, str, str], None]  # where, what is wrong, what to do


def variable_of(space: str, name: str) -> str:
    """The name by which a step sees a var or axis."""
    return f"ZYC_{space.upper()}_{name.upper().replace('-', '_')}"


def plain_words(value: Value) -> str:
    """A value as an example shows it."""
    return str(value) if isinstance(value, Scalar) and len(value) < 40 and value.isprintable() else "..."


def secret_in(value: Value) -> SecretName | None:
    """The first name of a secret in a value."""
    waiting: list[Value] = [value]
    while waiting:
        here = waiting.pop()
        if isinstance(here, SecretName):
            return here
        if not isinstance(here, Scalar):
            waiting += here.values() if isinstance(here, Map) else here
    return None
