"""The kind `dataset`: rows of any source in one form, cleaned, split, proven."""

import json
from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq
import pytest

pytestmark = pytest.mark.slow  # each builds for real


def chat(question, answer, **columns):
    """A row of one turn."""
    return {"messages": [{"role": "user", "content": question}, {"role": "assistant", "content": answer}], **columns}


def jsonl(workshop, path, rows):
    """Rows as a file of the user's."""
    workshop.write(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))


def log(workshop):
    """What the steps said."""
    return "\n".join(path.read_text() for path in sorted(workshop.root.glob("artifacts/steps/*/log.txt")))


def build(workshop, **call):
    """Build all of it; every node runs, or the test fails with what the steps said."""
    endings = workshop.build(**call)
    assert {str(each.fate) for each in endings.values()} == {"ran"}, f"{endings}\n{log(workshop)}"


def rows_of(workshop, node, side="train", **call):
    """What a dataset holds."""
    return [
        row for path in sorted((workshop.tree(node, **call) / side).glob("*.parquet")) for row in pq.read_table(path).to_pylist()
    ]


def card_of(workshop, node, **call):
    """What a dataset says of itself."""
    return json.loads((workshop.tree(node, **call) / "card.json").read_text())


def test_chats_become_shards_a_card_and_a_proof(workshop):
    """A file of chats is a dataset with a held-out side, numbers, and a proof that holds."""
    jsonl(workshop, "data/chats.jsonl", [chat(f"question {at}?", f"answer {at}", topic="abc"[at % 3]) for at in range(60)])
    workshop.spec("datasets:\n  my-chats: {from: data/chats.jsonl, split: {test: 10%, stratify: topic}, gates: [rows = 60]}\n")
    build(workshop)
    assert len(rows_of(workshop, "my-chats")) == 54
    held_out = rows_of(workshop, "my-chats", "test")
    assert sorted(row["topic"] for row in held_out) == [*"aabbcc"]
    card = card_of(workshop, "my-chats")
    assert (card["format"], card["rows"]) == ("messages", {"train": 54, "test": 6})


GRAMMARS = Path(__file__).parent / "grammars"


def grammar(workshop, name):
    """A grammar of this folder, in the project."""
    workshop.write(f"data/{name}.grammar.yml", (GRAMMARS / f"{name}.grammar.yml").read_text())


def test_a_grammar_writes_balanced_unique_chats(workshop):
    """Balances are exact, items differ, copies share an origin, and held-out combinations stand on one side only."""
    grammar(workshop, "philo")
    workshop.spec("""
datasets:
  my-chats:
    generate:
      grammar: data/philo.grammar.yml
      count: 240
      balance: {philosopher: {spinoza: 120, bergson: 60, kant: 60}, form: even}
      holdout: {slots: [cause, effect], share: 20%}
      seed: 3
    gates: [rows = 240, balance.philosopher.spinoza = 120, balance.scheme.ponens = 120, duplicates = 0]
""")
    build(workshop)
    train, test = rows_of(workshop, "my-chats"), rows_of(workshop, "my-chats", "test")
    assert len(train) + len(test) == 240
    assert 10 < len(test) < 90
    questions = [(row["messages"][0]["content"], row["messages"][1]["content"]) for row in [*train, *test]]
    assert len({*questions}) == 240
    pairs = [{tuple(row["messages"][2]["content"].split(" : ")[1].split()[1::2]) for row in side} for side in (train, test)]
    assert not pairs[0] & pairs[1]
    origins = Counter(row["origin"] for row in [*train, *test])
    assert {*origins.values()} == {4}
    assert not {row["origin"] for row in train} & {row["origin"] for row in test}


def test_a_grammar_writes_calls(workshop):
    """A call is well-formed whatever its arguments hold, braces are braces, and numbers are counted."""
    grammar(workshop, "calls")
    workshop.spec("datasets: {my-calls: {generate: {grammar: data/calls.grammar.yml, count: 30}}}")
    build(workshop)
    rows = rows_of(workshop, "my-calls")
    assert len(rows) == 30
    called = [row["messages"][1]["content"] for row in rows]
    assert '<CALL:open_app {"name": "vlc"}>' in called
    assert any(each.startswith('<CALL:add_todo {"text": "ranger {tout}", "in": ') for each in called)
    assert json.loads(rows[0]["tools"]) == [{"type": "function", "function": {"name": "open_app"}}]
