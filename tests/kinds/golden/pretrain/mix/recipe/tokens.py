"""Datasets as token ids on the disk: written once, read as slices; what has been written survives a kill."""

import json
from pathlib import Path

import chats
import numpy as np

HOME = Path("state/tokens")
TESTED = 2_000_000  # tokens that are held out at most
AT_ONCE = 512


class Tokens:
    """One split of one dataset: a long row of ids, what of it is trained, and where each example ends."""

    def __init__(self, path):
        self.told = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
        count = self.told["tokens"]
        kind = np.dtype(self.told["dtype"])
        self.ids = np.memmap(path.with_suffix(".ids"), dtype=kind, mode="r", shape=(count,))
        self.trained = np.memmap(path.with_suffix(".trained"), dtype=np.bool_, mode="r", shape=(count,))
        self.ends = np.fromfile(path.with_suffix(".ends"), dtype=np.int64)

    @property
    def share(self):
        """The share of tokens that are trained."""
        return self.told["trained"] / max(1, self.told["tokens"])

    def windows(self, context, *, rest=False):
        """How many rows of one length there are; a short text is one row, and so is the rest where it is asked for."""
        count = len(self.ids) - 1
        return max(1, -(-count // context) if rest else count // context)

    def lengths(self, context, packed):
        """How many tokens each row has: a window's, or an example's."""
        if packed:
            return np.minimum(context, len(self.ids) - 1 - context * np.arange(self.windows(context)))
        return np.clip(np.diff(self.ends, prepend=0) - 1, 0, context)

    def window(self, at, context):
        """A row: ids, and the ids that are to be said next; -100 where nothing is learned."""
        start = at * context
        return self._row(start, min(start + context + 1, len(self.ids)))

    def example(self, at, context):
        """An example as a row of its own, cut to the context."""
        start = int(self.ends[at - 1]) if at else 0
        return self._row(start, min(int(self.ends[at]), start + context + 1))

    def _row(self, start, end):
        ids = self.ids[start:end].astype(np.int64)
        return ids[:-1], np.where(self.trained[start + 1 : end], ids[1:], chats.UNTRAINED)


def write(name, rows, encoder, vocabulary, *, packed, most=None):
    """Encode the rows of a dataset, unless that has been done; the file that says how many there are is written last."""
    path = HOME / name
    if path.with_suffix(".json").exists():
        return Tokens(path)
    HOME.mkdir(parents=True, exist_ok=True)
    kind = np.uint16 if vocabulary <= 65_536 else np.uint32
    told, ends = {"tokens": 0, "trained": 0, "bytes": 0, "examples": 0, "cut": 0}, []
    with path.with_suffix(".ids").open("wb") as ids, path.with_suffix(".trained").open("wb") as trained:
        for batch in rows.iter(AT_ONCE):
            given = [dict(zip(batch, values, strict=True)) for values in zip(*batch.values(), strict=True)]
            for made in encoder.encode(given):
                mask = np.array(made["labels"]) != chats.UNTRAINED
                ids.write(np.array(made["input_ids"], dtype=kind).tobytes())
                trained.write(mask.tobytes())
                foretold = 1 if told["tokens"] == 0 or not packed else 0  # nothing foretells what a row begins with
                told["bytes"] += int(sizes(made)[foretold:][mask[foretold:]].sum())
                told["tokens"] += len(mask)
                told["trained"] += int(mask.sum())
                told["cut"] += made["cut"]
                ends.append(told["tokens"])
            if most and told["tokens"] >= most:
                break
    if told["tokens"] < 2 or not told["trained"]:
        raise SystemExit(
            f"error: the dataset at {name} holds nothing to learn from: {told['tokens']} tokens, {told['trained']} trained"
        )
    np.array(ends, dtype=np.int64).tofile(path.with_suffix(".ends"))
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps({**told, "examples": len(ends), "dtype": np.dtype(kind).name}), encoding="utf-8")
    fresh.replace(path.with_suffix(".json"))
    return Tokens(path)


def sizes(made):
    """The bytes of each token, of the text as people wrote it: a character is that of the first token that reaches behind it."""
    chars = np.frombuffer(made["rendered"].text.encode("utf-32-le"), dtype=np.uint32)
    told = np.zeros(len(chars) + 1, dtype=np.int64)
    for start, end in made["rendered"].written:
        part = chars[start:end]
        told[start + 1 : end + 1] = 1 + (part > 0x7F) + (part > 0x7FF) + (part > 0xFFFF)
    reach = np.maximum.accumulate(np.array([end for _, end in made["offsets"]], dtype=np.int64))
    return np.diff(told.cumsum()[reach], prepend=0)
