"""An answer and what was expected -> right or wrong, by each of the ways that an exam may ask for."""

import json
import re
import shlex
from unicodedata import normalize

import sandbox

CALL = re.compile(r"<CALL:\s*([^\s>]+)\s*([^>]*)>")
FENCE = re.compile(r"```(?:python|py)?[^\n]*\n(.*?)```", re.DOTALL)


def same_text(said):
    """A text without the differences that nobody means: spaces at its ends and between words, composed accents."""
    return " ".join(normalize("NFC", said).split())


def exact(said, expected):
    """Word for word; case counts."""
    return same_text(said) == same_text(expected)


def contains(said, expected):
    """Somewhere in the answer; case does not count."""
    return same_text(expected).casefold() in same_text(said).casefold()


def regex(said, expected):
    """The pattern is found somewhere in the answer."""
    return re.search(expected, said) is not None


def call(said, expected):
    """The same calls in the same order, arguments in whatever order; where none is expected, none."""
    return parsed(said) == parsed(expected)


def parsed(text):
    """`<CALL:timer minutes=5 label="tea">` or `<CALL:timer {"minutes": 5}>` as name and arguments, each call of a text."""
    return [(found[1], _arguments(found[2].strip())) for found in CALL.finditer(text)]


def _arguments(text):
    """What stands behind the name; what is neither pairs nor JSON stays a text."""
    if text.startswith("{"):
        try:
            return {key: str(value) for key, value in json.loads(text).items()}
        except (ValueError, AttributeError):
            return text
    try:
        words = shlex.split(text)
    except ValueError:
        return text
    if words and all("=" in each for each in words):
        return dict(each.split("=", 1) for each in words)
    return " ".join(words)


def function(said, expected):
    """The code of the answer, followed by the checks that are expected of it, ends without an error in the sandbox."""
    return sandbox.run(f"{code_of(said)}\n\n{expected}\n").fine


def code_of(said):
    """The first fenced block, or all of it."""
    found = FENCE.search(said)
    return found[1] if found else said


WAYS = {"exact": exact, "contains": contains, "regex": regex, "call": call, "function": function}


def correct(row, expected):
    """Which of the options is meant: by its text, its letter, or its number from 0."""
    options = [str(each) for each in row.get("options") or ()]
    if expected in options:
        return options.index(expected)
    if len(expected.strip()) == 1 and expected.strip().upper().isalpha():
        at = ord(expected.strip().upper()) - ord("A")
    else:
        at = int(expected) if expected.strip().isdigit() else -1
    return at if 0 <= at < len(options) else None
