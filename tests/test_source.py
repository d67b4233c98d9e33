"""What YAML text becomes: values with places, or problems with places, from either parser alike."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zyc import source
from zyc.errors import Span, ZycError
from zyc.source import Document, Map, Scalar, Seq, Value, is_null, parse, parse_value, place, reading

HAS_C = find_spec("_ruamel_yaml_clibz") is not None
needs_c = pytest.mark.skipif(not HAS_C, reason="ruamel.yaml.clibz is not installed")


@pytest.fixture(autouse=True, params=[pytest.param("C", marks=needs_c), "pure"])
def parser(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Each test holds with the C parser and without it."""
    if request.param == "pure":
        monkeypatch.setitem(sys.modules, "_ruamel_yaml_clibz", None)
    return request.param


def read(text: str) -> Map:
    """The root of a text that is fine."""
    document = parse(text.encode(), "a.yml")
    assert document.problems == ()
    assert document.root is not None
    return document.root


def bare(value: Value) -> object:
    """A value as plain Python, with its style but without its place."""
    if isinstance(value, Scalar):
        return (str(value), value.plain)
    if isinstance(value, Map):
        return {str(key): bare(each) for key, each in value.items()}
    return [bare(each) for each in value]


def placed(value: Value) -> object:
    """A value as plain Python, with all that is known of it."""
    here = (value.line, value.column, value.width)
    if isinstance(value, Scalar):
        return (str(value), value.plain, here)
    if isinstance(value, Map):
        return (here, [(placed(key), placed(each)) for key, each in value.items()])  # type: ignore[arg-type]
    return (here, [placed(each) for each in value])


def shown(text: str, value: Value) -> str:
    """What the carets underline."""
    return text.split("\n")[value.line - 1][value.column - 1 :][: value.width]


# --- values ---


def test_scalars_keep_their_source_text() -> None:
    """No scalar is taken for a number, a truth or a date: its text stays until a field's type reads it."""
    root = read("a: 12e4567\nb: 0x1F\nc: yes\nd: 2024-01-01\ne: 007\nf: '1'\ng: ~\n")
    assert {key: str(value) for key, value in root.items()} == {
        "a": "12e4567", "b": "0x1F", "c": "yes", "d": "2024-01-01", "e": "007", "f": "1", "g": "~",
    }  # fmt: skip
    assert [key for key, value in root.items() if not value.plain] == ["f"]


def test_quoted_folded_and_literal_text_is_resolved() -> None:
    """Escapes, folding and block indentation are YAML's business: what arrives is the text that is meant."""
    text = "a: \"x\\ty \\u00e9\"\nb: 'it''s'\nc: one\n  two\nd: |\n  x\n    y\n\ne: >-\n  one\n  two\n\nf: \"one\n  two\"\n"
    values = {key: str(value) for key, value in read(text).items()}
    assert values == {"a": "x\ty é", "b": "it's", "c": "one two", "d": "x\n  y\n", "e": "one two", "f": "one two"}
    assert [key for key, value in read(text).items() if value.plain] == ["c"]


def test_text_within_brackets_may_hold_colons_and_question_marks() -> None:
    """Within brackets YAML 1.2 holds: a colon or question mark inside a text is text."""
    root = read(
        'a: {url: http://x.y/z?q=1, ask: Tu viens ?, image: a/b:1.2, scope: std::map, "k":v}\nb: [a?, what??, 10:30, x: y]\n'
    )
    assert bare(root["a"]) == {
        "url": ("http://x.y/z?q=1", True), "ask": ("Tu viens ?", True), "image": ("a/b:1.2", True),
        "scope": ("std::map", True), "k": ("v", True),
    }  # fmt: skip
    assert bare(root["b"]) == [("a?", True), ("what??", True), ("10:30", True), {"x": ("y", True)}]


def test_null_is_a_plain_word() -> None:
    """Nothing, `~` and `null` are null; the same in quotes are text."""
    root = read("a:\nb: ~\nc: null\nd: NULL\ne: ''\nf: 'null'\ng: nil\nh: []\n")
    assert [key for key, value in root.items() if is_null(value)] == ["a", "b", "c", "d"]


