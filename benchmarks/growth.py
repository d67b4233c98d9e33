"""Whether a plan costs the same a node however many there are: 1,000 to 100,000, cold, after an edit, and in memory.

The figure is what a further node costs between the two larger sizes over what it costs between the two smaller ones, so
that the start of the program counts in neither: 1 is linear, 10 is quadratic. Times are the least of their rounds, since
a difference of medians is mostly noise. The bar leaves room for the caches of the processor, which serve a small heap
better than a large one.
"""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from course import figures, graphs, place
from course.clock import Entrant, Runs, in_turn
from course.figures import Figure
from course.place import Place


def measure(here: Place, *, rounds: int, most: int = 100_000) -> Iterator[Figure]:
    """Sizes apart by a factor of ten."""
    sizes = [most // 100, most // 10, most]
    cold: dict[int, Runs] = {}
    edited: dict[int, Runs] = {}
    rows: list[tuple[str, ...]] = [("nodes", "cold", "a node", "one edit", "a node", "memory", "a node")]
    for size in sizes:
        folder = graphs.write(here.folder / f"growth-{size}", "zyc", size)
        cold[size], edited[size] = _timed(here, folder, size, rounds)
        costs = [cold[size].least, edited[size].least]
        told = [cell for cost in costs for cell in (figures.in_time(cost), f"{cost / size * 1e6:.0f} us")]
        memory = cold[size].memory
        rows.append((f"{size:,}", *told, figures.in_megabytes(memory), f"{memory / size / 1000:.1f} kB"))
        place.discard(folder)
    figures.show_rows(rows)
    yield _figure("cold", {size: runs.least for size, runs in cold.items()}, figures.in_time)
    yield _figure("after one edit", {size: runs.least for size, runs in edited.items()}, figures.in_time)
    yield _figure("memory", {size: runs.memory for size, runs in cold.items()}, lambda count: figures.in_megabytes(int(count)))


def _figure(name: str, costs: Mapping[int, float], words: Callable[[float], str]) -> Figure:
    low, middle, high = costs
    before = (costs[middle] - costs[low]) / (middle - low)
    after = (costs[high] - costs[middle]) / (high - middle)
    budget = f"growth, {low:,} to {high:,} nodes, {name}"
    return Figure(budget, after / before, "x linear", bar=1.5, seen=", ".join(words(cost) for cost in costs.values()))


def _timed(here: Place, folder: Path, size: int, rounds: int) -> tuple[Runs, Runs]:
    def forget(_: int) -> None:
        place.discard(folder / "artifacts")

    def before(turn: int) -> None:
        graphs.edit(folder, "zyc", size // 10, f"-{turn}")

    rounds = rounds if size <= 10_000 else max(1, rounds // 2)
    cold = in_turn(Entrant("cold", here.plan("zyc"), folder, forget), rounds=rounds, warm=int(size <= 1_000))
    edited = in_turn(Entrant("one edit", here.plan("zyc"), folder, before), rounds=rounds)
    return cold["cold"], edited["one edit"]


def main() -> None:
    """Measure, and say it."""
    ask = place.options(__doc__, rounds=4)
    ask.add_argument("--most", type=int, default=100_000, help="the largest graph (default: %(default)s)")
    asked = ask.parse_args()
    with place.at(asked) as here:
        figures.conclude(measure(here, rounds=asked.rounds, most=asked.most))


if __name__ == "__main__":
    main()
