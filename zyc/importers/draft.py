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
from zyc.compile.outline import SECTIONS
from zyc.importers.values import Plain

_PLAIN = re.compile(r"[A-Za-z_/.][A-Za-z0-9_/.@+-]*")
_WORDS = frozenset(["true", "false", "null", "yes", "no", "on", "off", "y", "n", "none"])
_NOT_A_NAME = re.compile(r"[^a-z0-9_-]+")
_ORDER = (  # in which a person would write the fields of a node
    *("hub", "path", "from", "revision", "subset", "part", "files", "format", "map"),
    *("base", "model", "data", "method", "adapter", "beta", "loss", "rewards", "rollout", "tokens", "steps", "context", "lora"),
    *("loss_on", "packing", "split", "clean", "train", "batch_tokens", "learning_rate", "engine", "placement"),
)
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
        """The fields as the mappings that a spec has, in the order in which a person would write them."""
        told: dict[str, Any] = {}
        places = {name: at for at, name in enumerate(_ORDER)}
        for path, entry in sorted(self.fields.items(), key=lambda each: places.get(each[0].partition(".")[0], len(places))):
            *groups, last = path.split(".")
            inner = told
            for group in groups:
                inner = inner.setdefault(group, {})
            inner[last] = entry
        return told


@dataclass
class Draft:
    """The nodes of a spec; `main` is the one that the settings are about."""

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
        return "".join(f"{line}\n" for line, _, _ in self.lines())

    def place(self, number: int) -> tuple[Node, str] | None:
        """The node and the field that stand on a line of the text."""
        _, node, path = self.lines()[number - 1]
        return (node, path) if node is not None else None

    def lines(self) -> list[tuple[str, Node | None, str]]:
        """Each line of the spec, with the node and the field that it is about."""
        told: list[tuple[str, Node | None, str]] = [("# " + " ".join(line.split()), None, "") for line in self.notes]
        told += [("zyc: 1", None, "")]
        for section in sorted({node.section for node in self.nodes}, key=SECTIONS.index):
            told += [("", None, ""), (f"{section}:", None, "")]
            for at, node in enumerate(each for each in self.nodes if each.section == section):
                told += [("", None, "")] if at else []
                told += _aligned(node)
        return told


def _fields(told: Mapping[str, Any], path: str, indent: int) -> Iterator[tuple[str, str, str]]:
    """Each line with its comment and the path of its field."""
    pad = " " * indent
    for name, inner in told.items():
        if isinstance(inner, Entry):
            yield f"{pad}{_key(name)}: {flow(inner.value)}", " ".join(inner.note.split()), f"{path}{name}"
        else:
            yield f"{pad}{_key(name)}:", "", f"{path}{name}"
            yield from _fields(inner, f"{path}{name}.", indent + 2)


def _aligned(node: Node) -> list[tuple[str, Node | None, str]]:
    """The lines of a node; comments stand below each other."""
    lines = [(f"  {node.name}:", "", ""), *_fields(node.nested(), "", 4)]
    column = max((len(line) for line, note, _ in lines if note and len(line) <= _WIDEST), default=0)
    return [(f"{line.ljust(column)}  # {note}" if note else line, node, path) for line, note, path in lines]


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
