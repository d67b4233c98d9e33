"""Whatever is in a file: no traceback, a row for each key, and a spec that can be read."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some
from importers.importing import told

from zyc.errors import ZycError
from zyc.importers import TOOLS, reader_of
from zyc.importers.draft import flow
from zyc.source import parse

WORDS = some.sampled_from(
    ["1", "0", "-3", "2e-4", "true", "off", "~", "''", "lora", "auto", "a/b", "data/x.jsonl", "[a, b]", "{a: 1}", "[]"]
)


def files(tool):
    """Some keys of a tool with values of any form."""
    names = sorted({key.split(".")[0].removesuffix("[]") for key in reader_of(tool).TABLE.rules if not key.startswith("*")})
    return some.dictionaries(some.sampled_from(names), WORDS, max_size=25)


@pytest.mark.slow
@pytest.mark.parametrize("tool", TOOLS)
def test_no_values_break_an_import(tool):
    """Keys of a tool with values of any form: each has one row, and what is written is YAML."""

    @settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
    @given(files(tool))
    def holds(keys):
        form = "{} {}\n" if tool == "ollama" else "{}: {}\n"
        text = "".join(form.format(key, value) for key, value in keys.items())
        try:
            seen = told(text, tool)
        except ZycError:
            return
        rows = {row.key.partition(".")[0].partition("[")[0] for row in seen.made.rows}
        assert keys.keys() <= rows
        if seen.made.text:
            assert parse(seen.made.text.encode(), "x.yml").problems == ()

    holds()


@settings(max_examples=300, deadline=None, derandomize=True)
@given(
    some.text(
        alphabet=some.characters(
            codec="utf-8", exclude_categories=("Cc", "Cs", "Zl", "Zp", "Cn", "Co"), exclude_characters="\ufeff"
        )
    )
)
def test_a_text_is_written_as_what_it_is(text):
    """Quotes, hashes, words that look like numbers or booleans: a text comes back as the same text."""
    root = parse(f"a: {flow(text)}\nb: {flow([text])}\nc: {flow({text: text})}\n".encode(), "x.yml").root
    assert root is not None
    plain = text.replace("$(", "$$(")
    assert (root["a"], root["b"], list(root["c"].values())) == (plain, [plain], [plain])
