"""Where words go: width, colour and pipes are honoured here, and nothing else prints."""

from __future__ import annotations

import math
import os
import re
import shutil
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import chain, repeat
from typing import IO

_CODES = {
    "bold": "1",
    "dim": "2",
    "underline": "4",
    "red": "31",
    "green": "32",
    "yellow": "33",
    "blue": "34",
    "magenta": "35",
    "cyan": "36",
}
_ANSI = re.compile(r"\x1b\[[0-9;]*m")
_WIDE = re.compile("[^\x00-\u02ff…✓✗├└─│≈⏎→≤≥•]")  # all others are looked up
_PARTS = re.compile(r"\s*\S+(?:(?<=[≈=])\s\S+|\s%\S*)*")  # words, with `≈ $0.07` and `= 60 %` in one line
_ENOUGH = 40  # columns in which most sentences of a table can be read
_LEAST = 26  # and those below which a sentence has no column of its own
# what moves the cursor, turns the line around, or cannot be seen
_UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e007f]"
)


STANDARD_OUTPUT = "standard output"  # as a problem with it names it
_LOUD = re.compile(rf"(\x1b\[[0-9;]*m)|{_UNSAFE.pattern}")


def safe(text: str) -> str:
    """A text of the user's that cannot move the cursor or turn the line around."""
    return _UNSAFE.sub(lambda found: ascii(found[0])[1:-1], text)


def data(value: object, *, indent: int | None = None) -> str:
    """JSON that a terminal may show as it is: every character is there, those that are unsafe by their numbers."""
    import json

    return _UNSAFE.sub(lambda found: json.dumps(found[0])[1:-1], json.dumps(_numbers(value), indent=indent, ensure_ascii=False))


