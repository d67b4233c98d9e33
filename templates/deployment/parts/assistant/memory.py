"""What the notes say about a question: those that came with the bundle, in its index, and those that were written since."""

from pathlib import Path

BEST = 3  # passages
LEAST = 0.05  # a passage that is less alike says nothing about it
LONGEST = 400  # characters of a passage that is handed on
DIMENSION = 2048


class Memory:
    """Notes of two kinds, asked as one."""

    def __init__(self, index=None, rows=list):
        self.index, self.rows = index, rows

    def __call__(self, question):
        """The texts of the best passages, the best first."""
        found = [(each.score, each.text) for each in self.index.find(question)] if self.index is not None else []
        found += self._since(question)
        found.sort(key=lambda each: -each[0])
        told = dict.fromkeys(" ".join(text.split())[:LONGEST] for score, text in found if score > LEAST)
        return list(told)[:BEST]

    def _since(self, question):
        texts = [each["text"] for each in self.rows() if isinstance(each.get("text"), str)]
        if not texts:
            return []
        from embedding import Hashing

        embedder = Hashing(DIMENSION)
        embedder.learn(texts)
        scores = embedder.embed(texts) @ embedder.embed([question])[0]
        return list(zip(scores.tolist(), texts, strict=True))


def index_of(folder):
    """The index of the bundle; nothing where it has none."""
    if folder is None:
        return None
    if not Path(folder, "card.json").is_file():
        raise SystemExit(f"error: {folder} is no index: it has no card.json")
    try:
        from retrieving import Index

        return Index(folder)
    except ImportError as error:
        raise SystemExit(f"error: the notes cannot be searched: {error}\nhelp: pip install -r requirements.txt") from None
