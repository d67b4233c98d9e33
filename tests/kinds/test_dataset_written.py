"""Rows that a model writes, and cards that a tokenizer counts for: with a tiny model of random weights."""

import json
import shutil

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from trainee import make_model, rendered, run, write_step

from zyc.types import Dataset, Model, Tokenizer

pytestmark = pytest.mark.slow
WRITTEN = {
    "by": "writer",
    "from": "old",
    "prompt": "Say it in other words: {user}",
    "into": "user",
    "count": 12,
    "times": 2,
    "keep": "judge >= 3",
    "max_tokens": 6,
    "seed": 3,
}


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    """A model that writes, one that judges, and a dataset to start from."""
    home = tmp_path_factory.mktemp("inputs")
    make_model(home / "writer", seed=1)
    make_model(home / "judge", seed=2)
    rows = [{"messages": chat(at), "topic": "ab"[at % 2]} for at in range(20)]
    (home / "old" / "train").mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist(rows), home / "old" / "train" / "00000.parquet")
    (home / "old" / "card.json").write_text(json.dumps({"format": "messages", "split": {"group": []}}))
    return {"written/by": home / "writer", "written/keep": home / "judge", "written/from": home / "old"}


def chat(at):
    """A question and its answer."""
    return [{"role": "user", "content": f"Which colour has door {at}?"}, {"role": "assistant", "content": "red"}]


def step(home, spec, inputs, places):
    """The step of a dataset."""
    return write_step(home, rendered("dataset", spec, inputs), places)


INPUTS = {"written.by": Model(), "written.from": Dataset(format="messages", rows=20), "written.keep.judge": Model()}


def test_a_model_writes_rows_and_another_judges_them(places, tmp_path):
    """What the judge finds good enough stays, with the row that it came from; the rest is counted; a cut costs nothing."""
    free = step(tmp_path / "free", {"written": {**WRITTEN, "keep": "judge >= 0"}}, INPUTS, places)
    code, said = run(free)
    assert code == 0, said
    scores = sorted(row[2] for line in (free / "state/written.jsonl").read_text().splitlines() for row in json.loads(line))
    spec = {"written": {**WRITTEN, "keep": f"judge >= {scores[len(scores) // 2]:.6f}"}}
    home = step(tmp_path / "whole", spec, INPUTS, places)
    code, said = run(home)
    assert code == 0, said
    told = [row for path in (home / "out/train").glob("*") for row in pq.read_table(path).to_pylist()]
    card = json.loads((home / "out/card.json").read_text())
    written = card["operations"][0]
    assert (written["name"], written["kept"] + written["dropped"]) == ("written", 24)
    assert 0 < written["kept"] < 24
    assert len(told) == written["kept"]
    assert all(row["messages"][0]["content"] and row["messages"][1]["content"] == "red" for row in told)
    assert {row["origin"] for row in told} <= {str(at) for at in range(12)}

    again = step(tmp_path / "again", spec, INPUTS, places)
    state = again / "state/written.jsonl"
    state.parent.mkdir()
    lines = (home / "state/written.jsonl").read_bytes().splitlines(keepends=True)
    state.write_bytes(lines[0] + lines[1][:20])  # a batch, and another one that was cut short
    code, said = run(again)
    assert code == 0, said
    assert (again / "out/train/00000.parquet").read_bytes() == (home / "out/train/00000.parquet").read_bytes()
    assert json.loads((again / "state/progress.json").read_text()) == {"step": 3, "of": 3}
    assert len((again / "events.jsonl").read_text().splitlines()) == 2


def test_a_prompt_that_names_what_a_row_has_not(places, tmp_path):
    """The names that a row has are told."""
    home = step(tmp_path / "step", {"written": {**WRITTEN, "prompt": "Again: {question}"}}, INPUTS, places)
    code, said = run(home)
    assert code == 1
    assert "`prompt` names {question}, which a row has not\n  it has {topic}, {row}, {user}, {assistant}" in said


def test_a_tokenizer_counts_and_shows_what_is_trained(places, tmp_path):
    """With a tokenizer, lengths are tokens, and samples are what a trainer sees, the trained part marked."""
    shutil.copytree(places["written/by"], tmp_path / "tokenizer")
    spec = {"from": "old", "tokenizer": "tok"}
    inputs = {"from.0.node": Dataset(format="messages", rows=20), "tokenizer": Tokenizer()}
    home = step(tmp_path / "step", spec, inputs, {"from/0": places["written/from"], "tokenizer": tmp_path / "tokenizer"})
    code, said = run(home)
    assert code == 0, said
    card = json.loads((home / "out/card.json").read_text())
    assert card["lengths"]["counted"] is True
    assert card["samples"][0] == (
        "<s><|im_start|>user\nWhich colour has door 0?<|im_end|>\n<|im_start|>assistant\n⟦red<|im_end|>⟧\n"
    )
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "tokenizer")
    whole = sum(len(tokenizer(sample_of(at), add_special_tokens=False)["input_ids"]) for at in range(20))
    assert json.loads((home / "measures.json").read_text())["tokens"] == whole


def sample_of(at):
    """A row as its template renders it."""
    return f"<s><|im_start|>user\nWhich colour has door {at}?<|im_end|>\n<|im_start|>assistant\nred<|im_end|>\n"
