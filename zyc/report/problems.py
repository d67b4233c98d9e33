"""Problems for people (with the line and a caret), for a pull request, and for programs."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from functools import cache

from zyc.errors import Problem, Span, clipped
from zyc.report.console import Console, cells, safe

_MOST = 100  # problems on a screen
_PLACES = 8
_LINE_END = re.compile(r"\r\n?|\n")
HIDDEN = ("not-a-secret",)  # what they underline is not shown
Text = Callable[[str], str | None]
Line = Callable[[Span], str | None]


def lines_of(text: Text) -> Line:
    """Gives the line of a place; each file is read once."""

    @cache
    def lines(file: str) -> list[str]:
        source = text(file)
        return _LINE_END.split(source) if source else []

    return lambda span: next(iter(lines(span.file)[span.line - 1 : span.line]), None)


def tell(console: Console, text: Text, problems: Sequence[Problem], *, json: bool = False) -> int:
    """Say what is wrong; the exit code is 2."""
    ordered = sorted(dict.fromkeys(problems), key=lambda each: (each.spans[:1], each.code))
    if json:
        console.json({"errors": [as_data(each) for each in ordered]})
        return 2
    line_of = lines_of(text)
    for at, each in enumerate(ordered[:_MOST]):
        if at:
            console.note("")
        console.note(in_words(console, line_of, each, "error"))
    if len(ordered) > 1:
        more = f"; these are the first {_MOST}" if len(ordered) > _MOST else ""
        console.note(f"\n{len(ordered):,} errors{more}")
    return 2


def warn(console: Console, text: Text, problems: Iterable[Problem]) -> None:
    """Say what is wrong elsewhere."""
    line_of = lines_of(text)
    for each in list(dict.fromkeys(problems))[:_MOST]:
        console.note(in_words(console, line_of, each, "warning") + "\n")


def as_data(each: Problem) -> dict[str, object]:
    """A problem for programs."""
    places = [{"file": span.file, "line": span.line, "column": span.column, "width": span.width} for span in each.spans]
    return {"code": each.code, "message": safe(each.message), "help": safe(each.help), "places": places}


def in_words(console: Console, line_of: Line, each: Problem, level: str) -> str:
    """A problem with its line, a caret under what is meant, and the next step."""
    colour = "red" if level == "error" else "yellow"
    lines = [f"{console.paint(level, 'bold', colour)}: {console.paint(safe(each.message), 'bold')}"]
    gutter = max((len(str(span.line)) for span in each.spans), default=1)
    for at, span in enumerate(each.spans[:_PLACES]):
        label = safe(each.also) if at else ""
        lines += _excerpt(console, line_of, span, gutter, label, colour, hidden=each.code in HIDDEN)
    if each.help:
        lines.append(f"{console.paint('help', 'bold', 'cyan')}: {safe(each.help)}")
    return "\n".join(lines)


def _excerpt(console: Console, line_of: Line, span: Span, gutter: int, label: str, colour: str, *, hidden: bool) -> list[str]:
    pad = " " * gutter

    def blue(word: str) -> str:
        return console.paint(word, "blue")

    overriding = span.file.startswith("--set ")
    written = span.file.removeprefix("--set ") if overriding else line_of(span)
    place = clipped(span.file, 120) if overriding else f"{span.file}:{span.line}:{span.column}"
    arrow = blue(":::" if label else "-->")
    lines = [f"{pad}{arrow} " + safe(place).replace("\n", "\\n")]
    if written is None:
        return [*lines, f"{pad} {blue('|')} {label}"] if label else lines
    shown, before, width = _window(written, span.column - 1, span.width, console.width - gutter - 4, hidden=hidden)
    caret = console.paint("-" * width, "blue") if label else console.paint("^" * width, colour)
    return [
        *lines,
        f"{pad} {blue('|')}",
        f"{blue(str(span.line).rjust(gutter))} {blue('|')} {shown}",
        f"{pad} {blue('|')} {' ' * before}{caret}{' ' + label if label else ''}",
    ]


def _window(line: str, column: int, width: int, room: int, *, hidden: bool) -> tuple[str, int, int]:
    """The part of a line around a column, as it is shown; where the carets start, and how many."""
    start = max(0, column - room)
    chars = [_shown(char) for char in line[start : column + room]]
    here = min(column - start, len(chars))
    if hidden:
        chars[here : here + width] = "*" * len(chars[here : here + width])
    sizes = [cells(char) for char in chars]
    low, left = here, max(room // 3, room - sum(sizes[here:]))
    while low > 0 and sum(sizes[low - 1 : here]) <= left:
        low -= 1
    high, right = here, room - sum(sizes[low:here])
    while high < len(chars) and sum(sizes[here : high + 1]) <= right:
        high += 1
    if start + low > 0 and low < here:
        chars[low], sizes[low] = "…", 1
    if start + high < len(line) and high - 1 > here:
        chars[high - 1], sizes[high - 1] = "…", 1
    carets = sum(sizes[here : min(here + width, high)])
    return "".join(chars[low:high]), sum(sizes[low:here]), max(1, carets)


def _shown(char: str) -> str:
    return "→" if char == "\t" else safe(char)


def as_annotation(each: Problem, level: str = "error", *, below: str = "") -> str:
    """A workflow command that marks the line of a pull request; the project may stand below the top of its repository."""

    def escaped(text: str, *, inside: bool = False) -> str:
        told = safe(text).replace("%", "%25").replace("\n", "%0A")
        return told.replace(":", "%3A").replace(",", "%2C") if inside else told

    words = escaped(each.message + (f" - {each.help}" if each.help else ""))
    if not each.spans or each.spans[0].file.startswith("--set "):
        return f"::{level} title=zyc {each.code}::{words}"
    span = each.spans[0]
    place = (
        f"file={escaped(below + span.file, inside=True)},line={span.line},col={span.column},endColumn={span.column + span.width}"
    )
    return f"::{level} {place},title=zyc {each.code}::{words}"
