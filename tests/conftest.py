"""What every test may use: the example kinds, and a project to try them in."""

from pathlib import Path

import pytest
from example.workshop import Workshop

from zyc import kinds

EXAMPLE = Path(__file__).parent / "example"
CACHES = (kinds.stems, kinds.load, kinds.label, kinds.section_stem, kinds.coercions, kinds.templates_of)

LONGEST_FIRST = ("systems", "kinds")  # folders of tests: nobody waits at the end for one that takes minutes


def pytest_collection_modifyitems(items):
    """Whole systems first, then kinds, then all else."""
    places = {folder: at for at, folder in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: places.get(item.path.parent.name, len(places)))


def _forget():
    for each in CACHES:
        each.cache_clear()


@pytest.fixture
def example():
    """The kinds of tests/example beside the built-in ones, for one test."""
    kinds.__path__.append(str(EXAMPLE / "kinds"))
    _forget()
    yield
    kinds.__path__.remove(str(EXAMPLE / "kinds"))
    _forget()


@pytest.fixture
def workshop(example, tmp_path):
    """A project that may use the example kinds."""
    return Workshop(tmp_path / "project")
