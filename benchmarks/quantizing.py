"""What a rendered quantization takes against the bare llama-quantize, on the same file, written anew each time.

The rendered one also starts Python, and holds every fact and tensor of the result against the source: about a second,
whatever the size. The proof is a node of its own: it is told beside.
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
import trainee  # noqa: E402

from zyc.types import Gguf, Model, values_of  # noqa: E402

SHAPE = {"hidden_size": 1024, "intermediate_size": 4096, "num_attention_heads": 16, "num_key_value_heads": 8, "head_dim": 64}
LAYER = 15_730_000  # parameters of a layer of this shape
THREADS = "2"


def measure(here: Place, *, rounds: int, size: int = 2_000_000_000, kind: str = "Q4_K_M") -> Iterator[Figure]:
    """Quantize, and quantize, in turn."""
    layers = max(1, size // (2 * LAYER))
    model = tiny_models.make(here.folder / "made", num_hidden_layers=layers, **SHAPE)
    full = standing.stand(here.folder / "full", "gguf", {"source": model})
    standing.run(full)
    facts = Model(
        family="llama", layers=layers, width=1024, mlp=4096, heads=16, kv_heads=8, head_size=64, vocabulary=480, tied=False,
        form="sentencepiece-bpe",
    )  # fmt: skip
    spec = {"model": "m", "format": "gguf", "type": kind}
    before_it = Gguf(values_of(facts), "F16", facts.width)
    made = trainee.rendered("quant", spec, {"model": before_it})
    step = trainee.write_step(here.folder / "step", made, {"model": full / "out"})
    source, bare = full / "out/model.gguf", here.folder / "bare"
    program = standing.module("lib/llama_home.py").build() / "bin/llama-quantize"
    bare.mkdir()
    (step / "out").mkdir()

    def before(folder: Path) -> None:
        for each in folder.glob("*.gguf"):
            each.unlink()
        os.sync()

    env = trainee.environ(OMP_NUM_THREADS=THREADS)
    runs = in_turn(
        Entrant("zyc", [str(shutil.which("bash")), "run.sh"], step, lambda _: before(step / "out"), env),
        Entrant("bare", [str(program), str(source), str(bare / "m.gguf"), kind, THREADS], bare, lambda _: before(bare), env),
        rounds=rounds,
        warm=1,
    )
    figures.show(runs.values())
    ours, theirs = runs["zyc"], runs["bare"]
    seen = f"{layers} layers; {figures.beside(ours, theirs)}"
    yield Figure(
        f"quantize {source.stat().st_size / 1e9:.1f} GB to {kind}", ours.least / theirs.least, "x bare", bar=1.05, seen=seen
    )
    told = {"subject": "q", "against": "f", "model": "m", "format": "gguf"}
    inputs = {"subject": Gguf(values_of(facts), kind), "against": before_it, "model": facts}
    places = {"subject": step / "out", "against": full / "out", "model": model}
    proof = trainee.write_step(here.folder / "proof", trainee.rendered("fidelity", told, inputs), places)
    proven = once([str(shutil.which("bash")), "run.sh"], proof, env=env)
    about = f"{figures.in_time(proven.seconds)}, {figures.in_megabytes(proven.memory)}"
    yield Figure("proof of a quantization", proven.seconds / ours.least, "x quantization", seen=about)
    shutil.rmtree(here.folder / "made")


def main() -> None:
    """Measure, and say it."""
    ask = place.options(__doc__, rounds=3)
    ask.add_argument("--size", type=float, default=2.0, metavar="GB", help="of the file in 16 bits (default: %(default)s)")
    ask.add_argument("--type", default="Q4_K_M", help="(default: %(default)s)")
    asked = ask.parse_args()
    with place.at(asked) as here:
        figures.conclude(measure(here, rounds=asked.rounds, size=int(asked.size * 1e9), kind=asked.type))


if __name__ == "__main__":
    main()
