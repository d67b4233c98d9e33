"""The texts that a model is calibrated on: rows of a dataset as the model reads them, cut to a length."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from chats import Encoder
from jinja2 import TemplateError

SHORTEST = 8  # tokens


def rows(folder: Path, model: Path, tokenizer: Any, *, most: int, length: int) -> list[dict[str, list[int]]]:
    """The first rows of what is trained on that are long enough, each as ids with a mask."""
    import pyarrow.parquet

    encoder, told = Encoder.of(model, tokenizer, context=length, loss_on="all"), []
    for path in sorted(Path(folder, "train").glob("*.parquet")):
        for batch in pyarrow.parquet.ParquetFile(path).iter_batches(64):
            for row in batch.to_pylist():
                try:
                    (made,) = encoder.encode([_as_chat(row)])
                except TemplateError:  # it may refuse a system's turn
                    continue
                if len(made["input_ids"]) >= SHORTEST:
                    ids = list(made["input_ids"])[:length]
                    told.append({"input_ids": ids, "attention_mask": [1] * len(ids)})
                if len(told) == most:
                    return told
    if not told:
        raise SystemExit("error: in/calibration holds no text that is long enough to calibrate on")
    return told


def _as_chat(row: dict[str, Any]) -> dict[str, Any]:
    """A question with its answer is a chat of one turn, and of a preference the chosen answer is said."""
    if row.get("chosen") is not None:
        return {"prompt": row["prompt"], "completion": row["chosen"]}
    if row.get("question") is None:
        return row
    turns = [{"role": "user", "content": row["question"]}, {"role": "assistant", "content": row.get("answer") or ""}]
    return {"messages": turns}