@pytest.mark.parametrize("text", ["", "\n", "# a comment\n", "---\n", "~\n", "\ufeff"])
def test_a_file_without_values_is_empty(text: str) -> None:
    """A file that holds nothing has no root and no problems."""
    assert parse(text.encode(), "a.yml") == Document("a.yml", None)


def test_keys_of_any_plain_text_are_kept() -> None:
    """A key is its text, however it is written."""
    assert list(read("1: a\ntrue: b\n'': c\n\"é\": d\n? e\n: f\n'<<': g\n")) == ["1", "true", "", "é", "e", "<<"]


def test_an_alias_repeats_the_very_object() -> None:
    """What an alias repeats is shared, never copied."""
    root = read("a: &x {k: [1]}\nb: *x\nc: [*x]\n")
    assert root["a"] is root["b"] is root["c"][0]


def test_the_latest_anchor_of_a_name_counts() -> None:
    """An anchor may be given again; an alias means the last one above it."""
    assert bare(read("a: &x 1\nb: *x\nc: &x 2\nd: *x\n")["d"]) == ("2", True)


# --- places ---


def test_each_value_knows_its_place() -> None:
    """Carets underline a scalar's text, a bracket's extent on its first line, a block's first key or item."""
    text = 'é: {ü: "x", b: [1,\n  2]}\nlist:\n  - k: v\n  - two words\nrun: |\n  text\nlong: "a\n  b"\nempty:\n'
    root = read(text)
    inner, items = root["é"], root["list"]
    assert isinstance(inner, Map)
    assert isinstance(items, Seq)
    values = [inner, *inner, *inner.values(), items, *items, root["run"], root["long"], root["empty"]]
    assert [shown(text, each) for each in values] == [
        '{ü: "x", b: [1,', "ü", "b", '"x"', "[1,", "- k", "k", "two words", "|", '"a', "empty",
    ]  # fmt: skip
    assert place(items[1], "a.yml") == Span("a.yml", 5, 5, 9)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_line_ends_and_byte_order_marks_move_nothing(end: str, mark: str) -> None:
    """The same lines have the same values and places, whatever ends them and whatever stands before them."""
    lines = ["a: 1", "b: {x: é,", "  y: 'z'}", "c: |", "  text", "  more", "d: two", "  lines", "e: [", "]"]
    assert placed(read(mark + end.join(lines))) == placed(read("\n".join(lines) + "\n"))


def test_columns_count_characters() -> None:
    """A column is a character, not a byte or half of a surrogate pair."""
    value = read("é: {\U0001f600: x}\n")["é"]["\U0001f600"]
    assert place(value, "f") == Span("f", 1, 8, 1)


# --- what is refused ---

