"""How many bits a word takes, letter by letter."""

from math import log2


def bits(matrix, word):
    """Of each letter and of the end; a context that was never seen tells nothing."""
    order, letters, rows = matrix["order"], matrix["letters"], matrix["rows"]
    edge = letters[-1]
    padded = edge * order + word + edge
    for at in range(len(word) + 1):
        row = rows.get(padded[at : at + order])
        yield -log2(row[letters.index(padded[at + order])]) if row else log2(len(letters))
