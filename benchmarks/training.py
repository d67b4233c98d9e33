"""What a rendered training script reaches against a bare trl script with the same settings, packed and not, in tokens a second.

Both run in turn, A B B A, on the same tiny model and chats; each tells the tokens a second of all its steps but the first. The
share of a step that is zyc's own is measured in the rendered script, by a clock around everything of the harness that the trainer
calls.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from course import figures, place
from course.figures import Figure
from course.place import Place

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "kinds")]

import trainee  # noqa: E402  # inputs in the layouts of artifacts, as the tests of the kinds make them

CONTEXT, BATCH, STEPS, RANK = 128, 16, 30, 16
SHAPE = {"layers": 4, "width": 256, "mlp": 512, "heads": 4, "kv_heads": 2, "head_size": 64, "context": 512}
BARE = """
import json, sys, time
import torch
from datasets import Dataset
from peft import LoraConfig
from transformers import AutoTokenizer, TrainerCallback
from trl import SFTConfig, SFTTrainer

told = json.load(open("settings.json"))
tokenizer = AutoTokenizer.from_pretrained("in/base")
tokenizer.chat_template = open("in/base/training_template.jinja").read()


class Clock(TrainerCallback):
    tokens, seconds, last, before = 0, 0.0, None, 0

    def on_log(self, args, state, control, logs=None, **_):
        if "loss" not in logs:
            return
        now, tokens = time.perf_counter(), int(logs["num_tokens"])
        if self.last is not None:
            self.seconds += now - self.last
            self.tokens += tokens - self.before
        self.last, self.before = now, tokens


clock = Clock()
torch.set_num_threads(1)
trainer = SFTTrainer(
    model="in/base",
    args=SFTConfig(
        output_dir="state", max_steps=told["steps"], per_device_train_batch_size=told["micro"],
        gradient_accumulation_steps=told["accumulation"], max_length=told["context"], packing=told["packing"],
        assistant_only_loss=True, learning_rate=2e-4, lr_scheduler_type="cosine", bf16=False, seed=0, use_cpu=True,
        activation_checkpointing=False, save_strategy="no", logging_steps=1, report_to="none", disable_tqdm=True,
    ),
    train_dataset=Dataset.from_parquet("in/data/train/00000.parquet"),
    processing_class=tokenizer,
    peft_config=LoraConfig(task_type="CAUSAL_LM", r=told["rank"], lora_alpha=2 * told["rank"], target_modules="all-linear"),
    callbacks=[clock],
)
trainer.train()
json.dump({"tokens_per_second": clock.tokens / clock.seconds}, open("measures.json", "w"))
"""
TIMED = """

import atexit, json, time
_spent = {"ours": 0.0, "began": None, "ended": 0.0}


def _timed(name, method):
    def called(self, *args, **kw):
        began = time.perf_counter()
        _spent["began"] = _spent["began"] or began
        try:
            return method(self, *args, **kw)
        finally:
            _spent["ended"] = time.perf_counter()
            _spent["ours"] += _spent["ended"] - began
    return called


for _name in ("on_step_end", "on_log"):
    setattr(Watch, _name, _timed(_name, getattr(Watch, _name)))
atexit.register(lambda: json.dump(_spent, open("spent.json", "w")))
"""


def inputs(home: Path) -> None:
    """A tiny model and chats of several lengths."""
    trainee.SHAPE.update(SHAPE)
    trainee.make_model(home / "base")
    rows = trainee.chats(400) + trainee.chats(200, turns=2, seed=3)
    trainee.make_dataset(home / "data", rows)


def entrants(home: Path, *, packing: bool) -> dict[str, Path]:
    """A step folder of each."""
    batch = 4 if packing else BATCH
    spec: dict[str, Any] = {
        "base": "b", "data": "d", "context": str(CONTEXT), "packing": str(packing).lower(), "lora": {"rank": str(RANK)},
        "train": {"steps": str(STEPS), "batch": str(batch), "learning_rate": "2e-4", "precision": "fp32", "tests": "1"},
        "placement": {"gpus": "0", "checkpoint_every": "1000"},
    }  # fmt: skip
    files = trainee.rendered("finetune", spec, {"base": trainee.facts(), "data": trainee.Dataset(format="messages", test=0)})
    name = "packed" if packing else "plain"
    places = {"base": home / "base", "data": home / "data"}
    ours = trainee.write_step(home / f"zyc-{name}", files, places)
    watching = ours / "harness" / "watching.py"
    watching.write_text(watching.read_text() + TIMED)
    bare = home / f"bare-{name}"
    (bare / "in").mkdir(parents=True)
    for each, target in places.items():
        (bare / "in" / each).symlink_to(target)
    told = {"steps": STEPS, "micro": batch, "accumulation": 1, "context": CONTEXT, "packing": packing, "rank": RANK}
    (bare / "settings.json").write_text(json.dumps(told))
    (bare / "bare.py").write_text(BARE)
    return {"zyc": ours, "bare trl": bare}


def rate(home: Path) -> float:
    """Run one, and its tokens a second."""
    shutil.rmtree(home / "state", ignore_errors=True)
    words = ["bash", "run.sh"] if (home / "run.sh").exists() else [sys.executable, "bare.py"]
    done = subprocess.run(words, cwd=home, env=trainee.environ(), capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{home.name} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    told: float = json.loads((home / "measures.json").read_text())["tokens_per_second"]
    return told


def measure(here: Place, *, rounds: int) -> Iterator[Figure]:
    """Both, in turn, packed and not."""
    home = here.folder
    inputs(home)
    for packing in (False, True):
        both = entrants(home, packing=packing)
        seen: dict[str, list[float]] = {name: [] for name in both}
        for _ in range(rounds):
            for name, folder in both.items():
                seen[name].append(rate(folder))
        best = {name: max(each) for name, each in seen.items()}
        figures.show_rows(
            [("", *(f"run {at + 1}" for at in range(rounds)))]
            + [(name, *(f"{x:,.0f}" for x in each)) for name, each in seen.items()]
        )
        spent = json.loads((both["zyc"] / "spent.json").read_text())
        word = "packed" if packing else "not packed"
        text = f"zyc {best['zyc']:,.0f}, bare trl {best['bare trl']:,.0f} tokens/s"
        yield Figure(f"training, {word}: time of a token", best["bare trl"] / best["zyc"], "x bare trl", bar=1.0, seen=text)
        share = 100 * spent["ours"] / (spent["ended"] - spent["began"])
        yield Figure(f"training, {word}: zyc's own share of a step", share, "%", bar=1.0, seen="callbacks of the harness")


def main() -> None:
    """Measure, and say it."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    asked = place.options(__doc__, rounds=2).parse_args()
    with place.at(asked) as here:
        figures.conclude(measure(here, rounds=asked.rounds))


if __name__ == "__main__":
    main()
