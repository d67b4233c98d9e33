"""Which rows a step reads: a function of the step alone, whatever was read before and however many processes share it."""

from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache

import numpy as np


def counts(weights, rows, step):
    """How many rows of each dataset have been read before a step: their shares of all, the first taking what is left."""
    total = rows * step
    rest = [int(weight * total) for weight in weights[1:]]
    return [total - sum(rest), *rest]


@lru_cache(maxsize=8)
def _order(seed, source, epoch, size):
    return np.random.default_rng([seed, source, epoch]).permutation(size)


class Mix:
    """Several datasets, each with its share of the rows and an order of its own that changes with every epoch."""

    def __init__(self, sources, weights, *, rows, context, seed, packed):
        self.sources, self.weights, self.rows, self.seed, self.packed = sources, weights, rows, seed, packed
        self.context = context
        self.sizes = [each.windows(context) if packed else len(each.ends) for each in sources]

    def places(self, step):
        """The rows of a step: dataset and row in it, in an order in which the datasets are spread."""
        before, after = counts(self.weights, self.rows, step), counts(self.weights, self.rows, step + 1)
        told = [
            (source, int(_order(self.seed, source, at // size, size)[at % size]))
            for source, (start, end, size) in enumerate(zip(before, after, self.sizes, strict=True))
            for at in range(start, end)
        ]
        order = np.random.default_rng([self.seed, 1_000_003, step]).permutation(len(told))
        return [told[at] for at in order]

    def row(self, source, at):
        """One row."""
        tokens = self.sources[source]
        return tokens.window(at, self.context) if self.packed else tokens.example(at, self.context)

    def tokens(self, step):
        """How many have been read before a step: whole epochs, and the part of the last one."""
        told, read = 0, counts(self.weights, self.rows, step)
        for source, (count, size, each) in enumerate(zip(read, self.sizes, self.sources, strict=True)):
            lengths = each.lengths(self.context, self.packed)
            epoch, rest = divmod(count, size)
            told += epoch * int(lengths.sum()) + int(lengths[_order(self.seed, source, epoch, size)[:rest]].sum())
        return told

    def epochs(self, step):
        """How often the dataset that ran out first has been read."""
        return max(count / size for count, size in zip(counts(self.weights, self.rows, step), self.sizes, strict=True))


class Ahead:
    """The rows of each step, made while the step before it runs when there are threads for it."""

    def __init__(self, make, steps, workers):
        self.make, self.steps = make, steps
        self.pool = ThreadPoolExecutor(workers) if workers else None
        self.workers, self.waiting = workers, {}

    def rows(self, step):
        """Those of a step."""
        if self.pool is None:
            return self.make(step)
        for at in range(step, min(step + self.workers + 1, self.steps)):
            if at not in self.waiting:
                self.waiting[at] = self.pool.submit(self.make, at)
        return self.waiting.pop(step).result()


def filled(rows, world):
    """Rows in such number that each process takes as many, since a model that they share answers only when all ask."""
    empty = np.zeros(1, dtype=np.int64), np.full(1, -100, dtype=np.int64)
    return [*rows, *[empty] * (-len(rows) % world)]


def padded(rows, *, fill, to=None):
    """Rows of one length: ids filled up with anything, targets with -100, in multiples of eight."""
    longest = to or max(len(ids) for ids, _ in rows)
    longest = -(-longest // 8) * 8
    ids = np.full((len(rows), longest), fill, dtype=np.int64)
    targets = np.full((len(rows), longest), -100, dtype=np.int64)
    for at, (inputs, outputs) in enumerate(rows):
        ids[at, : len(inputs)] = inputs
        targets[at, : len(outputs)] = outputs
    return ids, targets
