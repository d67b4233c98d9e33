"""Facts into the page of a graph: whatever they hold is text there, and the page runs nothing and asks nobody."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from zyc.report.ledger import HEAD

_HOME = Path(__file__).parent
_QUIET = "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data:"
_HEAD = f'<!doctype html>\n<meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="{_QUIET}">\n'


def page(facts: Mapping[str, Any]) -> str:
    """The whole page, in one file."""
    environment = Environment(
        loader=FileSystemLoader(_HOME), undefined=StrictUndefined, autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    style = Markup((_HOME / "graph.css").read_text(encoding="utf-8"))  # noqa: S704  # ours
    return _HEAD + environment.get_template("graph.html").render(_drawn(facts), style=style, head=HEAD) + "\n"


def _drawn(facts: Mapping[str, Any]) -> dict[str, Any]:
    """The drawings are markup already: each text in them was escaped when it was drawn."""
    graph = {**facts["graph"], "svg": Markup(facts["graph"]["svg"])}  # noqa: S704
    trainings = [{**run, **{name: Markup(run[name]) for name in ("loss", "rate", "pace")}} for run in facts["trainings"]]  # noqa: S704
    return {**facts, "graph": graph, "trainings": trainings}
