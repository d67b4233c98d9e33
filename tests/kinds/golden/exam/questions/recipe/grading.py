"""An answer and what was expected -> right or wrong, by each of the ways that an exam may ask for."""

import re
from unicodedata import normalize

import calling
import sandbox

FENCE = re.compile(r"```([^\n`]*)\n(.*?)```", re.DOTALL)
PYTHON = ("python", "python3", "py")


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
    """The same calls in the same order, arguments in whatever order; where none is expected, none; never a broken one."""
    return run(said) == [(each.name, each.arguments) for each in calling.calls(expected)]


def run(text):
    """The calls of an answer as an assistant runs them, each a name and its arguments; None where it would run none of them.

    One is broken, then, or stands inside text: an answer is text, or calls and nothing else.
    """
    found = calling.pieces(text)
    called = any(isinstance(each, calling.Call) for each in found)
    beside = any(isinstance(each, calling.Said) and each.text.strip() for each in found)
    if any(isinstance(each, calling.Broken) for each in found) or (called and beside):
        return None
    return [(each.name, each.arguments) for each in found if isinstance(each, calling.Call)]


def function(said, expected):
    """The code of the answer and the checks that are expected of it come to their end in the sandbox, without an error."""
    return sandbox.run(code_of(said), expected).fine


def code_of(said):
    """The first block that says it is Python, or the first one, or all of it."""
    blocks = [(head.strip().lower().partition(" ")[0], code) for head, code in FENCE.findall(said)]
    python = [code for head, code in blocks if head in PYTHON]
    return (python or [code for _, code in blocks] or [said])[0]


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
