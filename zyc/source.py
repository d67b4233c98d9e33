"""YAML text -> values with spans; nothing in the text is executed, unbounded or silently dropped."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import blake2b
from importlib import import_module
from types import SimpleNamespace
from typing import Any, NoReturn, Self, TypeAlias, cast

from zyc.errors import Problem, Span, ZycError, problem

MOST_BYTES = 32_000_000
MOST_LEVELS = 64
MOST_VALUES = 2_000_000
MOST_REPEATED = 100_000
MOST_PROBLEMS = 1_000

_NULLS = frozenset(("", "~", "null", "Null", "NULL"))


class Scalar(str):
    """The source text of one scalar, unquoted and folded, and its place."""

    __slots__ = ("column", "line", "plain", "width")
    plain: bool  # written without quotes, so that a type may read a number from it
    line: int
    column: int
    width: int

    @classmethod
    def at(cls, text: str, line: int, column: int, width: int, *, plain: bool = True) -> Self:
        """A text as if it were written there."""
        value = cls(text)
        value.plain, value.line, value.column, value.width = plain, line, column, width
        return value

    def like(self, text: str) -> Scalar:
        """Another text in this one's place and style."""
        return Scalar.at(text, self.line, self.column, self.width, plain=self.plain)


class SecretName(Scalar):
    """A `$(env.NAME)`: the one expression that stays, since its value is never read here."""

    __slots__ = ()
    secret = True


class Map(dict[str, "Value"]):
    """A mapping and its place; its keys are Scalars, so they have places too."""

    __slots__ = ("column", "line", "width")
    line: int
    column: int
    width: int


class Seq(list["Value"]):
    """A list and its place."""

    __slots__ = ("column", "line", "width")
    line: int
    column: int
    width: int


Value: TypeAlias = Scalar | Map | Seq


def place(value: Value, file: str) -> Span:
    """Where a value is written; one that an alias repeats is where its anchor is."""
    return Span(file, value.line, value.column, value.width)


def is_null(value: Value) -> bool:
    """Whether a value is YAML's null: a plain scalar that holds nothing or a word for it."""
    return isinstance(value, Scalar) and value.plain and value in _NULLS


@dataclass(frozen=True, slots=True)
class Document:
    """One spec as YAML; `root` is None when it has problems or holds nothing."""

    file: str
    root: Map | None
    problems: tuple[Problem, ...] = ()
    digests: Mapping[str, Mapping[str, str]] = field(default_factory=dict, repr=False)  # section -> node name -> digest

    def node_digest(self, section: str, name: str) -> str:
        """A digest of one node's text: nodes of equal digests have equal values, in whatever file and line they stand."""
        return self.digests[section][name]


def parse(text: bytes, file: str) -> Document:
    """Read a spec; whatever the bytes are, what is wrong with them comes back as problems."""
    reading = _Reading(file)
    root = reading.read(text)
    if isinstance(root, Map):
        return Document(file, root, (), _digests(root, reading))
    if root is not None and not is_null(root):
        found = "a list" if isinstance(root, Seq) else "text"
        reading.report("not-a-mapping", place(root, file), what="a mapping of sections", found=found, help="start with `zyc: 1`")
    return Document(file, None, tuple(reading.problems))


def parse_value(text: str, file: str) -> Value:
    """Read the VALUE of `--set a.b=VALUE`: one scalar, `[...]` or `{...}`; raises ZycError when it is anything else."""
    reading = _Reading(file)
    root = reading.read(text.encode("utf-8", "surrogatepass"))
    if reading.problems:
        raise ZycError(reading.problems)
    root = Scalar.at("", 1, 1, 1) if root is None else root
    written = reading.text[reading.offset(root) : reading.end].strip()
    if not isinstance(root, Scalar) and written[:1] not in {"[", "{"}:
        form = "`{a: b}`" if isinstance(root, Map) else "`[a, b]`"
        reading.complain(place(root, file), "a value by itself cannot be in block style", f"write {form}, or quote the text")
    elif written != reading.text.strip():
        reading.complain(reading.line(0), "a part of this is a comment or a marker", "quote the text")
    else:
        return root
    raise ZycError(reading.problems)


