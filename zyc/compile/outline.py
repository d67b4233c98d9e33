"""One spec file -> its header and the nodes that it declares, each with the digest of its text."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from typing import Any, NamedTuple, cast

from zyc import kinds
from zyc.errors import Problem, Span, guess, listing, problem
from zyc.fields import NAME, describe, is_null
from zyc.graph import Header
from zyc.source import Document, Map, Scalar, Seq, Value, parse

SECTIONS = (
    "models", "tokenizers", "datasets", "prompts", "pretrains", "finetunes", "alignments", "distillations", "merges",
    "quants", "evals", "tables", "indexes", "deployments", "releases", "steps",
)  # fmt: skip
USES = ("commercial", "research", "personal")
LONGEST = 100  # characters of a name
_TOP = ("zyc", "about", "use", "vars")
_EXPANDED = re.compile(r"(?<!\$)\$\((?:vars|env|matrix|search)\.")


class Entry(NamedTuple):
    """A node as a file declares it."""

    section: str
    name: str
    line: int
    column: int
    digest: str  # of its text; two entries with the same digest say the same
    plain: bool  # without `$(...)`, matrix or search: what its text says is what it is


class Outline(NamedTuple):
    """What a file declares, in order."""

    about: str
    use: str
    use_at: tuple[int, int, int]  # line, column, width
    vars: tuple[tuple[str, str, int, int], ...]  # name, text, line, column
    entries: tuple[Entry, ...]


@dataclass(frozen=True)
class Source:
    """A spec file: its text, and what it says once somebody asks."""

    file: str
    text: bytes
    refused: Problem | None = None  # why it could not be read

    @cached_property
    def digest(self) -> str:
        """Of the text and the place: what an outline depends on."""
        return blake2b(self.text, digest_size=16).hexdigest()

    @cached_property
    def document(self) -> Document:
        """The values, with their spans."""
        if self.refused is not None:
            return Document(self.file, None, (self.refused,))
        return parse(self.text, self.file)

    def forget(self) -> None:
        """Let the values go, once its nodes are read: whoever asks again has the text read again."""
        vars(self).pop("document", None)

    def value(self, section: str, name: str) -> Value:
        """What the file says of one node."""
        root = self.document.root
        section_map = root.get(section) if root is not None else None
        assert isinstance(section_map, Map)
        return section_map[name]


def span_of(value: Value, file: str) -> Span:
    """The place of a value."""
    return Span(file, value.line, value.column, value.width)


def key_of(mapping: Map, name: str) -> Scalar:
    """The key itself, which knows its place."""
    found: Any = next(key for key in mapping if key == name)
    return cast("Scalar", found)


def header_of(source: Source, outline: Outline) -> Header:
    """What the file says of all its nodes."""
    spans = [(f"vars.{name}", Span(source.file, line, column, len(name))) for name, _, line, column in outline.vars]
    if outline.use:
        spans.append(("use", Span(source.file, *outline.use_at)))
    return Header(source.file, outline.about, outline.use, tuple((name, text) for name, text, *_ in outline.vars), tuple(spans))


def outline(source: Source) -> tuple[Outline | None, list[Problem]]:
    """The declarations of a file, and everything that is wrong with its upper two levels."""
    document, problems = source.document, list(source.document.problems)
    root = document.root
    if root is None:
        if not problems:
            problems.append(problem("not-a-spec", Span(source.file), file=source.file))
        return None, merge_marks(source.text, source.file) or problems
    problems += _wrong_version(root, source.file)
    about, use = root.get("about"), root.get("use")
    for key, value in (("about", about), ("use", use)):
        if value is not None and not (isinstance(value, Scalar) and not is_null(value)):
            problems.append(_not(f"a text after `{key}`", value, source.file))
    if isinstance(use, Scalar) and not is_null(use) and use not in USES:
        problems.append(
            problem("unknown-use", span_of(use, source.file), found=str(use), hint=guess(use, USES, listed="it can be"))
        )
    entries: list[Entry] = []
    for key in root:
        if key not in _TOP:
            entries += _section(source, root, key, problems)
    told = Outline(
        str(about) if isinstance(about, Scalar) else "",
        str(use) if isinstance(use, Scalar) and use in USES else "",
        (use.line, use.column, use.width) if isinstance(use, Scalar) else (0, 0, 0),
        tuple(_vars(root, source.file, problems)),
        tuple(entries),
    )
    return told, problems


_MARKS = re.compile(rb"^(?:<{7}|>{7})(?=[ \r\n])", re.MULTILINE)


def merge_marks(text: bytes, file: str) -> list[Problem]:
    """The first mark that a merge left in a file, which explains whatever else is wrong with it."""
    found = _MARKS.search(text)
    return [problem("merge-marks", Span(file, text.count(b"\n", 0, found.start()) + 1, 1, 7))] if found else []


def _wrong_version(root: Map, file: str) -> Iterable[Problem]:
    version = root.get("zyc")
    if version is None:
        yield problem("not-a-spec", Span(file), file=file)
    elif version != "1":
        found = "nothing" if is_null(version) else str(version) if isinstance(version, Scalar) else describe(version)
        yield problem("unknown-version", span_of(version, file), found=found)


def _not(what: str, value: Value, file: str, help_: str = "") -> Problem:
    return problem("not-a-mapping", span_of(value, file), what=what, found=describe(value), help=help_)


def _vars(root: Map, file: str, problems: list[Problem]) -> Iterator[tuple[str, str, int, int]]:
    values = root.get("vars")
    if values is None or is_null(values):
        return
    if not isinstance(values, Map):
        problems.append(_not("names and values below `vars`", values, file, "write `vars: {epochs: 3}`"))
        return
    seen: dict[str, Span] = {}
    for name, value in values.items():
        key: Any = name
        at, variable = span_of(key, file), key.upper().replace("-", "_")
        if NAME.fullmatch(key) is None or len(key) > LONGEST:
            problems.append(_bad_name(key, file, "a var"))
        elif variable in seen:
            facts = {"one": _text_at(seen[variable], values), "two": str(key), "variable": f"ZYC_VARS_{variable}"}
            problems.append(problem("vars-collide", at, seen[variable], **facts))
        else:
            seen[variable] = at
            text = plain_text(value)
            if _EXPANDED.search(text):
                problems.append(problem("var-of-vars", span_of(value, file), name=str(key)))
            yield str(key), text, key.line, key.column


def _text_at(span: Span, values: Map) -> str:
    return next(str(key) for key in values if (key.line, key.column) == (span.line, span.column))  # type: ignore[attr-defined]


def _bad_name(name: Scalar, file: str, what: str) -> Problem:
    """A word that names nothing, and the nearest one that could."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    close = re.sub(r"[^a-z0-9_-]+", "-", plain).strip("-_")
    hint = f"write `{close}`: " if close and close != name and len(close) <= LONGEST else ""
    return problem("bad-name", span_of(name, file), name=str(name), what=what, hint=hint, limit=LONGEST)


