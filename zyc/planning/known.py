"""Everything that a plan knows of the world outside its specs, as frozen values: nothing that decides reads a disk."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from zyc.keeping.journal import Summary
from zyc.kind import Found, Hub

# a package that only some nodes need stands in a branch of its template: `{% if spec.language %}`
BLOCK = re.compile(r"^# /// script\n(?:(?:#|\{%).*\n)*?# ///$", re.MULTILINE)
_BRANCH = re.compile(r"\{%.*?%\}")
DEPENDENCY = re.compile(r'"([A-Za-z0-9._-]+)(\[[A-Za-z0-9._,-]+\])?"')


def named(scripts: Iterable[str]) -> tuple[str, ...]:
    """The packages that scripts name in their `# /// script` blocks."""
    blocks = (BLOCK.search(text) for text in scripts)
    texts = (_BRANCH.sub("", block[0]) for block in blocks if block)
    return tuple(sorted({found[1] for text in texts for found in DEPENDENCY.finditer(text)}))


@dataclass(frozen=True, slots=True)
class Missing:
    """Why a path that a field names could not be taken: a problem's code and its facts."""

    code: str
    facts: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Template:
    """The files of one kind's template folder, a project's own ones shadowing the built-in."""

    recipe: Mapping[str, str] = field(default_factory=dict)  # path below recipe/ -> template text
    lib: Mapping[str, str] = field(default_factory=dict)  # plain modules, its own and shared ones, copied into the recipe
    parts: Mapping[str, str] = field(default_factory=dict)  # path below parts/ -> what some node hands on as it is
    placement: Mapping[str, str] = field(default_factory=dict)
    harness: Mapping[str, str] = field(default_factory=dict)
    run: str = ""
    digest: str = ""
    own: Mapping[str, str] = field(default_factory=dict)  # those of the project's own, which are linted before use
    branches: bool = False  # some of these only where a branch of the template is taken, or one script of several
    dependencies: tuple[str, ...] = ()  # the packages that its scripts may name in their `# /// script` blocks, see `named`


@dataclass(frozen=True, slots=True)
class Machine:
    """What this machine has to give."""

    cpus: int = 1
    memory: int | None = None
    disk: int | None = None
    gpus: int = 0
    bf16: bool = False  # its processor computes in bf16 rather than imitate it
    price: float = 0.0  # per hour
    accelerator: str = ""  # the class of its accelerators, where it is one that is listed
    devices: tuple[str, ...] = ()  # the classes that a plan has columns for
    prices: tuple[tuple[str, float], ...] = ()  # what an hour of them costs, where the site says so
    label: str = ""  # what tells machines apart whose runs teach each other nothing
    offline: bool = False  # nothing may be downloaded


@dataclass(frozen=True, slots=True)
class Unfinished:
    """A step that was cut short and left a state behind, or failed, or both."""

    placement: Mapping[str, object] = field(default_factory=dict)  # under which its state was written
    has_state: bool = False
    saved: tuple[int, int] | None = None  # how far its state has come: step, of
    failed: str = ""  # why
    runs: bool = False  # now, on this machine


@dataclass(frozen=True, slots=True)
class Known:
    """What gather found."""

    files: Mapping[str, Found] = field(default_factory=dict)
    missing: Mapping[str, Missing] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)  # name -> digest of the value
    pins: Mapping[str, str] = field(default_factory=dict)  # from zyc.lock, else what this machine has
    unpinned: frozenset[str] = frozenset()
    hubs: Mapping[str, Hub] = field(default_factory=dict)  # by the name of the pin
    templates: Mapping[str, Template] = field(default_factory=dict)
    machine: Machine = Machine()


@dataclass(frozen=True, slots=True)
class History:
    """What was built before: traces, and which key each node of this project last had."""

    traces: Mapping[str, Summary] = field(default_factory=dict)
    last: Mapping[str, str] = field(default_factory=dict)
    present: frozenset[str] = frozenset()  # trees that the store holds
    unfinished: Mapping[str, Unfinished] = field(default_factory=dict)
    remote: frozenset[str] = frozenset()  # trees that the remote of the call holds
    remote_name: str = ""
