"""What a machine says of itself: its start, its processes, and what the control groups of Linux leave to those in them."""

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


def has_bf16(world: World) -> bool:
    """Whether the processor has bf16 of its own, as placing.py asks torch; where the system does not tell, it has none."""
    told = "/proc/cpuinfo"
    if world.exists(told):
        lines = (line.partition(":") for line in world.read_text(told).splitlines())
        words = next((names for title, _, names in lines if title.strip() in ("flags", "Features")), "")
        return not {"avx512_bf16", "amx_bf16", "bf16"}.isdisjoint(words.split())
    try:
        code, text = world.output(("sysctl", "-n", "hw.optional.arm.FEAT_BF16"))
    except OSError:
        return False
    return code == 0 and text.strip() == "1"


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


def boot(world: World) -> str:
    """What tells one start of this machine from the next; empty where that cannot be told."""
    told = "/proc/sys/kernel/random/boot_id"
    if world.exists(told):
        return world.read_text(told).strip()
    try:
        code, text = world.output(("sysctl", "-n", "kern.bootsessionuuid"))
    except OSError:
        return ""
    return text.strip() if code == 0 else ""


def born(world: World, pid: int) -> str:
    """When a process was started; empty when there is none, or a zombie."""
    if world.exists("/proc/self/stat"):
        try:
            text = world.read_text(f"/proc/{pid}/stat")
        except OSError:
            return ""
        state, *rest = text.rpartition(")")[2].split()  # the name of a program may hold anything
        return "" if state in "ZX" else rest[18]
    try:
        code, text = world.output(("ps", "-o", "lstart=", "-p", str(pid)))
    except OSError:
        return ""
    return text.strip() if code == 0 else ""


def routed(world: World) -> bool:
    """Whether this machine has a way to any other; where the system does not tell, it is taken to have one."""
    tables = [each for each in ("/proc/net/route", "/proc/net/ipv6_route") if world.exists(each)]
    rows = [line.split() for each in tables for line in world.read_text(each).splitlines()]
    everywhere = [row for row in rows if len(row) > 1 and (row[1] == "00000000" or (row[0] == "0" * 32 and row[1] == "00"))]
    return not tables or any(row[-1] != "lo" for row in everywhere)
