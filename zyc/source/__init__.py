"""YAML text -> values with spans; nothing in the text is executed, unbounded or silently dropped."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import cast

from zyc.errors import Problem, ZycError
from zyc.source.reading import MOST_BYTES, MOST_LEVELS, MOST_PROBLEMS, MOST_REPEATED, MOST_VALUES, Reading
from zyc.source.values import Map, Scalar, SecretName, Seq, Value, is_null, place

__all__ = [
    "MOST_BYTES",
    "MOST_LEVELS",
    "MOST_PROBLEMS",
    "MOST_REPEATED",
    "MOST_VALUES",
    "Document",
    "Map",
    "Scalar",
    "SecretName",
    "Seq",
    "Value",
    "is_null",
    "parse",
    "parse_value",
    "place",
]


@dataclass(frozen=True, slots=True)
class Document:
    """One spec as YAML; `root` is None when it has problems or holds nothing."""

    file: str
    root: Map | None
    problems: tuple[Problem, ...] = ()
    digests: Mapping[str, Mapping[str, str]] = field(default_factory=dict, repr=False)  # section -> node name -> digest

    def node_digest(self, section: str, name: str) -> str:
        """A digest of one node's text: nodes of equal digests have equal values, in whatever file and line they stand."""
        return self.digests[section][name]


def parse(text: bytes, file: str) -> Document:
    """Read a spec; whatever the bytes are, what is wrong with them comes back as problems."""
    reading = Reading(file)
    root = reading.read(text)
    if isinstance(root, Map):
        return Document(file, root, (), _digests(root, reading))
    if root is not None and not is_null(root):
        found = "a list" if isinstance(root, Seq) else "text"
        reading.report("not-a-mapping", place(root, file), what="a mapping of sections", found=found, help="start with `zyc: 1`")
    return Document(file, None, tuple(reading.problems))


def parse_value(text: str, file: str) -> Value:
    """Read the VALUE of `--set a.b=VALUE`: one scalar, `[...]` or `{...}`; raises ZycError when it is anything else."""
    reading = Reading(file)
    root = reading.read(text.encode("utf-8", "surrogatepass"))
    if reading.problems:
        raise ZycError(reading.problems)
    root = Scalar.at("", 1, 1, 1) if root is None else root
    written = reading.text[reading.offset(root) : reading.end].strip()
    if not isinstance(root, Scalar) and written[:1] not in {"[", "{"}:
        form = "`{a: b}`" if isinstance(root, Map) else "`[a, b]`"
        reading.complain(place(root, file), "a value by itself cannot be in block style", f"write {form}, or quote the text")
    elif written != reading.text.strip():
        reading.complain(reading.line(0), "a part of this is a comment or a marker", "quote the text")
    else:
        return root
    raise ZycError(reading.problems)


def _digests(root: Map, reading: Reading) -> dict[str, dict[str, str]]:
    """Of each node, the digest of its text from its name to the next name, and of what that text leaves open."""
    text = reading.text

    whole = _digest(text) if reading.anchored else ""

    def texts(section: str, nodes: Map, last: int) -> Iterator[str]:
        if whole:  # an alias may bring a value from anywhere in the file
            return (f"{whole} {(section, name)!r}" for name in nodes)
        names = [cast("Scalar", name) for name in nodes]
        begins = [*map(reading.offset, names), last]
        flow = text.startswith("{", reading.offset(nodes))
        # the column is what indented text is read by; that it stands within brackets is not seen from inside
        return (f"{flow} {name.column} {name!r} {text[begins[i] : begins[i + 1]]}" for i, name in enumerate(names))

    begins = [*(reading.offset(cast("Scalar", name)) for name in root), len(text)]
    return {
        section: dict(zip(nodes, map(_digest, texts(section, nodes, begins[i + 1])), strict=True))
        for i, (section, nodes) in enumerate(root.items())
        if isinstance(nodes, Map)
    }


def _digest(text: str) -> str:
    return blake2b(text.encode(), digest_size=16).hexdigest()