MISTAKES = [
    ("{a: 1, a: 2}", "1:8+1 `a` is given twice; remove one of them"),
    ("<<: {a: 1}", "1:1+2 merge keys (`<<`) are not part of YAML 1.2; write the fields out, or use a profile"),
    ("a: !!str x", "1:4+5 the tag `!!str` is not allowed: specs are data, never code; remove the tag"),
    (
        "a: !!python/object/apply:os.system [x]",
        "1:4+31 the tag `!!python/object/apply:os.system` is not allowed: specs are data, never code; remove the tag",
    ),
    ("a: ! x", "1:4+1 the tag `!` is not allowed: specs are data, never code; remove the tag"),
    ("a: *x", "1:4+2 the alias `*x` names no anchor above it; write `&x` at the value to repeat"),
    ("a: &x [*x]", "1:8+2 the alias `*x` holds itself; an alias can only repeat a value that is complete"),
    ("[a]: 1", "1:1+3 a key must be a word, not a list; write `name: value`"),
    ("{a: 1}: 1", "1:1+6 a key must be a word, not a mapping; write `name: value`"),
    ("~: 1", "1:1+1 a key must be a word, not null; write `name: value`"),
    ("&x a: 1\n*x : 2", "2:1+2 a key must be a word, not an alias; write `name: value`"),
    ("- a", "1:1+3 expected a mapping of sections, found a list; start with `zyc: 1`"),
    ("just text", "1:1+9 expected a mapping of sections, found text; start with `zyc: 1`"),
    ("a: 1\n---\nb: 2", "2:1+3 a spec holds one YAML document; move what follows `---` to a file of its own"),
    ("a: 1\n...\nfoo", "3:1+3 a spec holds one YAML document; move what follows `---` to a file of its own"),
    ("\ta: 1", "1:1+1 a tab stands where only spaces can; replace it by spaces; a text in quotes may hold tabs"),
    ("a:\n  - x\n\t- y", "3:1+1 a tab stands where only spaces can; replace it by spaces; a text in quotes may hold tabs"),
    ("a:\tb", "1:3+1 a tab stands where only spaces can; replace it by spaces; a text in quotes may hold tabs"),
    ("a: [b,\tc]", "1:7+1 a tab stands where only spaces can; replace it by spaces; a text in quotes may hold tabs"),
    ("a: |\n\tx", "2:1+1 a tab stands where only spaces can; replace it by spaces; a text in quotes may hold tabs"),
    ("%YAML 1.1\n---\na: 1", "1:1+1 `%` at the start of a line is a directive; remove this line"),
    ('b: 1\na: "x', '2:4+1 this quote is never closed; end the text with `"`'),
    ("a: 'it's'", "1:8+1 this follows a closed quote; write `''` for a quote inside single quotes"),
    ('a: "x" y', "1:8+1 this cannot follow the value before it; quote the whole value"),
    ("a: 'x'#y", "1:7+1 `#` right after a value starts no comment; write a space before it, or quote the whole text"),
    ("a: [1, 2\nb: 3", "1:4+1 this `[` is never closed; close it with `]`"),
    ("a: {x: 1\nb: 3", "1:4+1 this `{` is never closed; close it with `}`"),
    ("a: &n [", "1:7+1 this `[` is never closed; close it with `]`"),
    ("a: {x: [1, 2}", "1:13+1 `}` cannot close the `[` of line 1; close it with `]`"),
    ("a: ]", "1:4+1 nothing is open that this `]` could close; remove it, or quote the text"),
    ("{a: 1}}", "1:7+1 nothing is open that this `}` could close; remove it, or quote the text"),
    ("a: [1,, 2]", "1:7+1 no value stands before this `,`; remove the `,`, or write `null`"),
    ("a: {b: c d: e}", "1:11+1 expected `,` or `}` before `:`; quote a text that holds `:`"),
    ("a: [x - ? y]", "1:9+1 expected `,` or `]` before `?`; quote a text that holds `?`"),
    ("a:b\nc: d", "1:2+1 no space follows this `:`; write `name: value`, or quote the text"),
    ("x: 1\na:b\nc: d", "2:2+1 no space follows this `:`; write `name: value`, or quote the text"),
    ("{a:1}", "1:3+1 no space follows this `:`; write `name: value`, or quote the text"),
    ("{a:}", "1:3+1 no space follows this `:`; write `name: value`, or quote the text"),
    ("a: echo b: c", "1:10+1 a second `: ` in one line; quote the value, or give the inner field a line of its own"),
    ("a: 1\n  b: 2", "2:3+4 the field above has a value already; indent this line like that field"),
    ("a\nb: c", "1:1+1 this line has no `:`; write `name: value`, or indent it as text"),
    ("a: 1\nb\nc: 2", "2:1+1 this line has no `:`; write `name: value`, or indent it as text"),
    ("a:\n  b: 1\n c: 2", "3:2+4 this line is indented like none above it; align it with what it belongs to"),
    ("a:\n  - b\n c", "3:2+1 this line is indented like none above it; align it with what it belongs to"),
    ("a: 1\n- b", "2:1+1 a list item stands among fields; indent it more than the field that it belongs to"),
    ("a: - b", "1:4+1 a list cannot start here; start it on a line of its own, or write `[a, b]`"),
    ("a: ,", "1:4+1 a value is missing here; write it, or `null`"),
    ("a: @x", "1:4+1 a value cannot start with `@`; quote the text"),
    ("a: `x`", "1:4+1 a value cannot start with a backtick; quote the text"),
    ("a: %x", "1:4+1 a value cannot start with `%`; quote the text"),
    ("a: *.txt", "1:4+1 `*` wants a name of letters and digits after it; quote a text that starts with `*`"),
    ("a: & b", "1:4+1 `&` wants a name of letters and digits after it; quote a text that starts with `&`"),
    ("a: ? b", "1:4+1 `?` cannot start a value; quote the text"),
    ("a: |x", "1:4+1 after `|` the text starts on the next line, indented; quote a text that starts with `|`"),
    ("a: |\n   x\n  y", "3:3+1 this line is indented like none above it; align it with what it belongs to"),
    ('a: "\\q"', "1:5+2 `\\q` stands for no character; write `\\\\` for a backslash, or use single quotes"),
    ('a: "\\x4"', "1:5+3 `\\x4` stands for no character; write `\\\\` for a backslash, or use single quotes"),
    ('a: "\\UFFFFFFFF"', "1:5+10 `\\UFFFFFFFF` stands for no character; write `\\\\` for a backslash, or use single quotes"),
    ('a: "\\0"', "1:4+4 the file holds the control character U+0000; remove it"),
    ("a: x\u0000", "1:5+1 the file holds the control character U+0000; remove it"),
    ("a: x\u2028y", "1:5+1 the file holds the control character U+2028; remove it"),
    ('a: ["\\ufdd0", x:y]', "1:6+6 the file holds the control character `\\ufdd0`; remove it"),
    ("a: \u007f", "1:4+1 the file holds the control character U+007F; remove it"),
]


