"""Documents -> passages: whole sentences up to a length, each with the end of the one before, and where it stands."""

import re
from pathlib import Path

import texts

# a sentence ends at its mark and what closes behind it, at a full stop of Chinese, or at the end of a line; the space behind
# belongs to it
SENTENCE = re.compile(r".+?(?:[.!?…]+[\"'”\u2019»)\]]*(?=\s)|[\u3002\uff01\uff1f]+|\n+|\Z)\s*", re.DOTALL)
WORDS = re.compile(r"\S+\s*|\s+")


def documents(home):
    """The text of each row that has one, of every split: (file, row, text)."""
    import pyarrow.parquet

    home = Path(home)
    for path in sorted(home.glob("*/*.parquet")):
        at = 0
        for batch in pyarrow.parquet.ParquetFile(path).iter_batches(batch_size=256):
            for row in batch.to_pylist():
                text = "\n".join(texts.of_row(row))
                if text.strip():
                    yield path.relative_to(home).as_posix(), at, text
                at += 1


def sentences(text):
    """Where each sentence of a text begins and ends; together they are the text."""
    return [match.span() for match in SENTENCE.finditer(text)]


def pieces(text, most, length):
    """Sentences, those that are too long cut between words: (start, end, length)."""
    told = []
    for start, end in sentences(text):
        size = length(text[start:end])
        if size <= most:
            told.append((start, end, size))
        else:
            told += _cut(text, start, end, most, length)
    return told


def _cut(text, start, end, most, length):
    told, begin, held = [], start, 0
    for match in WORDS.finditer(text, start, end):
        size = length(match.group())
        if held and held + size > most:
            told.append((begin, match.start(), held))
            begin, held = match.start(), 0
        held += size
    return [*told, (begin, end, held)]


def passages(text, *, most, overlap, length):
    """Where each passage of a text begins and ends. `length` says how long a text is, in words or tokens."""
    parts = pieces(text, most, length)
    told, first, held = [], 0, 0
    for at, (start, _, size) in enumerate(parts):
        if held and held + size > most:
            told.append((parts[first][0], start))
            first, held = _begin_again(parts, first, at, overlap, most - size)
        held += size
    if parts:
        told.append((parts[first][0], parts[-1][1]))
    return told


def _begin_again(parts, first, at, overlap, room):
    """The first sentence of the next passage: as many of the last ones as `overlap` and the room for the new one allow."""
    begin, held = at, 0
    while begin - 1 > first and held + parts[begin - 1][2] <= min(overlap, room):
        begin -= 1
        held += parts[begin][2]
    return begin, held


def rows(home, *, most, overlap, length):
    """Every passage with where it stands, and how many documents there were."""
    told, count = [], 0
    for file, row, text in documents(home):
        count += 1
        for start, end in passages(text, most=most, overlap=overlap, length=length):
            if text[start:end].strip():
                told.append({"text": text[start:end], "file": file, "row": row, "start": start, "end": end})
    return told, count


def a_sentence(text):
    """One sentence of a passage: the longest one, the first of those; the passage itself when it has only one."""
    told = [text[start:end].strip() for start, end in sentences(text)]
    return max(told, key=len) if told else text