def _numbers(value: object) -> object:
    """JSON has no word for what is not a number: null."""
    if isinstance(value, dict):
        return {name: _numbers(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_numbers(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def cells(text: str) -> int:
    """How many columns a text takes."""
    bare = _ANSI.sub("", text)
    if bare.isascii() or not _WIDE.search(bare):
        return len(bare)
    from rich.cells import cell_len  # wide letters and accents: somebody else's table

    return cell_len(bare)


def clipped(text: str, width: int) -> str:
    """A text in so many columns, with an ellipsis where it was longer."""
    if cells(text) <= width:
        return text
    out = ""
    for char in _ANSI.sub("", text):
        if cells(out + char) > width - 1:
            break
        out += char
    return out + "…"


def moment(started: str) -> str:
    """`2026-11-21T01:05:38+00:00` is `2026-11-21 01:05:38 UTC`."""
    return started.replace("T", " ").replace("+00:00", " UTC")


def wrapped(text: str, width: int, *, indent: int = 0) -> list[str]:
    """A sentence in lines of so many columns: broken between words, further in from the second line on."""
    lines, line = [], " " * indent
    for part in _PARTS.findall(text.strip()):
        if line.strip() and cells(line + part) > width:
            lines.append(line)
            line = " " * (indent + 2) + part.strip()
        else:
            line += part
    return [clipped(each, width) for each in (*lines, line)]


class Unheard(Exception):
    """Whoever read us has had enough."""


@dataclass
class Console:
    """Standard output for answers, standard error for notes."""

    out: IO[str]
    err: IO[str]
    width: int = 100
    colour: bool = False
    live: bool = False  # a person is watching
    moves: bool = False  # a line may be written over
    record: bool = False
    lines: bool = False  # a JSON document is one line
    endless: bool = False  # nobody's window: nothing of a table is cut
    _printed: list[str] = field(default_factory=list)
    _noted: list[str] = field(default_factory=list)

    @classmethod
    def of_process(cls, *, record: bool = False) -> Console:
        """The console of this process."""
        live = sys.stdout.isatty()
        moves = live and os.environ.get("TERM") != "dumb"
        forced = os.environ.get("FORCE_COLOR", "") not in ("", "0")
        colour = (moves or forced) and not os.environ.get("NO_COLOR")
        # a pipe has no width: a table for it is as wide as it needs to be, and sentences are, within reason
        endless = not live and "COLUMNS" not in os.environ
        width = 140 if endless else shutil.get_terminal_size((100, 24)).columns
        return cls(sys.stdout, sys.stderr, max(width, 30), colour, live, moves, record, endless=endless)

    def print(self, text: str = "") -> None:
        """A line of the answer; whatever is in it of the user's or of a step's, it cannot move the cursor."""
        self._write(self.out, f"{self._plain(text)}\n", self._printed)

    def exact(self, text: str) -> None:
        """A whole file: as it is for a pipe, safe on a terminal."""
        self._write(self.out, f"{self._plain(text) if self.live else text}\n", self._printed)

    def _plain(self, text: str) -> str:
        """Without what is unsafe, but for colours where there are some."""
        return _LOUD.sub(lambda found: found[0] if found[1] and self.colour else safe(found[0]), text)

    def say(self, text: str, *, indent: int = 0) -> None:
        """A sentence: words that find no room go on in the next line."""
        for line in self.said(text, indent=indent):
            self.print(line)

    def said(self, text: str, *, indent: int = 0) -> list[str]:
        """The lines of a sentence."""
        return wrapped(text, self.width, indent=indent)

    def note(self, text: str) -> None:
        """A line beside the answer."""
        self._write(self.err, f"{self._plain(text)}\n", self._noted)

    def tick(self, text: str) -> None:
        """A line beside the answer that the next one is written over; none where a line cannot be."""
        if self.moves:
            self._write(self.err, f"\r\x1b[K{clipped(self._plain(text), self.width)}", [])

    def _write(self, stream: IO[str], text: str, kept: list[str]) -> None:
        try:
            try:
                stream.write(text)
            except UnicodeEncodeError:
                there = getattr(stream, "encoding", None) or "ascii"
                stream.write(text.encode(there, "replace").decode(there))
            stream.flush()
        except BrokenPipeError:
            raise Unheard from None
        except OSError as error:
            error.filename = STANDARD_OUTPUT if stream is self.out else "standard error"
            raise
        if self.record:
            kept.append(text)

    @property
    def printed(self) -> str:
        """All of the answer."""
        return "".join(self._printed)

    @property
    def noted(self) -> str:
        """All of the notes."""
        return "".join(self._noted)

    def paint(self, text: str, *styles: str) -> str:
        """A text in a style, where there is colour."""
        if not self.colour or not styles or not text:
            return text
        return f"\x1b[{';'.join(_CODES[style] for style in styles)}m{text}\x1b[0m"

    def json(self, value: object) -> None:
        """An answer for programs."""
        self.print(data(value, indent=None if self.lines else 2))

    def table(  # noqa: PLR0913  (one for each thing that gives way)
        self,
        rows: Iterable[Sequence[str]],
        *,
        head: Sequence[str] = (),
        indent: int = 2,
        flexible: int = 0,
        right: Sequence[int] = (),
        spare: Sequence[int] = (),
        whole: Sequence[int] = (),
        enough: Sequence[int] = (),
    ) -> None:
        """Columns as wide as they need to be; empty ones are left out.

        On a narrow terminal the spare ones go, in this order, each once the flexible one has no more than is enough
        beside it; then all give way but those that have to be whole.
        """
        ways = {"right": right, "spare": spare, "whole": whole, "enough": enough}
        for line in self.laid(rows, head=head, indent=indent, flexible=flexible, **ways):
            self.print(line)

    def beside(self, rows: Sequence[tuple[str, str, str]], *, indent: int = 2, under: int = 4) -> None:
        """A start, a sentence and a place: the sentence goes on below itself where it finds no room, or all below its start."""
        start, longest, place = (max((cells(row[at]) for row in rows), default=0) for at in range(3))
        room = min(longest, self.width - indent - start - 2 - (place + 2 if place else 0))
        for first, text, last in rows:
            if room < min(longest, _LEAST):
                below = "  ".join(each for each in (text, last) if each)
                lead = indent + len(first) - len(first.lstrip())
                for line in (*self.said(first, indent=lead), *(self.said(below, indent=indent + under) if below else ())):
                    self.print(line)
                continue
            lines = [line.strip() for line in wrapped(text, max(1, room))]
            for at, line in enumerate(lines):
                shown = " " * indent + (first if at == 0 else "")
                shown += " " * (indent + start + 2 - cells(shown)) + line
                if last and at == 0:
                    shown += " " * (indent + start + 4 + room - cells(shown)) + last
                self.print(shown.rstrip())

    def laid(  # noqa: PLR0913  (as above)
        self,
        rows: Iterable[Sequence[str]],
        *,
        head: Sequence[str] = (),
        indent: int = 2,
        flexible: int = 0,
        right: Sequence[int] = (),
        spare: Sequence[int] = (),
        whole: Sequence[int] = (),
        enough: Sequence[int] = (),
    ) -> list[str]:
        """The lines of a table."""
        body = [[self._plain(cell).replace("\n", " ") for cell in row] for row in rows]
        if not body:
            return []
        used = [at for at in range(len(body[0])) if any(row[at] for row in body)]
        lines = ([[self.paint(each, "dim") for each in head]] if head else []) + body
        widths = {at: max(cells(line[at]) for line in lines) for at in used}
        over = 0 if self.endless else indent + sum(widths.values()) + 2 * (len(used) - 1) - self.width
        for at, least in zip(spare, chain(enough, repeat(_ENOUGH)), strict=False):
            if over > max(0, widths.get(flexible, 0) - least) and at in widths:
                used.remove(at)
                over -= widths.pop(at) + 2
        for least in (14, 6, 1):
            for at in dict.fromkeys((flexible, *sorted(used, key=lambda each: -widths[each]))):
                if over > 0 and at in widths and at not in whole:
                    cut = min(over, max(0, widths[at] - least))
                    widths[at] -= cut
                    over -= cut
        return [
            " " * indent + "  ".join(self._cell(line[at], widths[at], right=at in right) for at in used).rstrip()
            for line in lines
        ]

    @staticmethod
    def _cell(text: str, width: int, *, right: bool) -> str:
        short = clipped(text, width)
        pad = " " * (width - cells(short))
        return pad + short if right else short + pad