@pytest.mark.parametrize(("text", "told"), MISTAKES)
def test_a_mistake_is_told_in_plain_words_where_it_is(text: str, told: str) -> None:
    """A common mistake is one problem: its own place and width, what is wrong, and the next step."""
    (problem,) = parse(text.encode(), "a.yml").problems
    span = problem.spans[0]
    message = problem.message.removeprefix("this is not valid YAML: ")
    assert f"{span.line}:{span.column}+{span.width} {message}; {problem.help}" == told


def test_what_does_not_hinder_reading_is_told_at_once() -> None:
    """Tags, aliases, merge keys, bad keys and doubles are all collected, in the order of the file."""
    text = "a: !t 1\nb: *x\n<<: 1\na: 2\n~: 3\nc: {d: 1, d: 2}\na: 4\n"
    found = [(each.code, each.spans[0].line) for each in parse(text.encode(), "a.yml").problems]
    assert found == [
        ("custom-tag", 1), ("unknown-alias", 2), ("merge-key", 3), ("duplicate-key", 4),
        ("key-not-text", 5), ("duplicate-key", 6), ("duplicate-key", 7),
    ]  # fmt: skip


def test_a_double_names_both_places() -> None:
    """The problem of a key given twice points at the second, and at the first."""
    (problem,) = parse(b"a: 1\nb: 2\n'a': 3\n", "a.yml").problems
    assert problem.spans == (Span("a.yml", 3, 1, 3), Span("a.yml", 1, 1, 1))
    assert problem.also == "first given here"


@pytest.mark.parametrize("data", [b"a: \xff", b"\xff\xfea\x00:\x00", b"a: caf\xe9\n", b"\xed\xa0\x80"])
def test_what_is_not_utf8_is_refused(data: bytes) -> None:
    """Bytes in another encoding are refused, with the place of the first."""
    (problem,) = parse(data, "a.yml").problems
    assert (problem.code, problem.spans[0].line) == ("not-utf8", 1)


def test_tabs_are_text_in_quotes_blocks_and_comments() -> None:
    """A tab is refused only where it would separate or indent."""
    assert bare(read("a: 'x\ty' # a\tcomment\nb: |\n  x\ty\n  \tz\n#\tend\n")) == {
        "a": ("x\ty", False),
        "b": ("x\ty\n\tz\n", False),
    }


