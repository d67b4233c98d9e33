"""One import at work: keys of the source here, fields of nodes there, and each step from one to the other on record."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from zyc.importers import values
from zyc.importers.draft import Draft, Node
from zyc.importers.given import Given, Leaf
from zyc.importers.values import Plain, Wrong
from zyc.source import Value

T = TypeVar("T")
_CUT = re.compile(r"(\w+)\[:(\d+)\]")
_SLICE = re.compile(r"[\[\]+%]")


@dataclass(frozen=True, slots=True)
class Asked:
    """What a person says beside the file."""

    name: str = "imported"  # of the node and the spec
    gpus: int | None = None  # that it was meant for
    steps: int = 0  # that it runs, where the file leaves that to the rows
    template: str = ""  # of chats, for a model that has none or another one
    beside: Callable[[str], bytes | None] = lambda _: None  # a file of theirs, by its path from the source's folder
    placed: Callable[[str], str] = str  # a path of theirs as one from the project's root
    taken: frozenset[str] = frozenset()  # names that nodes of the project have already


@dataclass
class Work:
    """What a reader works with."""

    given: Given
    draft: Draft
    asked: Asked = field(default_factory=Asked)
    gpus: int | None = None  # that the file was meant for, once that is known
    sources: dict[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)  # (node, field) -> the keys that it is made of

    @property
    def tool(self) -> str:
        """The name of the other tool."""
        return self.given.tool

    def start(self, section: str, name: str = "") -> Node:
        """The node that the settings are about."""
        self.draft.main = self.draft.node(section, name or self.asked.name)
        return self.draft.main

    def put(self, node: Node, path: str, value: object, *keys: str, why: str = "") -> bool:
        """Set a field, from these keys; where none of them is given, it is the tool's default."""
        there = [key for key in keys if key in self.given]
        if node.lacks(path):
            for key in there:
                self.given.refuse(key, f"{_a(node)} has no field `{path}` here", "remove it, or use a zyc that has it")
            return False
        note = ", ".join(there) or why or f"{self.tool}'s default"
        node.put(path, value, note)
        self.sources[node.name, path] = tuple(there)
        for key in there:
            self.given.becomes(key, self.named(node, path), why)
        return True

    def move(self, node: Node, path: str, key: str, how: Callable[[Value], object] = values.plainly, why: str = "") -> bool:
        """One key becomes one field by a conversion, if it is given."""
        value = self.given.value(key)
        if value is None:
            return False
        try:
            return self.put(node, path, how(value), key, why=why)
        except Wrong as error:
            self.given.refuse(key, f"expected {error.what}", error.do or f"correct it as {self.tool} has it")
            return False

    def put_hub(
        self, node: Node, name: str, key: str, *, subset: str = "", part: str = "", keys: tuple[str, str] = ("", "")
    ) -> None:
        """A dataset of the hub; `keys` are those of its configuration and its split, where they are not the same one."""
        self.put(node, "hub", name, key)
        if subset:
            self.put(node, "subset", subset, keys[0] or key)
        by = keys[1] or key
        cut = _CUT.fullmatch(part)
        if cut is not None:
            part = cut[1]
            self.put(node, "cap", Plain(cut[2]), by, why="as many rows, chosen by a seed and not the first ones")
        elif _SLICE.search(part):
            self.given.refuse(by, "only a part of the rows would be read", "say how many: `train[:5000]`")
        if part and part != "train":
            self.put(node, "part", part, by)
        elif part and keys[1] and cut is None:
            self.given.becomes(keys[1], self.named(node, "part"), "the one that is taken anyway")

    def put_files(self, node: Node, paths: list[str], key: str, *keys: str) -> None:
        """Files of the project, which theirs name from where they run it."""
        if any(each.startswith(("/", "~")) or ".." in each.split("/") for each in paths):
            self.given.refuse(key, "a path must stay below the project's root", "copy or link the file there")
            return
        told = [self.asked.placed(each.removeprefix("./")) for each in paths]
        self.put(node, "from", told[0] if len(told) == 1 else told, key, *keys)

    def put_column(self, node: Node, ours: str, theirs: str, *keys: str) -> None:
        """A column under another name than the format's; one that is called so needs no word."""
        if theirs and theirs != ours:
            self.put(node, f"map.{ours}", theirs, *keys)
            return
        for key in keys:
            self.given.becomes(key, self.named(node, "format"), "it is called so")

    def mix(self, node: Node, made: list[Node], key: str) -> None:
        """The field `data` of the main node: the one dataset, or all of them together."""
        if len(made) == 1:
            self.put(node, "data", Plain(made[0].name), key)
        elif made:
            mixed = self.draft.node("datasets", f"{node.name}-data")
            self.put(mixed, "from", [Plain(each.name) for each in made], key)
            self.put(node, "data", Plain(mixed.name), key)

    def named(self, node: Node, path: str) -> str:
        """A field as the table tells it: of the main node by its path alone."""
        return path if node is self.draft.main else f"{node.name}.{path}"

    def settle(self, leaf: Leaf) -> None:
        """A key that its rule gives a field of the main node."""
        assert leaf.rule is not None
        assert self.draft.main is not None
        self.move(self.draft.main, self.fitting(self.draft.main, leaf.rule.field), leaf.path, leaf.rule.read, leaf.rule.why)

    @staticmethod
    def fitting(node: Node, path: str) -> str:
        """The path of a field of training, which a pretraining has in no group of its own."""
        return path.removeprefix("train.") if node.section == "pretrains" else path


def _a(node: Node) -> str:
    word = node.section.removesuffix("s")
    return f"an {word}" if word[:1] in "aeiou" else f"a {word}"
