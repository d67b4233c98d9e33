"""A question -> the passages of an index that say most about it, put into the chat in one way, wherever the model is asked.

The passages stand in the turn of the question, before it, the best one first:

    <passages>
    [1] The text of the best one.

    [2] The text of the next.
    </passages>

    The question.
"""

import json
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Passage:
    """A piece of a document, and where it stands: characters `start` to `end` of the text of a row of a file."""

    text: str
    file: str
    row: int
    start: int
    end: int
    score: float


class Index:
    """The folder of an index: `index.faiss`, `passages.parquet`, `card.json`, and what embeds a question."""

    def __init__(self, folder):
        import faiss
        import pyarrow.parquet

        folder = Path(folder)
        if not (folder / "card.json").is_file():
            raise SystemExit(f"error: {folder} is no index: it has no card.json")
        self.card = json.loads((folder / "card.json").read_text(encoding="utf-8"))
        self.vectors = faiss.read_index(str(folder / "index.faiss"))
        self.passages = pyarrow.parquet.read_table(folder / "passages.parquet").to_pylist()
        if self.vectors.ntotal != len(self.passages):
            raise SystemExit(f"error: {folder} has {self.vectors.ntotal} vectors for {len(self.passages)} passages")
        self.top = self.card["top"]
        self.embedder = self._embedder(folder)

    def _embedder(self, folder):
        import numpy as np
        from embedding import Hashing, OfModel

        if self.card["embedder"] == "hashing":
            return Hashing(self.card["dimension"], np.load(folder / "rarity.npy"))
        return OfModel(folder / "embedder")

    def find(self, question, top=None):
        """The best passages for a question, the best one first; of equal ones the earlier."""
        return self.find_each([question], top)[0]

    def find_each(self, questions, top=None):
        """The best passages for each question."""
        most = min(top or self.top, len(self.passages))
        scores, places = self.vectors.search(self.embedder.embed(questions), most)
        found = []
        for row, at in zip(scores.tolist(), places.tolist(), strict=True):
            ordered = sorted(zip(row, at, strict=True), key=lambda each: (-each[0], each[1]))
            found.append([Passage(**self.passages[place], score=score) for score, place in ordered])
        return found

    def ask(self, messages):
        """A chat that waits for an answer, with what was found for its last question."""
        return with_passages(messages, self.find(question_of(messages)))


def of_prompt(folder):
    """What a persona (its folder, with prompt.json) looks up: its index, or None when it looks nothing up."""
    folder = Path(folder)
    told = json.loads((folder / "prompt.json").read_text(encoding="utf-8"))
    return Index(folder / "retrieval") if told.get("retrieval") else None


def question_of(messages):
    """The last thing that the user said: what is looked up."""
    said = [each["content"] for each in messages if each["role"] == "user"]
    if not said:
        raise ValueError("a chat without a question has nothing to look up")
    return said[-1]


def with_passages(messages, passages):
    """The chat with the passages before its last question; one without passages stays as it is."""
    if not passages:
        return list(messages)
    last = max(at for at, each in enumerate(messages) if each["role"] == "user")
    told = "\n\n".join(f"[{number}] {passage.text.strip()}" for number, passage in enumerate(passages, 1))
    content = f"<passages>\n{told}\n</passages>\n\n{messages[last]['content']}"
    return [{**each, "content": content} if at == last else each for at, each in enumerate(messages)]
