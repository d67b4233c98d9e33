"""Step folders: what is rendered is what runs; the same folder by hand, by a build, or on another machine."""

from __future__ import annotations

import json
import math
import os
import posixpath
from collections.abc import Iterable, Mapping
from pathlib import Path

from zyc import kinds
from zyc.errors import ZycError, problem
from zyc.graph import Node
from zyc.kind import FileNeed
from zyc.planning.files import glob_root
from zyc.planning.known import Known
from zyc.planning.render import Rendered
from zyc.quantity import in_bytes
from zyc.world import World


def write_files(world: World, folder: Path, rendered: Rendered) -> None:
    """The files of a step; those of a former attempt are gone."""
    for part in ("recipe", "harness", "placement"):
        world.remove_tree(folder / part)
    for name, text in rendered.files().items():
        path = folder / name
        world.make_folder(path.parent)
        world.write(path, text)


def user_files(node: Node, known: Known) -> Iterable[tuple[str, str]]:
    """The user's own inputs: place below `in/`, path from the project's root; a glob is a folder of links."""
    kind = kinds.load(node.kind)
    for need in node.shape.needs:
        if not isinstance(need, FileNeed) or need.text:
            continue
        place = kind.place(need.field)
        if any(char in need.path for char in "*?["):
            root = glob_root(need.path)
            for name, _ in known.files[need.path].files:
                yield f"{place}/{posixpath.relpath(name, root)}", name
        else:
            yield place, need.path


def link_file(world: World, link: Path, target: Path) -> None:
    """One relative link to a file or folder of the user's: nothing is copied or moved."""
    world.make_folder(link.parent)
    world.symlink(link, target=os.path.relpath(world.real(target), world.real(link.parent)))


_LOOKED_INTO = 64_000_000  # bytes: what is larger is a model, no note of a token


def holds_secret(world: World, folder: Path, secrets: Iterable[str]) -> str:
    """The words for a file of the result in which a secret stands as it is, if any."""
    wanted = [each.encode("utf-8", "surrogateescape") for each in secrets if len(each) >= 8]  # `abc` stands in every text
    files = [(f"out/{name}", seen) for name, seen in world.walk(folder / "out")] if wanted else []
    for name, seen in [*files, ("measures.json", world.stat(folder / "measures.json"))]:
        if wanted and seen is not None and seen.kind == "file" and seen.size <= _LOOKED_INTO:
            text = world.read(folder / name)
            if any(each in os.fsencode(name) for each in wanted):
                return "the name of a file in out/"
            if any(each in text for each in wanted):
                return f"`{name}`"
    return ""


_LONGEST_MEASURES = 4_000_000  # bytes: each plan reads all numbers of all nodes


def read_measures(world: World, folder: Path) -> Mapping[str, float]:
    """What the step measured: a flat mapping of names to numbers, or of groups of them."""
    path = folder / "measures.json"
    seen = world.stat(path)
    if seen is None:
        return {}
    if seen.kind != "file":
        raise ZycError(problem("bad-measures", reason="it is no file"))
    if seen.size > _LONGEST_MEASURES:
        raise ZycError(
            problem("bad-measures", reason=f"it has {in_bytes(seen.size)}; {in_bytes(_LONGEST_MEASURES)} are the most")
        )
    try:
        told = json.loads(world.read(path))
        measures: dict[str, float] = {}
        _flatten("", told, measures)
    except (ValueError, RecursionError) as error:
        raise ZycError(problem("bad-measures", reason=f"it is not JSON ({error})")) from None
    return measures


def _flatten(path: str, value: object, measures: dict[str, float]) -> None:
    if isinstance(value, dict):
        for name, each in value.items():
            _flatten(f"{path}.{name}" if path else str(name), each, measures)
    elif isinstance(value, int | float) and path:
        if path in measures:
            raise ZycError(problem("bad-measures", reason=f"`{path}` is given twice"))
        measures[path] = _number(value)
    else:
        raise ZycError(problem("bad-measures", reason=f"`{path or 'the whole'}` is not a number"))


def _number(value: float) -> float:
    """A bool is a number here: `parity: true` can be gated as 1; what is too large for one is none."""
    try:
        number = float(value)
    except OverflowError:
        return math.nan
    return number if math.isfinite(number) else math.nan
