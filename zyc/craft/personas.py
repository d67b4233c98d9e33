"""Prompts that stand before questions: how a spec names them, by which label, and what finds passages for them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

from pydantic import BeforeValidator

from zyc import fields
from zyc.kind import Fields
from zyc.types import Artifact, Prompt


class Persona(Fields):
    """One prompt that questions are asked under."""

    node: fields.Ref[Prompt]
    """The prompt."""
    label: fields.Text = ""
    """What rows and measures call it."""


def read_prompts(value: object) -> object:
    """`[spinoza, kant]`, or `{kant: NODE}` under labels of their own; a single prompt needs no label."""
    if isinstance(value, dict) and list(value) != ["select"]:
        return [{"node": node, "label": label} for label, node in value.items()]
    given = value if isinstance(value, list | tuple) else [value]
    named = len(given) > 1
    return [each if _is_persona(each) else {"node": each, "label": _label(each) if named else ""} for each in given]


def _is_persona(value: object) -> bool:
    return isinstance(value, Persona) or (isinstance(value, dict) and "node" in value)


def _label(value: object) -> str:
    return str(value) if isinstance(value, str) else ""


Personas = Annotated[tuple[Persona, ...], BeforeValidator(read_prompts)]


def looks_up(prompts: Iterable[tuple[str, Artifact]]) -> str:
    """What finds passages for these prompts: a model where one of them has one, `hashing`, or nothing."""
    found = {each.looks_up for _, each in prompts if isinstance(each, Prompt)}
    return "model" if found & {"model", None} else "hashing" if "hashing" in found else ""


def unread(finds: str) -> frozenset[str]:
    """The shared modules that nobody needs who looks nothing up."""
    return frozenset() if finds else frozenset({"embedding.py", "retrieving.py"})
