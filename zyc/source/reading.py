"""Events -> values: a composer that never recurses, bounds everything, and refuses what a spec has no use for."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from typing import Any, NoReturn, cast

from zyc.errors import Problem, Span, problem
from zyc.source.events import SHOWN, events_of, hide
from zyc.source.mistakes import block_mistakes, explain
from zyc.source.values import NULLS, Map, Scalar, Seq, Value, place

MOST_BYTES = 32_000_000
MOST_LEVELS = 64
MOST_VALUES = 2_000_000
MOST_REPEATED = 100_000
MOST_PROBLEMS = 1_000

# What YAML calls printable, less the byte order mark, the Unicode line ends (line ends in YAML 1.1, text in 1.2) and the
# two stand-ins.
_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufdd0\ufdd1\ufeff\ufffe\uffff]")
_UNPRINTABLE_VALUE = re.compile("[^\t\n\r -~\x85\xa0-\ud7ff\ue000-\ufdcf\ufdd2-\ufffd\U00010000-\U0010ffff]")
_DIRECTIVE = re.compile(r"(?:[ \t]*(?:#[^\r\n]*)?[\r\n])*+%")
_REST = re.compile(r"(?:\s|(?<=\s)#[^\r\n]*)*+")
_STAND_IN = re.compile(r"\\[uU](?:0000)?[fF][dD]{2}[01]")
_HEADER = re.compile(r"((?:&\S*\s+)?[|>][^\s#]*)[^\r\n]*")
_TAG = re.compile(r"!<[^>\s]*>?|![^\s,\[\]{}]*")
_COMMENT = re.compile(r"(?<!\S)#")
_LINE = re.compile(r"[^\r\n]*")
_LINE_END = re.compile(r"\r\n?|\n")
_REFUSED_KEYS = NULLS | {"<<"}
_NO_KEY = Scalar()  # where a refused key was


class Stop(Exception):
    """What is reported ends the reading."""


@dataclass(slots=True)
class _Anchor:
    value: Value | None = None  # None while it is being written
    size: int = 1
    height: int = 0
    deepest: int = 0


class Reading:
    """One text becoming values; open containers are on a stack of its own, so that no nesting exhausts Python's."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.text = ""
        self.problems: list[Problem] = []
        self.hidden = self.tabbed = self.anchored = self.flow = False
        self.anchors: dict[str, _Anchor] = {}
        self.holder: Map | Seq = Seq()
        self.key: Scalar | None = None
        self.stack: list[tuple[Map | Seq, Scalar | None, bool, _Anchor | None]] = []
        self.values = self.repeated = self.deepest = self.end = 0
        self.doubles: list[tuple[Map, Scalar]] = []
        self.verbatim: list[tuple[int, int]] = []  # where a tab is text

    def read(self, data: bytes) -> Value | None:
        """The root of the text; None when there is a problem."""
        top = cast("Seq", self.holder)
        try:
            self.check_text(data)
            self.compose()
        except Stop:
            pass
        self.check_doubles()
        self.problems.sort(key=lambda each: each.spans)
        return top[0] if top and not self.problems else None

    def check_text(self, data: bytes) -> None:
        """What is refused before any parser sees it."""
        if len(data) > MOST_BYTES:
            self.stop("file-too-large", Span(self.file), file=self.file, size=f"{len(data):,}", limit=f"{MOST_BYTES:,}")
        try:
            self.text = data.decode().removeprefix("\ufeff")
        except UnicodeDecodeError as error:
            self.text = data[: error.start].decode()
            self.stop("not-utf8", self.span(error.start), file=self.file, offset=error.start)
        if bad := _UNPRINTABLE.search(self.text):
            self.stop("control-character", self.span(bad.start()), char=f"U+{ord(bad[0]):04X}")
        if found := _DIRECTIVE.match(self.text):
            self.complain(self.span(found.end() - 1), "`%` at the start of a line is a directive", "remove this line")
            raise Stop
        if not self.text.endswith(("\n", "\r")):
            self.text += "\n"  # else the parsers differ in where the text ends
        self.tabbed = "\t" in self.text

    def compose(self) -> None:
        """Take the parser's events, one after the other."""
        hidden = hide(self.text)
        self.hidden = hidden != self.text
        following = events_of(hidden)
        events, errors = import_module("ruamel.yaml.events"), import_module("ruamel.yaml.error")
        handlers: dict[type, Callable[[Any], object]] = {
            events.ScalarEvent: self.scalar,
            events.AliasEvent: self.alias,
            events.MappingStartEvent: lambda event: self.open(event, Map()),
            events.SequenceStartEvent: lambda event: self.open(event, Seq()),
            events.MappingEndEvent: self.close,
            events.SequenceEndEvent: self.close,
            events.StreamStartEvent: bool,
            events.DocumentStartEvent: bool,
            events.DocumentEndEvent: self.end_document,
            events.StreamEndEvent: bool,
        }
        try:
            while (event := following()) is not None:
                handlers[type(event)](event)
        except errors.YAMLError as error:
            explain(self, error)

    # --- one method an event ---

    def scalar(self, event: Any) -> None:
        """A scalar: its text as it stands after unquoting and folding."""
        start, end, style = event.start_mark, event.end_mark, event.style
        value = Scalar(event.value.translate(SHOWN) if self.hidden else event.value)
        value.plain = not style
        value.line = start.line + 1
        value.column = start.column + 1
        value.width = end.column - start.column or 1
        if end.line != start.line:
            self.fit(value)
        elif not value and not style and event.anchor is None:
            value = self.absent(start.index)
        self.end = end.index
        if style:
            self.check_quoted(value, style, start.index)
        if event.anchor is not None or event.ctag is not None:
            self.name(event).value = value
        self.put(value)

    def open(self, event: Any, value: Map | Seq) -> None:
        """A mapping or list begins: it becomes what the next values are put into."""
        mark, anchor = event.start_mark, None
        value.line = mark.line + 1
        value.column = mark.column + 1
        value.width = 1
        if event.anchor is not None or event.ctag is not None:
            anchor = self.name(event)
            if event.flow_style:  # the bracket, not what is before it
                value.line, value.column = event.end_mark.line + 1, event.end_mark.column
        self.stack.append((self.holder, self.key, self.flow, anchor))
        self.holder, self.key, self.flow = value, None, event.flow_style
        level = len(self.stack)
        if level > MOST_LEVELS:
            self.stop("too-deep", place(value, self.file), limit=MOST_LEVELS)
        if anchor is not None:
            anchor.size, anchor.deepest, self.deepest = -self.values, self.deepest, level
        elif level > self.deepest:
            self.deepest = level

    def close(self, event: Any) -> None:
        """The open mapping or list ends."""
        value, flow, mark = self.holder, self.flow, event.end_mark
        self.holder, self.key, self.flow, anchor = self.stack.pop()
        self.end = mark.index
        if flow:
            value.width = mark.column + 1 - value.column
            if mark.line + 1 != value.line:
                self.fit(value)
            if mark.index > event.start_mark.index:  # else its brackets were left out, as in `[a: b]`
                self.check_comment(mark.index)
        elif value:
            first = cast("Value", next(iter(value)))
            if isinstance(value, Map):
                value.line, value.column, value.width = first.line, first.column, first.width
            elif first.line == value.line and first.column > value.column:
                value.width = first.column + first.width - value.column
        if anchor is not None:
            anchor.value, anchor.size, anchor.height = value, anchor.size + self.values + 1, self.deepest - len(self.stack)
            self.deepest = max(self.deepest, anchor.deepest)
        self.put(value)

    def alias(self, event: Any) -> None:
        """A value again; what aliases repeat is counted, and bounded."""
        name, level = event.anchor, len(self.stack)
        span = self.span(event.start_mark.index, len(name) + 1)
        anchor = self.anchors.get(name)
        self.anchored, self.end = True, event.end_mark.index
        if isinstance(self.holder, Map) and self.key is None:  # its value would bring the place of its anchor along
            self.report("key-not-text", span, found="an alias")
            self.key = _NO_KEY
        elif anchor is None or anchor.value is None:
            self.report("recursive-alias" if anchor else "unknown-alias", span, name=name)
            self.put(Scalar.at("", span.line, span.column, span.width))
        elif level + anchor.height > MOST_LEVELS:
            self.stop("too-deep", span, limit=MOST_LEVELS)
        else:
            self.repeated += anchor.size
            self.values += anchor.size - 1
            if self.repeated > MOST_REPEATED:
                self.stop("too-many-repeats", span, limit=f"{MOST_REPEATED:,}")
            self.deepest = max(self.deepest, level + anchor.height)
            self.put(anchor.value)

    def end_document(self, event: Any) -> None:
        """Nothing but comments may follow the one document."""
        rest = _REST.match(self.text, event.end_mark.index)
        at = rest.end() if rest else len(self.text)
        if event.explicit or self.text.startswith("---", at):
            if at < len(self.text):
                self.report("many-documents", self.line(at))
        elif at < len(self.text):
            self.complain(*next(block_mistakes(self, at, at, "")))
        for index in self.tabs(0, len(self.text)):
            self.report("tab", self.span(index))
        raise Stop  # what follows has no values, and the parsers differ in what they refuse there

    # --- what the events have in common ---

    def name(self, event: Any) -> _Anchor:
        """The record of an anchor; a tag is refused."""
        anchor, index = _Anchor(), event.start_mark.index
        if event.ctag is not None:
            self.refuse_tag(index)
        if event.anchor is not None:
            self.anchored = True
            self.anchors[event.anchor] = anchor
        return anchor

    def put(self, value: Value) -> None:
        """Give the innermost open container its next key or value."""
        holder, key = self.holder, self.key
        if isinstance(holder, list):
            holder.append(value)
        elif key is None:
            self.key = value if isinstance(value, Scalar) and value not in _REFUSED_KEYS else self.check_key(value)
            return
        else:
            self.key = None
            if key is _NO_KEY:
                return
            if key in holder:
                self.doubles.append((holder, key))
            else:
                holder[key] = value
        self.values += 1
        if self.values > MOST_VALUES:
            self.stop("too-many-values", place(value, self.file), limit=f"{MOST_VALUES:,}")

    def absent(self, index: int) -> Scalar:
        """The null of what is not written, which stands where its name or dash does."""
        key = self.key
        if key is None or key is _NO_KEY:
            span = self.span(index - isinstance(self.holder, list))
            return Scalar.at("", span.line, span.column, 1)
        if self.flow and key.plain and ":" in key and ":" not in self.text[self.end : index]:
            at = self.span(self.text.index(":", self.offset(key)))
            self.complain(at, "no space follows this `:`", "write `name: value`, or quote the text")
        return Scalar.at("", key.line, key.column, key.width)

    def fit(self, value: Value) -> None:
        """Let the carets end with the first line."""
        first = _LINE.match(self.text, self.offset(value))
        value.width = len(first[0].rstrip()) if first else 1

    # --- what is refused ---

    def check_quoted(self, value: Scalar, style: str, index: int) -> None:
        """A quoted or block scalar: its real width, and what its escapes stand for."""
        if style in "|>" and (header := _HEADER.match(self.text, index)):
            index = header.end()
            value.width = min(value.width, len(header[1]))
            self.check_comment(header.end(1))
        else:
            index = self.text.index(style, index)  # an anchor may stand before it
            self.check_comment(self.end)
        if style == '"' and not value.isprintable() and (bad := _UNPRINTABLE_VALUE.search(value)):
            self.report("control-character", place(value, self.file), char=f"U+{ord(bad[0]):04X}")
        elif style == '"' and self.hidden and (bad := _STAND_IN.search(self.text, index, self.end)):
            self.report("control-character", self.span(bad.start(), len(bad[0])), char=f"`{bad[0]}`")
        if self.tabbed:
            self.verbatim.append((index, self.end))

    def refuse_tag(self, index: int) -> None:
        """A tag would say what a value is; that is for the field to say."""
        tag = _TAG.search(self.text, index)
        self.report("custom-tag", self.span(tag.start(), len(tag[0])) if tag else self.span(index), tag=tag[0] if tag else "!")

    def check_comment(self, index: int) -> None:
        """A comment wants a space before it."""
        if self.text.startswith("#", index):
            self.complain(
                self.span(index), "`#` right after a value starts no comment", "write a space before it, or quote the whole text"
            )

    def check_key(self, value: Value) -> Scalar:
        """The key, or what stands for a refused one."""
        if isinstance(value, Scalar) and not value.plain:
            return value
        if value == "<<":
            self.report("merge-key", place(value, self.file))
        else:
            found = "a list" if isinstance(value, Seq) else "a mapping" if isinstance(value, Map) else "null"
            self.report("key-not-text", place(value, self.file), found=found)
        return _NO_KEY

    def check_doubles(self) -> None:
        """A key that is given twice, with both places."""
        doubles = self.doubles[: MOST_PROBLEMS - len(self.problems)]
        holders = {id(holder): holder for holder, _ in doubles}
        firsts = {each: {key: cast("Scalar", key) for key in holder} for each, holder in holders.items()}
        for holder, key in doubles:
            spans = (place(key, self.file), place(firsts[id(holder)][key], self.file))
            self.problems.append(problem("duplicate-key", *spans, key=key))

    def tabs(self, begin: int, end: int) -> Iterator[int]:
        """The first tab of each line that stands neither in quotes nor in a comment."""
        edges = [0, *(edge for pair in self.verbatim for edge in pair), len(self.text)]
        for first, last in zip(edges[::2], edges[1::2], strict=True):
            index = self.text.find("\t", max(first, begin), min(last, end))
            while index >= 0:
                line = bisect_right(self.starts, index)
                if not _COMMENT.search(self.text, max(first, self.starts[line - 1]), index):
                    yield index
                index = self.text.find("\t", self.starts[line], min(last, end))

    def report(self, code: str, *spans: Span, **facts: object) -> None:
        """One more problem; after very many the reading ends."""
        self.problems.append(problem(code, *spans, **facts))
        if len(self.problems) >= MOST_PROBLEMS:
            raise Stop

    def stop(self, code: str, span: Span, **facts: object) -> NoReturn:
        """A problem after which nothing can be read."""
        self.report(code, span, **facts)
        raise Stop

    def complain(self, span: Span, reason: str, help: str) -> None:  # noqa: A002 - the name of the fact
        """Something that is not YAML, in words."""
        self.report("yaml-syntax", span, reason=reason, help=help)

    # --- places ---

    @cached_property
    def starts(self) -> list[int]:
        """Where each line starts."""
        return [0, *(each.end() for each in _LINE_END.finditer(self.text))]

    def offset(self, value: Value) -> int:
        """Where a value begins in the text."""
        return self.starts[value.line - 1] + value.column - 1

    def line(self, index: int) -> Span:
        """The text of the line of a character."""
        start = self.starts[self.span(index).line - 1]
        line = _LINE.match(self.text, start)
        words = line[0].strip() if line else ""
        return self.span(start + (line[0].index(words) if line else 0), len(words) or 1)

    def span(self, index: int, width: int = 1) -> Span:
        """The place of a character; the end of the text is after its last word."""
        if index >= len(self.text):
            index = len(self.text.rstrip())
        line = bisect_right(self.starts, index)
        return Span(self.file, line, index - self.starts[line - 1] + 1, width)
