"""What a step costs that does next to nothing: a whole build, as wide as the machine, over the number of its nodes.

Every result of zyc is on the disk before a step that reads it starts; those of ninja and Snakemake are as durable as the
system makes them. So what the disk takes to be asked once (`fsync`) is measured in the same run.
"""

import os
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from course import figures, graphs, place
from course.clock import Entrant, in_turn
from course.figures import Figure
from course.place import Place

TOOLS = ("zyc", "ninja", "snakemake")


def measure(here: Place, *, rounds: int, nodes: int = 200) -> Iterator[Figure]:
    """Each round builds a new folder."""
    folders = {tool: here.folder / f"step-{tool}" for tool in TOOLS}
    entrants = []
    for tool, folder in folders.items():

        def before(_: int, tool: str = tool, folder: Path = folder) -> None:
            place.discard(folder)
            graphs.write(folder, tool, nodes)

        entrants.append(Entrant(tool, here.build(tool), folder, before))
    asked = [_sync(here.folder / "sync") for _ in range(50)]
    runs = in_turn(*entrants, rounds=rounds, warm=0)
    asked += [_sync(here.folder / "sync") for _ in range(50)]
    figures.show(runs.values())
    mean = {tool: runs[tool].least / nodes * 1000 for tool in TOOLS}
    seen = f"median {runs['zyc'].seconds / nodes * 1000:.0f} ms; "
    seen += f"{mean['zyc'] / mean['ninja']:.1f} x ninja ({mean['ninja']:.1f} ms), "
    seen += (
        f"{mean['zyc'] / mean['snakemake']:.2f} x Snakemake ({mean['snakemake']:.0f} ms); an fsync {median(asked) * 1000:.1f} ms"
    )
    yield Figure(f"mean wall of a trivial step, durable, {nodes:,} nodes", mean["zyc"], "ms", bar=20, aim=10, seen=seen)


def _sync(path: Path) -> float:
    """How long a few bytes take to be on the disk."""
    with path.open("wb") as file:
        file.write(b"a few bytes")
        file.flush()
        start = time.perf_counter()
        os.fsync(file.fileno())
        return time.perf_counter() - start


def main() -> None:
    """Measure, and say it."""
    ask = place.options(__doc__, rounds=3)
    ask.add_argument("--nodes", type=int, default=200)
    asked = ask.parse_args()
    with place.at(asked) as here:
        figures.conclude(measure(here, rounds=asked.rounds, nodes=asked.nodes))


if __name__ == "__main__":
    main()
