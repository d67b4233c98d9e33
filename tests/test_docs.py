"""README and docs say what is so: their commands are typed, and their answers held against what is seen."""

import re
from pathlib import Path

import pytest
import story
from desk import Desk

from zyc.source import parse

ROOT = Path(__file__).parents[1]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
WALK = ROOT / "docs" / "how-to" / "add-a-kind.md"  # it is gone in a copy of the checkout: test_walk.py
ELSEWHERE = ("make ", "pip ", "git clone")  # what prepares a machine has been done when tests run


def played():
    """The pages with something to type."""
    for path in PAGES:
        if path != WALK and any(block.language == "console" for case in story.read(path).cases for block in case.blocks):
            waits = "sleep" in path.read_text(encoding="utf-8")
            yield pytest.param(path, id=str(path.relative_to(ROOT)), marks=[pytest.mark.slow] if waits else [])


@pytest.mark.parametrize("path", list(played()))
def test_what_a_page_types_is_answered_as_it_says(path, tmp_path):
    """Each command of a page is typed in one project, from the first to the last; `...` stands for any text."""
    desk = Desk(tmp_path / "project")
    for case in story.read(path).cases:
        for _, typed in story.play(desk, case, skip=ELSEWHERE):
            for each in typed:
                if not story.matches(each.wanted, each.seen):
                    told = ["the page has", *each.wanted, "", "but now", f"$ {each.line}", *each.seen]
                    pytest.fail("\n".join(told), pytrace=False)


def test_the_spec_in_the_readme_is_the_one_that_init_writes(tmp_path):
    """A reader of the README reads the project that `zyc init` gives them, less its comments."""
    desk = Desk(tmp_path / "project")
    desk.zyc("init", ".")
    shown = next(block for case in story.read(ROOT / "README.md").cases for block in case.blocks if block.lines[:1] == ["zyc: 1"])
    written = parse(desk.read("specs/hello.yml").encode(), "specs/hello.yml")
    assert parse("\n".join(shown.lines).encode(), "README.md").root == written.root


def test_every_link_of_the_docs_leads_somewhere():
    """A link to a file or folder of this repository is not broken."""
    for path in PAGES:
        for link in re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", path.read_text(encoding="utf-8")):
            assert (path.parent / link).exists(), f"{path.relative_to(ROOT)}: {link}"


def test_the_index_names_every_page():
    """Whoever looks for a page finds it in docs/README.md; kinds and decisions have indexes of their own."""
    index = (ROOT / "docs" / "README.md").read_text(encoding="utf-8")
    pages = [*(ROOT / "docs").glob("*.md"), *(ROOT / "docs" / "how-to").glob("*.md")]
    named = [path.relative_to(ROOT / "docs").as_posix() for path in pages if path.name != "README.md"]
    assert [name for name in named if f"]({name})" not in index] == []