def test_problems_are_bounded() -> None:
    """A file of nothing but mistakes is told about a thousand of them."""
    assert len(parse(b"- !t\n" * 5000, "a.yml").problems) == source.MOST_PROBLEMS
    assert len(parse(b"".join(b"k%d: 1\n" % i for i in range(5000)) * 2, "a.yml").problems) == source.MOST_PROBLEMS


# --- bounds ---


@pytest.mark.parametrize("opener", ["[", "{a: ", "&a [", "- ", "? ", "{? "])
def test_nesting_is_bounded(opener: str) -> None:
    """A hundred thousand open brackets or dashes are a problem with a place, told at once."""
    (problem, *_) = parse(("a: " if opener[0] in "[{&" else "").encode() + opener.encode() * 100_000, "a.yml").problems
    assert problem.code == "too-deep"


def test_as_many_levels_as_promised() -> None:
    """64 levels are read, the 65th is refused."""
    assert parse(b"a: " + b"[" * 63 + b"]" * 63, "a.yml").problems == ()
    assert parse(b"a: " + b"[" * 64 + b"]" * 64, "a.yml").problems[0].code == "too-deep"


def test_aliases_cannot_nest_deeper_than_brackets() -> None:
    """The bound on levels counts what aliases bring along."""
    chain = "a0: &a0 [x]\n" + "".join(f"a{i}: &a{i} [*a{i - 1}]\n" for i in range(1, 100))
    (problem,) = parse(chain.encode(), "a.yml").problems
    assert (problem.code, problem.spans[0].line) == ("too-deep", 64)


