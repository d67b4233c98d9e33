"""What was sent or fetched: a line for each node that moved, and the sum of the rest."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from threading import Lock
from typing import Self

from zyc.elsewhere.share import Fate, Share
from zyc.quantity import in_bytes
from zyc.report.console import Console, clipped, safe

_COLOURS = {Fate.SENT: "green", Fate.FETCHED: "green", Fate.FAILED: "red", Fate.ABSENT: "yellow"}
_WORDS = {
    Fate.SENT: "sent",
    Fate.FETCHED: "fetched",
    Fate.THERE: "there already",
    Fate.HERE: "here already",
    Fate.ABSENT: "could not be had",
    Fate.FAILED: "failed",
}
_NAMED = 6
_PACE = 0.1  # seconds between two looks of a line that is written over


class Lines:
    """Tells each node that moved, when it has."""

    def __init__(self, console: Console, *, width: int, clock: Callable[[], float], dry_run: bool) -> None:
        self._clock = clock
        self._console = console
        self._width = min(40, max(16, width))
        self._dry = dry_run
        self._moved: dict[str, tuple[int, int]] = {}
        self._lock = Lock()
        self._shown = 0.0

    def __call__(self, share: Share) -> None:
        """One node."""
        if share.fate not in (Fate.SENT, Fate.FETCHED, Fate.FAILED):
            return
        word = f"would be {share.fate.value}" if self._dry else share.fate.value
        fate = self._console.paint(word.ljust(16 if self._dry else 9), _COLOURS[share.fate])
        told = share.problem.message if share.problem is not None else in_bytes(share.bytes).rjust(7)
        with self._lock:
            if self._console.moves:
                self._console.out.write("\r\x1b[K")
            self._ended(share, fate, told)

    def _ended(self, share: Share, fate: str, told: str) -> None:
        self._console.say(f"{share.node.ljust(self._width)}  {fate}  {safe(told)}", indent=2)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._console.moves:
            self._console.out.write("\r\x1b[K")  # however it ended: what is said next has a line of its own

    def moves(self, node: str, done: int, total: int) -> None:
        """On a terminal, how far all of it is: one line, written over."""
        with self._lock:
            self._moved[node] = done, total
            if not self._console.moves or self._clock() - self._shown < _PACE:
                return
            self._shown = self._clock()
            sums = [sum(each) for each in zip(*self._moved.values(), strict=True)]
            line = f"  {in_bytes(sums[0])} of {in_bytes(sums[1])}  {self._console.paint(node, 'cyan')}"
            self._console.out.write(f"\r\x1b[K{clipped(line, self._console.width)}")
            self._console.out.flush()


def summary(console: Console, shares: Sequence[Share], *, remote: str, absent: str, dry_run: bool) -> None:
    """What came of it; what is absent is named."""
    words = []
    for fate in Fate:
        some = [each for each in shares if each.fate is fate]
        if some:
            word = absent if fate is Fate.ABSENT else _WORDS[fate]
            weight = in_bytes(sum(each.bytes for each in some))
            words.append(
                f"{len(some):,} {'would be ' if dry_run and fate in (Fate.SENT, Fate.FETCHED) else ''}{word}"
                + (f", {weight}" if fate in (Fate.SENT, Fate.FETCHED) else "")
            )
    console.say(f"{safe(remote)}: {' · '.join(words) or 'nothing was asked for'}")
    names: dict[str, list[str]] = {}
    for each in shares:
        if each.fate is Fate.ABSENT:
            names.setdefault(each.reason, []).append(each.node)
    for reason, nodes in names.items():
        console.say(f"{named(nodes)}: {reason}", indent=2)
    failed = next((each.problem for each in shares if each.problem is not None), None)
    if failed is not None and failed.help:
        console.say(f"help: {failed.help}")


def named(names: Sequence[str]) -> str:
    """The first few names, and how many more."""
    more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


def as_data(shares: Sequence[Share], *, remote: str, dry_run: bool, unsent: Sequence[str] = ()) -> dict[str, object]:
    """The same for programs."""
    return {
        "remote": remote,
        "nodes": [
            {
                "name": each.node,
                "fate": each.fate.value,
                "key": each.key,
                "tree": each.tree,
                "objects": each.objects,
                "bytes": each.bytes,
                "reason": safe(each.problem.message) if each.problem is not None else each.reason,
            }
            for each in shares
        ],
        "counts": {fate.value: sum(1 for each in shares if each.fate is fate) for fate in Fate},
        "bytes": sum(each.bytes for each in shares),
        "unsent": list(unsent),
        "dry_run": dry_run,
    }
