"""What becomes of each key of another tool's file: a field, nothing (because), refused (because), or read with others."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import TypeAlias

from zyc.importers.values import Wrong, is_off, plainly
from zyc.source import Value

Read: TypeAlias = Callable[[Value], object]


class Verdict(Enum):
    """What a rule does with a key."""

    FIELD = "becomes"  # one field, by a conversion
    NOTHING = "no effect"  # here, and the reason why
    REFUSED = "refused"  # and what to do; unless its value turns it off
    TOGETHER = "with others"  # a reader's own function looks at several keys at once


@dataclass(frozen=True, slots=True)
class Rule:
    """What becomes of one key."""

    verdict: Verdict
    why: str = ""
    field: str = ""
    read: Read = plainly
    do: str = ""
    off: frozenset[str] = frozenset()  # values that turn it off, beside null, false and empty ones
    secret: bool = False  # its value is shown nowhere


@dataclass(frozen=True, slots=True)
class Table:
    """The rules of one tool by the path of the key: `trl.beta`; `datasets[].type` for each of a list; `*` for any name."""

    rules: Mapping[str, Rule]
    groups: frozenset[str] = field(default=frozenset())  # `trl.`, `datasets[].`: what has keys of its own

    def rule(self, pattern: str) -> Rule | None:
        """The rule of a key."""
        found = self.rules.get(pattern)
        if found is None:
            head, _, _ = pattern.rpartition(".")
            found = self.rules.get(f"{head}.*") if head else None
        return found

    def below(self, pattern: str) -> list[str]:
        """The names that may stand in a group: `trl.` has `beta`."""
        return [key[len(pattern) :] for key in self.rules if key.startswith(pattern) and "." not in key[len(pattern) :]]


Rows: TypeAlias = Iterator[tuple[str, Rule]]


def becomes(field: str, keys: str, read: Read = plainly, *, why: str = "") -> Rows:
    """Each of these keys is this field of the node; of several that are given the last one counts."""
    for key in keys.split():
        yield key, Rule(Verdict.FIELD, why, field, read)


def nothing(why: str, keys: str, *, secret: bool = False) -> Rows:
    """These keys have no effect here, and why."""
    for key in keys.split():
        yield key, Rule(Verdict.NOTHING, why, secret=secret)


def refused(why: str, do: str, keys: str, *, off: str = "") -> Rows:
    """These keys are refused unless they are off, and what to do."""
    for key in keys.split():
        yield key, Rule(Verdict.REFUSED, why, do=do, off=frozenset(off.split()))


def together(alone: str, keys: str) -> Rows:
    """These keys are read by the reader's own function; where it has no use for one, this is why."""
    for key in keys.split():
        yield key, Rule(Verdict.TOGETHER, alone)


def table(*rows: Rows) -> Table:
    """A table of rules; a key has one."""
    rules: dict[str, Rule] = {}
    for each in rows:
        for key, rule in each:
            assert key not in rules, f"two rules for `{key}`"
            rules[key] = rule
    groups = {key[: at + 1] for key in rules for at, char in enumerate(key) if char == "."}
    return Table(rules, frozenset(groups))


def turned_off(rule: Rule, value: Value) -> bool:
    """Whether a value says that what the key is about does not happen."""
    return is_off(value) or (isinstance(value, str) and value in rule.off)


__all__ = [
    "Read",
    "Rows",
    "Rule",
    "Table",
    "Verdict",
    "Wrong",
    "becomes",
    "nothing",
    "refused",
    "table",
    "together",
    "turned_off",
]
