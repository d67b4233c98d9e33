"""Two hundred kills at random moments, of driver, steps or both: each rerun ends in the bytes of an uninterrupted build."""

from __future__ import annotations

import random
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1]))
from killing import STEPS, Victim

pytestmark = pytest.mark.torture
KILLS = 200


def test_two_hundred_kills(tmp_path):
    """Never two writers beside each other, no work twice but what was killed, and a whole store each time."""
    seed = random.SystemRandom().randrange(1 << 32)
    print("seed", seed)  # noqa: T201  # told when it fails
    victim = Victim(tmp_path / "project", random.Random(seed))
    victim.build()
    trees, usual = victim.trees(), victim.seconds
    assert trees.keys() == STEPS.keys()
    while victim.kills < KILLS:
        victim.seconds = usual
        victim.round(victim.dice.choice([1, 2, 2, 3]))
        victim.build()
        victim.check(trees)
