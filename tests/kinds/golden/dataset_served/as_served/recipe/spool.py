"""Rows between two passes: lines of JSON on disk, worked on in order by as many processes as there are, within bounds."""

import collections
import concurrent.futures
import datetime as dt
import decimal
import json
import multiprocessing
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from flaws import Bad

ROWS, BYTES = 500, 4_000_000  # of a batch


class Item(NamedTuple):
    """A row on its way: the side that it must stay on, if any, and which source it came from."""

    side: str
    source: int
    row: dict

    def line(self):
        """As it is spooled."""
        try:
            return _TEXT([self.side, self.source, self.row]).encode() + b"\n"
        except UnicodeEncodeError:
            raise Bad("half of a surrogate pair stands in a text", "write whole characters") from None


def _plain(value):
    """What parquet has and JSON has not."""
    if isinstance(value, decimal.Decimal):
        return float(value)
    if isinstance(value, dt.date | dt.time):
        return value.isoformat()
    raise Bad(f"a column holds {type(value).__name__}, which is no text", "leave that column out of the source")


_TEXT = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=_plain).encode


def item_of(line):
    """A spooled line as the item that it was."""
    return Item(*json.loads(line))


class Spool:
    """A file of rows under `tmp/`, written once and read as often as wanted."""

    def __init__(self, name):
        self.path = Path("tmp") / f"{name}.jsonl"
        self.path.parent.mkdir(exist_ok=True)
        self.rows = 0
        self._file = self.path.open("wb", buffering=1 << 20)

    def add(self, lines):
        """Write some lines."""
        self._file.writelines(lines)
        self.rows += len(lines)

    def close(self):
        """No line follows."""
        self._file.close()

    def lines(self, drop=None):
        """Every line, without those that `drop` marks."""
        with self.path.open("rb", buffering=1 << 20) as file:
            for at, line in enumerate(file):
                if drop is None or not drop[at]:
                    yield line

    def remove(self):
        """It is not wanted any more."""
        self.path.unlink()


def batches(each, size_of):
    """Lists of a few hundred things, or of a few MB."""
    held, size = [], 0
    for thing in each:
        held.append(thing)
        size += size_of(thing)
        if len(held) >= ROWS or size >= BYTES:
            yield held
            held, size = [], 0
    if held:
        yield held


_KEPT = {}  # what every batch needs is sent to a process once


def _remember(setting):
    _KEPT["setting"] = setting


def _call(work, batch):
    return work(_KEPT["setting"], batch)


def spread(work, setting, told, workers):
    """`work(setting, batch)` for each batch, in order, whoever did it; never more batches in memory than twice the workers."""
    if workers <= 1:
        for batch in told:
            yield work(setting, batch)
        return
    told, waiting = iter(told), collections.deque()
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(workers, context, initializer=_remember, initargs=(setting,)) as pool:
        waiting.extend(pool.submit(_call, work, batch) for batch in islice(told, 2 * workers))
        while waiting:
            yield waiting.popleft().result()
            waiting.extend(pool.submit(_call, work, batch) for batch in islice(told, 1))
