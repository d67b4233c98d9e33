"""What a person waits for before anything is planned: `zyc --version`, and a bash that completes a word.

The shell runs the function that `zyc completion bash` gives it, as it does when Tab is pressed; a word that it finds
nothing for ends the benchmark.
"""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from course import figures, graphs, place
from course.clock import Entrant, in_turn
from course.figures import Figure
from course.place import Place

_TAB = """\
. ./complete.bash
set -- $(complete -p zyc)
while [ "$1" != -F ]; do shift; done
COMP_LINE=$LINE COMP_POINT=${#LINE} COMP_WORDS=($LINE) COMP_CWORD=$((${#COMP_WORDS[@]} - 1)) IFS=$' \\t\\n'
"$2" zyc "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD-1]}"
[ -n "${COMPREPLY[0]}" ] || { echo "nothing completes: $LINE" >&2; exit 1; }
"""


def measure(here: Place, *, rounds: int, nodes: int = 1_000) -> Iterator[Figure]:
    """Beside a Python that does nothing."""
    folder = graphs.write(here.folder / "startup", "zyc", nodes)
    edited = graphs.write(here.folder / "startup-edited", "zyc", nodes)
    zyc = here.program("zyc")
    for home in (folder, edited):
        script = subprocess.run([zyc, "completion", "bash"], cwd=home, capture_output=True, text=True, check=True).stdout
        (home / "complete.bash").write_text(script)
    entrants = [
        Entrant("zyc --version", [zyc, "--version"], folder),
        _tab("completing a verb", here, folder, "zyc pl"),
        _tab(f"completing a node of {nodes:,}", here, folder, "zyc plan n9"),
        _tab("the same after an edit", here, edited, "zyc plan n9", moving=True),
        Entrant("python -c pass", [sys.executable, "-c", "pass"], folder),
    ]
    runs = in_turn(*entrants, rounds=rounds, warm=2)
    figures.show(runs.values())
    *ours, nothing = runs.values()
    for each in ours:
        bounds = {} if "edit" in each.name else {"bar": 80.0, "aim": 40.0}
        seen = f"median {figures.in_time(each.seconds)}; {each.least / nothing.least:.1f} x `python -c pass`"
        yield Figure(each.name, each.least * 1000, "ms", **bounds, seen=seen)


def _tab(name: str, here: Place, folder: Path, line: str, *, moving: bool = False) -> Entrant:
    """Pressing Tab at the end of a line; where specs are moving, after another edit each time."""

    def before(turn: int) -> None:
        if moving:
            graphs.edit(folder, "zyc", 1, f"-{turn}")

    called = here.folder / "bin" / "zyc"
    if not called.exists():
        called.parent.mkdir()
        called.symlink_to(here.program("zyc"))
    env = {"LINE": line, "PATH": f"{called.parent}:/usr/local/bin:/usr/bin:/bin"}
    return Entrant(name, [here.program("bash"), "--norc", "-c", _TAB], folder, before, env)


def main() -> None:
    """Measure, and say it."""
    ask = place.options(__doc__, rounds=11)
    ask.add_argument("--nodes", type=int, default=1_000, help="names to complete from (default: %(default)s)")
    asked = ask.parse_args()
    with place.at(asked) as here:
        figures.conclude(measure(here, rounds=asked.rounds, nodes=asked.nodes))


if __name__ == "__main__":
    main()
