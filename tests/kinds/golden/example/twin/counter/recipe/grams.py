"""Contexts of letters, and how well their counts tell a word."""

from math import log2

EDGE = "^"


def grams(word, order):
    """Each letter of a word and its end, with the letters before it."""
    padded = EDGE * order + word + EDGE
    return [(padded[at : at + order], padded[at + order]) for at in range(len(word) + 1)]


def add(table, words, order):
    """Count the words into a table."""
    for word in words:
        for context, letter in grams(word, order):
            row = table.setdefault(context, {})
            row[letter] = row.get(letter, 0) + 1


def merged(tables):
    """The sum of tables, in one order whatever theirs was."""
    total = {}
    for table in tables:
        for context, row in table.items():
            into = total.setdefault(context, {})
            for letter, count in row.items():
                into[letter] = into.get(letter, 0) + count
    return {context: dict(sorted(row.items())) for context, row in sorted(total.items())}


def bits(table, words, order, *, letters, smoothing):
    """Bits a letter, on words that were perhaps never counted."""
    spent = seen = 0
    for word in words:
        for context, letter in grams(word, order):
            row = table.get(context, {})
            spent -= log2((row.get(letter, 0) + smoothing) / (sum(row.values()) + smoothing * letters))
            seen += 1
    return spent / seen
