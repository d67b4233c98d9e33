"""Trackers: a run whose numbers go to W&B, MLflow, TensorBoard and trackio, all on this machine, and what each then has of it.

Each is tested where its package is: `pip install wandb mlflow tensorboard trackio`.
"""

import json
import subprocess
import sys
from importlib.util import find_spec

import pytest
import trainee

from zyc.types import Dataset

pytestmark = pytest.mark.slow
NAMED = {"wandb": "letters", "mlflow": "letters", "tensorboard": "true", "trackio": "letters"}
SPECS = {
    "finetune": {
        "base": "b", "data": "d", "context": "96",
        "train": {"steps": "4", "batch": "4", "learning_rate": "3e-3", "tests": "2"},
    },
    "pretrain": {
        "model": "b", "data": "d", "steps": "4", "context": "32", "batch_tokens": "256", "tests": "2",
    },
}  # fmt: skip
PLACES = {"finetune": {"base": "model", "data": "data"}, "pretrain": {"model": "model", "data/0": "data"}}
LOSS = {"finetune": "train/loss", "pretrain": "loss"}  # as the engine's own callbacks call it, and as our loop does
# How each is read, by its own package where that can: a program in the step's folder that prints [step, loss] pairs.
READERS = {
    "tensorboard": """
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
told = EventAccumulator("tracking/tensorboard").Reload().Scalars(LOSS)
print(json.dumps([[each.step, each.value] for each in told]))
""",
    "mlflow": """
from mlflow.tracking import MlflowClient
client = MlflowClient("sqlite:///tracking/mlflow.db")
(run,) = client.search_runs([client.get_experiment_by_name("letters").experiment_id])
assert run.info.status == "FINISHED", run.info.status
print(json.dumps([[each.step, each.value] for each in client.get_metric_history(run.info.run_id, "loss")]))
""",
    "trackio": """
import os
os.environ["TRACKIO_DIR"] = "tracking/trackio"
from trackio.sqlite_storage import SQLiteStorage
(run,) = SQLiteStorage.get_run_records("letters")
rows = SQLiteStorage.get_logs("letters", run["name"])
print(json.dumps([[each.get("train/global_step", each.get("step")), each[LOSS]] for each in rows if LOSS in each]))
""",
    # what W&B keeps offline is a log of LevelDB: blocks of 32 KB, each record with a checksum, its length and whether it goes on
    "wandb": """
from pathlib import Path
from wandb.proto.wandb_internal_pb2 import Record
(path,) = Path("tracking/wandb").glob("offline-run-*/*.wandb")
data, at, held, told = path.read_bytes(), 7, b"", []
while at + 7 <= len(data):
    length, kind = int.from_bytes(data[at + 4 : at + 6], "little"), data[at + 6]
    if 32768 - at % 32768 < 7 or kind == 0:
        at += 32768 - at % 32768
        continue
    held, at = held + data[at + 7 : at + 7 + length], at + 7 + length
    if kind in (1, 4):
        record, held = Record.FromString(held), b""
        row = {each.key or "/".join(each.nested_key): json.loads(each.value_json) for each in record.history.item}
        if record.run.project:
            assert record.run.project == "letters"
        if LOSS in row:
            told.append([row.get("train/global_step", row.get("_step")), row[LOSS]])
print(json.dumps(told))
""",
}
HERE = [name for name in NAMED if find_spec(name)]


@pytest.fixture(scope="module", params=SPECS)
def run(request, tmp_path_factory):
    """A run of a kind that tells every tracker that is installed: its step folder, and the kind."""
    if not HERE:
        pytest.skip("no tracker is installed: pip install tensorboard")
    home = tmp_path_factory.mktemp(request.param)
    trainee.make_model(home / "model")
    trainee.make_dataset(home / "data", trainee.chats(40), trainee.chats(8, seed=2))
    facts = [trainee.facts(), Dataset(format="messages", rows=48, test=0.1, turns="single")]
    places = PLACES[request.param]
    place = {"gpus": "0", "trackers": {name: NAMED[name] for name in HERE}}
    given = {name if "/" not in name else "data.0.node": each for name, each in zip(places, facts, strict=True)}
    files = trainee.rendered(request.param, {**SPECS[request.param], "placement": place}, given)
    step = trainee.write_step(home / "step", files, {name: home / each for name, each in places.items()})
    code, log = trainee.run(step, WANDB_MODE="offline", HOME=str(home))
    assert code == 0, log[-4000:]
    return step, request.param


@pytest.mark.parametrize("tracker", NAMED)
def test_a_tracker_has_the_loss_of_every_step(run, tracker):
    """Under the project that the spec names, below `tracking/` alone, and as the run's own history has it."""
    if tracker not in HERE:
        pytest.skip(f"{tracker} is not installed: pip install {tracker}")
    step, kind = run
    program = f"import json\nLOSS = {LOSS[kind]!r}\n{READERS[tracker]}"
    call = [sys.executable, "-W", "ignore", "-c", program]
    done = subprocess.run(call, cwd=step, env=trainee.environ(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    told = json.loads(done.stdout.splitlines()[-1])
    history = [json.loads(line) for line in (step / "history.jsonl").read_text().splitlines()]
    wanted = [(each["step"], each["loss"]) for each in history if "loss" in each]
    assert [at for at, _ in told] == [at for at, _ in wanted]
    assert [loss for _, loss in told] == pytest.approx([loss for _, loss in wanted], rel=1e-4)


def test_trackers_leave_nothing_but_their_folder(run):
    """What a step publishes has no trace of them."""
    step, _ = run
    assert not {"wandb", "mlruns", "mlartifacts", "runs"} & {path.name for path in step.iterdir()}
    assert not {"wandb", "mlruns", "mlartifacts", "runs", "tracking"} & {path.name for path in (step / "out").iterdir()}
