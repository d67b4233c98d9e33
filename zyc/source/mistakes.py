"""What a parser's error means, in our words and at the place of the mistake."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from zyc.errors import Span

if TYPE_CHECKING:
    from zyc.source.reading import Reading

# What the parser says, whether the mistake is where the construct began, what we say, and the next step.
_MISTAKES = (
    (r"quoted scalar.*(?:end of stream|document)", True, "this quote is never closed", "end the text with {char}"),
    (r"cannot start any token", False, "a value cannot start with {char}", "quote the text"),
    (r"unexpected ':'", False, "no space follows this {char}", "write `name: value`, or quote the text"),
    (r"an anchor|an alias", True, "{char} wants a name of letters and digits after it", "quote a text that starts with {char}"),
    (r"sequence entries are not", False, "a list cannot start here", "start it on a line of its own, or write `[a, b]`"),
    (r"mapping keys are not", False, "{char} cannot start a value", "quote the text"),
    (r"block scalar", True, "after {char} the text starts on the next line, indented", "quote a text that starts with {char}"),
    (r"directive", False, "a line cannot start with {char}", "quote the text"),
)
_CLOSERS = {"[": "]", "{": "}"}
_ESCAPE = re.compile(r"\\(?:x\w{0,2}|u\w{0,4}|U\w{0,8}|.?)")
_GLUED = re.compile(r" *(?:- +)*[^\s:#\"'\[{]+(:)[^\s:/]")


def explain(reading: Reading, error: Any) -> None:
    """Say in our words, and at the place of the mistake, why a parser gave up."""
    mark = error.problem_mark or error.context_mark
    at, begin = mark.index, (error.context_mark or mark).index
    said, text = f"{error.context} {error.problem}", reading.text
    start = reading.starts[reading.span(at).line - 1]
    if " tag" in said or "%TAG" in said:
        reading.refuse_tag(begin)
    elif re.search("escape|hexdecimal|character code", said):
        escape = max(text.rfind("\\", 0, at + 1), 0)
        reading.complain(*_escape_mistake(reading, escape))
    elif "quoted scalar" not in said and (tab := next(reading.tabs(start, at + 1), None)) is not None:
        reading.report("tab", reading.span(tab))
    elif found := next((each for each in _MISTAKES if re.search(each[0], said)), None):
        _, from_begin, reason, advice = found
        index = begin if from_begin else at
        char = "a backtick" if text.startswith("`", index) else f"`{text[index : index + 1]}`"
        reading.complain(reading.span(index), reason.format(char=char), advice.format(char=char))
    else:
        mistakes = _flow_mistakes(reading, at) if reading.flow else block_mistakes(reading, at, begin, said)
        reading.complain(*next(mistakes))


def _escape_mistake(reading: Reading, index: int) -> tuple[Span, str, str]:
    found = _ESCAPE.match(reading.text, index)
    written = found[0] if found else ""
    help_ = "write `\\\\` for a backslash, or use single quotes"
    return reading.span(index, len(written)), f"`{written}` stands for no character", help_


def _flow_mistakes(reading: Reading, at: int) -> Iterator[tuple[Span, str, str]]:
    text, char, here = reading.text, reading.text[at : at + 1].strip(), reading.span(at)
    holders = [reading.holder, *(each[0] for each in reversed(reading.stack))]
    # `[a: b` holds a mapping that has no bracket of its own
    opener = next(index for each in holders if text[index := reading.offset(each)] in _CLOSERS)
    there, bracket, closer = reading.span(opener), text[opener], _CLOSERS[text[opener]]
    if not text[at:].strip() or (char == ":" and there.line < here.line):
        yield there, f"this `{bracket}` is never closed", f"close it with `{closer}`"
    if char in {"]", "}"} and char != closer:
        yield here, f"`{char}` cannot close the `{bracket}` of line {there.line}", f"close it with `{closer}`"
    if char == ",":
        yield here, "no value stands before this `,`", "remove the `,`, or write `null`"
    yield here, f"expected `,` or `{closer}` before `{char}`", f"quote a text that holds `{char}`"


def block_mistakes(reading: Reading, at: int, begin: int, said: str) -> Iterator[tuple[Span, str, str]]:
    """What may be wrong outside of brackets, most likely first."""
    text, starts, here = reading.text, reading.starts, reading.span(at)
    char, before = text[at : at + 1].strip(), text[starts[here.line - 1] : at]
    above, own = starts[max(here.line - 2, 0)], starts[reading.span(begin).line - 1]
    value, key = "mapping values are not" in said, "could not find expected ':'" in said
    if char in {"]", "}"}:
        yield here, f"nothing is open that this `{char}` could close", "remove it, or quote the text"
    if value and re.search(r":\s", before):
        yield here, "a second `: ` in one line", "quote the value, or give the inner field a line of its own"
    if (value or key) and (glued := _GLUED.match(text, own) or _GLUED.match(text, above)):
        yield reading.span(glued.end(1) - 1), "no space follows this `:`", "write `name: value`, or quote the text"
    if key or (value and ":" not in text[above : starts[here.line - 1]]):
        yield reading.line(own if key else above), "this line has no `:`", "write `name: value`, or indent it as text"
    if value:
        yield reading.line(at), "the field above has a value already", "indent this line like that field"
    if "node content" in said:
        yield here, "a value is missing here", "write it, or `null`"
    if before.endswith("'"):
        yield here, "this follows a closed quote", "write `''` for a quote inside single quotes"
    if before.strip():
        yield here, "this cannot follow the value before it", "quote the whole value"
    if char == "-":
        yield here, "a list item stands among fields", "indent it more than the field that it belongs to"
    yield reading.line(at), "this line is indented like none above it", "align it with what it belongs to"
