"""The last build of a project: what was asked, and what became of it; enough to go on with what is left."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from zyc.front import Call
from zyc.place.project import Project
from zyc.world import World

_FILE = "last-build.json"


@dataclass(frozen=True, slots=True)
class Past:
    """What was asked, and which of it did not come to its end."""

    call: Call
    undone: tuple[str, ...] = ()
    over: bool = False  # else it runs still, or was killed


def _path(project: Project) -> Path:
    return project.artifacts / _FILE


def begin(world: World, project: Project, call: Call, nodes: Iterable[str]) -> Past:
    """A build starts: until it is over, all that it was about is undone."""
    past = Past(call, tuple(nodes))
    _write(world, project, past)
    return past


def end(world: World, project: Project, past: Past, undone: Iterable[str]) -> None:
    """A build is over."""
    _write(world, project, replace(past, undone=tuple(undone), over=True))


def _write(world: World, project: Project, past: Past) -> None:
    world.make_folder(project.artifacts)
    world.write(_path(project), TypeAdapter(Past).dump_json(past, indent=1))


def last(world: World, project: Project) -> Past | None:
    """The last build; nothing when there was none, or its record is torn."""
    try:
        return TypeAdapter(Past).validate_json(world.read(_path(project)))
    except (OSError, ValidationError):
        return None
