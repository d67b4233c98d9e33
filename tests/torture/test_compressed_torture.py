"""FP8, GPTQ and INT8 for real: the environment is made from its list, weights are rounded and proven, and a fault is seen."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "kinds"))

from tiny_models import make
from trainee import environ, make_dataset

PROJECT = """
tokenizers: {my-pieces: {corpus: data/words.txt, vocab: 400}}
models: {my-tiny: {scratch: {family: llama, layers: 2, heads: 4, width: 256, mlp: 512, context: 256}, tokenizer: my-pieces}}
datasets: {my-texts: {from: data/words.txt, per: line, format: text}}
quants: {my-fast: {model: my-tiny, FIELDS}}
"""
pytestmark = pytest.mark.torture
MOST = {"fp8": 0.02, "gptq": 0.06, "int8": 0.02}  # divergence


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """A tiny model whose rows the scales of four bits can cut."""
    return make(tmp_path_factory.mktemp("tiny"), "llama", hidden_size=256, intermediate_size=512, head_dim=64)


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """Where environments are kept: made once for all of these tests, by the first of them."""
    return Path(os.environ.get("ZYC_ENVIRONMENTS") or tmp_path_factory.mktemp("environments"))


def run(front, node, home, places, kept):
    """A step in its folder, by its own run.sh: its measures."""
    for path, text in front.settlement.rendered(front.graph.vertices[node]).files().items():
        (home / path).parent.mkdir(parents=True, exist_ok=True)
        (home / path).write_text(text)
    for folder in ("in", "out", "state", "tmp"):
        (home / folder).mkdir(exist_ok=True)
    for place, target in places.items():
        (home / "in" / place).symlink_to(target)
    env = environ(ZYC_ENVIRONMENTS=str(kept))
    done = subprocess.run(["bash", "run.sh"], cwd=home, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return json.loads((home / "measures.json").read_text())


@pytest.mark.parametrize("kind", MOST)
def test_every_format_that_a_processor_makes(workshop, tmp_path, source, kept, kind):
    """What comes out is smaller, has the same tokens and chats, and says nearly the same; weights that were turned do not."""
    import torch
    from safetensors.torch import load_file, save_file

    rows = [{"text": f"Le chat dort sur le canapé et la liberté est un mot, disait-il pour la {at}e fois."} for at in range(40)]
    make_dataset(tmp_path / "data", rows)
    workshop.spec(PROJECT.replace("FIELDS", f"format: {kind}" + (", calibration: my-texts" if kind != "fp8" else "")))
    front = workshop.front()
    step = tmp_path / "step"
    made = run(front, "my-fast", step, {"model": source, "calibration": tmp_path / "data"}, kept)
    assert made["size.reduction"] > 0.4 * (1.4 if kind == "gptq" else 1)

    def prove(subject, name):
        return run(front, "my-fast.proof", tmp_path / name, {"subject": subject, "against": source, "model": source}, kept)

    sound = prove(step / "out", "proof")
    assert (sound["same_tokens"], sound["same_template"]) == (1.0, 1.0)
    assert sound["kl"] < MOST[kind]
    bad = shutil.copytree(step / "out", tmp_path / "bad")
    tensors = load_file(bad / "model.safetensors")
    tensors["model.embed_tokens.weight"] = torch.flip(tensors["model.embed_tokens.weight"], dims=[0])
    save_file(tensors, bad / "model.safetensors", metadata={"format": "pt"})
    assert prove(bad, "bad-proof")["kl"] > 100 * sound["kl"]
