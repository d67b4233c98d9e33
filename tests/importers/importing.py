"""Imports in tests: a text is read as a file of a tool, and asked what became of it."""

from __future__ import annotations

from dataclasses import dataclass
from textwrap import dedent

from zyc.importers import Asked, Imported, read
from zyc.importers.given import Fate, Row
from zyc.source import parse


@dataclass
class Told:
    """What a file became."""

    made: Imported

    def row(self, key: str) -> Row:
        """The row of a key."""
        found = [row for row in self.made.rows if row.key == key]
        assert len(found) == 1, (key, [row.key for row in self.made.rows])
        return found[0]

    def __getitem__(self, path: str):
        """The value of a field, as the spec has it: `finetunes.run.train.batch`."""
        root = parse(self.made.text.encode(), "imported.yml").root
        assert root is not None, self.made.text
        inner = root
        for part in path.split("."):
            inner = inner[part]
        return inner

    def __contains__(self, path: str) -> bool:
        """Whether the spec has a field."""
        try:
            self[path]
        except KeyError:
            return False
        return True

    @property
    def refused(self) -> dict[str, str]:
        """What is refused, and why."""
        return {row.key: row.why for row in self.made.rows if row.fate is Fate.REFUSED}

    @property
    def becomes(self) -> dict[str, str]:
        """What is mapped, and to which field."""
        return {row.key: row.becomes for row in self.made.rows if row.fate is Fate.BECOMES}

    @property
    def without_effect(self) -> dict[str, str]:
        """What has no effect, and why."""
        return {row.key: row.why for row in self.made.rows if row.fate is Fate.NOTHING}


def told(text, tool="", *, gpus=None, steps=0, template="", files=None):
    """Read a file; `files` are the texts of those beside it."""
    there = {name: inner.encode() for name, inner in (files or {}).items()}
    asked = Asked("run", gpus, steps, template, there.get)
    return Told(read(dedent(text).encode(), "run.yml", tool=tool, asked=asked))


def one_key(key, tool, value="1"):
    """The text of a file that says nothing but this key."""
    if tool == "ollama":
        word, _, rest = key.partition(".")
        return {"message[]": f"MESSAGE user {value}", "parameter": f"PARAMETER {rest} {value}"}.get(
            word, f"{word.upper()} {value}"
        )
    text = value
    for part in reversed(key.split(".")):
        text = f"{{{part.removesuffix('[]')}: {'[' + text + ']' if part.endswith('[]') else text}}}"
    return text
