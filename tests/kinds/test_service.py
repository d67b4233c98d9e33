"""The kind `service`: what a proof finds wrong with a bundle in rest, what it asks, and what counts as the same answer."""

import hashlib
import json
from types import SimpleNamespace

import numpy as np
import packed
import pytest
from golden import files_of
from standing import module

WEIGHTS = b"GGUF and so on"


def bundle(folder):
    """A whole one, and what its bundle.json says."""
    files = {"model/model.gguf": {"bytes": len(WEIGHTS), "sha256": hashlib.sha256(WEIGHTS).hexdigest()}}
    for name in ("README.md", "models.json", "requirements.txt"):
        (folder / name).write_text("x")
    bill = {"metadata": {"component": {"components": [{"name": "model/model.gguf"}]}}}
    (folder / "bom.json").write_text(json.dumps(bill))
    for name, content in {"model/model.gguf": WEIGHTS, "prompts/one/prompt.json": b"{}"}.items():
        (folder / name).parent.mkdir(parents=True)
        (folder / name).write_bytes(content)
    return {"model": {"files": files}, "prompts": {"one": "prompts/one"}}


def test_from_scratch(workshop, golden):
    """What proves a server, an assistant, and a release that nothing here can start."""
    for target in ("server", "assistant", "hub"):
        workshop.spec(packed.spec(target).replace("context: 128", "context: 1024"))
        files = files_of(workshop.front(), "my-bundle.proof")
        golden({path: text for path, text in files.items() if "prove.py" in path or "placement" in path}, under=f"{target}/")


def test_a_whole_bundle_is_whole(tmp_path):
    """Every file is the one that is named, and nothing is missing."""
    measures, report = module("service/lib/whole.py").looked_through(tmp_path, bundle(tmp_path))
    assert measures == {"intact": 1, "missing": 0}
    assert report == {"wrong": [], "missing": []}


@pytest.mark.parametrize(
    ("harm", "intact", "missing", "words"),
    [
        (lambda home: (home / "model/model.gguf").write_bytes(b"GGUF and so oN"), 0, 0, "was changed"),
        (lambda home: (home / "model/model.gguf").unlink(), 0, 0, "model.gguf is missing"),
        (lambda home: (home / "README.md").unlink(), 1, 1, "README.md is missing"),
        (lambda home: (home / "prompts/one/prompt.json").unlink(), 1, 1, "prompts/one/prompt.json is missing"),
        (lambda home: (home / "bom.json").write_text('{"metadata": {"component": {}}}'), 1, 1, "in bom.json is missing"),
    ],
)
def test_what_is_wrong_is_told(tmp_path, capsys, harm, intact, missing, words):
    """A changed bit, a missing file, a persona without its words, a bill that leaves the model out."""
    told = bundle(tmp_path)
    harm(tmp_path)
    measures, _ = module("service/lib/whole.py").looked_through(tmp_path, told)
    assert measures == {"intact": intact, "missing": missing}
    assert words in capsys.readouterr().out


class Engine:
    """Two tokens that are nearly as likely, and one that is not."""

    def plain(self, text):
        """A letter is a token."""
        return [ord(each) - 97 for each in text]

    def every(self, ids):
        """What is expected behind each."""
        return np.array([[1.0, 1.0 + self.gap, -5.0]] * len(ids))

    gap = 0.01


def test_only_a_tie_may_part_two_answers(monkeypatch):
    """Where two tokens are as likely as rounding can tell, either is right; a token that is less likely is another answer."""
    fakes = {"sampler": {}, "starting": {}, "answering": {"opened": None}, "asked": dict.fromkeys(("Asked", "chat", "rows_of"))}
    fakes |= {"asking": {"question": None}}
    for name, values in fakes.items():
        monkeypatch.setitem(__import__("sys").modules, name, SimpleNamespace(**values))
    monkeypatch.setitem(__import__("sys").modules, "sayings", module("shared/sayings.py"))
    ours = module("service/lib/serving_it.py")
    engine = Engine()
    assert ours.is_tie(engine, [0], "aab", "aaa")
    assert not ours.is_tie(engine, [0], "aac", "aaa")
    assert not ours.is_tie(engine, [0], "aa", "aab")
    rows = [{"same": True}, {"same": False, "tie": True}, {"same": False, "tie": False}, {"same": True}]
    assert ours.measures([], rows) == {"same_answers": 0.75, "ties": 1, "asked": 4}
    told = ours.questions(None, {"prompts": {"one": "", "two": ""}, "name": "x"})
    assert [name for name, _ in told] == ["one"] * ours.EACH + ["two"] * ours.EACH
