"""The example kinds: what their scripts look like."""

import pytest

LETTERS = """
corpuses:
  my-words: {files: [data/words.txt, data/more/*.txt], card: data/card.json, words: 1k}
counters:
  my-count: {base: my-words, order: 2, smoothing: 1e-3, train: {epochs: 4, seed: 7}, placement: {cpus: 2, shards: 3}}
pruners:
  my-small: {base: my-count, keep: 75%}
scorers:
  my-score:
    model: my-count
    rivals: [my-small]
    title: "{{ \\"quoted\\" }} it's\\nso \\u2028 {% endif %} \\U0001f600"
    tasks: {short: {words: [ban, can]}}
    token: $(env.LETTER_TOKEN)
"""
NODES = ("my-words", "my-count", "my-count.dense", "my-count.dense.proof", "my-small", "my-score", "my-score.short")


def test_letters(workshop, golden):
    """Every value of a spec is a literal in a script, whatever it holds; a secret is a name."""
    workshop.write("data/more/words.txt", "ban\n")
    workshop.spec(LETTERS)
    front = workshop.front()
    for name in NODES:
        golden(front, name, under=f"{front.graph.vertices[name].kind}/")


@pytest.mark.usefixtures("example")
def test_twin(workshop, golden):
    """A rehearsal is the same script with smaller numbers, on one core."""
    workshop.write("data/more/words.txt", "ban\n")
    workshop.spec(LETTERS)
    front = workshop.front(twin=True)
    for name in ("my-words", "my-count"):
        golden(front, name, under=f"{front.graph.vertices[name].kind}/")
