"""What a person waits for before anything is planned: `zyc --version`, and the shell completing a word.

Completion is asked for as the script of `zyc completion bash` asks: by variables of the environment.
"""

import sys
from collections.abc import Iterator

from course import figures, graphs, place
from course.clock import Entrant, in_turn
from course.figures import Figure
from course.place import Place


def measure(here: Place, *, rounds: int, nodes: int = 1_000) -> Iterator[Figure]:
    """Beside a Python that does nothing."""
    folder = graphs.write(here.folder / "startup", "zyc", nodes)
    zyc = here.program("zyc")
    entrants = {
        "zyc --version": Entrant("zyc --version", [zyc, "--version"], folder),
        "completing a verb": Entrant("completing a verb", [zyc], folder, env=_asking("pl")),
        "completing a node": Entrant("completing a node", [zyc], folder, env=_asking("plan", "n99")),
        "python -c pass": Entrant("python -c pass", [sys.executable, "-c", "pass"], folder),
    }
    runs = in_turn(*entrants.values(), rounds=rounds, warm=2)
    figures.show(runs.values())
    nothing = runs["python -c pass"].seconds
    names = {"completing a node": f"completing a node of {nodes:,}"}
    for name in list(entrants)[:-1]:
        ours = runs[name].seconds
        yield Figure(names.get(name, name), ours * 1000, "ms", bar=80, aim=40, seen=f"{ours / nothing:.1f} x `python -c pass`")


def _asking(*written: str) -> dict[str, str]:
    """What bash sets when Tab is pressed after these words."""
    return {"_ZYC_COMPLETE": "bash_complete", "COMP_WORDS": " ".join(["zyc", *written]), "COMP_CWORD": str(len(written))}


def main() -> None:
    """Measure, and say it."""
    ask = place.options(__doc__, rounds=11)
    ask.add_argument("--nodes", type=int, default=1_000, help="names to complete from (default: %(default)s)")
    asked = ask.parse_args()
    with place.at(asked) as here:
        figures.conclude(measure(here, rounds=asked.rounds, nodes=asked.nodes))


if __name__ == "__main__":
    main()
