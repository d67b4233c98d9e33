"""Whether two models differ on the same rows, where each row has a number: plain statistics."""

import math
from collections import Counter

EXACT = 25  # pairs of which every way to be uneven is counted; of more their sum is as good as normal


def wilcoxon(ours, theirs):
    """How likely differences so much to one side would be by chance: the signed-rank test, both sides."""
    apart = sorted((a - b for a, b in zip(ours, theirs, strict=True) if a != b), key=abs)
    if not apart:
        return 1.0
    ranks = _twice_ranked([abs(each) for each in apart])
    above = sum(rank for rank, each in zip(ranks, apart, strict=True) if each > 0)
    few = min(above, sum(ranks) - above)
    if len(apart) <= EXACT:
        ways = Counter({0: 1})
        for rank in ranks:
            ways += Counter({total + rank: count for total, count in ways.items()})
        return min(1.0, 2 * sum(count for total, count in ways.items() if total <= few) / 2 ** len(apart))
    spread = math.sqrt(sum(rank * rank for rank in ranks) / 4)
    return min(1.0, math.erfc((sum(ranks) / 2 - few - 1) / spread / math.sqrt(2)))


def less(ours, theirs):
    """The chance that ours are so much less; 1 where in sum they are not, or where one of them is no number."""
    return wilcoxon(ours, theirs) if math.fsum(ours) < math.fsum(theirs) else 1.0


def _twice_ranked(sizes):
    """Twice the rank of each of sizes in order: equal ones share theirs, and twice of it is a whole number."""
    last = {size: at for at, size in enumerate(sizes, 1)}
    first = {size: at for at, size in reversed(list(enumerate(sizes, 1)))}
    return [first[size] + last[size] for size in sizes]
