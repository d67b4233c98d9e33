"""Where a project's things are: found from any folder inside it, relative to one root."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from zyc.errors import ZycError, problem
from zyc.world import World


@dataclass(frozen=True, slots=True)
class Project:
    """The nearest folder upwards that holds `specs/`."""

    root: Path

    @property
    def artifacts(self) -> Path:
        """Everything that zyc writes."""
        return self.root / "artifacts"

    @property
    def store(self) -> Path:
        """Trees and traces."""
        return self.artifacts / "store"

    @property
    def memo(self) -> Path:
        """What may be deleted at any moment: answers of earlier calls."""
        return self.artifacts / "memo"

    def step(self, key: str) -> Path:
        """The folder in which the step of a key runs."""
        return self.artifacts / "steps" / key[:24]

    def link(self, node: str, *, twin: bool = False) -> Path:
        """The readable link of a node."""
        return self.artifacts / ("twin" if twin else "nodes") / slug(node)


def find(world: World, start: Path) -> Project:
    """The project around a folder."""
    for folder in (start, *start.parents):
        seen = world.stat(folder / "specs", follow=True)
        if seen is not None and seen.kind == "folder":
            return Project(folder)
    raise ZycError(problem("no-project"))


def slug(node: str) -> str:
    """A node's name as a folder: `philo-lora@rank=8@data=schemes` is `philo-lora--rank-8--data-schemes`."""
    return node.replace("@", "--").replace("=", "-").replace("+", "_").replace("*", "all")