def _digests(root: Map, reading: _Reading) -> dict[str, dict[str, str]]:
    """Of each node, the digest of its text from its name to the next name, and of what that text leaves open."""
    text = reading.text

    whole = _digest(text) if reading.anchored else ""

    def texts(section: str, nodes: Map, last: int) -> Iterator[str]:
        if whole:  # an alias may bring a value from anywhere in the file
            return (f"{whole} {(section, name)!r}" for name in nodes)
        names = [cast("Scalar", name) for name in nodes]
        begins = [*map(reading.offset, names), last]
        flow = text.startswith("{", reading.offset(nodes))
        # the column is what indented text is read by; that it stands within brackets is not seen from inside
        return (f"{flow} {name.column} {name!r} {text[begins[i] : begins[i + 1]]}" for i, name in enumerate(names))

    begins = [*(reading.offset(cast("Scalar", name)) for name in root), len(text)]
    return {
        section: dict(zip(nodes, map(_digest, texts(section, nodes, begins[i + 1])), strict=True))
        for i, (section, nodes) in enumerate(root.items())
        if isinstance(nodes, Map)
    }


def _digest(text: str) -> str:
    return blake2b(text.encode(), digest_size=16).hexdigest()


# --- from text to events ---

# YAML 1.1 ends a plain scalar at `?` and at `:` within brackets, YAML 1.2 only where they stand like punctuation. So the
# parsers are shown a stand-in of the same width for those inside a text (`http://x`, `Tu viens ?`).
_INNER_COLON = re.compile(r":(?<=[^\s?,\[\]{}\"'&*]:)(?=[^\s,\[\]{}])")
_INNER_QUERY = re.compile(r"(?:(?<=[^\s:?,\[\]{}\"'-])|(?<=[^\s:?,\[\]{}\"'-] ))\?+")
_ANCHOR = re.compile(r"[&*]([A-Za-z0-9_-]+)(?=[\s?:,\]}%@`])")
_BLANK = re.compile(r"[ \r\n]*")
_SHOWN = {0xFDD0: ":", 0xFDD1: "?"}


def _hide(text: str) -> str:
    text = _INNER_COLON.sub("\ufdd0", text)
    return _INNER_QUERY.sub(lambda found: "\ufdd1" * len(found[0]), text) if "?" in text else text


def _events(text: str) -> Callable[[], Any]:
    """Gives the next event of the C parser, or of the pure one where that is not installed."""
    try:
        parser = import_module("_ruamel_yaml_clibz").CParser(text.encode())
    except ImportError:
        return _pure_events(text)
    return cast("Callable[[], Any]", parser.get_event)


def _pure_events(text: str) -> Callable[[], Any]:
    """Gives the next event of the pure parser, which refuses here what the C parser refuses."""
    events, errors = import_module("ruamel.yaml.events"), import_module("ruamel.yaml.error")
    loader = _pure_loader(text, errors)
    flows = [False]

    def following() -> Any:
        try:
            event = loader.get_event()
        except (ValueError, OverflowError):
            raise errors.MarkedYAMLError("", None, "character code", loader.get_mark()) from None
        if isinstance(event, events.CollectionStartEvent):
            flows.append(event.flow_style)
        elif isinstance(event, events.CollectionEndEvent):
            flows.pop()
        if anchor := getattr(event, "anchor", None):
            named = _ANCHOR.match(text, event.start_mark.index)
            if named is None or named[1] != anchor:
                raise errors.MarkedYAMLError("an anchor", event.start_mark)
        plain = flows[-1] and isinstance(event, events.ScalarEvent) and not event.style
        if found := plain and re.search("[:?]", event.value):
            event.start_mark.index += found.start()
            raise errors.MarkedYAMLError("", None, f"unexpected '{found[0]}'", event.start_mark)
        return event

    return following


