"""The kind `harness`: lm-evaluation-harness on an engine of ours gives what it gives on its own."""

import json
import os
import subprocess
import sys

import pytest
import samples
import tiny_models
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
