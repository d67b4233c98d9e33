"""Builds that are killed: each rerun ends in the bytes of an uninterrupted one, and nobody ever writes beside another."""

import json
import random

import pytest
from killing import STEPS, WHOM, Victim

pytestmark = pytest.mark.slow


@pytest.fixture
def victim(tmp_path):
    """A project of twelve steps, built once without a mishap."""
    return Victim(tmp_path / "project", random.Random(0))


def _ends(said: str) -> dict[str, str]:
    events = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
    return {each["node"]: each["fate"] for each in events if each["event"] == "end"}


def test_a_build_that_is_killed_here_and_there_ends_as_if_nothing_had_been(victim):
    """Driver, steps, both, at a few random moments; the long form is a torture test."""
    victim.build()
    trees = victim.trees()
    assert trees.keys() == STEPS.keys()
    for kills in (2, 2, 2):
        victim.round(kills)
        victim.build()
        victim.check(trees)


@pytest.mark.parametrize("whom", WHOM)
def test_a_kill_in_the_middle_of_a_step(victim, whom):
    """Each way to be killed, while a step is at work for sure: a driver's death costs no work, a step's death only its own."""
    with victim.start() as driver:
        while "c" not in victim.living():
            assert driver.poll() is None, victim.said
        victim.strike(driver, whom)
        assert driver.wait(60) in (1, -9)
    victim.build()
    assert set(_ends(victim.said).values()) <= {"ran", "resumed", "kept"}
    victim.check(victim.trees())


def test_sixteen_builders_run_each_key_once(victim, tmp_path):
    """On one store at once: who comes too late waits and takes what is there; all end well."""
    drivers = []
    for at in range(16):
        drivers.append(victim.start())
        (victim.root / "said").rename(victim.root / f"said{at}")
    assert [driver.wait(120) for driver in drivers] == [0] * 16
    assert victim.starts() == dict.fromkeys(STEPS, 1)
    victim.check(victim.trees())
    said = [_ends((victim.root / f"said{at}").read_text()) for at in range(16)]
    assert all(each.keys() == STEPS.keys() for each in said)
    for name in STEPS:
        assert sorted(each[name] for each in said) == ["kept"] * 15 + ["ran"]


def test_two_projects_on_one_store(victim, tmp_path):
    """Each key is built in one of them, and both have it; a killed driver of the one does not hold up the other for ever."""
    other = Victim(tmp_path / "other")
    (victim.root / "artifacts/store").mkdir(parents=True)
    (other.root / "artifacts").mkdir()
    (other.root / "artifacts/store").symlink_to(victim.root / "artifacts/store")
    with victim.start() as first, other.start() as second:
        assert [first.wait(60), second.wait(60)] == [0, 0]
    assert victim.starts() + other.starts() == dict.fromkeys(STEPS, 1)
    assert victim.trees() == other.trees()
    for each in (victim, other):
        each.check(victim.trees())
        assert all((each.root / "artifacts/nodes" / name).is_dir() for name in STEPS)
    other.build()
    assert set(_ends(other.said).values()) <= {"kept"}
