"""Texts that a quantized model is held against: chats that nobody trained on, and which of their tokens the assistant says."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chats import UNTRAINED, Encoder
from jinja2 import TemplateError
from sayings import SENTENCES
from sayings import chats as golden

SHORTEST = 4  # tokens: less is no text


@dataclass(frozen=True)
class Text:
    """Token ids, and which of them the assistant says."""

    ids: list[int]
    said: list[bool]


@dataclass(frozen=True)
class Texts:
    """The texts, and where they are from."""

    texts: Sequence[Text]
    source: str

    @property
    def positions(self) -> int:
        """All of their tokens."""
        return sum(len(each.ids) for each in self.texts)


def pick(folder: Path | None, model: Path, tokenizer: Any, *, most: int, context: int) -> Texts:
    """Rows of a dataset, those first that are held out; without a dataset, chats of our own."""
    encode = _Encoding(model, tokenizer, context)
    ways = [
        ("test", "rows of the dataset that are held out"),
        ("train", "rows that the model may have been trained on: none is held out"),
    ]
    for split, says in ways if folder is not None else ():
        texts = _few(encode.rows(_rows(folder / split)), most)
        if texts:
            return Texts(texts, says)
    rows = [*({"messages": each} for each in golden()), *({"text": each} for each in SENTENCES)]
    return Texts(_few(encode.rows(rows), most), "chats and sentences of our own")


def _few(texts: Iterable[Text], most: int) -> list[Text]:
    """As many as have so many tokens, none of them twice."""
    kept: dict[tuple[int, ...], Text] = {}
    count = 0
    for each in texts:
        if count >= most:
            break
        if len(each.ids) >= SHORTEST and tuple(each.ids) not in kept:
            kept[tuple(each.ids)] = each
            count += len(each.ids)
    return list(kept.values())


def _rows(folder: Path) -> Iterator[dict[str, Any]]:
    from pyarrow import parquet

    for path in sorted(folder.glob("*.parquet")):
        for batch in parquet.ParquetFile(path).iter_batches(64):
            yield from batch.to_pylist()


class _Encoding:
    """Rows as ids, with marks round what the assistant says where the template has them."""

    def __init__(self, model: Path, tokenizer: Any, context: int) -> None:
        marked = Encoder.of(model, tokenizer, context=context)
        plain = Encoder.of(model, tokenizer, context=context, loss_on="all")
        plain.template = tokenizer.chat_template or ""
        self._ways = (marked, plain)

    def rows(self, rows: Iterable[dict[str, Any]]) -> Iterator[Text]:
        """Those that can be rendered: a template may refuse a system's turn."""
        for row in rows:
            text = self._one(_as_row(row))
            if text is not None:
                yield text

    def _one(self, row: dict[str, Any] | None) -> Text | None:
        for encoder in self._ways if row is not None else ():
            try:
                (made,) = encoder.encode([row])
            except (TemplateError, SystemExit):
                continue
            said = encoder.loss_on == "assistant" and "text" not in row
            return Text(made["input_ids"], [said and label != UNTRAINED for label in made["labels"]])
        return None


def _as_row(row: dict[str, Any]) -> dict[str, Any] | None:
    """A row as the encoder takes it: questions are chats, and of a preference the chosen answer is one."""
    if row.get("messages"):
        return {"messages": row["messages"], "tools": row.get("tools")}
    if row.get("question") is not None:
        answer = [{"role": "assistant", "content": row["answer"]}] if row.get("answer") else []
        return {"messages": [{"role": "user", "content": row["question"]}, *answer]} if answer else None
    answer = row.get("completion", row.get("chosen"))
    if row.get("prompt") is not None and answer is not None:
        return {"prompt": row["prompt"], "completion": answer}
    if isinstance(answer, list):
        return {"messages": answer}
    return {"text": row["text"]} if row.get("text") else None
