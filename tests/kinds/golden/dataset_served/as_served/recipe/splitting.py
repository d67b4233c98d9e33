"""Which rows are held out: whole groups, every stratum in proportion, the same ones each time."""

import hashlib

import numpy as np


def number(*parts):
    """A number of 64 bits that is always the same for the same parts."""
    return int.from_bytes(hashlib.blake2b("\0".join(map(str, parts)).encode(), digest_size=8).digest(), "little")


def chosen(groups, strata, targets, seed):
    """The rows to take so that each stratum has nearly its target, groups whole: a mask.

    Groups come in an order that only the seed decides; one is taken when that brings the strata nearer to their targets, or
    leaves them as near and brings the sum nearer.
    """
    # the rows of each group side by side
    rows = np.argsort(groups, kind="stable")
    ordered = groups[rows]
    starts = np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1], [True])) if len(rows) else [True])
    names = ordered[starts[:-1]]
    del ordered
    mixed = (names ^ np.uint64(number("order", seed))) * np.uint64(0x9E3779B97F4A7C15)
    mixed ^= mixed >> np.uint64(29)
    order = np.argsort(mixed * np.uint64(0xBF58476D1CE4E5B9), kind="stable")
    left = np.array(targets, dtype=np.int64)
    taken = np.zeros(len(rows), dtype=bool)
    for group in order:
        if not (left > 0).any():
            break
        members = rows[starts[group] : starts[group + 1]]
        inside = strata[members]
        kinds, counts = np.unique(inside, return_counts=True)
        nearer = np.abs(left[kinds]).sum() - np.abs(left[kinds] - counts).sum()
        short = left.sum()
        if nearer > 0 or (nearer == 0 and abs(short - len(inside)) < abs(short)):
            left[kinds] -= counts
            taken[members] = True
    return taken


def shares(counts, share):
    """How many of each stratum, so that all of them together are the share: the largest remainders are rounded up."""
    counts = np.asarray(counts, dtype=np.int64)
    exact = counts * share
    told = np.floor(exact).astype(np.int64)
    short = round(counts.sum() * share) - told.sum()
    order = sorted(range(len(counts)), key=lambda at: (told[at] - exact[at], at))
    for at in order[: max(0, int(short))]:
        told[at] += 1
    return told


def mixture(sources, weights, seed):
    """The rows that stay so that each source has its share, as many as the scarcest allows; one without a share stays whole."""
    counts = np.bincount(sources, minlength=len(weights))
    total = min(counts[at] / weight for at, weight in enumerate(weights) if weight is not None)
    keep = np.ones(len(sources), dtype=bool)
    for at, weight in enumerate(weights):
        if weight is not None:
            mine = np.flatnonzero(sources == at)
            random = np.random.Generator(np.random.PCG64(number("mixture", seed, at)))
            keep[random.permutation(mine)[round(total * weight) :]] = False
    return keep
