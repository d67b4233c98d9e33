"""What a build hands to an attempt, and what it gets back."""

from __future__ import annotations

import platform
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from zyc import __version__
from zyc.graph import Node
from zyc.hosts import Host
from zyc.keeping.store import Store
from zyc.keeping.traces import Trace, Traces
from zyc.kept import Kept
from zyc.place.project import Project
from zyc.planning.digest import Manifest
from zyc.planning.known import Known
from zyc.planning.render import Rendered
from zyc.runner.fates import Event, Fate
from zyc.runner.schedule import Share
from zyc.world import World


@dataclass(frozen=True, slots=True)
class Task:
    """Everything that is decided of a step before it starts."""

    node: Node
    key: str
    manifest: Manifest
    rendered: Rendered
    inputs: Mapping[str, str]  # place below in/ -> tree
    lineage: Mapping[str, tuple[str, str]]
    givers: Mapping[str, str]  # tree that the step can read -> the node that gave it
    goes_on: bool  # a state that is there is this step's own, and can be gone on from
    share: Share
    limit: float | None = None  # seconds
    predicted: Mapping[str, float] = field(default_factory=dict)  # what was thought of it before
    device: str = ""  # on which it runs, as lessons tell them apart
    lighter: tuple[str, ...] = ()  # changes of its spec that take less memory, in words


@dataclass(frozen=True, slots=True)
class Result:
    """How an attempt ended."""

    fate: Fate  # ran, resumed, kept (somebody else made it), failed, interrupted
    trace: Trace | None = None
    reason: str = ""
    seconds: float = 0.0
    log: str = ""
    fetched: int = 0  # bytes that a remote gave


@dataclass(frozen=True, slots=True)
class Bench:
    """What every attempt of a build works with."""

    world: World
    project: Project
    store: Store
    traces: Traces
    known: Known
    kept: Kept
    host: Host
    say: Callable[[Event], None]
    held: tuple[int, ...] = ()  # descriptors that a step holds besides its key's lock: while it lives, its inputs stay


def machine_words(host: str) -> dict[str, str]:
    """What a trace says of where a step ran."""
    return {
        "zyc": __version__,
        "python": platform.python_version(),
        "platform": sys.platform,
        "machine": platform.machine(),
        "host": host,
    }
