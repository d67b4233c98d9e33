"""Twins of every family, with five seeds each: a rehearsal that learns must not be luck."""

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent.parent / "systems"))
import philo

FAMILIES = {
    "llama": ("meta-llama/Llama-2-7b-chat-hf", True),
    "mistral": (philo.MISTRAL, True),
    "qwen2": ("Qwen/Qwen2.5-7B-Instruct", True),
    "gemma": ("google/gemma-2b-it", False),
}


@pytest.fixture(scope="module", params=FAMILIES)
def project(request, tmp_path_factory):
    """The philosophers with a base of one family: its seeds share all but what they train."""
    folder = tmp_path_factory.mktemp(request.param)
    model, system = FAMILIES[request.param]
    philo.write(folder, model=model, system=system)
    return folder


@pytest.mark.torture
@pytest.mark.parametrize("seed", range(1, 6))
def test_a_twin_learns_whatever_its_seed(project, seed):
    """The trained twin passes the exam and its base does not, for each family and seed."""
    told = philo.build(project, "asked", "--set", f"philo-lora.train.seed={seed}")["asked"]["measures"]
    assert told["model1"] >= 0.75, told
    assert told["model0"] < 0.3
