"""The kind `speed`: what a plan says of times and memory on a class of machines, and how times become measures."""

import json

import pyarrow as pa
import pyarrow.parquet
import pytest
import samples
import tiny_models
from modules import modules_of
from standing import run, stand

from zyc import kinds
from zyc.types import Dataset, Gguf, Model


@pytest.fixture(scope="module")
def timing():
    """The plain module that takes times."""
    with modules_of("speed", "timing") as found:
        yield found.timing


def test_alone(workshop, golden):
    """The script says how long questions and answers are, and needs no server for one client."""
    workshop.write("data/asked.jsonl", '{"question": "one?", "answer": "1"}\n')
    workshop.spec(samples.read("speed").spec.partition("\n")[2])
    golden(workshop.front(), "my-eval.speed")


def test_tails_are_nearest_ranks(timing):
    """Nineteen of twenty stay under or at it; one alone is its own tail."""
    assert timing.percentile(range(1, 101), 0.95) == 95
    assert timing.percentile(range(1, 21), 0.95) == 19
    assert timing.percentile([3, 1, 2], 0.5) == 2
    assert timing.percentile([7], 0.95) == 7


def test_rates_of_one_client_and_of_several(timing):
    """Alone it is the pace of writing; together it is all tokens between the first question and the last answer."""
    one = [timing.Run(1.0, 3.0, 11, ended) for ended in (3.0, 6.0)]
    assert timing.measures(one, None, 40)["tokens_per_second"] == pytest.approx(5)
    two = [timing.Run(1.0, 3.0, 11, 3.0), timing.Run(1.0, 3.0, 11, 3.0)]
    assert timing.measures(two, 10, 40) == {
        "first_token": 1.0, "answer_p50": 3.0, "answer_p95": 3.0, "tokens_per_second": pytest.approx(22 / 3),
        "prompt_per_second": 40.0, "memory_peak": 10,
    }  # fmt: skip


def test_a_question_has_exactly_so_many_tokens(timing):
    """Its end, with what opens the answer, is always there."""
    found = timing.question(lambda text: [ord(each) for each in text], lambda chat, _: f"<{chat[-1]['content']}>answer>", {}, 40)
    assert len(found) == 40
    assert "".join(map(chr, found)).endswith("answer>")


@pytest.mark.slow
def test_a_gguf_is_timed_alone_and_for_several(tmp_path):
    """Every measure is there, in order of size; several clients are answered by a server that ends with the step."""
    model = tiny_models.make(tmp_path)
    run(stand(tmp_path / "gguf", "gguf", {"source": model}, {"source": Model(licence="mit")}))
    for clients in ("1", "3"):
        told = {"model": "m", "prompt_tokens": "40", "new_tokens": "20", "clients": clients, "runs": "3", "context": "128"}
        folder = stand(tmp_path / f"of{clients}", "speed", {"model": tmp_path / "gguf/out"}, {"model": Gguf()}, told)
        _, measures = run(folder)
        assert measures.keys() == {*kinds.load("speed").measures} - {"prompt_tokens"}
        assert 0 < measures["first_token"] <= measures["answer_p50"] <= measures["answer_p95"]
        assert measures["memory_peak"] > 5e6
        rows = [json.loads(line) for line in (folder / "out/rows.jsonl").read_text().splitlines()]
        assert [row["tokens"] for row in rows] == [20] * 3 * int(clients)
        assert json.loads((folder / "out/report.json").read_text())["engine"] == (
            "llama.cpp" if clients == "1" else "llama-server"
        )


@pytest.mark.slow
def test_questions_of_people_are_counted_and_timed(tmp_path):
    """As many as there are runs, from the first to the last, under the prompt that each row names; their tokens are counted."""
    model = tiny_models.make(tmp_path)
    run(stand(tmp_path / "gguf", "gguf", {"source": model}, {"source": Model(licence="mit")}))
    with modules_of("speed", "wondering") as found:
        assert found.wondering.evenly(list(range(10)), 4) == [0, 2, 5, 7]
    folder = tmp_path / "exam/test"
    folder.mkdir(parents=True)
    asked = [{"question": f"{'why ' * at}?", "answer": "so"} for at in range(1, 5)]
    pa.parquet.write_table(pa.Table.from_pylist(asked), folder / "0.parquet")
    told = {"model": "m", "questions": "q", "new_tokens": "5", "runs": "2", "context": "128"}
    inputs = {"model": tmp_path / "gguf/out", "questions": tmp_path / "exam"}
    facts = {"model": Gguf(), "questions": Dataset(format="questions")}
    _, measures = run(stand(tmp_path / "real", "speed", inputs, facts, told))
    assert measures.keys() == {*kinds.load("speed").measures}
    assert measures["prompt_per_second"] == pytest.approx(measures["prompt_tokens"] / measures["first_token"])
    assert measures["prompt_tokens"] > 2
