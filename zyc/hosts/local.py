"""Runs a step folder on this machine."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from zyc.hosts import Outcome
from zyc.world import AnyPath, World
from zyc.world.process import Process

# a socket's path may have 104 bytes (macOS), and Python's workers put theirs some 34 below TMPDIR
_LONGEST_TMPDIR = 68


def run(  # what a step needs to run
    world: World,
    folder: AnyPath,
    *,
    env: Mapping[str, str],
    secrets: Sequence[str] = (),
    pass_descriptors: Sequence[int] = (),
    on_line: Callable[[str], None] | None = None,
    started: Callable[[Process], None] | None = None,
) -> Outcome:
    """Run `bash run.sh` in a step folder, in exactly this environment and a TMPDIR of its own; what it says goes to log.txt.

    `pass_descriptors` are open in the step too: the lock of its key, so that no second writer starts while it lives.
    """
    step = Path(world.real(folder))
    with _temporary(world, step) as temporary:
        ended = world.run(
            ("bash", "run.sh"),
            cwd=step,
            env={**env, "TMPDIR": temporary},
            log_path=step / "log.txt",
            redact=secrets,
            pass_descriptors=pass_descriptors,
            on_line=on_line,
            started=started,
        )
    return Outcome(ended.code, seconds=ended.seconds, peak_memory=ended.peak_memory)


def environment(world: World, passed: Mapping[str, str]) -> dict[str, str]:
    """What every step sees of this machine, and what the spec or the site passes on to it; nothing else."""
    here = world.environ()
    own = os.path.dirname(sys.executable)  # noqa: PTH120  # as it is called: the real path would leave the virtual environment
    found = [own, *here.get("PATH", os.defpath).split(os.pathsep)]
    scrubbed = {
        "PATH": os.pathsep.join(dict.fromkeys(each for each in found if each.startswith("/"))),
        "HOME": here.get("HOME", "/"),
        "LANG": "C.UTF-8",
        "TZ": "UTC",
        "PYTHONHASHSEED": "0",
        "PYTHONUNBUFFERED": "1",  # the last words of a step that is killed are worth having
    }
    return {**scrubbed, **passed}


@contextmanager
def _temporary(world: World, step: Path) -> Iterator[str]:
    """The step's own tmp/, empty at first and gone after; by a short name where its path is too long for a socket."""
    inside = step / "tmp"
    world.remove_tree(inside)
    world.make_folder(inside)
    alias = world.private_folder() if len(os.fsencode(inside)) > _LONGEST_TMPDIR else None
    try:
        if alias is not None:
            world.symlink(f"{alias}/t", target=str(inside))
        yield str(inside) if alias is None else f"{alias}/t"
    finally:
        world.remove_tree(inside)
        if alias is not None:
            world.remove_tree(alias)
