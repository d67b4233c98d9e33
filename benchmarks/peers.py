"""The same tree for ninja, Snakemake, DVC and zyc at three sizes: say what would run, run it, and ask again.

What would take minutes at the pace of the size before is left out, and said so.
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from course import figures, graphs, place
from course.clock import Entrant, in_turn, once
from course.figures import Figure
from course.place import Place

TOOLS = ("ninja", "zyc", "snakemake", "dvc")
SIZES = (300, 1_000, 10_000)
DVC_MOST = 300
SLOW = 3.0  # seconds


@dataclass(frozen=True, slots=True)
class Row:
    """One tool at one size; seconds, or nothing where it was left out."""

    tool: str
    nodes: int
    plan: float | None = None  # nothing is built
    again: float | None = None  # the same question once more
    build: float | None = None
    nothing: float | None = None  # all is built
    left_out: str = ""

    def cells(self) -> tuple[str, ...]:
        """As people read it."""
        times = (self.plan, self.again, self.build, self.nothing)
        return (self.tool, f"{self.nodes:,}", *("-" if each is None else figures.in_time(each) for each in times), self.left_out)


HEAD = ("tool", "nodes", "plan", "plan again", "run", "nothing to do", "left out")


def compare(here: Place, *, patience: float) -> Iterator[Row]:
    """Every tool at every size."""
    for tool in TOOLS:
        pace = 0.0
        for nodes in SIZES:
            if tool == "dvc" and nodes > DVC_MOST:
                yield Row(tool, nodes, left_out=f"all: {DVC_MOST} took {figures.in_time(pace * DVC_MOST)} to run")
                continue
            row = _row(here, tool, nodes, pace, patience)
            pace = row.build / nodes if row.build else pace
            yield row


def _row(here: Place, tool: str, nodes: int, pace: float, patience: float) -> Row:
    folder = graphs.write(here.folder / f"{tool}-{nodes}", tool, nodes)
    plan = again = build = nothing = None
    left_out = ""
    if tool == "dvc":
        for words in (["init", "-q"], ["config", "core.analytics", "false"]):
            once([here.program("dvc"), *words], folder)
    else:
        once([here.program(tool), "--version"], folder)
        plan = once(here.plan(tool), folder).seconds
        graphs.rest()
        again = _again(here.plan(tool), folder)
    if pace * nodes > patience:
        left_out = f"running: about {figures.in_time(pace * nodes)}"
    else:
        build = once(here.build(tool), folder).seconds
        graphs.rest()
        nothing = _again(here.build(tool), folder)
    place.discard(folder)
    return Row(tool, nodes, plan, again, build, nothing, left_out)


def _again(command: list[str], folder: Path) -> float:
    """The least of three once it is warm; of a slow command one time tells enough."""
    first = once(command, folder).seconds
    return first if first > SLOW else in_turn(Entrant("", command, folder), rounds=3)[""].least


def figures_of(rows: list[Row]) -> Iterator[Figure]:
    """How often Snakemake's time goes into ours, at the largest size that both were asked."""
    ours = {row.nodes: row for row in rows if row.tool == "zyc"}
    for theirs in [row for row in rows if row.tool == "snakemake" and row.nothing][-1:]:
        own = ours[theirs.nodes].nothing
        if own and theirs.nothing:
            seen = f"zyc {figures.in_time(own)}, Snakemake {figures.in_time(theirs.nothing)}"
            yield Figure(f"nothing to do, {theirs.nodes:,} nodes, all built", own / theirs.nothing, "x Snakemake", seen=seen)


def main() -> None:
    """Measure, and say it."""
    ask = place.options(__doc__)
    ask.add_argument(
        "--patience", type=float, default=100, help="seconds that one run may be expected to take (default: %(default)s)"
    )
    asked: argparse.Namespace = ask.parse_args()
    with place.at(asked) as here:
        rows = list(compare(here, patience=asked.patience))
    figures.show_rows([HEAD, *(row.cells() for row in rows)])
    figures.conclude(figures_of(rows))


if __name__ == "__main__":
    main()
