"""What is damaged, whose it is, and the next command; and as JSON."""

from __future__ import annotations

import time
from collections.abc import Callable

from zyc.keeping.damage import Finding
from zyc.quantity import in_bytes, in_time
from zyc.report.console import Console, safe

_OFTEN = 0.1  # seconds between two lines of progress
_WORDS = {"tree": "result", "format": "store"}


def progress(console: Console) -> Callable[[int, int], None]:
    """Tells how far the reading is, on a terminal, and not more often than one can see."""
    last = [0.0]

    def told(seen: int, total: int) -> None:
        now = time.monotonic()
        if now - last[0] > _OFTEN:
            last[0] = now
            share = f" of {in_bytes(total)}" if total >= seen else ""
            console.tick(f"  read {in_bytes(seen)}{share}")

    return told


def tell(console: Console, finding: Finding, *, repaired: bool) -> None:
    """Each damaged thing, what there is in all, and what to do."""
    rows = [
        (_WORDS.get(each.what, each.what), _name(each.what, each.name), safe(", ".join(each.nodes)), each.says)
        for each in finding.damages
    ]
    if rows:
        console.table(rows, head=("damaged", "object", "node", "because"), flexible=3)
    looked = f"{finding.trees:,} {_count(finding.trees, 'result')}, {in_bytes(finding.bytes)}; {finding.records:,} records"
    if not rows:
        console.print(f"all whole: {looked}")
        return
    count = len(rows)
    done = "mended" if repaired else "damaged"
    console.print(f"{count:,} {_count(count, 'thing')} {done} ({looked})")
    cost = "" if finding.seconds is None or not finding.nodes else f"{in_time(finding.seconds)} at the most"
    nodes = " ".join(safe(each) for each in finding.nodes[:6])
    if not repaired:
        console.say(f"next   zyc verify --repair   puts them aside, so that builds make them again{': ' if cost else ''}{cost}")
    elif nodes:
        console.say(f"next   zyc build {nodes}{'   takes ' if cost else ''}{cost}")


def as_data(finding: Finding, *, repaired: bool) -> dict[str, object]:
    """The same for programs."""
    return {
        "damaged": [
            {"what": each.what, "object": each.name, "nodes": list(each.nodes), "because": each.says} for each in finding.damages
        ],
        "repaired": repaired,
        "results": finding.trees,
        "bytes": finding.bytes,
        "records": finding.records,
        "seconds": finding.seconds,
    }


def _count(count: int, word: str) -> str:
    return word if count == 1 else f"{word}s"


def _name(what: str, name: str) -> str:
    return name[:12] if what in ("tree", "group", "trace") else safe(name)
