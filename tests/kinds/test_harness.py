"""The kind `harness`: lm-evaluation-harness on an engine of ours gives what it gives on its own."""

import json
import os
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import samples
import tiny_models
from modules import modules_of
from standing import Failed, run, stand

from zyc.types import Model

TASK = """\
task: toy_choice
dataset_path: json
dataset_kwargs: {data_files: {test: in/folder/toy.jsonl}}
test_split: test
output_type: multiple_choice
doc_to_text: "{{question}}"
doc_to_choice: "{{options}}"
doc_to_target: "{{gold}}"
metric_list:
  - {metric: acc}
"""


def test_tasks(workshop, golden):
    """The script names the tasks, and nothing of where it stands."""
    workshop.write("data/asked.jsonl", '{"question": "one?", "answer": "1"}\n')
    workshop.spec(samples.read("harness").spec.partition("\n")[2])
    golden(workshop.front(), "my-eval.wide")


@pytest.fixture
def bridge(tmp_path, monkeypatch):
    """The plain module between the harness and an engine, in a folder where it may tell how far it is."""
    monkeypatch.chdir(tmp_path)
    with modules_of("harness", "bridge") as found:
        yield found.bridge


class Parrot:
    """An engine that sees twelve tokens, a letter each, and says the same letter until it is stopped."""

    context, vocabulary, begin = 12, 128, ()
    asked: list

    def __init__(self):
        self.asked = []

    def plain(self, text):
        """A token a letter."""
        return [ord(each) for each in text]

    def every(self, ids):
        """After each letter the next one of the alphabet is certain."""
        self.asked.append(ids)
        table = np.full((len(ids), self.vocabulary), -50.0)
        table[np.arange(len(ids)), [min(each + 1, 127) for each in ids]] = 50.0
        return table

    def read(self, ids):
        """A letter is expected."""
        self.asked.append(ids)
        return np.eye(self.vocabulary)[ord("x")]

    def step(self, token):
        """And again."""
        return np.eye(self.vocabulary)[ord("\n" if token == ord("x") else "y")]

    def ends(self, token):
        """Never."""
        return False

    def text(self, ids):
        """Letters."""
        return "".join(map(chr, ids))


def asking(*arguments):
    """A request of the harness."""
    return SimpleNamespace(args=arguments)


@pytest.mark.parametrize("most", [4, 12, 2048])
def test_a_task_that_allows_more_than_the_model_sees_is_asked_all_the_same(bridge, most):
    """The end of the question stays, half of what the model sees at least; a stop word need not stand in a list."""
    engine = Parrot()
    request = asking("abcdefghijklmnopqrst", {"until": "\ny", "max_gen_toks": most})
    assert bridge.Engine(engine).generate_until([request]) == ["x"]
    (ids,) = engine.asked
    assert engine.text(ids) == ("mnopqrst" if most == 4 else "opqrst")


def test_a_long_text_is_read_as_the_harness_reads_it(bridge):
    """Each token counts once, behind the one before it; the last window is full, and nothing is foretold by itself."""
    engine = Parrot()
    text = "abcdefghijklmnopqrstuvwxyz"
    assert bridge.Engine(engine).loglikelihood_rolling([asking(text)]) == [pytest.approx(0.0)]
    assert [engine.text(ids) for ids in engine.asked] == ["abcdefghijk", "lmnopqrstuvw", "nopqrstuvwxy"]
    engine.begin = [ord("`")]
    engine.asked.clear()
    assert bridge.Engine(engine).loglikelihood_rolling([asking(text)]) == [pytest.approx(0.0)]
    assert engine.text(engine.asked[0]) == "`abcdefghijk"


def test_each_way_of_reading_answers_has_a_measure(bridge):
    """Two filters of one task are two numbers, neither in the place of the other; what the harness has less of is told."""
    results = {
        "gsm": {
            "alias": "gsm",
            "sample_len": 8,
            "exact_match,strict-match": 0.25,
            "exact_match_stderr,strict-match": 0.1,
            "exact_match,flexible-extract": 0.5,
            "exact_match_stderr,flexible-extract": "N/A",
        },
        "wiki": {"word_perplexity,none": 31.0, "word_perplexity_stderr,none": "N/A"},
    }
    better = {"gsm": {"exact_match": True}, "wiki": {"word_perplexity": False}}
    found = {"results": results, "higher_is_better": better}
    assert bridge.measures(found) == pytest.approx(
        {
            "gsm.exact_match.strict-match": 0.25,
            "gsm.exact_match.strict-match.low": 0.054,
            "gsm.exact_match.strict-match.high": 0.446,
            "gsm.exact_match.flexible-extract": 0.5,
            "wiki.word_perplexity": 31.0,
        }
    )
    assert bridge.less_is_better(found) == ["wiki.word_perplexity"]


@pytest.mark.slow
def test_it_is_what_the_harness_finds_by_itself(tmp_path):
    """A task of the project's own: the same share, and the same likelihoods, as the harness has of transformers."""
    model = tiny_models.make(tmp_path)
    tasks = tmp_path / "tasks"
    tasks.mkdir()
    rows = [{"question": f"Le chat {at}", "options": [" dort", " est un mot"], "gold": at % 2} for at in range(12)]
    (tasks / "toy.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tasks / "toy.yaml").write_text(TASK)
    links = {"model": model, "folder": tasks}
    folder = stand(
        tmp_path / "step", "harness", links, {"model": Model()}, {"model": "m", "harness": ["toy_choice"], "folder": "t"}
    )
    _, measures = run(folder)
    env = {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    told = [sys.executable, "-m", "lm_eval", "run", "--model", "hf", "--model_args", f"pretrained={model},dtype=bfloat16"]
    told += [
        "--device",
        "cpu",
        "--tasks",
        "toy_choice",
        "--include_path",
        "in/folder",
        "--output_path",
        "theirs",
        "--batch_size",
        "1",
    ]
    subprocess.run(told, cwd=folder, env=env, capture_output=True, check=True)
    (found,) = (folder / "theirs").rglob("results_*.json")
    theirs = json.loads(found.read_text())["results"]["toy_choice"]
    assert measures["toy_choice.acc"] == theirs["acc,none"]
    assert measures["toy_choice.acc.high"] - measures["toy_choice.acc"] == pytest.approx(1.96 * theirs["acc_stderr,none"])
    assert len((folder / "out/rows.jsonl").read_text().splitlines()) == 12


@pytest.mark.slow
def test_a_task_that_the_harness_does_not_have_is_refused(tmp_path):
    """The error names it, and some that are there."""
    model = tiny_models.make(tmp_path)
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks/toy.yaml").write_text(TASK)
    links = {"model": model, "folder": tmp_path / "tasks"}
    told = {"model": "m", "harness": ["toy_choise"], "folder": "t"}
    with pytest.raises(Failed, match="no task `toy_choise`; in the folder are toy_choice"):
        run(stand(tmp_path / "step", "harness", links, {"model": Model()}, told))