def plain_text(value: Value) -> str:
    """A value on one line, as a step sees it in a variable."""
    if isinstance(value, Map):
        return "{" + ", ".join(f"{key}: {plain_text(each)}" for key, each in value.items()) + "}"
    if isinstance(value, Seq):
        return "[" + ", ".join(plain_text(each) for each in value) + "]"
    return str(value)


def known_sections() -> list[str]:
    """The section words that this version can read."""
    return [each for each in SECTIONS if kinds.section_stem(each)] + [
        each for each in (kinds.section_of(stem) for stem in kinds.stems()) if each not in SECTIONS and kinds.of_section(each)
    ]


def _section(source: Source, root: Map, key: Any, problems: list[Problem]) -> Iterator[Entry]:
    file, value = source.file, root[key]
    if kinds.of_section(key) is None:
        if key in SECTIONS:
            told = problem("later-section", span_of(key, file), section=str(key))
        else:
            here = known_sections()
            hint = guess(key, [*SECTIONS, *here, *_TOP], otherwise=listing(here, "the sections are"))
            told = problem("unknown-section", span_of(key, file), section=str(key), hint=hint)
        problems.append(told)
        return
    if is_null(value):
        return
    if not isinstance(value, Map):
        problems.append(_not(f"names and nodes below `{key}`", value, file, f"write `{key}: {{my-name: {{...}}}}`"))
        return
    dollars = b"$(" in source.text
    for name, node in value.items():
        if NAME.fullmatch(name) is None or len(name) > LONGEST:
            problems.append(_bad_name(name, file, "a node"))  # type: ignore[arg-type]
            continue
        many = isinstance(node, Map) and ("matrix" in node or "search" in node)
        plain = not many and not (dollars and _has_dollar(node))
        digest = source.document.node_digest(key, name)
        yield Entry(str(key), str(name), name.line, name.column, digest, plain)  # type: ignore[attr-defined]


def _has_dollar(value: Value) -> bool:
    waiting: list[Value] = [value]
    while waiting:
        here = waiting.pop()
        if isinstance(here, Scalar):
            if "$(" in here:
                return True
        else:
            waiting += [*here, *here.values()] if isinstance(here, Map) else here
    return False
