"""Texts -> vectors of length one that lie close together where texts say alike: by counted words, or by a model."""

import re
import unicodedata
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path

import numpy as np

WORD = re.compile(r"\w+")
PIECE = 3  # letters of a piece of a word
OF_PIECES = 0.25  # what a piece counts beside a word
AT_ONCE = 32


def words(text):
    """The words of a text, in one spelling."""
    return WORD.findall(unicodedata.normalize("NFKC", text).casefold())


@lru_cache(maxsize=200_000)
def features(word):
    """The words and pieces that a word counts for, and how much each."""
    framed = f"<{word}>"
    pieces = {framed[at : at + PIECE] for at in range(len(framed) - PIECE + 1)} if len(word) > 1 else set()
    return ((word, 1.0), *((f"#{piece}", OF_PIECES) for piece in sorted(pieces)))


@lru_cache(maxsize=400_000)
def place(feature, dimension):
    """Where a feature is counted, and with which sign: the same on every machine and each day."""
    number = int.from_bytes(blake2b(feature.encode(), digest_size=8).digest(), "little")
    return (number >> 1) % dimension, 1.0 if number & 1 else -1.0


class Hashing:
    """Words and pieces of words, counted; what stands in few passages counts for more."""

    name = "hashing"

    def __init__(self, dimension, rarity=None):
        self.dimension = dimension
        self.rarity = rarity  # of each place; none until passages were seen

    def counted(self, text):
        """How often each place is hit; a word that comes back counts for less each time."""
        told = {}
        for word in words(text):
            for feature, weight in features(word):
                told[feature] = told.get(feature, 0.0) + weight
        vector = np.zeros(self.dimension, dtype=np.float64)
        for feature in sorted(told):
            at, sign = place(feature, self.dimension)
            weight = 1.0 if not feature.startswith("#") else OF_PIECES
            vector[at] += sign * weight * (1 + np.log(told[feature] / weight))
        return vector

    def learn(self, texts):
        """Which places are rare: from all passages."""
        seen, count = np.zeros(self.dimension), 0
        for text in texts:
            seen += self.counted(text) != 0
            count += 1
        self.rarity = (np.log((1 + count) / (1 + seen)) + 1).astype(np.float32)

    def embed(self, texts):
        """One row a text."""
        rows = [self.counted(text) * self.rarity for text in texts]
        return _of_length_one(np.stack(rows)) if rows else np.zeros((0, self.dimension), dtype=np.float32)


class OfModel:
    """The mean of what the last layer of a model finds at each token of a text, in 32 bits."""

    name = "model"

    def __init__(self, folder):
        import torch
        from transformers import AutoModel, AutoTokenizer

        if not (Path(folder) / "config.json").is_file():
            raise SystemExit(f"error: {folder} is no model: it has no config.json")
        self.tokenizer = AutoTokenizer.from_pretrained(folder, padding_side="right")
        if self.tokenizer.pad_token is None:
            self.tokenizer.pad_token = self.tokenizer.unk_token or self.tokenizer.eos_token
        self.model = AutoModel.from_pretrained(folder, dtype=torch.float32).eval()
        self.dimension = self.model.config.hidden_size
        self.longest = getattr(self.model.config, "max_position_embeddings", 512)

    def embed(self, texts):
        """One row a text; texts of one length go together, so that little is padded."""
        found = np.zeros((len(texts), self.dimension), dtype=np.float32)
        order = sorted(range(len(texts)), key=lambda at: (len(texts[at]), at))
        for start in range(0, len(order), AT_ONCE):
            part = order[start : start + AT_ONCE]
            found[part] = self._means([texts[at] for at in part])
        return _of_length_one(found)

    def _means(self, texts):
        import torch

        told = self.tokenizer(texts, padding=True, truncation=True, max_length=self.longest, return_tensors="pt")
        ids, mask = told["input_ids"], told["attention_mask"]
        if not ids.shape[1]:  # texts without a single token
            return np.zeros((len(texts), self.dimension), dtype=np.float32)
        with torch.inference_mode():
            states = self.model(input_ids=ids, attention_mask=mask).last_hidden_state
        weights = mask[:, :, None].to(states.dtype)
        return ((states * weights).sum(1) / weights.sum(1).clamp(min=1)).numpy()


def _of_length_one(rows):
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return (rows / np.where(lengths == 0, 1, lengths)).astype(np.float32)
