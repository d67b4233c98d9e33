"""The promises about broken specs at full size: a hundred thousand projects, and as many hostile words."""

from __future__ import annotations

import random
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1] / "properties"))
from test_fuzz_specs import VERBS, asked, call_it, calls, mutants

from zyc.kept import Kept

pytestmark = pytest.mark.torture


@pytest.mark.parametrize("seed", range(100, 120))
def test_a_hundred_thousand_broken_projects(example, tmp_path, seed) -> None:
    """100,000 mutants through the whole front half: no exception, no hang, each problem with its place."""
    kept = Kept()
    for files in mutants(seed, 5_000):
        asked(files, tmp_path, kept=kept)


@pytest.mark.parametrize("seed", range(200, 205))
def test_twenty_thousand_strange_calls(example, tmp_path, seed) -> None:
    """20,000 calls with strange overrides, profiles, selectors, gates, matrices, searches and selects: answered in words."""
    kept = Kept()
    for files, call in calls(seed, 4_000):
        asked(files, tmp_path, kept=kept, **call)


def test_three_thousand_broken_projects_on_the_command_line(example, tmp_path) -> None:
    """Every verb that looks answers a broken project with 0, or with 2 and words; what it keeps from call to call is no lie."""
    rng = random.Random(300)
    for files in mutants(300, 3_000):
        call_it(files, list(rng.choice(VERBS)), tmp_path)
