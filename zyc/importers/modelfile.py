"""Ollama's Modelfile as values with places: instructions, some of them with a name, and texts in three quotes."""

from __future__ import annotations

import re
from typing import TypeVar

from zyc.errors import Span, ZycError, problem
from zyc.source import Map, Scalar, Seq
from zyc.source.foreign import Foreign

V = TypeVar("V", Scalar, Seq, Map)
_INSTRUCTION = re.compile(r"([A-Za-z_]+)(?:[ \t]+(.*))?")
_NAMED = ("parameter", "message")  # what has a name before its value


def parse(text: bytes, file: str) -> Foreign:
    """The instructions as keys; `PARAMETER stop` that is there twice is a list, messages are one, too."""
    try:
        lines = text.decode("utf-8").replace("\r\n", "\n").split("\n")
    except UnicodeDecodeError:
        raise ZycError(problem("input-not-text", Span(file), path=file, owner="the file", field="FILE")) from None
    root = _at(Map(), 1)
    at = 0
    while at < len(lines):
        line, number = lines[at].strip(), at + 1
        at += 1
        if not line or line.startswith("#"):
            continue
        found = _INSTRUCTION.fullmatch(line)
        word, rest = (found[1], found[2] or "") if found else (line.split()[0], line)
        name, rest = word.lower(), rest.strip()
        inner = ""
        if name in _NAMED:
            inner, _, rest = rest.partition(" ")
            rest = rest.strip()
        if rest.startswith('"""'):
            rest = rest[3:]
            while '"""' not in rest and at < len(lines):
                rest, at = f"{rest}\n{lines[at]}", at + 1
            rest = rest.partition('"""')[0]
        elif len(rest) > 1 and rest[0] == rest[-1] == '"':
            rest = rest[1:-1]
        _put(root, name, inner, Scalar.at(rest, number, 1, max(1, len(line))), number)
    return Foreign(file, root)


def _put(root: Map, name: str, inner: str, value: Scalar, number: int) -> None:
    key = Scalar.at(name, number, 1, len(name))
    if name == "message":
        row = _at(Map(), number)
        row[Scalar.at("role", number, 1, len(name))] = value.like(inner)
        row[Scalar.at("content", number, 1, len(name))] = value
        root.setdefault(key, _at(Seq(), number))
        messages = root[name]
        assert isinstance(messages, Seq)
        messages.append(row)
        return
    holder: Map = root
    if name == "parameter":
        group = root.setdefault(key, _at(Map(), number))
        assert isinstance(group, Map)
        holder, key = group, Scalar.at(inner, number, 1, len(name))
    before = holder.get(key)
    if before is None:
        holder[key] = value
    else:
        several = before if isinstance(before, Seq) else _at(Seq([before]), number)
        several.append(value)
        holder[key] = several


def _at(value: V, number: int) -> V:
    value.line, value.column, value.width = number, 1, 1
    return value
