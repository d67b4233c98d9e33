"""A text in windows -> nats: how unlikely a model took each token that counts, with what stands before it in its window."""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from divergence import chances


@dataclass
class Window:
    """Tokens that are read together, and from which on they count."""

    start: int
    end: int
    first: int  # the first token that is foretold and counted


def text_of(folder):
    """The rows that are held out, or all, one after the other."""
    import pyarrow.parquet

    for split in ("test", "train"):
        found = []
        for path in sorted(Path(folder, split).glob("*.parquet")):
            found += [said(row) for row in pyarrow.parquet.read_table(path).to_pylist()]
        if found:
            return "\n\n".join(found)
    raise SystemExit(f"error: {folder} has no rows")


def said(row):
    """What a row says."""
    if row.get("text") is not None:
        return row["text"]
    if row.get("messages"):
        return _spoken(row["messages"])
    found = [row[name] for name in ("prompt", "question", "completion", "chosen", "answer") if row.get(name)]
    return "\n".join(_spoken(each) if isinstance(each, list) else str(each) for each in found)


def _spoken(messages):
    return "\n".join(each.get("content") or "" for each in messages)


def tokens_of(engine, text):
    """The whole text as ids, behind the BOS that the model begins with."""
    ids = [*engine.begin, *engine.plain(text)]
    if len(ids) < 3:
        raise SystemExit(f"error: the text has {len(ids)} tokens: there is nothing to foretell")
    return ids


def windows(count, window, stride=None):
    """Without a stride as llama-perplexity has them: side by side, the second half of each counts, a rest at the end does not.

    With one as the guide of transformers has them: they begin a stride apart, and of each those tokens count that no earlier
    one has counted. A text that fits into one window counts from its second token on.
    """
    if count <= window:
        return [Window(0, count, 1)]
    if stride is None:
        return [Window(start, start + window, window // 2 + 1) for start in range(0, count - window + 1, window)]
    told, counted = [], 1
    for start in range(0, count, min(stride, window)):  # a model may see less than was asked for
        end = min(start + window, count)
        if end > counted:
            told.append(Window(start, end, max(1, counted - start)))
        counted = max(counted, end)
        if end == count:
            break
    return told


def read(engine, ids, window, *, begins):
    """The nats of the tokens that count in a window; where windows stand side by side, each begins with the BOS."""
    part = ids[window.start : window.end]
    if begins and engine.begin:
        part = [*engine.begin, *part[1:]]
    table = chances(engine.every(part)[window.first - 1 : -1])
    told = table[np.arange(len(table)), part[window.first :]]
    return {"nats": float(-np.sum(told)), "tokens": len(told)}


def bytes_of(engine, ids, told):
    """Bytes of the text that the counted tokens stand for."""
    return sum(len(engine.text(ids[each.start + each.first : each.end]).encode()) for each in told)


def measures(rows, size):
    """Perplexity over all counted tokens, and bits over all their bytes."""
    nats, tokens = math.fsum(row["nats"] for row in rows), sum(row["tokens"] for row in rows)
    told = {"perplexity": math.exp(nats / tokens), "tokens": tokens}
    return {**told, **({"bits_per_byte": nats / math.log(2) / size} if size else {})}
