"""The walk of docs/how-to/add-a-kind.md is gone as it is written, in a copy of this checkout."""

import shutil

import pytest
import story
from desk import REPOSITORY, Desk

PAGE = REPOSITORY / "docs" / "how-to" / "add-a-kind.md"
CHECKOUT = ("zyc", "templates", "tests", "constraints.txt", "pyproject.toml", "LICENSE", "README.md")


class Checkout(Desk):
    """A desk in a copy of zyc, whose calls run what is in the copy."""

    def types(self, line):
        """Every line in a shell."""
        return self.shell(line, within=300, PYTHONPATH=str(self.root))


@pytest.mark.slow
def test_the_kind_of_the_walk_plans_builds_and_passes_the_tests_of_every_kind(tmp_path):
    """The files of the page are put where it says; then each command answers what the page has, and with its exit code."""
    root = tmp_path / "checkout"
    for name in CHECKOUT:
        copy = shutil.copytree if (REPOSITORY / name).is_dir() else shutil.copy
        options = {"ignore": shutil.ignore_patterns("__pycache__", "golden", "torture")} if copy is shutil.copytree else {}
        root.mkdir(exist_ok=True)
        copy(REPOSITORY / name, root / name, **options)
    desk = Checkout(root)
    typed = [each for case in story.read(PAGE).cases for _, block in story.play(desk, case) for each in block]
    assert len(typed) >= 5
    for each in typed:
        assert story.matches(each.wanted, each.seen), "\n".join([f"$ {each.line}", *each.seen])
        assert each.said.code == each.code, each.said.text
