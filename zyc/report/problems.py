"""Problems for people (with the line and a caret), for a pull request, and for programs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from zyc.errors import Problem, Span
from zyc.report.console import Console, cells, safe

Text = Callable[[str], str | None]


def tell(console: Console, text: Text, problems: Sequence[Problem], *, json: bool = False) -> int:
    """Say what is wrong; the exit code is 2."""
    ordered = sorted(dict.fromkeys(problems), key=lambda each: (each.spans[:1], each.code))
    if json:
        console.json({"errors": [as_data(each) for each in ordered]})
        return 2
    for at, each in enumerate(ordered):
        if at:
            console.note("")
        console.note(in_words(console, text, each, "error"))
    if len(ordered) > 1:
        console.note(f"\n{len(ordered)} errors")
    return 2


def warn(console: Console, text: Text, problems: Iterable[Problem]) -> None:
    """Say what is wrong elsewhere."""
    for each in dict.fromkeys(problems):
        console.note(in_words(console, text, each, "warning") + "\n")


def as_data(each: Problem) -> dict[str, object]:
    """A problem for programs."""
    places = [{"file": span.file, "line": span.line, "column": span.column, "width": span.width} for span in each.spans]
    return {"code": each.code, "message": safe(each.message), "help": safe(each.help), "places": places}


def in_words(console: Console, text: Text, each: Problem, level: str) -> str:
    """A problem with its line, a caret under what is meant, and the next step."""
    colour = "red" if level == "error" else "yellow"
    lines = [f"{console.paint(level, 'bold', colour)}: {console.paint(safe(each.message), 'bold')}"]
    gutter = max((len(str(span.line)) for span in each.spans), default=1)
    for at, span in enumerate(each.spans):
        lines += _excerpt(console, text, span, gutter, "" if at == 0 else each.also, colour)
    if each.help:
        lines.append(f"{console.paint('help', 'bold', 'cyan')}: {safe(each.help)}")
    return "\n".join(lines)


def _excerpt(console: Console, text: Text, span: Span, gutter: int, label: str, colour: str) -> list[str]:
    pad = " " * gutter

    def blue(word: str) -> str:
        return console.paint(word, "blue")

    arrow = "-->" if not label else ":::"
    lines = [f"{pad}{blue(arrow)} {safe(span.file)}:{span.line}:{span.column}"]
    source = span.file.removeprefix("--set ") if span.file.startswith("--set ") else text(span.file)
    shown = (source or "").splitlines()[span.line - 1 : span.line] if source else []
    if not shown:
        return [*lines, f"{pad} {blue('|')} {label}"] if label else lines
    line, column = _window(shown[0], span.column - 1, console.width - gutter - 4)
    before = cells(safe(line[:column]))
    width = max(1, min(cells(safe(line[column : column + span.width])) or 1, max(1, console.width - gutter - 4 - before)))
    caret = console.paint("^" * width if not label else "-" * width, colour if not label else "blue")
    return [
        *lines,
        f"{pad} {blue('|')}",
        f"{blue(str(span.line).rjust(gutter))} {blue('|')} {safe(line)}",
        f"{pad} {blue('|')} {' ' * before}{caret}{' ' + label if label else ''}",
    ]


def _window(line: str, column: int, width: int) -> tuple[str, int]:
    """The part of a long line around a column."""
    line = line.replace("\t", " ")
    if len(line) <= width or width < 20:
        return line[: max(width, column + 1)], column
    start = max(0, min(column - width // 3, len(line) - width))
    part = line[start : start + width]
    if start:
        part = "…" + part[1:]
    if start + width < len(line):
        part = part[:-1] + "…"
    return part, column - start


def as_annotation(each: Problem, level: str = "error") -> str:
    """A workflow command that marks the line of a pull request."""

    def escaped(text: str, *, inside: bool = False) -> str:
        told = text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
        return told.replace(":", "%3A").replace(",", "%2C") if inside else told

    words = escaped(each.message + (f" - {each.help}" if each.help else ""))
    if not each.spans:
        return f"::{level} title=zyc::{words}"
    span = each.spans[0]
    place = f"file={escaped(span.file, inside=True)},line={span.line},col={span.column},endColumn={span.column + span.width}"
    return f"::{level} {place},title=zyc {each.code}::{words}"
