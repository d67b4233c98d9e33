"""Calls to type next, about the same graph: each changes it as the call did that tells of them."""

from __future__ import annotations

import shlex

from zyc.front import Call


def changes(call: Call) -> list[str]:
    """The words of a call that make of its graph what it is: `--profile`, `--set`, `--twin`."""
    profile = ["--profile", call.profile] if call.profile else []
    return [*profile, *(word for each in call.sets for word in ("--set", each)), *(["--twin"] * call.twin)]


def beside(call: Call) -> str:
    """The same behind a name, for the words of an error."""
    return "".join(f" {shlex.quote(word)}" for word in changes(call))


def line(call: Call, verb: str, *words: str) -> str:
    """A call of a verb, as one types it."""
    return shlex.join(["zyc", *verb.split(), *words, *changes(call)])
