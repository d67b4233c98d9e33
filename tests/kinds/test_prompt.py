"""Prompts: what their scripts look like, what is refused, and what they write."""

import json
import shutil

import here
import pytest
from trainee import make_dataset

from zyc.types import Prompt

FULL = """
prompts:
  my-prompt:
    system: "Tu es Spinoza.\\nRéponds à un lycéen."
    few_shot: [{user: Bonjour, assistant: Salut.}, {user: "Qui ?", assistant: "Moi."}]
    retrieval: my-shelf
    sampling: {temperature: 0.4, top_p: 90%, max_tokens: 60, stop: ["\\n", "</s>"], seed: 7}
    arguments: {enable_thinking: false, date_string: 26 Jul 2024, depth: 3, share: 0.5, word: "true"}
shelfs:
  my-shelf: {passages: data/words.txt}
"""


def test_written_out(workshop, golden):
    """A persona is values: its words, its examples, how it draws, what its template asks for."""
    workshop.spec(FULL)
    golden(workshop.front(), "my-prompt")


def test_from_a_dataset(workshop, golden):
    """Examples may come from a dataset, so many of them."""
    workshop.write("data/asked.jsonl", '{"question": "one?", "answer": "1"}\n' * 3)
    workshop.spec(
        "datasets: {my-data: {from: data/asked.jsonl, format: questions}}\n"
        "prompts: {my-prompt: {system: One., few_shot: {node: my-data, most: 2}}}\n"
    )
    golden(workshop.front(), "my-prompt")


def test_what_it_writes(workshop, tmp_path):
    """All of it is there, and nothing that nobody gave; what is in quotes stays a text."""
    workshop.spec(FULL)
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    (shelf / "index.json").write_text("{}")
    ran = here.run(workshop.front(), "my-prompt", tmp_path / "step", {"retrieval": shelf})
    assert json.loads((ran.out / "prompt.json").read_text()) == {
        "system": "Tu es Spinoza.\nRéponds à un lycéen.",
        "few_shot": [
            {"role": "user", "content": "Bonjour"},
            {"role": "assistant", "content": "Salut."},
            {"role": "user", "content": "Qui ?"},
            {"role": "assistant", "content": "Moi."},
        ],
        "sampling": {"temperature": 0.4, "top_p": 0.9, "max_tokens": 60, "stop": ["\n", "</s>"], "seed": 7},
        "arguments": {"date_string": "26 Jul 2024", "depth": 3, "enable_thinking": False, "share": 0.5, "word": "true"},
        "retrieval": True,
    }
    assert (ran.out / "retrieval/index.json").read_text() == "{}"


ROWS = {
    "messages": {
        "messages": [{"role": "system", "content": "s"}, {"role": "user", "content": "u"}, {"role": "assistant", "content": "a"}]
    },
    "questions": {"question": "u", "answer": "a"},
    "prompt-completion": {"prompt": [{"role": "user", "content": "u"}], "completion": "a"},
}


@pytest.mark.parametrize("shape", ROWS)
def test_rows_of_every_format(workshop, tmp_path, shape):
    """Whatever the rows look like, an example is a question with its answer."""
    workshop.write("data/asked.jsonl", '{"question": "one?", "answer": "1"}\n' * 3)
    workshop.spec(
        "datasets: {my-data: {from: data/asked.jsonl, format: questions}}\n"
        "prompts: {my-prompt: {few_shot: {node: my-data, most: 2}}}\n"
    )
    make_dataset(tmp_path / "data", [ROWS[shape]] * 3)
    ran = here.run(workshop.front(), "my-prompt", tmp_path / "step", {"few_shot": tmp_path / "data"})
    one = [{"role": "user", "content": "u"}, {"role": "assistant", "content": "a"}]
    assert json.loads((ran.out / "prompt.json").read_text())["few_shot"] == one * 2
    shutil.rmtree(tmp_path / "data")


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ("few_shot: {node: my-data, turns: [{user: a, assistant: b}]}", "not both"),
        ("few_shot: my-text", "rows of `text` have no question with its answer"),
        ("sampling: {temperature: 0, top_p: 50%}", "at `temperature: 0` the likeliest token is taken"),
    ],
)
def test_what_cannot_be_is_told_at_plan_time(workshop, fields, says):
    """Examples come from one place and have answers, and nothing is said that nothing reads."""
    workshop.write("data/asked.jsonl", '{"question": "one?", "answer": "1"}\n' * 3)
    workshop.spec(
        "datasets:\n  my-data: {from: data/asked.jsonl, format: questions}\n  my-text: {from: data/words.txt, format: text}\n"
        f"prompts:\n  my-prompt: {{{fields}}}\n"
    )
    ((_, _, facts),) = workshop.problems()
    assert says in facts["says"]


def test_facts_and_a_plain_text(workshop):
    """A text alone is a system text; its tokens are guessed, and it is too small for a plan."""
    workshop.spec("prompts: {my-prompt: Tu es Spinoza.}")
    plan = workshop.plan()
    assert plan.settlement.nodes["my-prompt"].facts == Prompt(system="Tu es Spinoza.", tokens=4, looks_up="")
    assert plan.graph.vertices["my-prompt"].kind == "prompt"


def test_a_persona_is_in_the_key(workshop):
    """Another word, another key; another name for it, none."""
    keys = []
    for name, text in (("my-prompt", "One."), ("my-prompt", "Two."), ("my-other", "One.")):
        workshop.spec(f"prompts: {{{name}: {text}}}")
        keys.append(workshop.front().settlement.nodes[name].own_digest)
    assert keys[0] == keys[2] != keys[1]