def test_alias_bombs_are_refused() -> None:
    """Aliases may repeat 100,000 values in all, however few bytes say so."""
    nine = ", ".join
    bomb = "a0: &a0 [x, x]\n" + "".join(f"a{i}: &a{i} [{nine([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 50))
    (problem,) = parse(bomb.encode(), "a.yml").problems
    assert problem.code == "too-many-repeats"


def test_repeats_are_counted_to_the_last(monkeypatch: pytest.MonkeyPatch) -> None:
    """An alias counts as all that it repeats: three of a list of three are twelve."""
    text = b"a: &a [1, 2, 3]\nb: [*a, *a, *a]\n"
    monkeypatch.setattr(reading, "MOST_REPEATED", 12)
    assert parse(text, "a.yml").problems == ()
    monkeypatch.setattr(reading, "MOST_REPEATED", 11)
    assert parse(text, "a.yml").problems[0].code == "too-many-repeats"


def test_values_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file may hold so many values and no more."""
    monkeypatch.setattr(reading, "MOST_VALUES", 4)
    assert parse(b"a: [1, 2]\n", "a.yml").problems == ()
    assert parse(b"a: [1, 2, 3]\n", "a.yml").problems[0].code == "too-many-values"


def test_size_is_bounded_before_anything_is_read() -> None:
    """A file of 100 MB is refused unread."""
    (problem,) = parse(b"\xff" * 100_000_000, "a.yml").problems
    assert problem.message == "`a.yml` has 100,000,000 bytes; a spec may have 32,000,000"


# --- one value ---


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("Q4_K_M", ("Q4_K_M", True)),
        ("7", ("7", True)),
        ("'7'", ("7", False)),
        ("", ("", True)),
        (" 15 s ", ("15 s", True)),
        ("http://x.y:80/z?q", ("http://x.y:80/z?q", True)),
        ("a:b", ("a:b", True)),
        ("[1, 2]", [("1", True), ("2", True)]),
        ("{a: 1, b: [x]}", {"a": ("1", True), "b": [("x", True)]}),
        ("[a: 1]", [{"a": ("1", True)}]),
        ("é", ("é", True)),
    ],
)
def test_one_value_is_read(text: str, value: object) -> None:
    """What stands after `--set a.b=` is a word, a list or a mapping, as in a file."""
    assert bare(parse_value(text, "--set")) == value


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a: b", "a value by itself cannot be in block style; write `{a: b}`, or quote the text"),
        ("- a", "a value by itself cannot be in block style; write `[a, b]`, or quote the text"),
        ("a #b", "a part of this is a comment or a marker; quote the text"),
        ("#b", "a part of this is a comment or a marker; quote the text"),
        ("--- a", "a part of this is a comment or a marker; quote the text"),
        ("[a", "this `[` is never closed; close it with `]`"),
        ("@a", "a value cannot start with `@`; quote the text"),
        ("a\nb: c", "this line has no `:`; write `name: value`, or indent it as text"),
    ],
)
def test_nothing_of_one_value_is_dropped(text: str, told: str) -> None:
    """A value that YAML would cut short or read as a block is refused instead."""
    with pytest.raises(ZycError) as error:
        parse_value(text, "--set")
    (problem,) = error.value.problems
    assert f"{problem.message.removeprefix('this is not valid YAML: ')}; {problem.help}" == told


def test_bytes_that_are_no_text_are_refused_as_a_value() -> None:
    """An argument that is not UTF-8 is a problem, not a crash."""
    with pytest.raises(ZycError, match="not UTF-8"):
        parse_value("a\udcff", "--set")


# --- digests ---


def digests(text: str) -> dict[str, str]:
    """The digest of each node of the section `s`."""
    document = parse(text.encode(), "a.yml")
    assert document.problems == ()
    return {name: document.node_digest("s", name) for name in document.digests["s"]}


def test_a_node_keeps_its_digest_wherever_it_stands() -> None:
    """Other nodes, other files, other lines and byte order marks are nothing to a node's digest."""
    one = "s:\n  a: {x: 1}\n  b: |\n    text\n  c: [1,\n    2]\n"
    two = "\ufeffzyc: 1\ns:\n  z: 1\n  b: |\n    text\n  a: {x: 1}\n  c: [1,\n    2]\nt:\n"
    assert digests(one).items() <= digests(two).items()
    assert digests(one)["a"] != digests(one.replace("x: 1", "x: 2"))["a"]
    assert digests(one)["b"] == digests(one.replace("x: 1", "x: 2"))["b"]


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("s:\n  a: 1\n", "s:\n  a: '1'\n"),
        ("s:\n a: |1\n   x\n", "s:\n  a: |1\n   x\n"),
        ("s:\n  a: |+\n    x\n\n", "s:\n  a: |+\n    x\n"),
        ("t: {x: &x 1}\ns: {a: *x}\n", "t: {x: &x 2}\ns: {a: *x}\n"),
        ("s: {a: x\n  b}\n", "s:\n  a: x\n  b:\n"),
    ],
)
def test_other_values_have_other_digests(one: str, two: str) -> None:
    """Where the same characters mean another value, the digest is another one."""
    assert bare(read(one)["s"]["a"]) != bare(read(two)["s"]["a"])
    assert digests(one)["a"] != digests(two)["a"]


def test_one_alias_in_a_file_ties_every_digest_to_the_whole_file() -> None:
    """A digest covers what an alias may bring from elsewhere, and tells two sections apart."""
    text = "s: {x: &k 1, a: *k}\nt: {x: &k 2, a: *k}\n"
    document = parse(text.encode(), "a.yml")
    assert document.node_digest("s", "a") != document.node_digest("t", "a")
    assert digests(text)["a"] != digests(text + "u: 3\n")["a"]


# --- properties ---

