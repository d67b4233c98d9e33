"""Manifest -> key, and manifest against manifest -> why: one walk for both."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import Any, NamedTuple

from zyc.graph import Shape
from zyc.keeping.traces import digest_of as key_of
from zyc.kind import Case, EnvironmentNeed, FileNeed, HubNeed, Kind, PinNeed

__all__ = ["Change", "Line", "Manifest", "changes", "field_texts", "key_of", "of_text", "own_lines"]

Line = tuple[str, str]
Manifest = tuple[Line, ...]


def of_text(text: str | bytes) -> str:
    """The sha256 of a text."""
    return sha256(text.encode() if isinstance(text, str) else text).hexdigest()


def own_lines(
    kind: Kind[Any],
    shape: Shape,
    case: Case[Any],
    recipe: Mapping[str, str],
    environment: Mapping[str, str],
    own: Mapping[str, str],
) -> Manifest:
    """What a node says by itself, all but its inputs; `own` are templates of the project beside the recipe."""
    lines: list[Line] = [("kind", f"{kind.name} {kind.revision}")]
    lines += [(f"recipe/{name}", of_text(text)) for name, text in sorted(recipe.items())]
    for need in shape.needs:
        if isinstance(need, FileNeed) and not need.text:
            lines.append((f"in/{kind.place(need.field)}", case.files[need.path].digest))
        elif isinstance(need, EnvironmentNeed):
            lines.append(
                (f"secret/{need.name}", "by name") if need.secret else (f"env/{need.name}", environment.get(need.name, ""))
            )
        elif isinstance(need, PinNeed):
            lines.append((f"pin/{need.name}", case.pins.get(need.name, "")))
        elif isinstance(need, HubNeed):
            # a branch or tag may be moved to the same commit: only what is fetched counts
            lines.append((need.name.rpartition("@")[0], case.hubs[need.name].commit))
    lines += [(f"templates/{path}", of_text(text)) for path, text in sorted(own.items())]
    if case.twin:
        lines.append(("twin", "yes"))
    return (lines[0], *sorted(lines[1:]))


class Change(NamedTuple):
    """One line of a manifest that moved."""

    label: str
    before: str  # empty when the line is new
    after: str  # empty when the line is gone


def changes(before: Iterable[Line], after: Iterable[Line]) -> tuple[Change, ...]:
    """Every line that moved, in the order of the manifest; nothing exactly when the keys are equal."""
    old, new = dict(before), dict(after)
    labels = [*new, *(label for label in old if label not in new)]
    return tuple(Change(label, old.get(label, ""), new.get(label, "")) for label in labels if old.get(label) != new.get(label))


def field_texts(value: Any, path: str = "") -> dict[str, str]:
    """Every field of a spec as `lora.rank` -> `64`, for people who ask why; long texts are shortened."""
    if isinstance(value, Mapping):
        told: dict[str, str] = {}
        for name, each in value.items():
            told |= field_texts(each, f"{path}.{name}" if path else str(name))
        return told
    if isinstance(value, list | tuple):
        if value and all(isinstance(each, Mapping) for each in value):
            return {name: text for at, each in enumerate(value) for name, text in field_texts(each, f"{path}.{at}").items()}
        return {path: "[" + ", ".join(str(each) for each in value) + "]"} if value else {}
    return {} if value is None or value == "" else {path: str(value)}
