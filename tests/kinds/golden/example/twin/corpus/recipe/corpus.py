# /// script
# requires-python = ">=3.11"
# dependencies = []
# ///
"""Gathers the words of some files into one list."""

import json
from pathlib import Path

CARD = {"words": 42, "alphabet": "abcns", "licence": "cc0-1.0"}
LOWER = True
MOST_WORDS = 1000


def texts(path):
    """A file, or every file of a folder, in order."""
    inside = sorted(path.rglob("*")) if path.is_dir() else [path]
    return [each.read_text() for each in inside if each.is_file()]


places = sorted(Path("in/files").iterdir(), key=lambda place: int(place.name))
words = [word for place in places for text in texts(place) for word in text.split()]
if len(words) != CARD["words"]:
    raise SystemExit(f"the card says {CARD['words']} words; there are {len(words)}")
if LOWER:
    words = [word.lower() for word in words]
words = ["".join(letter for letter in word if letter in CARD["alphabet"]) for word in words[:MOST_WORDS]]

Path("out/words.txt").write_text("".join(f"{word}\n" for word in words))
Path("out/card.json").write_text(json.dumps(CARD, sort_keys=True))
Path("measures.json").write_text(json.dumps({"words": len(words), "letters": sum(map(len, words))}))
