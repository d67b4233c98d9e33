"""The picture in the README is what the first plan prints; `pytest tests/test_picture.py --snapshot-update` draws it again."""

import importlib.util
import xml.etree.ElementTree as ET

import pytest
from desk import REPOSITORY


@pytest.fixture
def picture():
    """The script that draws it."""
    spec = importlib.util.spec_from_file_location("picture", REPOSITORY / ".ci" / "picture.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
def test_the_picture_shows_what_the_plan_prints(picture, request):
    """Each word of today's plan stands in docs/plan.svg, in its place and colour."""
    drawn = picture.drawn(picture.printed())
    if request.config.option.update_snapshots:
        picture.PICTURE.write_text(drawn, encoding="utf-8")
    assert picture.PICTURE.read_text(encoding="utf-8") == drawn


def test_the_picture_stands_alone(picture):
    """It is well-formed, fetches nothing, runs nothing, and has colours for light and for dark."""
    text = picture.PICTURE.read_text(encoding="utf-8")
    tags = {each.tag.rpartition("}")[2] for each in ET.fromstring(text).iter()}
    assert tags == {"svg", "title", "style", "rect", "text"}
    assert "url(" not in text
    assert "prefers-color-scheme: dark" in text


def test_colours_and_columns_of_a_line(picture):
    """A coloured word stands where the terminal has it, and what follows it is plain again."""
    assert picture.runs("  a b\x1b[32m✓ ok\x1b[0m  c") == [(2, "", "a b"), (5, "green", "✓ ok"), (11, "", "c")]
