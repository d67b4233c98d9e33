"""The text that a tokenizer learns from, as lines of one file: so much of each source, drawn by a seed where not all is taken."""

import random

import texts

LONGEST = 4000  # bytes of a line: sentencepiece leaves longer ones out, and says so nowhere


def lines_of(text):
    """A text as lines that are not left out: cut at spaces where they are too long."""
    for line in text.splitlines():
        left = line
        while len(left.encode()) > LONGEST:
            cut = left.rfind(" ", 1, LONGEST // 4)
            cut = cut if cut > 0 else LONGEST // 4
            yield left[:cut]
            left = left[cut:]
        if left:
            yield left


def sizes(sources):
    """How many bytes of text each source has."""
    return [sum(len(text.encode()) for text in texts.read(each["path"], each["suffix"])) for each in sources]


def shares(sources, found, most=None):
    """What is taken of each source, from 0 to 1, so that the weights hold and no more than `most` bytes are taken."""
    weights = [each["weight"] for each in sources]
    if None in weights:
        taken = [1.0 for _ in sources]
    else:
        whole = min(size / weight for size, weight in zip(found, weights, strict=True) if size)
        taken = [whole * weight / size if size else 0.0 for size, weight in zip(found, weights, strict=True)]
    total = sum(size * share for size, share in zip(found, taken, strict=True))
    scale = min(1.0, most / total) if most is not None and total else 1.0
    return [share * scale for share in taken]


def write(path, sources, *, most=None, seed=0):
    """All lines into one file; how many bytes each source gave."""
    drawn = random.Random(seed)
    found = sizes(sources)
    given = []
    with path.open("w", encoding="utf-8", newline="\n") as out:
        for source, share in zip(sources, shares(sources, found, most), strict=True):
            wrote = 0
            for text in texts.read(source["path"], source["suffix"]):
                if share >= 1.0 or drawn.random() < share:
                    for line in lines_of(text):
                        out.write(line + "\n")
                        wrote += len(line.encode())
            given.append(wrote)
    return given
