"""The pages of this folder: what a person does to a project, what they type, and all that they see."""

import os
from pathlib import Path

import pytest
import story
from desk import Desk

PAGES = sorted((Path(__file__).parent / "pages").glob("*.md"))


def cases():
    """Each case by its page and title."""
    for path in PAGES:
        for case in story.read(path).cases[1:]:
            yield pytest.param(path, case.title, id=f"{path.stem}-{case.title}")


@pytest.mark.parametrize(("path", "title"), list(cases()))
def test_a_page_shows_what_is_seen(path, title, request, still, tmp_path):
    """What is typed is answered as the page shows, to the letter and with its exit code."""
    page = story.read(path)
    if page.example:
        request.getfixturevalue("example")
    desk = Desk(tmp_path / "mill")
    case = next(each for each in page.cases if each.title == title)
    head = story.play(desk, page.head)
    played = story.play(desk, case)
    assert played, f"`{title}` types nothing"
    if request.config.option.update_snapshots:
        assert "PYTEST_XDIST_WORKER" not in os.environ, "pages are written by one process at a time"
        story.rewrite(page, [*head, *played])
        return
    for _, typed in [*head, *played]:
        for each in typed:
            assert each.seen == each.wanted, each.line
            assert each.said.code == each.code, each.line
