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
    """The same tool with the same arguments, in whatever order."""
    found = parsed(said)
    return found is not None and found == parsed(expected)


def parsed(text):
    """`<CALL:timer minutes=5 label="tea">` or `<CALL:timer {"minutes": 5}>` as name and arguments; none without a call."""
    found = CALL.search(text)
    if found is None:
        return None
    name, rest = found[1], found[2].strip()
    if rest.startswith("{"):
        try:
            return name, {key: str(value) for key, value in json.loads(rest).items()}
        except (ValueError, AttributeError):
            return name, rest
    try:
        words = shlex.split(rest)
    except ValueError:
        return name, rest
    if words and all("=" in each for each in words):
        return name, dict(each.split("=", 1) for each in words)
    return name, " ".join(words)


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
