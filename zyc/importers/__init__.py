"""Files of other tools -> specs: every key becomes a field, has no effect here (and why), or is refused (and what to do)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Protocol

from zyc.errors import Span, ZycError, problem
from zyc.importers.draft import Draft
from zyc.importers.files import foreign_of
from zyc.importers.given import Fate, Given, Row
from zyc.importers.judging import judge
from zyc.importers.rules import Table
from zyc.importers.work import Asked, Work
from zyc.source.foreign import Foreign

__all__ = ["TOOLS", "Asked", "Imported", "Reader", "Row", "read", "reader_of", "recognised"]

# name on the command line -> how people call it; a reader is the module of that name
TOOLS = {
    "axolotl": "axolotl",
    "llamafactory": "LLaMA-Factory",
    "torchtune": "torchtune",
    "mergekit": "mergekit",
    "ollama": "Ollama",
}
# keys that one tool alone has, whatever else a file of it shares with those of others
_OWN = {"merge_method": "mergekit", "gate_mode": "mergekit", "experts": "mergekit"}


class Reader(Protocol):
    """What a module of a tool has: its table, what its files are known by, and what needs several keys at once."""

    TABLE: Table
    MARKS: tuple[str, ...]  # keys by which its files are recognised
    convert: Callable[[Work], None]


@dataclass(frozen=True, slots=True)
class Imported:
    """What a file becomes."""

    tool: str
    rows: tuple[Row, ...]
    text: str  # the spec; empty where there is nothing to write

    @property
    def refused(self) -> tuple[Row, ...]:
        """The keys that keep it from being whole."""
        return tuple(row for row in self.rows if row.fate is Fate.REFUSED)


def read(text: bytes, file: str, *, tool: str = "", asked: Asked | None = None) -> Imported:
    """Read a file of another tool; its name is found by its keys where the call does not say it."""
    foreign = foreign_of(text, file, tool)
    name = tool or recognised(foreign)
    if not name:
        raise ZycError(problem("not-importable", Span(file), file=file, tools=", ".join(f"`{each}`" for each in TOOLS)))
    reader = reader_of(name)
    given = Given(TOOLS[name], foreign, reader.TABLE)
    work = Work(given, Draft(taken=(asked or Asked()).taken), asked or Asked())
    reader.convert(work)
    for leaf in given.rest(lost=work.draft.main is None):
        work.settle(leaf)
    judge(work)
    rows = given.told()
    return Imported(TOOLS[name], rows, _written(work, rows, file))


def recognised(foreign: Foreign) -> str:
    """The tool that alone has one of its keys, or the one whose marks it has most of."""
    own = next((tool for key, tool in _OWN.items() if key in foreign.root), "")
    if own:
        return own
    scores = {name: sum(mark in foreign.root for mark in reader_of(name).MARKS) for name in TOOLS}
    best = max(scores, key=lambda name: scores[name])
    return best if scores[best] else ""


def reader_of(name: str) -> Reader:
    """The module of a tool."""
    module: object = import_module(f"{__name__}.{name}")
    return module  # type: ignore[return-value]


def _written(work: Work, rows: tuple[Row, ...], file: str) -> str:
    """The spec; what was refused stands on top of it, for whoever asked for a part."""
    if work.draft.main is None or any(row.whole for row in rows if row.fate is Fate.REFUSED):
        return ""
    name = file.rpartition("/")[2]
    work.draft.notes = [f"From {name} ({work.tool}); beside each field stands the key that it comes from."]
    lost = [row for row in rows if row.fate is Fate.REFUSED]
    if lost:
        work.draft.notes.append("Refused, and not part of it:")
        work.draft.notes += [f"- {row.key}: {row.value}  ({row.why}; {row.help})" for row in lost]
    return work.draft.text()
