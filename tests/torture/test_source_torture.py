"""The promises of `source` at the size that a hostile or an enormous project has."""

from __future__ import annotations

import sys
import time
from importlib.util import find_spec
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1]))
from test_source import agree, bare, check, mutants

from zyc.source import parse

pytestmark = pytest.mark.torture

N = 100_000
HOSTILE = {
    "brackets": b"a: " + b"[" * N,
    "braces": b"a: " + b"{" * N,
    "mappings": b"a: " + b"{a: " * N,
    "anchors": b"a: " + b"&a [" * N,
    "dashes": b"- " * N,
    "questions": b"? " * N,
    "asking": b"a ?" * N,
    "colons": b":" * N,
    "fields": b"a: " * N,
    "single quotes": b"'" * N,
    "double quotes": b'"' * N,
    "backslashes": b'a: "' + b"\\" * N,
    "comments": b"#x\r\n" * N,
    "old comments": b"#x\r" * N,
    "line ends": b"\r\n" * N,
    "spaces": b" " * N,
    "tabs": b"\t" * N,
    "tabbed fields": b"a:\tb\n" * N,
    "tabbed items": b"a: ['x'" + b",'y'\t" * N + b"]",
    "doubles": b"a: 1\n" * N,
    "many doubles": b"".join(b"k%d: 1\n" % i for i in range(N)) * 2,
    "odd keys": b"? \n" * N,
    "tags": b"- !a\n" * N,
    "bangs": b"!" * N,
    "stars": b"*" * N,
    "aliases": b"- *a\n" * N,
    "percents": b"%" * N,
    "one long key": b"x" * N + b": 1",
    "items": b"-\n" * N,
    "documents": b"---\n" * N,
    "blank text": b"a: |\n" + b"   \n" * N,
    "pairs": b"a: [" + b"a: b, " * N + b"]",
    "commas": b"[" + b"," * N,
    "glued": b"a:b\n" * N,
    "dashed": b"- " * 1_000 + b"\n" + b" - " * N,
    "repeats": b"a: &a x\nb:\n" + b"- *a\n" * (N + 1),
    "bomb": b"a0: &a0 [x, x]\n"
    + b"".join(b"a%d: &a%d [%s]\n" % (i, i, b", ".join([b"*a%d" % (i - 1)] * 9)) for i in range(1, 60)),
}


def test_a_hundred_thousand_mutated_specs() -> None:
    """100,000 broken specs: no exception, no hang, every problem has a place; of one digest, one value."""
    known: dict[str, object] = {}
    for text in mutants(4, N):
        document = check(text)
        for section, nodes in document.digests.items():
            for name, digest in nodes.items():
                value = bare(document.root[section][name])
                assert known.setdefault(digest, value) == value, text


def test_both_parsers_say_the_same_of_twenty_thousand_mutated_specs() -> None:
    """The C parser and the pure one accept the same texts, with the same values at the same places."""
    if find_spec("_ruamel_yaml_clibz") is None:
        pytest.skip("ruamel.yaml.clibz is not installed")
    for text in mutants(5, 20_000):
        agree(text)


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("parser", ["C", "pure"])
def test_hostile_texts_are_answered_in_linear_time(name: str, parser: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a megabyte of anything is answered in seconds, with a bounded list of problems."""
    if parser == "pure":
        monkeypatch.setitem(sys.modules, "_ruamel_yaml_clibz", None)
    started = time.monotonic()
    assert len(parse(HOSTILE[name], "a.yml").problems) <= 1_000
    assert time.monotonic() - started < 60


@pytest.mark.parametrize("value", ["[a, b, c]", "{url: http://x.y, ask: b?}"])
def test_a_million_values_are_read(value: str) -> None:
    """A project written by a program, of a million values, is read."""
    text = "zyc: 1\nm:\n" + "".join(f"  k{i}: {value}\n" for i in range(250_000))
    document = parse(text.encode(), "a.yml")
    assert document.root is not None
    assert len(document.root["m"]) == len(document.digests["m"]) == 250_000


def test_thirty_megabytes_of_text_are_read() -> None:
    """A file may be as large as the bound says."""
    document = parse(b"a: |\n" + b"  0123456789012345678901234567890123456\n" * 790_000, "a.yml")
    assert document.root is not None
