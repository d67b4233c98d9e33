r"""What a model said -> its text and its calls: one strict reading, for those who run calls and those who grade them.

    <CALL:add_todo text="acheter du pain" when="demain">
    <CALL:timer minutes=5 label="thé vert">
    <CALL:note {"text": "le code est \"1234\""}>
    <CALL:now>

A name, then pairs: `key="value"`, in which `\"` and `\\` are the two escapes, or `key=word`; or one JSON object of plain values.
What opens like a call and is none of these is broken, and says why; nothing is guessed.
"""

import json
import re
from dataclasses import dataclass

OPENS = "<CALL:"
MOST = 16_384  # characters of an answer that are looked at; a longer one is broken as a whole
NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
PAIR = re.compile(r'[ \t]+([a-z][a-z0-9_]{0,63})=(?:"((?:[^"\\]|\\["\\])*)"|([^\s"<>={}\\]+))')
ESCAPED = re.compile(r'\\(["\\])')


@dataclass(frozen=True)
class Said:
    """Text that calls nothing."""

    text: str


@dataclass(frozen=True)
class Call:
    """A call that is whole: each value is the text that stood there."""

    name: str
    arguments: dict
    text: str


@dataclass(frozen=True)
class Broken:
    """What opens like a call and is none."""

    text: str
    why: str


class _Wrong(ValueError):
    """Why a call cannot be read."""


def pieces(text):
    """All that was said, in order: texts, calls, and what is broken."""
    if len(text) > MOST:
        return [Broken(text, f"it has {len(text):,} characters, and {MOST:,} are the most")]
    found, at = [], 0
    while True:
        start = text.find(OPENS, at)
        if text[at : start if start >= 0 else None]:
            found.append(Said(text[at : start if start >= 0 else None]))
        if start < 0:
            return found
        try:
            call, at = _call(text, start)
            found.append(call)
        except _Wrong as wrong:
            at = _end_of_broken(text, start)
            found.append(Broken(text[start:at], str(wrong)))


def calls(text):
    """The calls of what was said; nothing when one of them is broken, for what stands in a broken one may look like a call."""
    found = pieces(text)
    return [] if any(isinstance(each, Broken) for each in found) else [each for each in found if isinstance(each, Call)]


def written(name, arguments=None):
    """A call as a model writes it: the form that data and grammars use."""
    told = "".join(f' {key}="{_escaped(str(value))}"' for key, value in (arguments or {}).items())
    return f"{OPENS}{name}{told}>"


def _escaped(value):
    return value.replace("\\", "\\\\").replace('"', '\\"')


def _call(text, start):
    named = NAME.match(text, start + len(OPENS))
    if named is None:
        raise _Wrong("no name of a tool stands behind `<CALL:`")
    at = named.end()
    brace = re.compile(r"[ \t]+\{").match(text, at)
    arguments, at = _object(text, brace.end() - 1) if brace else _pairs(text, at)
    while text[at : at + 1] in (" ", "\t"):
        at += 1
    if text[at : at + 1] != ">":
        raise _Wrong(_unended(text[at:]))
    return Call(named[0], arguments, text[start : at + 1]), at + 1


def _unended(rest):
    if not rest.strip():
        return "it has no end: `>` is missing"
    return f'`{rest[:20].splitlines()[0] or " "}` is no argument: `key="value"`'


def _pairs(text, at):
    arguments = {}
    while (pair := PAIR.match(text, at)) is not None:
        key, quoted, word = pair.groups()
        if key in arguments:
            raise _Wrong(f"the argument `{key}` stands there twice")
        arguments[key] = word if quoted is None else ESCAPED.sub(r"\1", quoted)
        at = pair.end()
    return arguments, at


def _object(text, at):
    def once(pairs):
        told = dict(pairs)
        if len(told) < len(pairs):
            raise _Wrong("an argument stands there twice")
        return told

    try:
        told, end = json.JSONDecoder(object_pairs_hook=once).raw_decode(text, at)
    except RecursionError:
        raise _Wrong("its JSON is nested too deeply") from None
    except _Wrong:
        raise
    except ValueError:
        raise _Wrong("its JSON cannot be read") from None
    for key, value in told.items():
        if not NAME.fullmatch(key):
            raise _Wrong(f"`{key[:40]}` is no name of an argument")
        if not isinstance(value, str | int | float):
            raise _Wrong(f"the argument `{key}` is no plain value")
    return {key: value if isinstance(value, str) else json.dumps(value) for key, value in told.items()}, end


def _end_of_broken(text, start):
    """Up to the next call, or the end of the line."""
    places = [place for mark in (OPENS, "\n") if (place := text.find(mark, start + len(OPENS))) >= 0]
    return min(places, default=len(text))
