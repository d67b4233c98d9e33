"""What the control groups of Linux leave of a machine to the processes in them; nothing where there are none."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from zyc.world import World


def processors(world: World) -> Iterator[int]:
    """How many processors each group allows, rounded up."""
    for limit in _limits(world, "cpu", first=None, second="cpu.max"):
        quota, period = limit.split()
        if quota != "max":
            yield -(-int(quota) // int(period))


def memory(world: World) -> Iterator[int]:
    """How many bytes each group allows."""
    for limit in _limits(world, "memory", first="memory.limit_in_bytes", second="memory.max"):
        if limit != "max":
            yield int(limit)


def _limits(world: World, controller: str, *, first: str | None, second: str) -> Iterator[str]:
    """The limits on this process, by the file names of the first and the second version of control groups."""
    groups = world.read_text("/proc/self/cgroup").splitlines() if world.exists("/proc/self/cgroup") else []
    for group in groups:
        _, controllers, path = group.split(":", 2)
        if controllers and controller not in controllers.split(","):
            continue
        top, name = (f"/sys/fs/cgroup/{controller}", first) if controllers else ("/sys/fs/cgroup", second)
        while name is not None:
            if world.exists(f"{top}{path}/{name}"):
                yield world.read_text(f"{top}{path}/{name}").strip()
            if path in ("", "/"):
                break
            path = path.rpartition("/")[0]  # a limit binds all below it; in a container only the top shows
