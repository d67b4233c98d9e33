"""A million edges: each of 1,000 nodes takes all of another 1,000, through a family that a list collects.

ninja is told the same twice: each edge written out, and all of them behind one phony.
"""

from collections.abc import Iterator

from course import figures, graphs, place
from course.clock import Entrant, in_turn
from course.figures import Figure
from course.place import Place


def measure(here: Place, *, rounds: int, side: int = 1_000) -> Iterator[Figure]:
    """A cold `zyc plan`, beside `ninja -n`."""
    folders = {name: graphs.write_square(here.folder / f"square-{at}", name, side) for at, name in enumerate(graphs.SQUARES)}

    def forget(_: int) -> None:
        place.discard(folders["zyc"] / "artifacts")

    entrants = [Entrant("zyc", here.plan("zyc"), folders["zyc"], forget)]
    entrants += [Entrant(name, here.plan("ninja"), folders[name]) for name in folders if name != "zyc"]
    runs = in_turn(*entrants, rounds=rounds)
    figures.show(runs.values())
    ours = runs["zyc"].least
    peers = [f"{ours / runs[name].least:.1f} x {name} ({figures.in_time(runs[name].least)})" for name in folders if name != "zyc"]
    seen = f"median {figures.in_time(runs['zyc'].seconds)}; {', '.join(peers)}"
    yield Figure(f"{side:,} x {side:,} all-to-all through a family, cold", ours, "s", bar=2, seen=seen)


def main() -> None:
    """Measure, and say it."""
    ask = place.options(__doc__, rounds=5)
    ask.add_argument("--side", type=int, default=1_000)
    asked = ask.parse_args()
    with place.at(asked) as here:
        figures.conclude(measure(here, rounds=asked.rounds, side=asked.side))


if __name__ == "__main__":
    main()
