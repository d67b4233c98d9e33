"""docs/kinds has a page for each kind, and every page is what its kind says of itself.

`pytest tests/test_kind_pages.py --snapshot-update` writes them.
"""

import os

import kind_pages
import pytest
from desk import Desk

from zyc import kinds


@pytest.mark.parametrize("stem", kinds.stems())
def test_a_kind_has_its_page(stem, request, tmp_path):
    """Fields, measures, bounds, example and errors are those that the kind has now."""
    path = kind_pages.HOME / f"{stem}.md"
    text = kind_pages.made(stem, tmp_path)
    if request.config.option.update_snapshots:
        assert "PYTEST_XDIST_WORKER" not in os.environ, "pages are written by one process at a time"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert path.exists(), "`pytest tests/test_kind_pages.py --snapshot-update` writes it"
    assert path.read_text(encoding="utf-8") == text


def test_the_index_lists_every_kind(request):
    """No kind is missing in docs/kinds/README.md, and what every node has stands there once."""
    path = kind_pages.HOME / "README.md"
    if request.config.option.update_snapshots:
        path.parent.mkdir(exist_ok=True)
        path.write_text(kind_pages.index(), encoding="utf-8")
    assert path.read_text(encoding="utf-8") == kind_pages.index()


def test_no_page_is_left_of_a_kind_that_is_gone():
    """What lies in docs/kinds is a page of a kind, or the index."""
    assert {path.stem for path in kind_pages.HOME.iterdir()} == {"README", *kinds.stems()}


def test_pages_of_the_kinds_that_people_write_show_real_errors():
    """Each of them shows at least two calls that go wrong, with what is said."""
    for kind in kinds.every():
        if kind.section:
            text = (kind_pages.HOME / f"{kind.name}.md").read_text(encoding="utf-8")
            said = kind_pages.sections(text)[kind_pages.ERRORS]
            assert said.count("\nerror: ") >= 2, kind.name


def test_a_kind_is_told_in_the_terminal(tmp_path):
    """`zyc schema KIND` prints its declaration as the page has it, by either of its words; with `--json` its schema."""
    desk = Desk(tmp_path / "project")
    told = desk.zyc("schema", "quant")
    page = (kind_pages.HOME / "quant.md").read_text(encoding="utf-8")
    assert told.code == 0
    assert told.out == desk.zyc("schema", "quants").out
    assert kind_pages.sections(told.out)[kind_pages.FIELDS] == kind_pages.sections(page)[kind_pages.FIELDS]
    assert "model" in desk.zyc("schema", "quant", "--json").data["quant"]["properties"]
    wrong = desk.zyc("schema", "qant")
    assert wrong.code == 2
    assert "did you mean `quant`?" in wrong.err
