"""The promises about broken specs at full size: a hundred thousand projects, and as many hostile words."""

from __future__ import annotations

import random
import sys
from pathlib import Path

import pytest

sys.path += [str(Path(__file__).parents[1]), str(Path(__file__).parents[1] / "properties")]
from test_fuzz_specs import VERBS, asked, call_it, calls, mutants
from test_hostile import Place, hostile, strings

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


@pytest.mark.parametrize("seed", range(20))
def test_ten_thousand_hostile_texts_reach_a_step_as_they_are(tmp_path, seed) -> None:
    """10,000 texts that end quotes, start commands or look like another language arrive letter for letter: no escape."""
    hostile(Place(tmp_path / "project"), strings(seed, 500))


def test_a_chain_of_twenty_thousand_nodes_is_a_plan(tmp_path) -> None:
    """No depth of a graph exhausts Python's stack."""
    place = Place(tmp_path / "project")
    place.steps("  n0: x\n" + "".join(f"  n{at}: {{run: x, inputs: {{a: n{at - 1}}}}}\n" for at in range(1, 20_000)))
    assert "20,000 run" in place.zyc("plan", seconds=120).out
    assert place.zyc("why", "n19999", seconds=120).code == 0


def test_a_family_of_a_hundred_thousand_is_a_plan(tmp_path) -> None:
    """The largest family that is allowed is planned, and one that takes all of it; one member more is refused."""
    place = Place(tmp_path / "project")
    axes = f"a: [{', '.join(map(str, range(400)))}], b: [{', '.join(map(str, range(250)))}]"
    place.steps(
        f"  each: {{run: 'x $ZYC_MATRIX_A $ZYC_MATRIX_B', matrix: {{{axes}}}}}\n  all: {{run: x, inputs: {{a: [each]}}}}\n"
    )
    assert "100,001 run" in place.zyc("plan", seconds=300).out
    place.steps(f"  each: {{run: 'x $ZYC_MATRIX_A $ZYC_MATRIX_B', matrix: {{{axes}, c: [0, 1]}}}}\n")
    assert "would have 200,000 members" in place.refused("plan")
