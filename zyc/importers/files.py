"""The files that are not one YAML mapping: several documents in one file, and Ollama's own form."""

from __future__ import annotations

import re

from zyc.importers import modelfile
from zyc.source import Map, Scalar, Seq
from zyc.source.foreign import Foreign, read_foreign

_LINE = re.compile(rb"^---[ \t]*(?:#.*)?\r?$", re.MULTILINE)
_FROM = re.compile(rb"\A(?:\s|#[^\n]*\n)*FROM[ \t]+\S", re.IGNORECASE)


def foreign_of(text: bytes, file: str, tool: str = "") -> Foreign:
    """A file of another tool, whatever its form."""
    if tool == "ollama" or (not tool and _FROM.match(text)):
        return modelfile.parse(text, file)
    documents = _documents(text) if tool == "mergekit" or (not tool and b"merge_method" in text) else []
    if len(documents) < 2:
        return read_foreign(text, file)
    read = [read_foreign(each, file) for each in documents]
    root, every = Map(), Seq(each.root for each in read)
    root.line = root.column = every.line = every.column = 1
    root.width = every.width = 1
    root[Scalar.at("documents", 1, 1, 1)] = every
    replaced = tuple(name for each in read for name in each.replaced)
    return Foreign(file, root, replaced, frozenset().union(*(each.repeated for each in read)))


def _documents(text: bytes) -> list[bytes]:
    """Each document behind as many empty lines as stand before it, so that places stay right."""
    told, start = [], 0
    for found in [*_LINE.finditer(text), None]:
        part = text[start : found.start() if found else len(text)]
        if any(line.strip() and not line.strip().startswith(b"#") for line in part.splitlines()):
            told.append(b"\n" * text.count(b"\n", 0, start) + part)
        start = found.end() if found else len(text)
    return told
