"""A spec being written: nodes with fields, each field with where it came from, and the YAML of it."""

from __future__ import annotations

import json
import re
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

from zyc import kinds
from zyc.importers.values import Plain

_PLAIN = re.compile(r"[A-Za-z_/.][A-Za-z0-9_/.@+-]*")
_WORDS = frozenset("true false null yes no on off y n none".split())
_NOT_A_NAME = re.compile(r"[^a-z0-9_-]+")
_WIDEST = 60  # columns; a comment beside a longer field stands right after it


@dataclass(slots=True)
class Entry:
    """The value of a field, and where it came from."""

    value: object
    note: str = ""


@dataclass
class Node:
    """One node of the spec: its fields by path, `train.batch`."""

    section: str
    name: str
    fields: dict[str, Entry] = field(default_factory=dict)

    def put(self, path: str, value: object, note: str = "") -> None:
        """Set a field."""
        self.fields[path] = Entry(value, note)

    def lacks(self, path: str) -> bool:
        """Whether the kind of this node has no such field."""
        return not has_field(self.section, path)

    def nested(self) -> dict[str, Any]:
        """The fields as the mappings that a spec has."""
        told: dict[str, Any] = {}
        for path, entry in self.fields.items():
            *groups, last = path.split(".")
            inner = told
            for group in groups:
                inner = inner.setdefault(group, {})
            inner[last] = entry
        return told


@dataclass
class Draft:
    """The nodes of a spec; `main` is the one that the settings are about."""

    about: str = ""
    taken: frozenset[str] = frozenset()  # names of the project's other nodes
    nodes: list[Node] = field(default_factory=list)
    main: Node | None = None
    notes: list[str] = field(default_factory=list)  # lines of comment on top

    def node(self, section: str, name: str) -> Node:
        """A new node; a name that is taken gets a number."""
        wanted = as_name(name) or section.removesuffix("s")
        used = self.taken | {each.name for each in self.nodes}
        free = wanted
        number = 2
        while free in used:
            free, number = f"{wanted}-{number}", number + 1
        made = Node(section, free)
        self.nodes.append(made)
        return made

    def text(self) -> str:
        """The spec."""
        lines = [f"# {line}".rstrip() for line in self.notes]
        lines += ["zyc: 1"]
        if self.about:
            lines.append(f"about: {scalar(self.about)}")
        for section in dict.fromkeys(node.section for node in self.nodes):
            lines += ["", f"{section}:"]
            for at, node in enumerate(each for each in self.nodes if each.section == section):
                lines += [""] if at else []
                lines += _aligned(list(_node(node)))
        return "\n".join(lines) + "\n"


def _node(node: Node) -> Iterator[tuple[str, str]]:
    yield f"  {node.name}:", ""
    yield from _fields(node.nested(), 4)


def _fields(told: Mapping[str, Any], indent: int) -> Iterator[tuple[str, str]]:
    pad = " " * indent
    for name, inner in told.items():
        if isinstance(inner, Entry):
            yield f"{pad}{_key(name)}: {flow(inner.value)}", inner.note
        else:
            yield f"{pad}{_key(name)}:", ""
            yield from _fields(inner, indent + 2)


def _aligned(lines: list[tuple[str, str]]) -> list[str]:
    """Comments stand below each other."""
    column = max((len(line) for line, note in lines if note and len(line) <= _WIDEST), default=0)
    told = []
    for line, note in lines:
        comment = " ".join(note.split())
        told.append(f"{line.ljust(column)}  # {comment}" if comment else line)
    return told


def flow(value: object) -> str:
    """A value on one line."""
    if isinstance(value, Plain):
        return str(value)
    if isinstance(value, str):
        return scalar(value)
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_key(str(key))}: {flow(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(flow(each) for each in value) + "]"
    return f"{value:.10g}" if isinstance(value, float) else str(value)


def scalar(text: str) -> str:
    """A text as a spec writes it, in quotes where it would be read as something else; `$(` is no expression."""
    text = text.replace("$(", "$$(")
    if _PLAIN.fullmatch(text) and text.lower() not in _WORDS and not text.startswith("."):
        return text
    return json.dumps(text, ensure_ascii=False)


def _key(text: str) -> str:
    return text if _PLAIN.fullmatch(text) and text.lower() not in _WORDS else json.dumps(text, ensure_ascii=False)


def as_name(text: str) -> str:
    """A text as the name of a node: `NousResearch/Llama-3.2-1B` is `llama-3-2-1b`."""
    word = text.rstrip("/").rpartition("/")[2] or text
    return _NOT_A_NAME.sub("-", word.lower().replace(".", "-")).strip("-_")[:60]


def has_field(section: str, path: str) -> bool:
    """Whether the kind of a section has a field; of a section that nobody has, there is nothing to say."""
    kind = kinds.of_section(section)
    if kind is None:
        return True
    model: type[BaseModel] | None = kind.Spec
    open_ended = False
    for part in path.split("."):
        if open_ended:
            return True
        if model is None:
            return False
        found = next((each for name, each in model.model_fields.items() if part in (name, each.alias)), None)
        if found is None:
            return False
        model, open_ended = _inside(found.annotation)
    return True


def _inside(annotation: Any) -> tuple[type[BaseModel] | None, bool]:
    """The group that a field's type holds, and whether it takes any name."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation, False
    origin = typing.get_origin(annotation)
    if annotation is Any or origin in (dict, Mapping) or (isinstance(origin, type) and issubclass(origin, Mapping)):
        return None, True
    for each in typing.get_args(annotation):
        found = _inside(each)
        if found != (None, False):
            return found
    return None, False
