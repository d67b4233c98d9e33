"""What it costs to publish a large result durably, against reading it with `sha256sum` and waiting for the disk with `sync`.

Each round writes the same files anew for each of the two, so both find them in memory and not yet on the disk.
"""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

from course import figures, place
from course.clock import Entrant, in_turn
from course.figures import Figure
from course.place import Place

SHARDS = 4
_STORE = "import sys; from zyc.keeping.store import Store; from zyc.world import World; Store.open(World(), sys.argv[1])"
PUBLISH = f"{_STORE}.publish(sys.argv[2])"
USE = f"{_STORE}.expose(sys.argv[2], sys.argv[3])"


def write(folder: Path, size: int) -> Path:
    """A result as a model is one: a few large files and some small ones, of bytes that no disk makes smaller."""
    folder.mkdir(parents=True)
    block = os.urandom(1 << 22)
    for number in range(SHARDS):
        with (folder / f"model-{number}.safetensors").open("wb") as file:
            for at in range(max(1, size // SHARDS // len(block))):
                file.write(at.to_bytes(8, "big") + block[8:])
    for name in ("config.json", "tokenizer.json", "README.md"):
        (folder / name).write_text(name)
    return folder


def disk(folder: Path) -> int:
    """How many bytes of the disk the files below a folder take; a link to a folder is none of them."""
    return sum(path.stat().st_blocks * 512 for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


def measure(here: Place, *, rounds: int, size: int = 2_000_000_000) -> Iterator[Figure]:
    """Publish, and the two commands, in turn."""
    store, out, other = here.folder / "store", here.folder / "out", here.folder / "other"
    python = sys.executable

    def before(folder: Path, *, last: bool) -> None:
        for each in (out, other, *([store] if last else [])):
            place.discard(each)
        os.sync()
        write(folder, size)

    runs = in_turn(
        Entrant("zyc", [python, "-c", PUBLISH, str(store), str(out)], here.folder, lambda _: before(out, last=True)),
        Entrant(
            "sha256sum + sync",
            ["/bin/sh", "-c", f"sha256sum {other}/* > /dev/null && sync {other}/* {other}"],
            here.folder,
            lambda _: before(other, last=False),
        ),
        rounds=rounds,
        warm=0,
    )
    figures.show(runs.values())
    ours, theirs = runs["zyc"], runs["sha256sum + sync"]
    ratio = ours.least / theirs.least
    seen = f"{1 / ratio:.2f} of its speed; {figures.beside(ours, theirs)}"
    yield Figure(f"publish a tree of {size / 1e9:.0f} GB", ratio, "x sha256sum + sync", bar=round(1 / 0.7, 2), seen=seen)
    yield _used_again(here, python)


def _used_again(here: Place, python: str) -> Figure:
    """One link leads to a kept result: how many bytes the disk has less."""
    (tree,) = (here.folder / "store" / "trees").glob("*/*")
    before = disk(here.folder / "store")
    (here.folder / "in").mkdir()
    empty = disk(here.folder / "in")
    in_turn(
        Entrant("use", [python, "-c", USE, "store", str(here.folder / "in" / "model"), tree.name], here.folder), rounds=1, warm=0
    )
    assert (here.folder / "in" / "model" / "config.json").exists()
    copied = disk(here.folder / "store") - before + disk(here.folder / "in") - empty
    return Figure("kept artifact used again", copied, "bytes copied", bar=0, seen="one symbolic link")


def main() -> None:
    """Measure, and say it."""
    ask = place.options(__doc__, rounds=3)
    ask.add_argument("--size", type=float, default=2.0, metavar="GB", help="of the result (default: %(default)s)")
    asked = ask.parse_args()
    with place.at(asked) as here:
        figures.conclude(measure(here, rounds=asked.rounds, size=int(asked.size * 1e9)))


if __name__ == "__main__":
    main()
