"""The kind `perplexity`: the same number as llama-perplexity and transformers on the same text, and bits per byte beside it."""

import json
import math
import os
import re
import subprocess
import sys

import pytest
import samples
import tiny_models
from modules import modules_of
from standing import PINS, run, stand

from zyc.types import Dataset, Gguf, Model

VERSION = PINS["package:llama-cpp-python"]


@pytest.fixture(scope="module")
def foretelling():
    """The plain module that reads windows."""
    with modules_of("perplexity", "foretelling") as found:
        yield found.foretelling


def test_windows(workshop, golden):
    """The script names the window and the engine, and nothing of where it stands."""
    workshop.write("data/asked.jsonl", '{"question": "one?", "answer": "1"}\n')
    workshop.spec(samples.read("perplexity").spec.partition("\n")[2])
    golden(workshop.front(), "my-eval.told")


def test_windows_stand_side_by_side_or_overlap(foretelling):
    """Without a stride half of each window counts and a rest does not; with one every token counts once, but the first."""
    told = foretelling.windows(25, 8)
    assert [(each.start, each.end, each.first) for each in told] == [(0, 8, 5), (8, 16, 5), (16, 24, 5)]
    assert foretelling.windows(25, 8, 12) == foretelling.windows(25, 8, 8)
    for stride in (1, 3, 7):
        told = foretelling.windows(25, 8, stride)
        counted = [each.start + at for each in told for at in range(each.first, each.end - each.start)]
        assert counted == list(range(1, 25)), stride
    assert [(each.start, each.end, each.first) for each in foretelling.windows(5, 8)] == [(0, 5, 1)]


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ({"text": "a"}, "a"),
        ({"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": None}]}, "a\n"),
        ({"prompt": [{"role": "user", "content": "a"}], "completion": [{"role": "assistant", "content": "b"}]}, "a\nb"),
        ({"prompt": "a", "chosen": "b", "rejected": "c"}, "a\nb"),
        ({"question": "a", "answer": "b"}, "a\nb"),
    ],
)
def test_a_row_of_any_form_says_what_people_read(foretelling, row, says):
    """Chats as what was said in them, wherever they stand, and never as the code of a list."""
    assert foretelling.said(row) == says


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A tiny model, its GGUF, and a text, as a dataset and as a file."""
    import pyarrow as pa
    from pyarrow import parquet

    home = tmp_path_factory.mktemp("perplexity")
    model = tiny_models.make(home)
    run(stand(home / "gguf", "gguf", {"source": model}, {"source": Model(licence="mit")}))
    text = "\n\n".join(tiny_models.TEXT.strip() for _ in range(4))
    (home / "text.txt").write_text(text)
    (home / "data/train").mkdir(parents=True)
    parquet.write_table(pa.table({"text": [text]}), home / "data/train/00000.parquet")
    return home


def told_by(command, attempts=30):
    """The number that llama-perplexity prints; on a busy machine it may end without its last lines, and is asked again."""
    for _ in range(attempts):
        done = subprocess.run(command, capture_output=True, text=True, check=True, env={**os.environ, "LLAMA_LOG_COLORS": "0"})
        if line := re.search(r"PPL = ([\d.]+)", done.stdout + done.stderr):
            return float(line[1])
    raise AssertionError(f"llama-perplexity never told its number:\n{done.stdout}{done.stderr}")


def measured(world, name, model, facts, **fields):
    """What the step measures, by its own run.sh."""
    links = {"model": model, "perplexity": world / "data"}
    folder = stand(world / name, "perplexity", links, facts, {"model": "m", "perplexity": "d", **fields})
    _, measures = run(folder)
    return measures, json.loads((folder / "out/report.json").read_text())


@pytest.mark.slow
def test_it_is_the_number_of_llama_perplexity(world):
    """The same text, model and window: the same number to its last printed digit."""
    facts = {"model": Gguf(), "perplexity": Dataset()}
    measures, report = measured(world, "ours", world / "gguf/out", facts, window="128")
    with modules_of("perplexity", "foretelling"):
        sys.path.insert(0, str(world / "ours/harness"))
        import llama_home

        program = llama_home.build(VERSION, print) / "bin/llama-perplexity"
        sys.path.pop(0)
    command = [
        str(program),
        "-m",
        str(world / "gguf/out/model.gguf"),
        "-f",
        str(world / "text.txt"),
        "-c",
        "128",
        "-b",
        "128",
        "-t",
        "1",
    ]
    assert measures["perplexity"] == pytest.approx(told_by(command), rel=2e-4)
    assert report["begins"] == "a BOS before each window"


@pytest.mark.slow
def test_it_is_the_number_of_transformers(world):
    """With a stride, the loop of the guide of transformers gives the same; bits per byte follow from it."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    facts = {"model": Model(), "perplexity": Dataset()}
    measures, _ = measured(world, "theirs", world / "model", facts, window="128", stride="64")
    tokenizer, text = AutoTokenizer.from_pretrained(world / "model"), (world / "text.txt").read_text()
    plain = tokenizer(text, add_special_tokens=False)["input_ids"]
    ids = torch.tensor([[tokenizer.bos_token_id, *plain]])
    model = AutoModelForCausalLM.from_pretrained(world / "model", dtype="auto").eval()
    nats, counted, before = 0.0, 0, 0
    for start in range(0, ids.shape[1], 64):
        end = min(start + 128, ids.shape[1])
        part, wanted = ids[:, start:end], ids[:, start:end].clone()
        wanted[:, : -(end - before)] = -100
        with torch.no_grad():
            loss = model(part, labels=wanted).loss.float()
        count = int((wanted[:, 1:] != -100).sum())
        nats, counted, before = nats + float(loss) * count, counted + count, end
        if end == ids.shape[1]:
            break
    assert measures["tokens"] == counted
    assert measures["perplexity"] == pytest.approx(math.exp(nats / counted), rel=1e-3)
    assert measures["bits_per_byte"] == pytest.approx(nats / math.log(2) / len(text.encode()), rel=1e-3)
