"""The peak memory of a plan of 10,000 nodes: cold, after an edit, and again with nothing to do."""

from collections.abc import Iterator

from course import figures, graphs, place
from course.clock import Entrant, in_turn
from course.figures import Figure
from course.place import Place


def measure(here: Place, *, rounds: int, nodes: int = 10_000) -> Iterator[Figure]:
    """The largest of all rounds counts."""
    folder = graphs.write(here.folder / "memory", "zyc", nodes)
    peer = graphs.write(here.folder / "memory-ninja", "ninja", nodes)

    def forget(_: int) -> None:
        place.discard(folder / "artifacts")

    def before(turn: int) -> None:
        graphs.edit(folder, "zyc", nodes // 10, f"-{turn}")

    entrants = [
        Entrant("cold", here.plan("zyc"), folder, forget),
        Entrant("one edit", here.plan("zyc"), folder, before),
        Entrant("ninja -n", here.plan("ninja"), peer),
    ]
    runs = in_turn(*entrants, rounds=rounds)
    graphs.rest()
    runs |= in_turn(Entrant("again", here.plan("zyc"), folder), rounds=1, warm=2)
    figures.show(runs.values())
    theirs = runs["ninja -n"].memory
    for name, budget in (("cold", "a cold plan"), ("one edit", "a plan after one edit")):
        ours = runs[name].memory
        seen = f"{ours / theirs:.0f} x ninja ({figures.in_megabytes(theirs)})"
        yield Figure(f"memory, {nodes:,} nodes, {budget}", ours / 1e6, "MB", bar=300, aim=150, seen=seen)


def main() -> None:
    """Measure, and say it."""
    ask = place.options(__doc__, rounds=2)
    ask.add_argument("--nodes", type=int, default=10_000)
    asked = ask.parse_args()
    with place.at(asked) as here:
        figures.conclude(measure(here, rounds=asked.rounds, nodes=asked.nodes))


if __name__ == "__main__":
    main()
