"""Which versions of tools and packages this machine has: what a pin is taken from and held against."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

from zyc.hosts import local
from zyc.world import World

_VERSION = re.compile(r"\d+(?:\.[0-9A-Za-z]+)+|\d+")


def shipped(world: World) -> dict[str, str]:
    """The exact versions that this zyc was tested with: what rendered scripts are pinned to until zyc.lock says otherwise."""
    home = Path(__file__).parent
    for path in (home / "constraints.txt", home.parent / "constraints.txt"):
        if world.exists(path):
            lines = (line.split("#")[0].strip() for line in world.read_text(path).splitlines())
            return {_normal(name): version for name, _, version in (line.partition("==") for line in lines) if version}
    return {}


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


class Probe:
    """Looks once for each name."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._found: dict[str, str | None] = {}

    def version(self, name: str) -> str | None:
        """`tool:pandoc` -> `3.1`, `package:numpy` -> `2.3.4`; None when this machine does not have it."""
        if name not in self._found:
            kind, _, what = name.partition(":")
            self._found[name] = self._package(what) if kind == "package" else self._tool(what)
        return self._found[name]

    def is_here(self, name: str) -> bool:
        """Whether the search path has the program, whatever its version."""
        folders = local.environment(self._world, {})["PATH"].split(os.pathsep)
        return any(self._world.exists(f"{folder}/{name.partition(':')[2]}") for folder in folders)

    def _package(self, name: str) -> str | None:
        from importlib import metadata  # it brings the whole of email

        for folder in sys.path:
            self._world.stat(folder)  # whoever remembers this answer must see when something is installed

        try:
            return metadata.version(name).partition("+")[0]  # torch 2.13.0+cpu is 2.13.0, as pip itself compares them
        except (metadata.PackageNotFoundError, ValueError):
            return None

    def _tool(self, name: str) -> str | None:
        """The first number that the tool says of itself; a path is no tool: a plan runs nothing of the project's."""
        if "/" in name:
            return None
        try:
            code, text = self._world.output([name, "--version"], env=local.environment(self._world, {}), seconds=10)
        except (OSError, TimeoutError, ValueError):
            return None
        found = _VERSION.search(text)
        return found[0] if found and code == 0 else None
