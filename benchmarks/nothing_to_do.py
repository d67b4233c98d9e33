"""Ask again when nothing moved: zyc against ninja.

Nothing is built in the large graph: `zyc plan` says once more what it said, `ninja -n` lists all nodes. That is timed
when nothing moved for long, and for the first time after the plan of an edit. With --run a smaller graph is built by both
first, and then `zyc build` and `ninja` are asked again.
"""

import argparse
from collections.abc import Iterator
from dataclasses import replace

from course import figures, graphs, place
from course.clock import Entrant, Runs, in_turn, once
from course.figures import Figure
from course.place import Place


def planned(here: Place, *, rounds: int, nodes: int = 10_000) -> Iterator[Figure]:
    """The same plan again."""
    entrants = [
        Entrant(tool, here.plan(tool), graphs.write(here.folder / f"plan-{tool}", tool, nodes)) for tool in ("zyc", "ninja")
    ]
    yield _figure(nodes, "nothing built", _again(entrants, rounds))
    yield _figure(nodes, "after the plan of an edit", _again(list(map(_after_an_edit, entrants)), rounds // 2))


def _after_an_edit(entrant: Entrant) -> Entrant:
    def before(turn: int) -> None:
        graphs.edit(entrant.folder, entrant.name, 1, f"-{turn}")
        once(entrant.command, entrant.folder)
        graphs.rest()

    return replace(entrant, before=before)


def built(here: Place, *, rounds: int, nodes: int = 1_000) -> Iterator[Figure]:
    """The same build again."""
    entrants = [
        Entrant(tool, here.build(tool), graphs.write(here.folder / f"build-{tool}", tool, nodes)) for tool in ("zyc", "ninja")
    ]
    yield _figure(nodes, "all built", _again(entrants, rounds))


def _again(entrants: list[Entrant], rounds: int) -> dict[str, Runs]:
    # twice: what the first call leaves is new, and a memo of anything new is not kept
    for _ in range(2):
        in_turn(*entrants, rounds=0)
        graphs.rest()
    runs = in_turn(*entrants, rounds=rounds)
    figures.show(runs.values())
    return runs


def _figure(nodes: int, state: str, runs: dict[str, Runs]) -> Figure:
    ours, theirs = runs["zyc"], runs["ninja"]
    budget = f"nothing to do, {nodes:,} nodes, {state}"
    return Figure(
        budget, ours.least / theirs.least, "x ninja", **figures.from_size(nodes, bar=5, aim=3), seen=figures.beside(ours, theirs)
    )


def main() -> None:
    """Measure, and say it."""
    ask = place.options(__doc__, rounds=15)
    ask.add_argument("--nodes", type=int, help="default: 10,000, or 1,000 with --run")
    ask.add_argument("--run", action="store_true", help="build first")
    asked: argparse.Namespace = ask.parse_args()
    size = {"nodes": asked.nodes} if asked.nodes else {}
    with place.at(asked) as here:
        figures.conclude((built if asked.run else planned)(here, rounds=asked.rounds, **size))


if __name__ == "__main__":
    main()
