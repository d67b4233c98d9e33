"""What every test may use: the example kinds, and a project to try them in."""

from pathlib import Path

import pytest
from example.workshop import Workshop, beside

EXAMPLE = Path(__file__).parent / "example"

LONGEST_FIRST = ("systems", "kinds")  # folders of tests: nobody waits at the end for one that takes minutes


def pytest_collection_modifyitems(items):
    """Whole systems first, then kinds, then all else."""
    places = {folder: at for at, folder in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: places.get(item.path.parent.name, len(places)))


@pytest.fixture
def example():
    """The kinds of tests/example beside the built-in ones, for one test."""
    with beside(EXAMPLE / "kinds"):
        yield


@pytest.fixture
def workshop(example, tmp_path):
    """A project that may use the example kinds."""
    return Workshop(tmp_path / "project")
