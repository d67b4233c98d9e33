"""Measure everything, or the benchmarks that are named, and write the figures into docs/performance.md.

Rows of benchmarks that were not run stay as they are; those that build 10,000 nodes first take minutes and want --long.
"""

import argparse
import platform
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import all_to_all
import cold_plan
import growth
import memory
import nothing_to_do
import one_edit
import peers
import publish
import startup
import trivial_step
import verify
from course import figures, place
from course.figures import Figure
from course.place import Place

PAGE = place.HERE / "docs" / "performance.md"
HEAD = ("budget", "bar", "aim", "measured", "verdict", "in this run", "command")
Measure = Callable[[Place], Iterator[Figure]]

# command -> what it measures, in the order of the table
BENCHMARKS: dict[str, Measure] = {
    "startup.py": lambda here: startup.measure(here, rounds=11),
    "nothing_to_do.py": lambda here: nothing_to_do.planned(here, rounds=15),
    "nothing_to_do.py --run": lambda here: nothing_to_do.built(here, rounds=15),
    "one_edit.py": lambda here: one_edit.measure(here, rounds=9),
    "one_edit.py --run": lambda here: one_edit.measure(here, rounds=9, nodes=1_000, run=True),
    "nothing_to_do.py --run --nodes 10000": lambda here: nothing_to_do.built(here, rounds=15, nodes=10_000),
    "one_edit.py --run --nodes 10000": lambda here: one_edit.measure(here, rounds=9, run=True),
    "cold_plan.py": lambda here: cold_plan.measure(here, rounds=5),
    "all_to_all.py": lambda here: all_to_all.measure(here, rounds=5),
    "trivial_step.py": lambda here: trivial_step.measure(here, rounds=3),
    "publish.py": lambda here: publish.measure(here, rounds=3),
    "verify.py": lambda here: verify.measure(here, rounds=3),
    "memory.py": lambda here: memory.measure(here, rounds=2),
    "growth.py": lambda here: growth.measure(here, rounds=4),
}


def row(figure: Figure, command: str) -> tuple[str, ...]:
    """A figure in the table of the page."""
    bounds = (figure.bound(figure.bar), figure.bound(figure.aim))
    return (figure.budget, *bounds, figure.measured, figure.verdict, figure.seen, f"`{command}`")


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Rows in markdown."""
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *rows))


def misses(rows: Sequence[tuple[str, ...]]) -> str:
    """What misses its bar or its aim, in words."""
    told = [f"- {budget}: {seen}, {verdict}" for budget, _, _, seen, verdict, *_ in rows if verdict.startswith("misses")]
    return "\n".join(told) or "- nothing"


def rows_in(text: str, part: str) -> list[tuple[str, ...]]:
    """The rows that the page has between two markers."""
    lines = between(text, part).splitlines()[2:]
    return [tuple(cell.strip() for cell in line.strip("| ").split(" | ")) for line in lines]


def between(text: str, part: str) -> str:
    """What stands between the markers of a part."""
    found = re.search(rf"<!-- {part}: [^\n]*-->\n(.*?)\n?<!-- end of {part} -->", text, re.DOTALL)
    return found[1] if found else sys.exit(f"{PAGE.name} has no place for {part}")


def put(text: str, part: str, new: str) -> str:
    """The page with something else between the markers of a part."""
    between(text, part)
    pattern = rf"(<!-- {part}: [^\n]*-->\n).*?(<!-- end of {part} -->)"
    return re.sub(pattern, lambda found: f"{found[1]}{new}\n{found[2]}", text, flags=re.DOTALL)


def machine(here: Place) -> str:
    """What measured, and what was measured against."""
    cpu, memory_ = Path("/proc/cpuinfo"), Path("/proc/meminfo")
    model = re.search(r"model name\s*: (.*)", cpu.read_text()) if cpu.exists() else None
    total = re.search(r"MemTotal:\s*(\d+) kB", memory_.read_text()) if memory_.exists() else None
    facts = [
        f"{place.CORES} cores of {model[1] if model else platform.machine()}",
        f"{int(total[1]) / 1e6:.0f} GB of memory" if total else "",
        f"{platform.system()}, {platform.python_implementation()} {platform.python_version()}",
        ", ".join(f"{tool} {here.version(tool)}" for tool in peers.TOOLS),
    ]
    return "\n".join(f"- {fact}" for fact in facts if fact)


def main() -> None:
    """Run, and rewrite the page after each benchmark, so that a stop loses little."""
    ask = place.options(__doc__)
    known = {command.split(".")[0] for command in BENCHMARKS} | {"peers"}
    ask.add_argument("names", nargs="*", metavar="NAME", help=f"only some of {', '.join(sorted(known))}")
    ask.add_argument("--long", action="store_true", help="build the large graph, too")
    asked: argparse.Namespace = ask.parse_args()
    wanted = {Path(name).stem for name in asked.names}
    if unknown := wanted - known:
        ask.error(f"no benchmark {', '.join(sorted(unknown))}")
    for command, measure in BENCHMARKS.items():
        if (not wanted or command.split(".")[0] in wanted) and (asked.long or "--nodes" not in command):
            print(f"\n== {command}")
            with place.at(asked) as here:
                new = [row(figure, command) for figure in measure(here)]
                write_figures(command, new)
                PAGE.write_text(put(PAGE.read_text(), "machine", machine(here)))
    if not wanted or "peers" in wanted:
        print("\n== peers.py")
        with place.at(asked) as here:
            rows = [each.cells() for each in peers.compare(here, patience=100)]
        figures.show_rows([peers.HEAD, *rows])
        PAGE.write_text(put(PAGE.read_text(), "peers", table(peers.HEAD, rows)))


def write_figures(command: str, new: list[tuple[str, ...]]) -> None:
    """The rows of one benchmark in the place of its old ones."""
    text = PAGE.read_text()
    told: dict[str, list[tuple[str, ...]]] = {each: [] for each in BENCHMARKS} | {command: new}
    for old in rows_in(text, "figures"):
        if old[-1].strip("`") in BENCHMARKS and old[-1] != f"`{command}`":
            told[old[-1].strip("`")].append(old)
    for each in new:
        print(*(cell for cell in each[:-1] if cell), sep="   ")
    rows = [each for them in told.values() for each in them]
    PAGE.write_text(put(put(text, "figures", table(HEAD, rows)), "misses", misses(rows)))


if __name__ == "__main__":
    main()