SPECS = (
    """# a project
zyc: 1
about: Philosophers for the free CPU tier
models:
  mistral-7b: mistralai/Mistral-7B-Instruct-v0.3 # a string is `hub:`
datasets:
  schemes:
    from: [specs/data/a.jsonl, specs/data/b.jsonl]
    clean: [unicode: nfc, drop: duplicates]
    split: {test: 10%, group: origin, seed: 7}   # group: never on both sides
    gates: [rows = 1200, balance.philosopher.spinoza = 600]
prompts:
  spinoza: {system: "Tu es Spinoza. Réponds à un lycéen.", sampling: {temperature: 0.4}}
finetunes:
  philo-lora:
    base: mistral-7b
    train: {epochs: 3, learning_rate: 2e-4, warmup: 3%}
    gates:
      - questions.accuracy >= 75%
      - speed.answer_p95 <= 15 s
""",
    """zyc: 1
steps:
  page:
    inputs: {exam: philo-exam}               # in/exam/
    run: |
      python recipe/make.py in/exam
        echo "x: y" # no

      done
  other: {inputs: {a: page}, run: "a && b\\n \\u00e9", url: http://x.y/z?q=1, ask: Tu viens ?}
  folded:
    run: >-
      one

       two
    note: 'it''s
      two lines'
    more: "a
      b \\
      c"
""",
    """zyc: 1
vars: &v {epochs: 3, "k": [1, 2, {a: b}], e: {}}
models:
- a: é
  b: *v
- [x: y, z]
-
  - - deep
    - deeper
? complex
: value
empty:
s: !t x
m: {<<: *v, ? q : r, "s":t}
last: |2+
    keep

""",
    "zyc: 1\r\nmodels:\r\n  a: {x: 1,\r\n    y: [a b, 'c'],\r\n    }\r\n  b: |\r\n    text\r\n  c: plain\r\n   folded\r\n",
)
TOKENS = (
    ": ", ":", "- ", "-", "? ", "?", "[", "]", "{", "}", ", ", ",", "#", " #", "\n", "\n\n", "  ", " ", "\t", "'", '"', "&a ",
    "*a", "|", "|\n", ">\n", "|2\n", "|+\n", ">-\n", "!", "!!str ", "%", "@", "`", "---\n", "...\n", "<<: ", "~", "é",
    "\u2028", "\0", "\\", "\\n", "\\x41", "\r\n", "\r", "a: b\n", "\ufeff", "::", "?x", ":x", "%YAML 1.2\n", "\U0001f600",
    "- - ", "\n  ", "\n\t",
)  # fmt: skip


def mutants(seed: int, count: int) -> Iterator[str]:
    """Specs with a few bytes, tokens or lines gone wrong; the same ones for the same seed."""
    rng = random.Random(seed)
    for _ in range(count):
        lines = rng.choice(SPECS).splitlines(keepends=True)
        if rng.random() < 0.6:
            start = rng.randrange(len(lines))
            lines = lines[start : start + rng.randrange(1, 9)]
        text = "".join(lines)
        for _ in range(rng.choice((1, 1, 1, 2, 3, 6))):
            text = mutated(rng, text)
        yield text


def mutated(rng: random.Random, text: str) -> str:
    """One thing more gone wrong."""
    at, lines = rng.randrange(len(text) + 1), text.splitlines(keepends=True) or [""]
    to, line, other = at + rng.choice((1, 1, 2, 3, 8, 30)), rng.randrange(len(lines)), rng.randrange(len(lines))
    match rng.randrange(8):
        case 0 | 1 | 2:
            return text[:at] + rng.choice(TOKENS) + text[at:]
        case 3:
            return text[:at] + rng.choice(TOKENS) + text[at + 1 :]
        case 4:
            return text[:at] + text[to:]
        case 5:
            return text[:to] + text[at:]
        case 6:
            lines[line] = " " * rng.randrange(1, 4) + lines[line] if rng.random() < 0.5 else lines[line][rng.randrange(3) :]
        case _:
            lines[line], lines[other] = lines[other], lines[line] * rng.randrange(3)
    return "".join(lines)


def check(text: str) -> Document:
    """Parse, and hold what came back against what is promised of every text."""
    document = parse(text.encode(), "a.yml")
    lines = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n").split("\n")
    assert document.root is None or not document.problems
    for problem in document.problems:
        assert problem.message
        for span in problem.spans:
            assert 1 <= span.line <= len(lines), (text, problem)
            assert 1 <= span.column <= len(lines[span.line - 1]) + 1, (text, problem)
            assert 1 <= span.width <= max(1, len(lines[span.line - 1]) - span.column + 1), (text, problem)
    return document


