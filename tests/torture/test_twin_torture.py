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


@pytest.mark.torture
@pytest.mark.parametrize("seed", range(1, 6))
@pytest.mark.parametrize("family", FAMILIES)
def test_a_twin_learns_whatever_its_seed(tmp_path, family, seed):
    """The trained twin passes the exam and its base does not, for each family and seed."""
    model, system = FAMILIES[family]
    philo.write(tmp_path, model=model, system=system)
    told = philo.build(tmp_path, "asked", "--set", f"philo-lora.train.seed={seed}")["asked"]["measures"]
    assert told["model1"] >= 0.75
    assert told["model0"] < 0.3
