"""What a rendered conversion to GGUF takes against llama.cpp's bare converter, on the same model, written anew each time.

The rendered one also looks for traps first, and at every number last: about a second, whatever the size, and then little.
Both read the model from memory and write to the disk. What the proof adds is told beside.
"""

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from course import figures, place
from course.clock import Entrant, in_turn, once
from course.figures import Figure
from course.place import Place

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "kinds")]

import standing  # noqa: E402  # a step by hand, as the tests of the kinds lay it out
import tiny_models  # noqa: E402

from zyc.types import Model  # noqa: E402

SHAPE = {"hidden_size": 1024, "intermediate_size": 4096, "num_attention_heads": 16, "num_key_value_heads": 8, "head_dim": 64}
LAYER = 15_730_000  # parameters of a layer of this shape


def measure(here: Place, *, rounds: int, size: int = 4_000_000_000) -> Iterator[Figure]:
    """Convert, and convert, in turn."""
    layers = max(1, size // (2 * LAYER))
    model = tiny_models.make(here.folder / "made", num_hidden_layers=layers, **SHAPE)
    source = standing.module("lib/llama_home.py").source()
    step = standing.stand(here.folder / "step", "gguf", {"source": model})
    out = here.folder / "bare"
    out.mkdir()
    (step / "out").mkdir()

    def before(folder: Path) -> None:
        for each in folder.glob("*.gguf"):
            each.unlink()
        os.sync()

    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    converter = [sys.executable, str(source / "convert_hf_to_gguf.py"), str(model)]
    env = {"PATH": path, "HOME": str(Path.home()), "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    runs = in_turn(
        Entrant("zyc", [str(shutil.which("bash")), "run.sh"], step, lambda _: before(step / "out"), env),
        Entrant("bare", [*converter, "--outfile", str(out / "m.gguf"), "--outtype", "f16"], out, lambda _: before(out), env),
        rounds=rounds,
        warm=1,
    )
    figures.show(runs.values())
    ours, theirs = runs["zyc"], runs["bare"]
    seen = f"{layers} layers; {figures.beside(ours, theirs)}"
    yield Figure(f"convert {layers * LAYER * 2 / 1e9:.1f} GB to GGUF", ours.least / theirs.least, "x bare", bar=1.05, seen=seen)
    known = Model(family="llama", layers=layers, width=1024, mlp=4096, heads=16, kv_heads=8, head_size=64, vocabulary=480)
    links, facts = {"subject": step / "out", "against": model}, {"subject": Model(), "against": known}
    proof = standing.stand(here.folder / "proof", "parity", links, facts)
    proven = once([str(shutil.which("bash")), "run.sh"], proof, env=env)
    about = f"{figures.in_time(proven.seconds)}, {figures.in_megabytes(proven.memory)}"
    yield Figure("proof of a conversion", proven.seconds / ours.least, "x conversion", seen=about)
    shutil.rmtree(here.folder / "made")


def main() -> None:
    """Measure, and say it."""
    ask = place.options(__doc__, rounds=3)
    ask.add_argument("--size", type=float, default=4.0, metavar="GB", help="of the model (default: %(default)s)")
    asked = ask.parse_args()
    with place.at(asked) as here:
        figures.conclude(measure(here, rounds=asked.rounds, size=int(asked.size * 1e9)))


if __name__ == "__main__":
    main()
