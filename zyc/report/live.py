"""A build on a terminal, in place: what has ended scrolls up, what runs and waits stands below it, drawn by rich."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Any, Self, cast

from zyc.planning.plan import Plan
from zyc.report.build import Lines, Pulse
from zyc.report.console import cells
from zyc.report.standing import Line, Standing
from zyc.runner import Event, Options, Stopping, Waiting
from zyc.world import LEFT

if TYPE_CHECKING:
    from rich.live import Live as Screen
    from rich.text import Text

_FRAME = 0.25  # seconds between two pictures
Size = Callable[[], tuple[int, int]]


def terminal_size() -> tuple[int, int]:
    """Columns and rows, as they are now."""
    size = shutil.get_terminal_size((100, 24))
    return max(size.columns, 20), max(size.lines, 2)


@dataclass
class _Above:
    """What others print while the view stands: it is shown above it, with the next picture."""

    encoding: str
    waiting: list[str] = field(default_factory=list)
    gate: threading.Lock = field(default_factory=threading.Lock)

    def write(self, text: str) -> int:
        """Remember it."""
        with self.gate:
            self.waiting.append(text)
        return len(text)

    def flush(self) -> None:
        """It is not for this moment."""

    def isatty(self) -> bool:
        """It stands for one."""
        return True

    def taken(self) -> str:
        """All that was printed, once."""
        with self.gate:
            text = "".join(self.waiting)
            self.waiting.clear()
        return text


@dataclass
class _Terminal:
    """A stream that shows what it has no letters for as `?`."""

    stream: IO[str]

    def write(self, text: str) -> int:
        """Whatever can be written of it."""
        there = getattr(self.stream, "encoding", None) or "utf-8"
        return self.stream.write(text.encode(there, "replace").decode(there))

    def flush(self) -> None:
        """Now."""
        self.stream.flush()

    def isatty(self) -> bool:
        """We are here only if so."""
        return True


@dataclass
class _Picture:
    """What stands in place now, asked for whenever rich draws it."""

    lines: Sequence[Line] = ()

    def __rich__(self) -> Text:
        return _text(self.lines)


class Live:
    """Tells of a build in place. A bug or a terminal that is gone ends the view, never the build."""

    def __init__(
        self, lines: Lines, plan: Plan, options: Options, *, size: Size = terminal_size, seconds: float = _FRAME
    ) -> None:
        self._lines = lines
        self._console = lines.words.console
        self._out = self._console.out
        self._size = size
        self._above = _Above(getattr(self._out, "encoding", None) or "utf-8")
        self._standing = Standing(plan, options, lines.clock, blocks=_can_show("█░↓↑", self._out))
        self._screen: Screen | None = None
        self._broken = False
        self._picture = _Picture()
        self._columns = 0
        self._gate = threading.Lock()
        self._pulse = Pulse(self.draw, seconds=seconds)

    def __call__(self, event: Event) -> None:
        """One event: noted here, drawn with the next picture."""
        with self._gate:  # what has ended is not shown as running, nor nowhere
            try:
                self._standing.hear(event)
            except Exception:  # noqa: BLE001  # whatever it is, the build is worth more
                self._broken = True
            # the picture shows who stops and who waits; a step that is found running is soon in it like any other
            if not isinstance(event, Stopping) and not (isinstance(event, Waiting) and event.whom != LEFT):
                self._lines(event)

    def __enter__(self) -> Self:
        self._console.out = cast("IO[str]", self._above)
        self._pulse.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._pulse.stop()
        with suppress(Exception):
            self._flush(self._above.taken())
        with suppress(Exception):
            if self._screen is not None:
                self._screen.stop()
        rest = self._above.taken()
        self._console.out = self._out
        if rest:
            with suppress(OSError):
                _Terminal(self._out).write(rest)
                self._out.flush()
        self._lines.finish()

    def draw(self) -> None:
        """One picture, if anything is different."""
        try:
            self._draw()
        except Exception:  # noqa: BLE001  # the lines of what has ended are still told
            self._broken = True
            with suppress(Exception):
                self._flush(self._above.taken())

    def _draw(self) -> None:
        columns, rows = self._size()
        with self._gate:
            lines = [] if self._broken else self._standing.lines(columns, rows, column=self._lines.words.width)
            above = self._above.taken()
        moved = columns != self._columns
        if not above and lines == self._picture.lines and not moved:
            return
        screen = self._screen or self._started()
        self._console.width = max(columns, 30)
        screen.console.size = cast("Any", (columns, rows))
        extra = rows_besides(self._picture.lines, columns) if moved and self._columns else 0
        if extra:
            self._out.write(f"\x1b[{extra}A")  # a terminal that became narrower broke our lines in two
        self._columns, self._picture.lines = columns, lines
        self._flush(above)
        if extra:
            self._out.write("\x1b[J")
            self._out.flush()

    def _flush(self, above: str) -> None:
        """What has ended, and the picture below it, in one go."""
        screen = self._screen
        if screen is None or (self._broken and not screen.is_started):
            _Terminal(self._out).write(above)
            self._out.flush()
        elif above:
            from rich.text import Text

            screen.console.print(Text.from_ansi(above.rstrip("\n")), soft_wrap=True)
        else:
            screen.refresh()

    def _started(self) -> Screen:
        from rich.console import Console
        from rich.live import Live as Screen

        colours = self._console.colour
        console = Console(
            file=cast("IO[str]", _Terminal(self._out)),
            force_terminal=True,
            force_interactive=True,
            color_system="standard" if colours else None,
            no_color=not colours,
            highlight=False,
            markup=False,
            emoji=False,
            legacy_windows=False,
            _environ={},
        )
        self._screen = Screen(
            self._picture,
            console=console,
            auto_refresh=False,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
            vertical_overflow="crop",
        )
        self._screen.start()
        return self._screen


def rows_besides(drawn: Sequence[Line], columns: int) -> int:
    """How many rows a picture takes more on a terminal that is narrower now."""
    wide = (sum(cells(text) for text, _ in line) for line in drawn)
    return sum(max(0, -(-each // columns) - 1) for each in wide)


def _text(lines: Sequence[Line]) -> Text:
    from rich.text import Text

    told = Text(no_wrap=True, overflow="crop", end="")
    for at, line in enumerate(lines):
        told.append("\n" if at else "")
        for text, style in line:
            told.append(text, style or None)
    return told


def _can_show(text: str, stream: IO[str]) -> bool:
    try:
        text.encode(getattr(stream, "encoding", None) or "utf-8")
    except (UnicodeEncodeError, LookupError):
        return False
    return True
