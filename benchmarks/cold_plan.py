"""The first plan of a project, with nothing remembered: with the C parser, and with the pure one that stands in for it."""

from collections.abc import Iterator
from pathlib import Path

from course import figures, graphs, place
from course.clock import Entrant, in_turn
from course.figures import Figure
from course.place import Place

_ABSENT = 'raise ImportError("left out by the benchmark")\n'


def measure(here: Place, *, rounds: int, nodes: int = 10_000, pure: bool = True) -> Iterator[Figure]:
    """`zyc plan` after its memo was removed, beside `ninja -n`."""
    folder = graphs.write(here.folder / "cold", "zyc", nodes)
    peer = graphs.write(here.folder / "cold-ninja", "ninja", nodes)

    def forget(_: int) -> None:
        place.discard(folder / "artifacts")

    entrants = [
        Entrant("zyc", here.plan("zyc"), folder, forget),
        Entrant("ninja", here.plan("ninja"), peer),
    ]
    if pure:
        entrants.append(Entrant("zyc, pure parser", here.plan("zyc"), folder, forget, _without_c(here.folder)))
    runs = in_turn(*entrants, rounds=rounds)
    figures.show(runs.values())
    ours, theirs = runs["zyc"].least, runs["ninja"].least
    seen = f"median {figures.in_time(runs['zyc'].seconds)}; {ours / theirs:.0f} x ninja ({figures.in_time(theirs)})"
    yield Figure(f"cold plan, {nodes:,} nodes in {-(-nodes // graphs.NODES_A_FILE):,} files", ours, "s", bar=4, aim=2, seen=seen)
    if pure:
        slow = runs["zyc, pure parser"].least
        yield Figure("the same without the C parser", slow, "s", seen=f"{slow / ours:.1f} x with it")


def _without_c(folder: Path) -> dict[str, str]:
    """An environment in which the C parser cannot be imported."""
    shadow = folder / "shadow"
    shadow.mkdir()
    (shadow / "_ruamel_yaml_clibz.py").write_text(_ABSENT)
    return {"PYTHONPATH": str(shadow)}


def main() -> None:
    """Measure, and say it."""
    ask = place.options(__doc__, rounds=5)
    ask.add_argument("--nodes", type=int, default=10_000)
    asked = ask.parse_args()
    with place.at(asked) as here:
        figures.conclude(measure(here, rounds=asked.rounds, nodes=asked.nodes))


if __name__ == "__main__":
    main()
