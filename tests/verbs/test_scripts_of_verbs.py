"""The plain modules of the scripts that `zyc ask` and `zyc diff` run: answers cut into tokens, tensors compared."""

import importlib
import json
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

TEMPLATES = Path(__file__).parents[2] / "templates"


@pytest.fixture
def module(monkeypatch):
    """Imports a module as its script does; nothing of it is left behind."""
    before = {*sys.modules}

    def load(folder, name):
        for home in (folder, "shared", "lib"):
            monkeypatch.syspath_prepend(str(TEMPLATES / home))
        monkeypatch.syspath_prepend(str(TEMPLATES / folder))
        return importlib.import_module(name)

    yield load
    for name in {*sys.modules} - before:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(TEMPLATES)):
            del sys.modules[name]


# --- answers ---

WORDS = {1: b"la", 2: b" ch", 3: b"\xc3", 4: b"\xa9", 5: b" STOP", 6: b" fin"}


def decode(ids):
    """Tokens that may be half a letter."""
    return b"".join(WORDS[each] for each in ids).decode("utf-8", "replace")


def test_half_a_letter_stands_with_the_token_that_completes_it(module):
    """The pieces of an answer add up to its text, whatever bytes its tokens are."""
    told = module("ask", "likeliest").answer([1, 2, 3, 4], decode, [])
    assert told == {"text": "la ché", "ids": [1, 2, 3, 4], "pieces": ["la", " ch", "", "é"]}


def test_an_answer_ends_before_what_stops_it(module):
    """A text that stops an answer is not part of it, nor is anything behind it."""
    told = module("ask", "likeliest").answer([1, 5, 6], decode, ["STOP"])
    assert (told["text"], told["ids"], told["pieces"]) == ("la", [1, 5], ["la", " "])
    assert module("ask", "likeliest").answer([], decode, [])["text"] == ""


def test_a_persona_stands_before_each_question(module, tmp_path):
    """Its system and examples come first, in the place of a row's own system; rows with one answer are asked once."""
    import pyarrow as pa
    from pyarrow import parquet

    def row(question, answer):
        turns = [("system", "old"), ("user", question), ("assistant", answer)]
        return {"messages": [{"role": role, "content": text} for role, text in turns]}

    (tmp_path / "test").mkdir()
    rows = [row("a", "1"), row("b", "1"), row("c", "2"), row("d", "3"), row("e", "4")]
    parquet.write_table(pa.Table.from_pylist(rows), tmp_path / "test/00000.parquet")
    asked = {"questions": [], "data": str(tmp_path), "most": 3, "prompt": {}}
    likeliest = module("ask", "likeliest")
    told = likeliest.questions(asked)
    assert [(each["messages"][-1]["content"], each["wanted"]) for each in told] == [("a", "1"), ("c", "2"), ("d", "3")]
    assert told[0]["messages"][0] == {"role": "system", "content": "old"}
    shots = [{"role": "user", "content": "x"}, {"role": "assistant", "content": "y"}]
    told = likeliest.questions({**asked, "prompt": {"system": "new", "few_shot": shots}})
    assert [each["content"] for each in told[0]["messages"]] == ["new", "x", "y", "a"]
    told = likeliest.questions({**asked, "questions": ["why?"]})
    assert [(each["messages"], each["wanted"]) for each in told] == [([{"role": "user", "content": "why?"}], "")]


def test_what_a_persona_looks_up_stands_before_the_question(module, monkeypatch):
    """The model reads passages as in an exam and in service; what is told was asked is the question."""
    likeliest = module("ask", "likeliest")

    def of_prompt(folder):
        return SimpleNamespace(ask=lambda said: [*said[:-1], {"role": "user", "content": f"{folder} on {said[-1]['content']}"}])

    monkeypatch.setitem(sys.modules, "retrieving", SimpleNamespace(of_prompt=of_prompt))
    prompt = {"system": "be brief", "retrieval": {"top": 2}}
    (told,) = likeliest.questions({"questions": ["why?"], "prompt": prompt, "persona": "books"})
    assert [each["content"] for each in told["messages"]] == ["be brief", "books on why?"]
    assert [each["content"] for each in told["said"]] == ["be brief", "why?"]


# --- tensors ---


def test_how_far_two_tensors_are_apart(module):
    """Largest and mean difference, cosine and the share of equal values; of rows that both have."""
    tensors = module("diff", "tensors")
    one = np.array([[1, 0], [0, 1]], np.float32)
    assert tensors.apart(one, one) == {"max": 0, "mean": 0, "cosine": pytest.approx(1), "equal": 1}
    two = np.array([[1, 0], [0, -1], [7, 7]], np.float32)
    assert tensors.apart(one, two) == {"max": 2, "mean": 0.5, "cosine": pytest.approx(0), "equal": 0.75}
    scalar = np.float32(3).reshape(())
    assert tensors.apart(scalar, scalar)["equal"] == 1


def test_parts_of_a_tensor_add_up(module, monkeypatch):
    """What is read in pieces is told as if it were read at once."""
    tensors = module("diff", "tensors")
    one, two = np.random.default_rng(7).normal(size=(2, 50, 7)).astype(np.float32)
    whole = tensors.apart(one, two)
    monkeypatch.setattr(tensors, "CHUNK", 13)
    assert tensors.apart(one, two) == pytest.approx(whole)


class Held:
    """A model of two tensors in memory."""

    is_gguf = False

    def __init__(self, tensors, **values):
        self.entries = {name: tensors.Entry(each.shape, "F32") for name, each in values.items()}
        self.values = values.__getitem__


def test_the_hop_that_changed_a_tensor_is_found(module):
    """Each tensor names the hops that changed it; one that only one model has, or has another shape, is told so."""
    tensors = module("diff", "tensors")
    ones = np.ones((2, 2), np.float32)
    path = [
        Held(tensors, a=ones, b=ones, gone=ones, grown=ones),
        Held(tensors, a=ones + 1, b=ones, grown=ones),
        Held(tensors, a=ones + 1, b=ones + 3, fresh=ones, grown=np.ones((2, 3), np.float32)),
    ]
    named = tensors.alike(path)
    rows = {name: tensors.row(named, name, ["", "one", "two"]) for name in named.names}
    assert rows["a"]["made"] == [{"hop": "one", "mean": 1}]
    assert rows["b"]["made"] == [{"hop": "two", "mean": 3}]
    assert rows["gone"]["b"] is None
    assert rows["fresh"]["a"] is None
    assert "mean" not in rows["grown"]


def test_settings_differ_by_name(module, tmp_path):
    """Values of configurations by their path; a long text by its digest; what is the same is not told."""
    settings = module("diff", "settings")
    for name, theta, template in (("a", 1e4, "x"), ("b", 1e6, "y" * 200)):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "config.json").write_text(json.dumps({"model_type": "llama", "rope_parameters": {"rope_theta": theta}}))
        (folder / "chat_template.jinja").write_text(template)
    told = {each["name"]: each for each in settings.differences(tmp_path / "a", tmp_path / "b")}
    assert told.keys() == {"chat_template.jinja", "config.json: rope_parameters.rope_theta"}
    assert told["config.json: rope_parameters.rope_theta"] | {"name": ""} == {"name": "", "a": "10000.0", "b": "1000000.0"}
    assert told["chat_template.jinja"]["b"].startswith("200 letters, ")
    assert settings.differences(tmp_path / "a", tmp_path / "a") == []
