"""Rows that say the same: exactly, by 128-bit digests, or nearly, by MinHash; what stands first stays."""

import zlib
from pathlib import Path

import forms
import numpy as np
from cleaning import words_of

KEY = [("high", "<u8"), ("low", "<u8")]
BUCKET = 500_000  # digests that are looked at together
SHINGLE = 3  # words
PERMUTATIONS = 128


def repeated(path, rows):
    """Which rows have a digest that an earlier row has; a bucket of digests at a time."""
    drop = np.zeros(rows, dtype=bool)
    buckets = max(1, rows // BUCKET)
    for bucket in range(buckets if rows else 0):
        mine, here = _bucket(path, bucket, buckets)
        order = np.lexsort((mine, here["low"], here["high"]))
        same = here[order[1:]] == here[order[:-1]]
        drop[mine[order[1:][same]]] = True
    return drop


def _bucket(path, bucket, buckets):
    """The rows of a bucket and their digests, read a piece at a time: pages of a mapped file would count as memory."""
    rows, found, at = [], [], 0
    with path.open("rb") as file:
        while len(piece := np.fromfile(file, dtype=KEY, count=BUCKET)):
            mine = np.flatnonzero(piece["high"] % np.uint64(buckets) == bucket)
            rows.append(mine + at)
            found.append(piece[mine])
            at += len(piece)
    return np.concatenate(rows), np.concatenate(found)


# --- MinHash ---


def _drawn(count):
    """Odd numbers of 64 bits, always the same."""
    return np.random.Generator(np.random.PCG64(20_240_229)).integers(0, 1 << 63, count, dtype=np.uint64) * 2 + 1


# a product wraps at 64 bits, and its high half is a hash of the other factor, as good as independent for each odd number
_RUN, _A, _B = np.split(_drawn(SHINGLE + 2 * PERMUTATIONS), [SHINGLE, SHINGLE + PERMUTATIONS])
_HALF = np.uint64(32)


def signature(row, form):
    """The smallest hash of the runs of words of a row, under each of many permutations."""
    words = words_of("\n".join(forms.texts(row, form)))
    words += [""] * (SHINGLE - len(words))
    hashes = np.array([*map(zlib.crc32, "\0".join(words).encode().split(b"\0"))], dtype=np.uint64)
    count = len(words) - SHINGLE + 1
    runs = np.unique(sum(hashes[at : at + count] * _RUN[at] for at in range(SHINGLE)) >> _HALF)
    least = np.full(PERMUTATIONS, 1 << 32, dtype=np.uint64)
    for start in range(0, len(runs), 4_096):  # a long row is no long table
        np.minimum(least, ((runs[start : start + 4_096, None] * _A + _B) >> _HALF).min(axis=0), out=least)
    return least.astype("<u4").tobytes()


def bands_of(similarity):
    """How many bands of how many rows: at the similarity itself one pair in fifty never meets, above it hardly one."""
    choices = [(PERMUTATIONS // rows, rows) for rows in range(1, 33)]
    return next(each for each in reversed(choices) if (1 - similarity ** each[1]) ** each[0] <= 0.02 or each[1] == 1)


def similar(path, rows, similarity):
    """Which rows are nearly one that stays: candidates by bands, held against whole signatures; of two the earlier stays."""
    drop = np.zeros(rows, dtype=bool)
    if rows < 2:
        return drop
    table = np.memmap(path, dtype="<u4", mode="r", shape=(rows, PERMUTATIONS))
    whose = np.zeros(rows, dtype="<u4" if rows < 1 << 32 else "<u8")  # for whose sake a row goes
    among = np.ones(rows, dtype=bool)
    while among.any():
        for group in _meeting(table, among, similarity):
            _settle(table, group, similarity, drop, whose)
        among &= drop & drop[whose]  # for the sake of one that went in a later band: what is like nothing that stays comes back
        if among.any():
            for group in _meeting(table, among | ~drop, similarity):
                _find(table, group, similarity, drop, among)
            drop[among] = False
    return drop


def _meeting(table, among, similarity):
    """The groups of rows that have one key in a band, band by band."""
    bands, height = bands_of(similarity)
    mine = None if among.all() else np.flatnonzero(among)
    for band in range(bands):
        part = table[:, band * height : (band + 1) * height]
        part = np.ascontiguousarray(part if mine is None else part[mine])
        keys = part.view([("", "<u4")] * height).ravel()
        order = np.argsort(keys, kind="stable")
        ordered = part[order]
        same = (ordered[1:] == ordered[:-1]).all(axis=1)
        for start, end in _stretches(same):
            group = order[start : end + 1]
            yield group if mine is None else mine[group]


def _stretches(same):
    """The runs of rows that have one key, as first and last."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], same, [False])).astype(np.int8)))
    return zip(edges[::2], edges[1::2], strict=True)


def _settle(table, group, similarity, drop, whose):
    """Among rows that met in a band, what is nearly an earlier one goes."""
    group = np.sort(group[~drop[group]])
    while len(group) > 1:
        first, rest = group[0], group[1:]
        near = _near(table, first, rest, similarity)
        drop[rest[near]], whose[rest[near]] = True, first
        group = rest[~near]


def _find(table, group, similarity, drop, lost):
    """Among rows that met in a band, what is nearly one that stays is lost no more."""
    stays = group[~drop[group]]
    for row in group[lost[group]] if len(stays) else ():
        lost[row] = not _near(table, row, stays, similarity).any()


def _near(table, row, others, similarity):
    """Which of others have so much of a row's signature."""
    return (table[others] == table[row]).mean(axis=1) >= similarity


class Keys:
    """One key a row, on disk."""

    def __init__(self, name):
        self.path = Path("tmp") / f"{name}.keys"
        self._file = self.path.open("wb")

    def add(self, keys):
        """Those of a batch."""
        self._file.writelines(keys)

    def close(self):
        """No key follows."""
        self._file.close()
