"""What a rendered merge takes against the bare mergekit-yaml, on the same models and the same file; and what the proof adds.

Both read two random models in bf16 and write a third, in turn. What is rendered also looks at the tokenizers first, and publishes
all of their files last. Both write files of one size (`--out-shard-size`), which is what decides mergekit's memory; how much its
own default takes is told beside.
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

import tiny_models  # noqa: E402
import trainee  # noqa: E402  # a step by hand, as the tests of the kinds lay it out

from zyc.types import Model  # noqa: E402

SHAPE = {"hidden_size": 2048, "intermediate_size": 5632, "num_attention_heads": 32, "num_key_value_heads": 4, "head_dim": 64}
LAYER = 44_042_240  # parameters of a layer of this shape
SPECS = {
    "linear": {"method": "linear", "models": {"a": 0.6, "b": 0.4}},
    "slerp": {"method": "slerp", "models": ["a", "b"], "base": "a", "parameters": {"t": 0.5}},
    "ties": {"method": "ties", "models": {"b": {"weight": 1, "density": 0.5}}, "base": "a"},
}
PLACES = {"linear": ("models.0.node", "models.1.node"), "slerp": ("models.0.node", "models.1.node", "base")}


def measure(here: Place, *, rounds: int, size: float, method: str) -> Iterator[Figure]:
    """Merge, and merge, in turn; then the proof."""
    layers = max(1, round(size * 1e9 / LAYER))
    models = {}
    for name in "ab":
        models[name] = tiny_models.make(here.folder / name, num_hidden_layers=layers, **SHAPE)
    facts = Model(family="llama", layers=layers, width=2048, heads=32, vocabulary=480, quantized="", dtype="bf16")
    links = {"models.0.node": "b" if method == "ties" else "a", "models.1.node": "b", "base": "a"}
    used = PLACES.get(method, ("models.0.node", "base"))
    files = trainee.rendered("merge", SPECS[method], dict.fromkeys(used, facts))
    step = trainee.write_step(
        here.folder / "step", files, {each.removesuffix(".node").replace(".", "/"): models[links[each]] for each in used}
    )
    bare = here.folder / "bare"
    bare.mkdir()
    (bare / "in").symlink_to(step / "in")

    def before(folder: Path) -> None:
        for name in ("out", "tmp"):
            shutil.rmtree(folder / name, ignore_errors=True)
        os.sync()

    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    env = {"PATH": path, "HOME": str(Path.home()), "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "2", "PYTHONWARNINGS": "ignore"}
    tool = [str(Path(sys.executable).parent / "mergekit-yaml"), str(step / "recipe/merge.yml"), "out", "--no-write-model-card"]
    tool += ["--random-seed", "0", "--lazy-unpickle", "--quiet"]
    runs = in_turn(
        Entrant("zyc", [str(shutil.which("bash")), "run.sh"], step, lambda _: before(step), env),
        Entrant("bare", [*tool, "--out-shard-size", "1B"], bare, lambda _: before(bare), env),
        rounds=rounds,
        warm=0,
    )
    figures.show(runs.values())
    ours, theirs = runs["zyc"], runs["bare"]
    before(bare)
    whole = once([*tool, "--out-shard-size", "5B"], bare, env=env)
    proof = here.folder / "proof"
    trainee.write_step(proof, trainee.rendered("wholeness", {"subject": "a"}, {"subject": facts}), {"subject": step / "out"})
    proven = once([str(shutil.which("bash")), "run.sh"], proof, env=env)
    name = f"{method} of two models of {layers * LAYER / 1e9:.2f} B"
    seen = f"{figures.beside(ours, theirs)}; with mergekit's own 5B a file {figures.in_megabytes(whole.memory)}"
    yield Figure(name, ours.least / theirs.least, "x bare", bar=1.05, seen=seen)
    yield Figure(f"memory of {method}", ours.memory / theirs.memory, "x bare", bar=1.05, seen=figures.in_megabytes(ours.memory))
    yield Figure(f"proof of {method}", proven.seconds / ours.least, "x merge", bar=0.2, seen=figures.in_time(proven.seconds))


def main() -> None:
    """Measure, and say it."""
    ask = place.options(__doc__, rounds=3)
    ask.add_argument("--size", type=float, default=1.1, metavar="B", help="parameters of each model, in billions")
    ask.add_argument("--method", choices=list(SPECS), default="linear", help="of the merge (default: %(default)s)")
    asked = ask.parse_args()
    with place.at(asked) as here:
        figures.conclude(measure(here, rounds=asked.rounds, size=asked.size, method=asked.method))


if __name__ == "__main__":
    main()
