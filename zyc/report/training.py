"""Training reports in a project: what only the project knows is put into the page that a run left, and an index lists them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from html import escape
from typing import NamedTuple

from zyc.quantity import in_bytes, in_number, in_time
from zyc.report.console import moment
from zyc.report.rows import elsewhere
from zyc.traces import Trace

# a page may come from elsewhere: whatever it holds, it runs nothing and asks nobody
_QUIET = "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data:"
_HEAD = f'<!doctype html>\n<meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="{_QUIET}">\n'
_SHOWN = ("train.loss", "test.loss", "reward.accuracy", "tokens_per_second")
_STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #777 }
body { margin: 0 auto; max-width: 60rem; padding: 2rem 1.5rem; font: 16px/1.5 system-ui, sans-serif }
table { border-collapse: collapse; width: 100% } th { text-align: left; color: var(--soft); font-weight: 500 }
th, td { padding: .5rem .75rem .5rem 0; border-bottom: 1px solid var(--line); font-variant-numeric: tabular-nums }
img { width: 9rem; display: block; background: #fff; border-radius: .25rem }
"""


class Entry(NamedTuple):
    """One node with a report."""

    node: str
    place: str  # the folder of its report, below that of the index
    trace: Trace
    drawn: bool  # whether there is a picture


def filled(page: str, node: str, trace: Trace, *, twin: bool) -> str:
    """The page of a run with its node's name, where and when it ran, and what was predicted beside what was measured."""
    where = f"made elsewhere ({elsewhere(trace)})" if trace.adopted else trace.environment.get("host", "")
    what = [f"{'rehearsal of a ' if twin else ''}{trace.kind}", in_time(trace.seconds), where, moment(trace.started)]
    texts = {
        "name": escape(node),
        "what": escape(" · ".join(each for each in what if each)) + " · ",
        "predicted": _predicted(trace),
        "foot": f" Key {escape(trace.key[:24])}.",
    }
    for name, text in texts.items():
        page = _put(page, name, text)
    return _HEAD + re.sub(r"^\s*<!doctype html>\n?", "", page, flags=re.IGNORECASE).replace(
        "<title>Training", f"<title>{escape(node)}", 1
    )


def _put(page: str, name: str, text: str) -> str:
    """Fill one place of a page; `what` goes before what is there."""
    start, end = f"<!-- zyc: {name} -->", "<!-- zyc: end -->"
    before, found, rest = page.partition(start)
    old, ended, after = rest.partition(end)
    return f"{before}{text}{old if name == 'what' else ''}{after}" if found and ended else page


def _predicted(trace: Trace) -> str:
    measured = {"seconds": trace.seconds, "memory": float(trace.peak_memory), "bytes": float(trace.bytes)}
    said = {"seconds": ("time", in_time), "memory": ("memory", _bytes), "bytes": ("result", _bytes)}
    rows = []
    for name, (word, told) in said.items():
        before, after = trace.predicted.get(name), measured[name]
        if before and after:
            rows.append(f"<tr><td>{word}</td><td>{told(before)}</td><td>{told(after)}</td><td>{after / before:.2f}</td></tr>")
    head = "<tr><th></th><th>predicted</th><th>measured</th><th>measured / predicted</th></tr>"
    return f"<h2>Predicted against measured</h2><table>{head}{''.join(rows)}</table>" if rows else ""


def _bytes(value: float) -> str:
    return in_bytes(round(value))


def index(entries: Sequence[Entry], *, twin: bool) -> str:
    """One page that lists the reports, with their numbers."""
    title = "Training reports" + (" of the twin: a rehearsal at toy size" if twin else "")
    shown = [name for name in _SHOWN if any(name in each.trace.measures for each in entries)]
    head = "".join(f"<th>{escape(each)}</th>" for each in ("", "node", "kind", *shown, "took"))
    rows = "".join(_row(each, shown) for each in entries)
    return (
        f'{_HEAD}<html lang="en"><head><meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{title}</title><style>{_STYLE}</style></head><body><h1>{title}</h1>"
        f"<table><tr>{head}</tr>{rows}</table></body></html>\n"
    )


def _row(each: Entry, shown: Sequence[str]) -> str:
    link = escape(f"{each.place}/index.html")
    picture = f'<a href="{link}"><img alt="loss" src="{escape(each.place)}/loss.png"></a>' if each.drawn else ""
    cells = [picture, f'<a href="{link}">{escape(each.node)}</a>', escape(each.trace.kind)]
    cells += [_number(each.trace.measures, name) for name in shown]
    return f"<tr>{''.join(f'<td>{cell}</td>' for cell in (*cells, in_time(each.trace.seconds)))}</tr>"


def _number(measures: Mapping[str, float], name: str) -> str:
    return in_number(measures[name]) if name in measures else ""
