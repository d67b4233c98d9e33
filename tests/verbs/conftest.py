"""What the tests of the verbs may use: an empty desk, and one with a small project on it."""

import pytest
from desk import Desk, stand_still

MILL = """\
about: A small mill
vars: {who: world}
steps:
  grain: {files: {raw: specs/data/grain.txt}, run: sort in/raw > out/grain.txt}
  flour:
    about: Ground twice
    inputs: {grain: grain}
    scripts: {grind.sh: scripts/grind.sh}
    run: bash recipe/grind.sh < in/grain/grain.txt > out/flour.txt
    tags: [nightly]
  label: echo "for $ZYC_VARS_WHO" > out/label.txt
  sack:
    inputs: {flour: flour, label: label}
    run: cat in/flour/flour.txt in/label/label.txt > out/sack.txt
"""


@pytest.fixture
def still(monkeypatch):
    """A machine whose clock stands still."""
    stand_still(monkeypatch)


@pytest.fixture
def bare(tmp_path):
    """A desk with nothing on it."""
    return Desk(tmp_path / "mill")


@pytest.fixture
def desk(bare):
    """A desk with a project of four steps, not built."""
    bare.write("specs/data/grain.txt", "rye\noats\nbarley\n")
    bare.write("scripts/grind.sh", "tr a-z A-Z\n")
    bare.spec(MILL)
    return bare


@pytest.fixture
def built(desk):
    """The same, built."""
    said = desk.zyc("build")
    assert said.code == 0, said.text
    return desk
