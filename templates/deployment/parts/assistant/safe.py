"""Texts that nobody vouches for, made fit to be read: by a model, for whom they open no turn and no call, and by a person."""

import re
import unicodedata

from .values import TURNING

# what common chat templates take for the border of a turn; an engine names those of its own model beside them
BORDERS = re.compile(
    r"<\|[^<>|]{1,40}\|>|</?s>|<(start|end)_of_turn>|\[/?INST\]|<</?SYS>>|</?tool_[a-z]+>|</?passages>", re.IGNORECASE
)
CALLS = re.compile(r"<(?=\s*/?\s*call\b)", re.IGNORECASE)


def harmless(text, borders=()):
    """The text, in which nothing is the border of a turn, a special token or a call."""
    told = "".join(each for each in text if each in "\n\t" or unicodedata.category(each) not in ("Cc", "Cf", "Cs", "Co", "Cn"))
    before = None
    while before != told:  # what is left of two borders may be a third
        before = told
        told = BORDERS.sub(lambda found: _opened(found[0]), told)
        for each in borders:
            if each and each in told:
                told = told.replace(each, _opened(each))
    return CALLS.sub("\u2039", told)


def _opened(mark):
    """Its first character becomes one that looks alike, or goes."""
    return {"<": "\u2039", "[": "("}.get(mark[0], "") + mark[1:]


def shown(text):
    """The text as a terminal may print it: what would move the cursor, hide or turn letters stands there as its number."""
    return "".join(each if _plain(each) else f"\\u{ord(each):04x}" for each in text)


def _plain(each):
    if each in "\n\t":
        return True
    return each not in TURNING and unicodedata.category(each) not in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")


def indented(text, by="    "):
    """Each line under another one: no line of it can be taken for one of the console's own."""
    return "\n".join(by + line for line in shown(text).split("\n"))