def _pure_loader(text: str, errors: Any) -> Any:
    """The pure parser, which accepts here what the C parser accepts."""
    loader = import_module("ruamel.yaml.loader").BaseLoader(text)

    def indentation() -> tuple[list[str], int, Any]:
        blank = _BLANK.match(loader.buffer, loader.pointer)
        *above, own = re.split(r"\r\n?|\n", blank[0] if blank else "")
        loader.forward(len(blank[0]) - len(own) if blank else 0)
        mark = loader.get_mark()
        loader.forward(len(own))
        if loader.peek() == "\t":
            raise errors.MarkedYAMLError("", None, "tab", loader.get_mark())
        return ["\n"] * len(above), max(map(len, (*above, own))), mark

    check_value = loader.check_value
    loader.doc_infos = [SimpleNamespace()]  # where it writes the version of a misplaced %YAML line
    loader.scan_block_scalar_indentation = indentation  # its own refuses a first line of fewer blanks than the text has
    loader.check_value = lambda: (
        check_value() or (loader.flow_level and loader.buffer[loader.pointer - 1] in "\"']}")
    )  # `["a":b]`
    return loader


# --- from events to values ---

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
_REFUSED_KEYS = _NULLS | {"<<"}
_NO_KEY = Scalar()  # where a refused key was


class _Stop(Exception):
    """What is reported ends the reading."""


@dataclass(slots=True)
class _Anchor:
    value: Value | None = None  # None while it is being written
    size: int = 1
    height: int = 0
    deepest: int = 0


class _Reading:
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
        except _Stop:
            pass
        self.check_doubles()
        self.problems.sort(key=lambda each: each.spans)
        return top[0] if top and not self.problems else None

    def check_text(self, data: bytes) -> None:
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
            raise _Stop
        if not self.text.endswith(("\n", "\r")):
            self.text += "\n"  # else the parsers differ in where the text ends
        self.tabbed = "\t" in self.text

    def compose(self) -> None:
        hidden = _hide(self.text)
        self.hidden = hidden != self.text
        following = _events(hidden)
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
            _explain(self, error)

    # --- one method an event ---

    def scalar(self, event: Any) -> None:
        start, end, style = event.start_mark, event.end_mark, event.style
        value = Scalar(event.value.translate(_SHOWN) if self.hidden else event.value)
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
        rest = _REST.match(self.text, event.end_mark.index)
        at = rest.end() if rest else len(self.text)
        if event.explicit or self.text.startswith("---", at):
            if at < len(self.text):
                self.report("many-documents", self.line(at))
        elif at < len(self.text):
            self.complain(*next(_block_mistakes(self, at, at, "")))
        for index in self.tabs(0, len(self.text)):
            self.report("tab", self.span(index))
        raise _Stop  # what follows has no values, and the parsers differ in what they refuse there

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
        tag = _TAG.search(self.text, index)
        self.report("custom-tag", self.span(tag.start(), len(tag[0])) if tag else self.span(index), tag=tag[0] if tag else "!")

    def check_comment(self, index: int) -> None:
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
        self.problems.append(problem(code, *spans, **facts))
        if len(self.problems) >= MOST_PROBLEMS:
            raise _Stop

    def stop(self, code: str, span: Span, **facts: object) -> NoReturn:
        self.report(code, span, **facts)
        raise _Stop

    def complain(self, span: Span, reason: str, help: str) -> None:  # noqa: A002 - the name of the fact
        self.report("yaml-syntax", span, reason=reason, help=help)

    # --- places ---

    @cached_property
    def starts(self) -> list[int]:
        """Where each line starts."""
        return [0, *(each.end() for each in _LINE_END.finditer(self.text))]

    def offset(self, value: Value) -> int:
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


# --- what a parser's error means ---

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


def _explain(reading: _Reading, error: Any) -> None:
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
        mistakes = _flow_mistakes(reading, at) if reading.flow else _block_mistakes(reading, at, begin, said)
        reading.complain(*next(mistakes))


def _escape_mistake(reading: _Reading, index: int) -> tuple[Span, str, str]:
    found = _ESCAPE.match(reading.text, index)
    written = found[0] if found else ""
    help_ = "write `\\\\` for a backslash, or use single quotes"
    return reading.span(index, len(written)), f"`{written}` stands for no character", help_


def _flow_mistakes(reading: _Reading, at: int) -> Iterator[tuple[Span, str, str]]:
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


def _block_mistakes(reading: _Reading, at: int, begin: int, said: str) -> Iterator[tuple[Span, str, str]]:
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
