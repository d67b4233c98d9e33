"""The keys that a file of another tool gives, each with what became of it: none is left without a row."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import TypeVar

from zyc.errors import Span, nearest
from zyc.importers import values
from zyc.importers.rules import Rule, Table, Verdict, turned_off
from zyc.importers.values import Wrong
from zyc.source import Map, Scalar, Seq, Value, is_null, place
from zyc.source.foreign import Foreign

T = TypeVar("T")
_REFERENCE = re.compile(r"\$\{([A-Za-z_][\w.]*)\}")
_HIDDEN = "***"
_SECRETS = re.compile(r"(^|[._])(api_key|.*_token|secret|password|key)$")
_NO_SECRETS = re.compile(
    r"(bos|eos|pad|unk|eot|special|mask|begin|end|image|video|audio|auth)_token$|experiment_key|thinking_key|use_auth_token"
)


class Fate(Enum):
    """What became of a key."""

    BECOMES = "becomes"
    NOTHING = "no effect"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Row:
    """One key of the source, its value, what became of it and why; `help` is what to do about a refused one."""

    key: str
    value: str
    fate: Fate
    span: Span
    becomes: str = ""
    why: str = ""
    help: str = ""
    whole: bool = False  # without it there is nothing to write


@dataclass(slots=True)
class Leaf:
    """One key with its value; `pattern` is its path in the table."""

    path: str
    pattern: str
    key: Scalar
    value: Value
    rule: Rule | None


@dataclass
class Given:
    """The keys of one file."""

    tool: str
    foreign: Foreign
    table: Table
    leaves: dict[str, Leaf] = field(default_factory=dict)
    rows: dict[str, Row] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._walk(self.foreign.root, "", "")
        for key in self.foreign.replaced:
            span = place(key, self.foreign.file)
            self.rows[f"{key}@{span.line}"] = Row(str(key), "", Fate.NOTHING, span, why="given again below; the last one counts")

    # --- from values to keys ---

    def _walk(self, holder: Map, path: str, pattern: str) -> None:
        for key, written in holder.items():
            assert isinstance(key, Scalar)
            value = self._resolved(written)
            here, shape = f"{path}{key}", f"{pattern}{key}"
            inner, items = f"{shape}.", f"{shape}[]."
            if isinstance(value, Map) and inner in self.table.groups and value:
                self._walk(value, f"{here}.", inner)
            elif items in self.table.groups and isinstance(value, Map) and value:
                self._walk(value, f"{here}[0].", items)
            elif items in self.table.groups and isinstance(value, Seq) and any(isinstance(each, Map) for each in value):
                for at, each in enumerate(value):
                    self._item(key, each, f"{here}[{at}]", items)
            else:
                self.leaves[here] = Leaf(here, shape, key, value, self.table.rule(shape))

    def _item(self, key: Scalar, value: Value, path: str, pattern: str) -> None:
        if isinstance(value, Map):
            self._walk(value, f"{path}.", pattern)
        else:
            self.leaves[path] = Leaf(path, pattern, key, value, None)

    def _resolved(self, value: Value) -> Value:
        """`${output_dir}/logs`, where the tool's own reader follows such references."""
        if not isinstance(value, Scalar) or "${" not in value:
            return value

        def found(match: re.Match[str]) -> str:
            inner: Value = self.foreign.root
            for part in match[1].split("."):
                if not isinstance(inner, Map) or part not in inner:
                    return match[0]
                inner = inner[part]
            return str(inner) if isinstance(inner, Scalar) else match[0]

        return value.like(_REFERENCE.sub(found, value))

    # --- what a reader asks ---

    def __contains__(self, path: str) -> bool:
        leaf = self.leaves.get(path)
        return leaf is not None and not is_null(leaf.value)

    def value(self, path: str) -> Value | None:
        """The value of a key; None where it is not given, or null."""
        return self.leaves[path].value if path in self else None

    def read(self, path: str, how: Callable[[Value], T], default: T) -> T:
        """The value of a key by a conversion; one that does not take it is refused, and the default stands for it."""
        value = self.value(path)
        if value is None:
            return default
        try:
            return how(value)
        except Wrong as error:
            self.refuse(path, f"expected {error.what}", error.do or f"correct it as {self.tool} has it")
            return default

    def text(self, path: str, default: str = "") -> str:
        """A text."""
        return self.read(path, values.text, default)

    def integer(self, path: str, default: int) -> int:
        """A whole number."""
        return self.read(path, values.integer, default)

    def amount(self, path: str, default: float) -> float:
        """A number, to reckon with."""
        return self.read(path, values.amount, default)

    def flag(self, path: str, *, default: bool = False) -> bool:
        """True or false."""
        return self.read(path, values.flag, default)

    def on(self, path: str) -> bool:
        """Whether a key says anything but no: a text counts as much as `true`."""
        return not values.is_off(self.value(path))

    def words(self, path: str) -> list[str]:
        """A list of texts."""
        none: list[str] = []
        return self.read(path, values.words, none)

    def comma_words(self, path: str) -> list[str]:
        """A list of texts, or one text with commas between them."""
        none: list[str] = []
        return self.read(path, values.comma_words, none)

    def items(self, path: str) -> list[str]:
        """The paths of a list of mappings: `datasets[0]`, `datasets[1]`."""
        found = {each[: each.index("]", len(path)) + 1] for each in self.leaves if each.startswith(f"{path}[")}
        return sorted(found, key=lambda each: int(each[len(path) + 1 : -1]))

    def under(self, path: str) -> list[str]:
        """The keys that are given inside one."""
        return [each for each in self.leaves if each.startswith(f"{path}.")]

    # --- what becomes of a key ---

    def becomes(self, path: str, field: str, why: str = "") -> None:
        """The key became that field; several fields are told with commas."""
        leaf = self.leaves.get(path)
        if leaf is None or self._refused(path):
            return
        before = self.rows.get(path)
        if before is not None and before.fate is Fate.BECOMES and field not in before.becomes.split(", "):
            field = f"{before.becomes}, {field}"
        self.rows[path] = self._row(leaf, Fate.BECOMES, becomes=field, why=why)

    def drop(self, path: str, why: str) -> None:
        """The key has no effect here."""
        if path in self.leaves and not self._refused(path):
            self.rows[path] = self._row(self.leaves[path], Fate.NOTHING, why=why)

    def refuse(self, path: str, why: str, do: str, *, whole: bool = False) -> None:
        """The key cannot be read; what is refused stays so."""
        if path in self.leaves and not self._refused(path):
            self.rows[path] = self._row(self.leaves[path], Fate.REFUSED, why=why, help=do, whole=whole)

    def lacks(self, key: str, why: str, do: str) -> None:
        """What the file ought to say, and does not."""
        span = Span(self.foreign.file)
        self.rows[key] = Row(key, "", Fate.REFUSED, span, why=why, help=do, whole=True)

    def _refused(self, path: str) -> bool:
        return path in self.rows and self.rows[path].fate is Fate.REFUSED

    def _row(self, leaf: Leaf, fate: Fate, *, becomes: str = "", why: str = "", help: str = "", whole: bool = False) -> Row:  # noqa: A002
        secret = leaf.rule.secret if leaf.rule is not None else False
        secret = secret or (bool(_SECRETS.search(leaf.path)) and not _NO_SECRETS.search(leaf.path))
        value = _HIDDEN if secret and not is_null(leaf.value) else values.shown(leaf.value)
        return Row(leaf.path, value, fate, place(leaf.key, self.foreign.file), becomes, why, help, whole)

    # --- the keys that a table alone decides ---

    def rest(self, *, lost: bool = False) -> Iterator[Leaf]:
        """The keys that nobody has looked at: those with a field are for the caller, all others get their row here.

        When there is nothing to write, what would become a field has no effect.
        """
        for path, leaf in self.leaves.items():
            if path in self.rows:
                continue
            if leaf.rule is None and not (self._is_group(leaf.pattern) and values.is_off(leaf.value)):
                self._unknown(leaf)
            elif leaf.rule is None or is_null(leaf.value):
                self.drop(path, f"empty: {self.tool} takes its default")
            elif lost and leaf.rule.verdict in (Verdict.FIELD, Verdict.TOGETHER):
                self.drop(path, "there is no node that it could be a field of")
            elif leaf.rule.verdict is Verdict.FIELD:
                yield leaf
            else:
                self._ruled(leaf, leaf.rule)

    def _ruled(self, leaf: Leaf, rule: Rule) -> None:
        """What a rule says of a key by itself."""
        if rule.verdict is Verdict.REFUSED and not turned_off(rule, leaf.value):
            self.refuse(leaf.path, rule.why, rule.do)
        elif rule.verdict is Verdict.REFUSED:
            self.drop(leaf.path, "off, as it always is here")
        elif rule.verdict is Verdict.TOGETHER and values.is_off(leaf.value):
            self.drop(leaf.path, "off, as it is here unless a spec says so")
        else:
            self.drop(leaf.path, rule.why)

    def _is_group(self, pattern: str) -> bool:
        return f"{pattern}." in self.table.groups or f"{pattern}[]." in self.table.groups

    def _unknown(self, leaf: Leaf) -> None:
        head = leaf.pattern[: leaf.pattern.rfind(".") + 1]
        name = leaf.pattern[len(head) :]
        close = nearest(name, self.table.below(head)) if name else None
        if close is None and name:
            close = nearest(leaf.pattern, self.table.rules)
        hint = f"did you mean `{close}`?" if close else "remove it, or correct it"
        if id(leaf.value) in self.foreign.repeated and not head:
            self.drop(leaf.path, "only there to be repeated elsewhere (an anchor)")
        elif is_null(leaf.value):
            self.drop(leaf.path, f"empty, and {self.tool} knows no such key" + (f": {hint}" if close else ""))
        elif not name:
            self.refuse(leaf.path, f"expected a mapping with {_some(self.table.below(leaf.pattern))}", "write it as a mapping")
        elif self._is_group(leaf.pattern):
            self.refuse(leaf.path, "expected a mapping, or a list of them", f"write it as {self.tool} documents it")
        else:
            self.refuse(leaf.path, f"{self.tool} knows no such key, and drops it without a word", hint)

    def told(self) -> tuple[Row, ...]:
        """A row for each key, in the order of the file."""
        missing = self.leaves.keys() - self.rows.keys()
        assert not missing, f"no row for {sorted(missing)}"
        return tuple(sorted(self.rows.values(), key=lambda row: (row.span.line, row.span.column)))


def _some(names: list[str]) -> str:
    return ", ".join(f"`{each}`" for each in names[:4])


__all__ = ["Fate", "Given", "Leaf", "Row", "replace"]
