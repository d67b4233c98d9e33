"""Which versions of tools and packages this machine has: what a pin is taken from and held against."""

from __future__ import annotations

import re

from zyc.hosts import local
from zyc.world import World

_VERSION = re.compile(r"\d+(?:\.[0-9A-Za-z]+)+|\d+")


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

    def _package(self, name: str) -> str | None:
        from importlib import metadata  # it brings the whole of email

        try:
            return metadata.version(name)
        except (metadata.PackageNotFoundError, ValueError):
            return None

    def _tool(self, name: str) -> str | None:
        """The first number that the tool says of itself."""
        try:
            code, text = self._world.output([name, "--version"], env=local.environment(self._world, {}), seconds=10)
        except (OSError, TimeoutError, ValueError):
            return None
        found = _VERSION.search(text)
        return found[0] if found and code == 0 else None