def test_mutated_specs_are_values_or_problems(parser: str) -> None:
    """2,000 broken specs: no exception, no hang, and every problem has a place inside the file."""
    for text in mutants(1, 2_000 if parser == "C" else 300):
        check(text)


@needs_c
def test_both_parsers_say_the_same_of_mutated_specs() -> None:
    """The C parser and the pure one accept the same texts, with the same values at the same places."""
    for text in mutants(2, 400):
        agree(text)


def agree(text: str) -> None:
    """Hold the two parsers against each other."""
    with pytest.MonkeyPatch.context() as patch:
        one = parse(text.encode(), "a.yml")
        patch.setitem(sys.modules, "_ruamel_yaml_clibz", None)
        two = parse(text.encode(), "a.yml")
    assert bool(one.problems) == bool(two.problems), (text, one.problems, two.problems)
    assert one.digests == two.digests
    if one.root is not None and two.root is not None:
        assert placed(one.root) == placed(two.root), text


PIECES = st.sampled_from([*TOKENS, "a", "b", "k: ", "k: [", "k: {", "'c'", '"d"', "http://x", "x?", "\n  ", "\n - "])


@needs_c
@settings(max_examples=200, deadline=None)
@given(st.sampled_from(["", "s:\n  ", "s: {n: ", "[", "{"]), st.lists(PIECES, max_size=14))
def test_both_parsers_say_the_same_of_any_pieces(start: str, pieces: list[str]) -> None:
    """Whatever pieces of YAML are put together, the two parsers make the same of them."""
    agree(start + "".join(pieces))


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=60) | st.text(max_size=40).map(str.encode))
def test_no_bytes_raise(data: bytes) -> None:
    """Any bytes at all are a document or problems."""
    document = parse(data, "a.yml")
    assert document.root is None or not document.problems


def test_equal_digests_mean_equal_values() -> None:
    """Among the nodes of thousands of edited specs, those of one digest have one value."""
    known: dict[str, object] = {}
    kept = 0
    for text in mutants(3, 1_500):
        document = parse(text.encode(), "a.yml")
        for section, nodes in document.digests.items():
            for name, digest in nodes.items():
                value = bare(document.root[section][name])
                kept += digest in known
                assert known.setdefault(digest, value) == value, text
    assert kept > 100  # else it has shown nothing


TEXTS = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Cn", "Zl", "Zp"), exclude_characters="\ufeff"), max_size=12
)
TREES = st.recursive(TEXTS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4), max_leaves=12)


def written(tree: object, depth: int = 0) -> str:
    """A tree as block YAML, its scalars as JSON strings."""
    pad = "\n" + "  " * depth
    match tree:
        case {**fields} if fields:
            return "".join(
                f"{pad}{json.dumps(key, ensure_ascii=False)}: {written(each, depth + 1)}" for key, each in fields.items()
            )
        case [_, *_]:
            return "".join(f"{pad}- {written(each, depth + 1)}" for each in tree)
        case _:
            # JSON writes two escapes for one of the rarer characters, and YAML knows no such pairs
            return json.dumps(tree, ensure_ascii=max(str(tree), default="") <= "\uffff")


def unquoted(value: object) -> object:
    """Without the note that it stood in quotes."""
    match value:
        case (text, False):
            return text
        case {**fields}:
            return {key: unquoted(each) for key, each in fields.items()}
        case _:
            return [unquoted(each) for each in value]


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(TEXTS, TREES, min_size=1, max_size=4))
def test_what_is_written_is_read(tree: dict[str, object]) -> None:
    """Any tree of texts, in block style or as JSON, comes back as it was."""
    assert unquoted(bare(read(written(tree)))) == tree
    assert unquoted(bare(read(json.dumps(tree, ensure_ascii=False)))) == tree


def test_importing_costs_no_yaml() -> None:
    """The YAML library is imported when the first file is parsed, not before."""
    code = "import sys, zyc.source; sys.exit(any('ruamel' in name for name in sys.modules))"
    assert subprocess.run([sys.executable, "-S", "-c", code], check=False).returncode == 0
