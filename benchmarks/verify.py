"""What it costs to read a whole store again, against `sha256sum` on the same bytes: large files, and many small ones."""

import sys
from collections.abc import Iterator
from pathlib import Path

from course import figures, place
from course.clock import Entrant, in_turn
from course.figures import Figure
from course.place import Place
from publish import PUBLISH, write


def measure(here: Place, *, rounds: int, size: int = 2_000_000_000, files: int = 20_000) -> Iterator[Figure]:
    """Both find the files in memory, as far as it reaches."""
    yield _figure(here, "large", rounds=rounds, size=size, files=0)
    yield _figure(here, "small", rounds=rounds, size=0, files=files)


def _figure(here: Place, name: str, *, rounds: int, size: int, files: int) -> Figure:
    project = here.folder / name
    (project / "specs").mkdir(parents=True)
    python = sys.executable
    for number in range(2):
        out = _small(project / "out", files // 2, number) if files else write(project / "out", size // 2)
        in_turn(Entrant("publish", [python, "-c", PUBLISH, "artifacts/store", str(out)], project), rounds=1, warm=0)
    listed = "find artifacts/store/trees -type f -print0 | xargs -0 sha256sum > /dev/null"
    runs = in_turn(
        Entrant("zyc verify", [here.zyc, "verify"], project),
        Entrant("sha256sum", ["/bin/sh", "-c", listed], project),
        rounds=rounds,
    )
    figures.show(runs.values())
    ours, theirs = runs["zyc verify"], runs["sha256sum"]
    ratio = ours.least / theirs.least
    seen = f"{1 / ratio:.2f} of its speed; {figures.beside(ours, theirs)}"
    place.discard(project)
    what = f"verify {files:,} small files" if files else f"verify {size / 1e9:.0f} GB"
    return Figure(what, ratio, "x sha256sum", bar=None if files else round(1 / 0.9, 2), seen=seen)


def _small(folder: Path, count: int, mark: int) -> Path:
    for number in range(count):
        path = folder / f"{number // 1000}" / f"{number}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{mark} {number} " * 500)
    return folder


def main() -> None:
    """Measure, and say it."""
    ask = place.options(__doc__, rounds=3)
    ask.add_argument("--size", type=float, default=2.0, metavar="GB", help="of the large files (default: %(default)s)")
    ask.add_argument("--files", type=int, default=20_000, help="how many small ones (default: %(default)s)")
    asked = ask.parse_args()
    with place.at(asked) as here:
        figures.conclude(measure(here, rounds=asked.rounds, size=int(asked.size * 1e9), files=asked.files))


if __name__ == "__main__":
    main()
