"""docs/verbs.md names every verb and every option."""

import re

import click
import pytest
from desk import REPOSITORY

from zyc import cli

SHARED = {"--json", "--twin", "--set", "--profile", "--exclude", "--help"}  # told once, above the table


def rows():
    """What the table says of each verb."""
    told = {}
    for line in (REPOSITORY / "docs" / "verbs.md").read_text(encoding="utf-8").splitlines():
        found = re.match(r"\| `zyc ([a-z]+)", line)
        if found:
            told[found[1]] = told.get(found[1], "") + line
    return told


def options(verb):
    """The options of its own, each by all that it is called."""
    command = cli.zyc.get_command(click.Context(cli.zyc), verb)
    named = [tuple(each.opts) for each in command.params if isinstance(each, click.Option)]
    return [names for names in named if not SHARED & {*names}]


def test_every_verb_has_its_row_and_every_row_its_verb():
    """What `zyc --help` lists is what the page lists."""
    assert rows().keys() == {*cli.zyc.list_commands(click.Context(cli.zyc))}


@pytest.mark.parametrize("verb", cli.zyc.list_commands(click.Context(cli.zyc)))
def test_a_row_names_every_option_of_its_verb(verb):
    """An option that is added has to be told; `retry` may leave what it takes from `build` to that row."""
    told = rows().get(verb, "") + (rows()["build"] if verb == "retry" else "")
    missing = [
        names for names in options(verb) if not any(re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", told) for name in names)
    ]
    assert missing == []
