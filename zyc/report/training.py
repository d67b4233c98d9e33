"""Training reports in a project: what only the project knows is put into the page that a run left."""

from __future__ import annotations

import re
from html import escape
from typing import NamedTuple

from zyc.keeping.traces import Trace
from zyc.quantity import in_bytes, in_time
from zyc.report.console import moment
from zyc.report.rows import elsewhere

# a page may come from elsewhere: whatever it holds, it runs nothing and asks nobody
_QUIET = "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data:"
_HEAD = f'<!doctype html>\n<meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="{_QUIET}">\n'
# what the process that trained says; on a GPU it is another memory
_MEMORY = re.compile(r"<div><b>[^<]*</b><span>memory</span></div>")


class Entry(NamedTuple):
    """One node with a report."""

    node: str
    place: str  # the folder of its report, below that of the index
    trace: Trace
    drawn: bool  # whether there is a picture


def filled(page: str, node: str, trace: Trace, *, twin: bool) -> str:
    """The page of a run with its node's name, where and when it ran, and what was predicted beside what was measured."""
    where = f"made elsewhere ({elsewhere(trace)})" if trace.adopted else trace.environment.get("host", "")
    if trace.peak_memory and trace.predicted.get("memory") and not trace.environment.get("accelerator"):
        page = _MEMORY.sub("", page, count=1)  # the table tells that of the whole step: nobody wonders which is right
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
