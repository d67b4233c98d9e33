"""zyc.lock: what can move, pinned; pins are added when they are missing and moved only on request."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from zyc.compile.outline import merge_marks
from zyc.errors import Span, ZycError, problem
from zyc.source import Map, Scalar, parse

FILE = "zyc.lock"
_HEAD = "# What can move, pinned. zyc adds to it and moves nothing unasked: commit it.\nzyc-lock: 1\npins:"


@dataclass(frozen=True, slots=True)
class Lock:
    """The pins of a project: `tool:pandoc` -> `3.1`."""

    pins: Mapping[str, str] = field(default_factory=dict)

    def text(self) -> str:
        """The file: one pin a line, sorted, so that two branches merge."""
        lines = [f"  {json.dumps(name)}: {json.dumps(version)}" for name, version in sorted(self.pins.items())]
        return "\n".join([_HEAD + ("" if lines else " {}"), *lines]) + "\n"


def read(text: bytes) -> Lock:
    """The pins of a file."""
    document = parse(text, FILE)
    if document.problems:
        raise ZycError(merge_marks(text, FILE) or document.problems)
    root = document.root
    pins = root.get("pins") if root is not None else None
    if (
        root is None
        or root.get("zyc-lock") != "1"
        or not isinstance(pins, Map)
        or not all(isinstance(each, Scalar) for each in pins.values())
    ):
        raise ZycError(problem("bad-lock", Span(FILE), file=FILE, reason="it is not `zyc-lock: 1` with `pins`"))
    return Lock({str(name): str(version) for name, version in pins.items()})
