"""Plan after one edit: the command of one node is another in each round, for zyc and for ninja.

With --run both build a smaller graph first, so that all but the edited node and the four that stand on it are kept.
"""

from collections.abc import Iterator
from pathlib import Path

from course import figures, graphs, place
from course.clock import Entrant, in_turn
from course.figures import Figure
from course.place import Place


def measure(here: Place, *, rounds: int, nodes: int = 10_000, run: bool = False) -> Iterator[Figure]:
    """`zyc plan` and `ninja -n`, each after an edit of its own."""
    node = nodes // 10  # four others stand on it
    entrants = []
    for tool in ("zyc", "ninja"):
        folder = graphs.write(here.folder / f"edit-{tool}{'-built' if run else ''}", tool, nodes)
        if run:
            in_turn(Entrant(tool, here.build(tool), folder), rounds=0)

        def before(turn: int, folder: Path = folder, tool: str = tool) -> None:
            graphs.edit(folder, tool, node, f"-{turn}")

        entrants.append(Entrant(tool, here.plan(tool), folder, before))
    runs = in_turn(*entrants, rounds=rounds, warm=2)
    figures.show(runs.values())
    ours, theirs = runs["zyc"], runs["ninja"]
    budget = f"plan after one edit in {nodes:,}, {'all built' if run else 'nothing built'}"
    yield Figure(
        budget, ours.least / theirs.least, "x ninja", **figures.from_size(nodes, bar=15, aim=8), seen=figures.beside(ours, theirs)
    )


def main() -> None:
    """Measure, and say it."""
    ask = place.options(__doc__, rounds=9)
    ask.add_argument("--nodes", type=int, help="default: 10,000, or 1,000 with --run")
    ask.add_argument("--run", action="store_true", help="build first")
    asked = ask.parse_args()
    with place.at(asked) as here:
        nodes = asked.nodes or (1_000 if asked.run else 10_000)
        figures.conclude(measure(here, rounds=asked.rounds, nodes=nodes, run=asked.run))


if __name__ == "__main__":
    main()
