"""How sure a share is, and whether two models differ on the same questions: plain statistics."""

import math
import re


def wilson(right, of, z=1.96):
    """The interval that a share lies in, nineteen times in twenty."""
    if not of:
        return 0.0, 1.0
    share = right / of
    middle = share + z * z / (2 * of)
    half = z * math.sqrt(share * (1 - share) / of + z * z / (4 * of * of))
    return max(0.0, (middle - half) / (1 + z * z / of)), min(1.0, (middle + half) / (1 + z * z / of))


def mcnemar(ours, theirs):
    """How likely so uneven a split of the questions that only one of two got right would be by chance; both sides."""
    only_ours = sum(bool(a) and not b for a, b in zip(ours, theirs, strict=True))
    only_theirs = sum(bool(b) and not a for a, b in zip(ours, theirs, strict=True))
    of = only_ours + only_theirs
    if not of:
        return 1.0
    tail = sum(math.comb(of, at) for at in range(min(only_ours, only_theirs) + 1)) / 2**of
    return min(1.0, 2 * tail)


def slug(value):
    """A value as a part of a measure's name."""
    return re.sub(r"[^\w-]+", "-", str(value).strip().lower()).strip("-") or "none"


def counted(rights):
    """A share with its interval, as measures."""
    low, high = wilson(sum(rights), len(rights))
    return {"accuracy": sum(rights) / len(rights) if rights else 0.0, "accuracy.low": low, "accuracy.high": high}
